//! The runs of a directory.

use std::path::{Path, PathBuf};

use crate::{Header, RunReader, RunStatus, StoreError};

/// One run of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Name of its directory.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it started from.
    pub header: Header,
    /// Where it stands.
    pub status: RunStatus,
    /// How many rows are committed.
    pub rows: u64,
}

/// The runs directly under a directory, the oldest first, and what looks like a run but cannot be
/// read. A directory that does not exist holds none.
///
/// # Errors
/// The directory cannot be listed.
pub fn list_runs(dir: &Path) -> Result<(Vec<RunSummary>, Vec<StoreError>), StoreError> {
    let io = |error: &_| StoreError::io(dir, "listing the runs", error);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((Vec::new(), Vec::new()));
        }
        entries => entries.map_err(|e| io(&e))?,
    };
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry.map_err(|e| io(&e))?.path();
        match summary(&path) {
            Ok(run) => runs.push(run),
            Err(StoreError::NotARun { .. }) => {}
            Err(error) => unreadable.push(error),
        }
    }
    runs.sort_by(|a, b| (a.header.created_ms, &a.name).cmp(&(b.header.created_ms, &b.name)));
    Ok((runs, unreadable))
}

fn summary(path: &Path) -> Result<RunSummary, StoreError> {
    let run = RunReader::open(path)?;
    Ok(RunSummary {
        name: path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        path: path.to_owned(),
        header: run.header()?,
        status: run.status()?,
        rows: run.count()?,
    })
}
