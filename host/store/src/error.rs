//! What can go wrong with a run directory. Every message says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why a run cannot be created, opened, read or written.
///
/// Cloned freely: a journal that failed gives the same error to everyone who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The directory of a new run is there already.
    #[error(
        "{path} exists already: continue it with `tune-host resume {path}`, or choose another name with `--name`",
        path = path.display()
    )]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// No run is there.
    #[error("{path} is not a run directory: {reason}. `tune-host runs` lists the runs", path = path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Another process writes the run.
    #[error(
        "run {path} is in use by process {process}: wait for it or stop it; `show` and `best` work meanwhile",
        path = path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Its process id as it noted it down, or "unknown".
        process: String,
    },
    /// Written by a later tune-host.
    #[error(
        "run {path} has format {format}, this tune-host knows up to {known}: use the newer tune-host that wrote it",
        path = path.display()
    )]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Of the run.
        format: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// The content contradicts itself.
    #[error("run {path} is damaged: {what}. Restore it from a copy, or start a new run", path = path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// No space is left; all that was committed is kept and readable.
    #[error(
        "the disk is full while writing {what} of run {path}: everything up to the last commit is kept; free some space and `tune-host resume {path}`",
        path = path.display()
    )]
    DiskFull {
        /// The directory.
        path: PathBuf,
        /// Which part was being written.
        what: String,
    },
    /// The snapshots take as much as they may; everything else goes on.
    #[error(
        "the snapshots of run {path} take up their quota of {quota} bytes: no more are written; raise it, or keep fewer",
        path = path.display()
    )]
    QuotaFull {
        /// The directory.
        path: PathBuf,
        /// In bytes.
        quota: u64,
    },
    /// The directory of the run takes as much as it may; all that was committed is kept.
    #[error(
        "the directory of run {path} takes all but an eighth of the {limit} bytes that it may \
         (`run_disk` in [limits]): everything up to the last commit is kept; give it more with \
         `tune-host resume {path} --run-disk SIZE`",
        path = path.display()
    )]
    RunFull {
        /// The directory.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
    /// A snapshot cannot be read.
    #[error(
        "snapshot {id} of run {path} is damaged: {what}. An earlier one is used where there is one, else the steps are done again",
        path = path.display()
    )]
    DamagedSnapshot {
        /// The directory of the run.
        path: PathBuf,
        /// The number of the snapshot.
        id: u64,
        /// What was found.
        what: String,
    },
    /// No snapshot has this number, or not any more.
    #[error("run {path} has no snapshot {id}: `tune-host snapshots {path}` lists those that it has", path = path.display())]
    NoSnapshot {
        /// The directory of the run.
        path: PathBuf,
        /// The number.
        id: u64,
    },
    /// More memories, a longer header or more chunks than a snapshot can have.
    #[error("a snapshot of run {path} was not written: it is larger than any may be. The run goes on without it", path = path.display())]
    SnapshotTooLarge {
        /// The directory of the run.
        path: PathBuf,
    },
    /// The caller writes to a run that it opened for reading: a defect of the host.
    #[error("run {path} is open for reading only; this is a defect of tune-host, please report it", path = path.display())]
    ReadOnly {
        /// The directory of the run.
        path: PathBuf,
    },
    /// Any other failure of the file system or the database.
    #[error(
        "run {path}: {what}: {message}. Check the disk and the permissions of the directory",
        path = path.display()
    )]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was being done.
        what: String,
        /// As the system says it.
        message: String,
    },
    /// The caller left out or repeated a row: a defect of the host.
    #[error(
        "journal row {got} came where row {expected} belongs; this is a defect of tune-host, please report it"
    )]
    OutOfOrder {
        /// The next row.
        expected: u64,
        /// The row that came.
        got: u64,
    },
    /// A file name from a guest that could leave its directory or confuse a shell.
    #[error("`{name}` cannot name an artifact: use 1 to 128 of a-z A-Z 0-9 . _ - and no dot first")]
    BadArtifactName {
        /// The name.
        name: String,
    },
    /// The journal was closed, or its thread ended without a word.
    #[error("the journal is closed; this is a defect of tune-host, please report it")]
    Closed,
}

impl StoreError {
    /// The cause is a full disk or quota.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::QuotaFull { .. })
    }

    pub(crate) fn io(path: &Path, what: impl Into<String>, error: &io::Error) -> Self {
        let (path, what) = (path.to_owned(), what.into());
        if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Self::DiskFull { path, what }
        } else {
            Self::Io {
                path,
                what,
                message: error.to_string(),
            }
        }
    }

    pub(crate) fn sql(path: &Path, what: impl Into<String>, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (path, what) = (path.to_owned(), what.into());
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, what },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                path,
                what: format!("{what}: {error}"),
            },
            _ => Self::Io {
                path,
                what,
                message: error.to_string(),
            },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}
