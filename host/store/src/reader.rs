//! Reading a run: never writes, works beside a writer, on a read-only disk and on a full one.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;

use crate::artifacts::{current_files, describe};
use crate::chunks::ChunkStore;
use crate::lock::Lock;
use crate::logs::LOGS;
use crate::run_dir::open_dir;
use crate::schema::Database;
use crate::{ArtifactFile, Header, LogOf, Row, RunState, RunStatus, StoreError};

/// A run opened for reading.
#[derive(Debug)]
pub struct RunReader {
    path: PathBuf,
    dir: Dir,
    database: Database,
}

impl RunReader {
    /// Opens a run.
    ///
    /// # Errors
    /// No run is there, its format is newer than this build, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let dir = open_dir(path)?;
        Ok(Self {
            path: path.to_owned(),
            database: Database::open_read(path, Lock::is_held(&dir))?,
            dir,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it started from.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn header(&self) -> Result<Header, StoreError> {
        self.database.header()
    }

    /// Where it stands. A run that says running but is held by no process is interrupted.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn status(&self) -> Result<RunStatus, StoreError> {
        let mut status = self.database.status()?;
        if status.state == RunState::Running && !Lock::is_held(&self.dir) {
            status.state = RunState::Interrupted;
        }
        Ok(status)
    }

    /// All committed rows.
    ///
    /// # Errors
    /// It cannot be read, or a row is missing.
    pub fn rows(&self) -> Result<Vec<Row>, StoreError> {
        self.database.rows(0)
    }

    /// The committed rows with this sequence and later, for following a run.
    ///
    /// # Errors
    /// It cannot be read, or a row is missing.
    pub fn rows_from(&self, sequence: u64) -> Result<Vec<Row>, StoreError> {
        self.database.rows(sequence)
    }

    /// How many rows are committed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn count(&self) -> Result<u64, StoreError> {
        self.database.count()
    }

    /// The committed part of a log; empty if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn log(&self, log: LogOf) -> Result<Vec<u8>, StoreError> {
        let Some(length) = self.database.log_lengths()?.get(&log).copied() else {
            return Ok(Vec::new());
        };
        let file = Path::new(LOGS).join(log.file_name());
        let mut bytes = self
            .dir
            .read(file)
            .map_err(|e| StoreError::io(&self.path, "reading a log", &e))?;
        bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// The files that trials wrote, by trial and name.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn artifacts(&self) -> Result<Vec<ArtifactFile>, StoreError> {
        Ok(describe(&current_files(self.database.artifact_parts()?)))
    }

    /// Its snapshots as they stand now, for reading; none in a run from before there were any.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn chunks(&self) -> Result<ChunkStore, StoreError> {
        ChunkStore::open_read(&self.dir, &self.path, self.count()?)
    }
}
