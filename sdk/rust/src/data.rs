//! Read-only data sets by name, granted by `[[data]]` in the experiment file; needs the grant
//! `"data"`. Natively they are the directories and files that the test has mounted.

use tune_space::Failure;

#[cfg(not(target_arch = "wasm32"))]
use native as host;
#[cfg(target_arch = "wasm32")]
use sandbox as host;

/// Most bytes that one [`read`] returns; a bound of the contract.
pub const MAX_READ: u32 = 1 << 20;

/// Why a data set cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataError {
    /// No such data set is granted; the names that are.
    NotGranted(Vec<String>),
    /// The data set has no such file.
    NotFound(String),
    /// The host could not read it.
    Io(String),
}

impl std::fmt::Display for DataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotGranted(granted) if granted.is_empty() => {
                f.write_str("no data set is granted: add a [[data]] table to the experiment file")
            }
            Self::NotGranted(granted) => {
                write!(
                    f,
                    "the data set is not granted; granted: {}",
                    granted.join(", ")
                )
            }
            Self::NotFound(name) => write!(f, "there is no data file `{name}`"),
            Self::Io(message) => write!(f, "the data cannot be read: {message}"),
        }
    }
}

impl std::error::Error for DataError {}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::BadData(error.to_string())
    }
}

/// All readable names with their size in bytes, sorted.
#[must_use]
pub fn entries() -> Vec<(String, u64)> {
    host::entries()
}

/// Size in bytes.
///
/// # Errors
/// See [`DataError`].
pub fn size(name: &str) -> Result<u64, DataError> {
    host::size(name)
}

/// At most `max_len` bytes (<= [`MAX_READ`]) from `offset`; fewer only at the end of the file.
///
/// # Errors
/// See [`DataError`].
pub fn read(name: &str, offset: u64, max_len: u32) -> Result<Vec<u8>, DataError> {
    host::read(name, offset, max_len.min(MAX_READ))
}

/// The whole file.
///
/// # Errors
/// See [`DataError`].
pub fn read_all(name: &str) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    loop {
        let part = read(name, bytes.len() as u64, MAX_READ)?;
        bytes.extend_from_slice(&part);
        if part.len() < MAX_READ as usize {
            return Ok(bytes);
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod sandbox {
    use super::DataError;
    use crate::bindings::trainable::tune::plugin::data as wit;

    pub(super) use wit::entries;

    pub(super) fn size(name: &str) -> Result<u64, DataError> {
        wit::size(name).map_err(plain)
    }

    pub(super) fn read(name: &str, offset: u64, max_len: u32) -> Result<Vec<u8>, DataError> {
        wit::read(name, offset, max_len).map_err(plain)
    }

    fn plain(error: wit::DataError) -> DataError {
        match error {
            wit::DataError::NotGranted(names) => DataError::NotGranted(names),
            wit::DataError::NotFound(name) => DataError::NotFound(name),
            wit::DataError::Io(message) => DataError::Io(message),
        }
    }
}

/// The data sets of native tests.
#[cfg(not(target_arch = "wasm32"))]
pub mod native {
    use std::{
        cell::RefCell,
        collections::BTreeMap,
        fs::{self, File},
        io::{self, Read as _, Seek as _, SeekFrom},
        path::{Path, PathBuf},
    };

    use super::DataError;

    thread_local! {
        static MOUNTED: RefCell<BTreeMap<String, PathBuf>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Makes a file or directory readable as data set `name` on this thread.
    pub fn mount(name: impl Into<String>, path: impl Into<PathBuf>) {
        MOUNTED.with_borrow_mut(|mounted| mounted.insert(name.into(), path.into()));
    }

    pub(super) fn entries() -> Vec<(String, u64)> {
        let mut found = Vec::new();
        MOUNTED.with_borrow(|mounted| {
            for (name, path) in mounted {
                // What cannot be read is not readable, and so no entry.
                let _ = walk(name, path, &mut found);
            }
        });
        found.sort();
        found
    }

    fn walk(name: &str, path: &Path, found: &mut Vec<(String, u64)>) -> io::Result<()> {
        let meta = fs::metadata(path)?;
        if meta.is_file() {
            found.push((name.to_owned(), meta.len()));
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
            walk(&inner, &entry.path(), found)?;
        }
        Ok(())
    }

    fn open(name: &str) -> Result<File, DataError> {
        let (set, rest) = name.split_once('/').unwrap_or((name, ""));
        let path = MOUNTED.with_borrow(|mounted| {
            mounted
                .get(set)
                .map(|path| {
                    if rest.is_empty() {
                        path.clone()
                    } else {
                        path.join(rest)
                    }
                })
                .ok_or_else(|| DataError::NotGranted(mounted.keys().cloned().collect()))
        })?;
        if !path.is_file() {
            return Err(DataError::NotFound(name.to_owned()));
        }
        File::open(path).map_err(|error| DataError::Io(error.to_string()))
    }

    pub(super) fn size(name: &str) -> Result<u64, DataError> {
        let meta = open(name)?.metadata();
        Ok(meta
            .map_err(|error| DataError::Io(error.to_string()))?
            .len())
    }

    pub(super) fn read(name: &str, offset: u64, max_len: u32) -> Result<Vec<u8>, DataError> {
        let mut file = open(name)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(max_len.into()).read_to_end(&mut bytes))
            .map_err(|error| DataError::Io(error.to_string()))?;
        Ok(bytes)
    }
}
