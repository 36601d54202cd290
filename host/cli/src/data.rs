//! The data sets and directories of a run: opened once, as capabilities, and hashed, so that a resume
//! can refuse a change.

use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use tune_runtime::{DataSet, DataSets, Directories};

/// Bytes that are hashed at once.
const CHUNK: usize = 1 << 20;

/// Opens a data set, a directory or one file, and grants it. Returns its hash.
pub(crate) fn grant(sets: &mut DataSets, name: &str, path: &Path) -> io::Result<blake3::Hash> {
    let authority = ambient_authority();
    let data = if std::fs::metadata(path)?.is_dir() {
        DataSet::Folder(Dir::open_ambient_dir(path, authority)?)
    } else {
        DataSet::File(File::open_ambient(path, authority)?)
    };
    sets.grant(name, data)?;
    hash(sets, name)
}

/// Opens a directory and grants it as files. Returns its hash.
pub(crate) fn grant_directory(
    directories: &mut Directories,
    name: &str,
    path: &Path,
) -> io::Result<blake3::Hash> {
    // Whatever is no directory is not opened: a pipe would keep the host waiting.
    let root = Dir::open_ambient_dir(path, ambient_authority())?;
    Ok(directories.grant(name, root)?.into())
}

/// Of the names, sizes and contents of all its files.
fn hash(sets: &DataSets, name: &str) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    for (file, size) in sets.entries() {
        let Some(inner) = file
            .strip_prefix(name)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            continue;
        };
        hasher.update(&(inner.len() as u64).to_le_bytes());
        hasher.update(inner.as_bytes());
        hasher.update(&size.to_le_bytes());
        let mut offset = 0;
        while offset < size {
            let read = sets.read(file, offset, &mut buffer)?;
            if read == 0 {
                return Err(io::Error::other(format!(
                    "{file} became shorter while it was read"
                )));
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
            offset += read as u64;
        }
    }
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn hash_of(path: &Path) -> blake3::Hash {
        grant(&mut DataSets::new(), "numbers", path).unwrap()
    }

    #[test]
    fn the_hash_tells_contents_and_names_but_not_places() {
        let dir = tempfile::tempdir().unwrap();
        let make = |folder: &str, file: &str, content: &[u8]| {
            let folder = dir.path().join(folder);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(file), content).unwrap();
            hash_of(&folder)
        };
        let first = make("a", "x.bin", &[1, 2, 3]);
        assert_eq!(first, make("b", "x.bin", &[1, 2, 3]));
        assert_ne!(first, make("c", "x.bin", &[1, 2, 4]));
        assert_ne!(first, make("d", "y.bin", &[1, 2, 3]));
        assert_ne!(first, hash_of(&dir.path().join("a/x.bin")));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        assert!(grant(&mut DataSets::new(), "n", Path::new("no/such/folder")).is_err());
    }
}
