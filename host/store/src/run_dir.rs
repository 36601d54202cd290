//! The directory of a run: made, opened for writing, and found.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::artifacts::{ARTIFACTS, Artifacts, CONTENT, STAGING};
use crate::budget::{Budget, Limit};
use crate::chunks::ChunkStore;
use crate::lock::Lock;
use crate::logs::{LOGS, Logs};
use crate::schema::Database;
use crate::writer::Writer;
use crate::{Header, Journal, Row, RunStatus, StoreError};

/// A run that this process may write: it holds the lock until this and the journal are dropped.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    dir: Dir,
    chunks: ChunkStore,
    limit: Limit,
    lock: Arc<Lock>,
}

/// A run opened to be continued.
#[derive(Debug)]
pub struct OpenedRun {
    /// Its directory.
    pub dir: RunDir,
    /// Its journal, ready for the next row.
    pub journal: Journal,
    /// What it started from.
    pub header: Header,
    /// Where it stood; "running" means that it was killed.
    pub status: RunStatus,
    /// Everything that was committed.
    pub rows: Vec<Row>,
}

impl RunDir {
    /// Makes a new run, with the directories above it.
    ///
    /// # Errors
    /// The directory exists, or cannot be written; then nothing is left of it.
    pub fn create(path: &Path, header: &Header) -> Result<(Self, Journal), StoreError> {
        let io = |error: &_| StoreError::io(path, "creating the run directory", error);
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|e| io(&e))?;
        }
        std::fs::create_dir(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                StoreError::Exists {
                    path: path.to_owned(),
                }
            } else {
                io(&error)
            }
        })?;
        Self::fill(path, header).inspect_err(|_| {
            // This call made it, so nothing but its own beginnings can be in there.
            drop(std::fs::remove_dir_all(path));
        })
    }

    fn fill(path: &Path, header: &Header) -> Result<(Self, Journal), StoreError> {
        let io = |error: &_| StoreError::io(path, "creating the run directory", error);
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|e| io(&e))?;
        let lock = Arc::new(Lock::take(&dir, path)?);
        dir.create_dir(LOGS).map_err(|e| io(&e))?;
        dir.create_dir(ARTIFACTS).map_err(|e| io(&e))?;
        for part in [CONTENT, STAGING] {
            dir.create_dir(Path::new(ARTIFACTS).join(part))
                .map_err(|e| io(&e))?;
        }
        let database = Database::create(path, header)?;
        let chunks = ChunkStore::open(&dir, path, Arc::clone(&lock), 0)?;
        sync_dir(&dir).map_err(|e| io(&e))?;
        let this = Self {
            path: path.to_owned(),
            dir,
            chunks,
            limit: no_limit(),
            lock,
        };
        let journal = this.start_journal(database, 0)?;
        Ok((this, journal))
    }

    /// Opens a run to go on with it: takes the lock, cuts logs, artifacts and snapshots to what was
    /// committed, and reads the journal.
    ///
    /// # Errors
    /// No run is there, another process writes it, its format is newer than this build, or it is
    /// damaged.
    pub fn open_writable(path: &Path) -> Result<OpenedRun, StoreError> {
        let dir = open_dir(path)?;
        let lock = Arc::new(Lock::take(&dir, path)?);
        let database = Database::open_writable(path)?;
        let (header, status) = (database.header()?, database.status()?);
        let rows = database.rows(0)?;
        let chunks = ChunkStore::open(&dir, path, Arc::clone(&lock), rows.len() as u64)?;
        let dir = Self {
            path: path.to_owned(),
            dir,
            chunks,
            limit: no_limit(),
            lock,
        };
        let journal = dir.start_journal(database, rows.len() as u64)?;
        Ok(OpenedRun {
            dir,
            journal,
            header,
            status,
            rows,
        })
    }

    fn start_journal(&self, database: Database, next: u64) -> Result<Journal, StoreError> {
        let writer = Writer {
            logs: Logs::open(&self.dir, &self.path, &database.log_lengths()?)?,
            artifacts: Artifacts::open(&self.dir, &self.path, &database)?,
            budget: Budget::new(&self.path, Arc::clone(&self.limit), self.chunks.clone()),
            status: database.status()?,
            database,
            path: self.path.clone(),
            subscribers: Vec::new(),
            lock: Arc::clone(&self.lock),
        };
        Journal::start(writer, next)
    }

    /// Where it is, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its snapshots. Whoever holds a clone holds the lock of the run.
    #[must_use]
    pub fn chunks(&self) -> &ChunkStore {
        &self.chunks
    }

    /// Bounds what the whole directory may take on the disk, in bytes; nothing does by default but
    /// the disk. From half of it on snapshots are left out, from three quarters on logs are cut, and
    /// with seven eighths the journal fails with [`StoreError::RunFull`]: the rest is for the files
    /// that others are writing meanwhile.
    pub fn limit_disk(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// The directory as a capability: nothing outside it can be reached.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.dir
    }
}

fn no_limit() -> Limit {
    Arc::new(AtomicU64::new(u64::MAX))
}

