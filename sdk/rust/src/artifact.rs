//! Result files of a trial; needs the grant `"artifact"`. What a step writes becomes visible when
//! its report is handed over. Natively the files are kept in memory for the test to read.

use tune_space::Failure;

#[cfg(not(target_arch = "wasm32"))]
use native as host;
#[cfg(target_arch = "wasm32")]
use sandbox as host;

/// Why a file was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactError {
    /// The name must be 1 to 128 characters of `a-z A-Z 0-9 . _ -` and not start with a dot.
    BadName(String),
    /// The byte or count limit of the trial; bytes that are left, none if it is the number of files.
    OverLimit(u64),
}

impl std::fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadName(name) => write!(
                f,
                "`{name}` cannot name an artifact: use 1 to 128 of a-z A-Z 0-9 . _ - and no dot first"
            ),
            Self::OverLimit(0) => f.write_str(
                "the artifact limit of the trial is reached: nothing more can be written \
                 (`artifact_bytes`, `artifact_count`)",
            ),
            Self::OverLimit(left) => write!(
                f,
                "the artifact limit of the trial is reached: {left} bytes are left (`artifact_bytes`)"
            ),
        }
    }
}

impl std::error::Error for ArtifactError {}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        Self::Other(error.to_string())
    }
}

/// Replaces the file.
///
/// # Errors
/// See [`ArtifactError`].
pub fn write(name: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
    host::write(name, bytes)
}

/// Appends to the file, which is made if it is missing.
///
/// # Errors
/// See [`ArtifactError`].
pub fn append(name: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
    host::append(name, bytes)
}

#[cfg(target_arch = "wasm32")]
mod sandbox {
    use super::ArtifactError;
    use crate::bindings::trainable::tune::plugin::artifact as wit;

    pub(super) fn write(name: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
        wit::write(name, bytes).map_err(plain)
    }

    pub(super) fn append(name: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
        wit::append(name, bytes).map_err(plain)
    }

    fn plain(error: wit::ArtifactError) -> ArtifactError {
        match error {
            wit::ArtifactError::BadName(name) => ArtifactError::BadName(name),
            wit::ArtifactError::OverLimit(left) => ArtifactError::OverLimit(left),
        }
    }
}

/// The artifacts of native tests. Without limits.
#[cfg(not(target_arch = "wasm32"))]
pub mod native {
    use std::{cell::RefCell, collections::BTreeMap};

    use super::ArtifactError;

    thread_local! {
        static FILES: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// The files that this thread has written since it was last asked.
    #[must_use]
    pub fn take() -> BTreeMap<String, Vec<u8>> {
        FILES.take()
    }

    fn checked(name: &str) -> Result<String, ArtifactError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if (1..=128).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.') {
            Ok(name.to_owned())
        } else {
            Err(ArtifactError::BadName(name.to_owned()))
        }
    }

    pub(super) fn write(name: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
        let name = checked(name)?;
        FILES.with_borrow_mut(|files| files.insert(name, bytes.to_vec()));
        Ok(())
    }

    pub(super) fn append(name: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
        let name = checked(name)?;
        FILES.with_borrow_mut(|files| files.entry(name).or_default().extend_from_slice(bytes));
        Ok(())
    }
}
