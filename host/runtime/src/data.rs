//! Read-only data sets, and the `data` interface over them.
//!
//! A plugin names what it wants; it never sees a path of the host. Files are opened beneath a
//! folder that the caller opened, so no name and no link leads out of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use cap_std::fs::{Dir, File};

use crate::bindings::data::{DataError, Host};
use crate::store::StoreData;
use crate::walk::{Found, MAX_FILES, open, read_at, walk};

/// Bytes of one read, as the contract says.
const MAX_READ_BYTES: u32 = 1 << 20;
/// Fuel of one call, for opening the file; a byte costs one unit more.
const FUEL_PER_CALL: u64 = 1_000;

/// A data set that a plan grants: one file, or a folder of them.
#[derive(Debug)]
pub enum DataSet {
    /// Known by the name of the data set.
    File(File),
    /// Its files are known as `NAME/relative/path`.
    Folder(Dir),
}

/// Where a file is.
#[derive(Debug)]
enum Place {
    Open(std::fs::File),
    In(Arc<Dir>, String),
}

/// The data sets of a run. They are listed once, when they are granted.
#[derive(Debug, Default)]
pub struct DataSets {
    names: Vec<String>,
    files: BTreeMap<String, (u64, Place)>,
}

impl DataSets {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants one more.
    ///
    /// # Errors
    /// A folder that cannot be listed, holds a name that is no UTF-8, or has too many or too
    /// deeply nested files.
    pub fn grant(&mut self, name: &str, data: DataSet) -> io::Result<()> {
        self.names.push(name.to_owned());
        match data {
            DataSet::File(file) => {
                let size = file.metadata()?.len();
                self.files
                    .insert(name.to_owned(), (size, Place::Open(file.into_std())));
            }
            DataSet::Folder(dir) => self.list(name, Arc::new(dir))?,
        }
        Ok(())
    }

    /// Adds the files of a folder and of the folders in it.
    fn list(&mut self, name: &str, root: Arc<Dir>) -> io::Result<()> {
        walk(&root, |path, found| {
            if let Found::File(size) = found {
                // Those of all data sets together.
                if self.files.len() == MAX_FILES {
                    let problem = format!("more than {MAX_FILES} data files");
                    return Err(io::Error::other(problem));
                }
                let place = Place::In(Arc::clone(&root), path.to_owned());
                self.files.insert(format!("{name}/{path}"), (size, place));
            }
            Ok(())
        })
    }

    /// Names and sizes of all files, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files
            .iter()
            .map(|(name, (size, _))| (name.as_str(), *size))
    }

    /// Reads into `buffer` from `offset` until it is full or the file ends.
    ///
    /// # Errors
    /// `NotFound` for an unknown name; those of the operating system.
    pub fn read(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let (_, place) = self.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        match place {
            Place::Open(file) => read_at(file, offset, buffer),
            Place::In(dir, path) => read_at(&open(dir, path)?.0, offset, buffer),
        }
    }

    /// Why there is no file of this name.
    fn missing(&self, name: &str) -> DataError {
        let set = name.split_once('/').map_or(name, |(set, _)| set);
        if self.names.iter().any(|n| n == set) {
            DataError::NotFound(name.to_owned())
        } else {
            DataError::NotGranted(self.names.clone())
        }
    }
}

impl Host for StoreData {
    fn entries(&mut self) -> wasmtime::Result<Vec<(String, u64)>> {
        let entries: Vec<_> = self
            .data
            .entries()
            .map(|(name, size)| (name.to_owned(), size))
            .collect();
        let bytes: usize = entries.iter().map(|(name, _)| name.len() + 8).sum();
        self.charge(FUEL_PER_CALL + bytes as u64);
        Ok(entries)
    }

    fn size(&mut self, name: String) -> wasmtime::Result<Result<u64, DataError>> {
        self.charge(FUEL_PER_CALL);
        Ok(match self.data.files.get(&name) {
            Some((size, _)) => Ok(*size),
            None => Err(self.data.missing(&name)),
        })
    }

    fn read(
        &mut self,
        name: String,
        offset: u64,
        max_len: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, DataError>> {
        self.charge(FUEL_PER_CALL);
        let Some((size, _)) = self.data.files.get(&name) else {
            return Ok(Err(self.data.missing(&name)));
        };
        let wanted = u64::from(max_len.min(MAX_READ_BYTES)).min(size.saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(wanted)?];
        Ok(match self.data.read(&name, offset, &mut bytes) {
            Ok(read) => {
                bytes.truncate(read);
                self.charge(read as u64);
                Ok(bytes)
            }
            // The kind only: the text of the system may name a path of the host.
            Err(error) => Err(DataError::Io(error.kind().to_string())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("a.bin"), [1, 2, 3, 4]).unwrap();
        std::fs::write(folder.path().join("sub/b.bin"), [5]).unwrap();
        folder
    }

    fn granted(folder: &tempfile::TempDir) -> io::Result<DataSets> {
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let mut sets = DataSets::new();
        sets.grant("digits", DataSet::Folder(dir))?;
        Ok(sets)
    }

    #[test]
    fn files_of_a_folder_are_listed_by_name_and_read_at_any_place() {
        let folder = folder();
        let sets = granted(&folder).unwrap();
        let entries: Vec<_> = sets.entries().collect();
        assert_eq!(entries, [("digits/a.bin", 4), ("digits/sub/b.bin", 1)]);
        let mut buffer = [0; 8];
        assert_eq!(sets.read("digits/a.bin", 2, &mut buffer).unwrap(), 2);
        assert_eq!(buffer[..2], [3, 4]);
    }

    #[test]
    fn a_data_set_can_be_one_file() {
        let folder = folder();
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let mut sets = DataSets::new();
        sets.grant("one", DataSet::File(dir.open("a.bin").unwrap()))
            .unwrap();
        let mut buffer = [0; 3];
        assert_eq!(sets.read("one", 1, &mut buffer).unwrap(), 3);
        assert_eq!(buffer, [2, 3, 4]);
    }

    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let folder = folder();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).unwrap();
        assert!(granted(&folder).is_err());
    }

    #[test]
    fn unknown_files_and_data_sets_are_told_apart() {
        let folder = folder();
        let sets = granted(&folder).unwrap();
        assert!(matches!(sets.missing("digits/c"), DataError::NotFound(n) if n == "digits/c"));
        assert!(matches!(sets.missing("mnist/c"), DataError::NotGranted(g) if g == ["digits"]));
        assert!(sets.read("digits/../a.bin", 0, &mut [0]).is_err());
    }
}