/// Opens the directory of a run that should be there.
pub(crate) fn open_dir(path: &Path) -> Result<Dir, StoreError> {
    let not_a_run = |reason: &str| StoreError::NotARun {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let dir = Dir::open_ambient_dir(path, ambient_authority())
        .map_err(|_| not_a_run("there is no such directory"))?;
    if dir.is_file(crate::schema::DATABASE) {
        Ok(dir)
    } else {
        Err(not_a_run("it has no run.db"))
    }
}

/// Makes names in a directory durable. A no-op where directories cannot be synced.
pub(crate) fn sync_dir(dir: &Dir) -> std::io::Result<()> {
    if cfg!(unix) {
        dir.open(".")?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attachments, LogOf, RunReader, StoreError};

    fn row(sequence: u64) -> Row {
        Row {
            sequence,
            tick: 0,
            trial: Some(0),
            kind: "report".to_owned(),
            body: vec![0; 500],
            wall_ms: 0,
            step_us: 0,
            log_end: 0,
            usage: Vec::new(),
            digest: [0; 32],
        }
    }

    /// A run whose database may have so many pages only: to SQLite that is a full disk.
    fn on_a_small_disk(path: &Path, pages: u32) -> Journal {
        drop(RunDir::create(path, &Header::default()).unwrap());
        let dir = open_dir(path).unwrap();
        let lock = Arc::new(Lock::take(&dir, path).unwrap());
        let database = Database::open_writable(path).unwrap();
        let connection = &database.connection;
        connection
            .pragma_update(None, "max_page_count", pages)
            .unwrap();
        let path = path.to_owned();
        let chunks = ChunkStore::open(&dir, &path, Arc::clone(&lock), 0).unwrap();
        let run = RunDir {
            path,
            dir,
            chunks,
            limit: no_limit(),
            lock,
        };
        run.start_journal(database, 0).unwrap()
    }

    #[test]
    fn a_full_disk_fails_the_journal_and_leaves_what_was_committed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let journal = on_a_small_disk(&path, 40);
        let mut error = None;
        for sequence in 0..100_000 {
            let logs = vec![(LogOf::Searcher, b"line\n".to_vec())];
            let attachments = Attachments {
                logs,
                ..Attachments::none()
            };
            if let Err(full) = journal.append(row(sequence), attachments) {
                error = Some(full);
                break;
            }
            if sequence % 10 == 9
                && let Err(full) = journal.flush()
            {
                error = Some(full);
                break;
            }
        }
        let error = error.unwrap();
        assert!(error.is_disk_full(), "{error}");
        assert!(error.to_string().contains("resume"), "{error}");
        assert_eq!(journal.failed(), Some(error.clone()));
        assert_eq!(journal.flush(), Err(error.clone()));
        assert_eq!(
            journal.append(row(0), Attachments::none()),
            Err(error.clone())
        );
        let committed = journal.committed();
        assert!(committed >= 10, "{committed}");
        assert_eq!(journal.close(), Err(error));

        let reader = RunReader::open(&path).unwrap();
        assert_eq!(reader.count().unwrap(), committed);
        assert_eq!(reader.status().unwrap().state, crate::RunState::Interrupted);
        // With space again, the run goes on where it was.
        let opened = RunDir::open_writable(&path).unwrap();
        assert_eq!(opened.rows.len() as u64, committed);
        let log = std::fs::read(path.join("logs/searcher.log")).unwrap();
        assert_eq!(log.len() as u64, committed * 5);
        opened
            .journal
            .append(row(committed), Attachments::none())
            .unwrap();
        opened.journal.close().unwrap();
    }

    #[test]
    fn a_journal_whose_thread_dies_says_so_instead_of_hanging() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let (_run, journal) = RunDir::create(&path, &Header::default()).unwrap();
        journal.subscribe(Box::new(|_| panic!("on purpose")));
        journal.append(row(0), Attachments::none()).unwrap();
        assert_eq!(journal.flush(), Err(StoreError::Closed));
        assert_eq!(journal.close(), Err(StoreError::Closed));
    }

    #[test]
    fn a_run_without_index_file_is_read_without_making_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let (_run, journal) = RunDir::create(&path, &Header::default()).unwrap();
        for sequence in 0..20 {
            journal.append(row(sequence), Attachments::none()).unwrap();
        }
        journal.flush().unwrap();
        // As a killed process leaves it, once with and once without a write-ahead log.
        for (name, files, rows) in [
            ("log", ["run.db", "run.db-wal"].as_slice(), 20),
            ("no log, %3f?", &["run.db"], 0),
        ] {
            let copy = dir.path().join(name);
            std::fs::create_dir(&copy).unwrap();
            for file in files {
                std::fs::copy(path.join(file), copy.join(file)).unwrap();
            }
            let database = Database::open_without_index(&copy).unwrap();
            assert_eq!(database.rows(0).unwrap().len(), rows, "{name}");
            let left = std::fs::read_dir(&copy).unwrap().count();
            assert_eq!(left, files.len(), "{name}: nothing was made");
        }
    }
}
