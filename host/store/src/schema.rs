//! The tables of `run.db`: the only place that contains SQL.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::artifacts::{Part, Stored};
use crate::{Header, LogOf, Row, RunState, RunStatus, StoreError};

/// Format of run directories written by this build; older ones are read, newer ones are refused.
pub const FORMAT: u32 = 1;

pub(crate) const DATABASE: &str = "run.db";

/// "tune" in ASCII: lets `file` and us tell a run from any other SQLite file.
const APPLICATION_ID: i32 = 0x7475_6e65;

/// Rows are short and written in order: larger pages save little and cost more per commit.
const PAGE_BYTES: u32 = 4096;

const TABLES: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE journal (
        sequence INTEGER PRIMARY KEY,
        tick INTEGER NOT NULL,
        trial INTEGER,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        wall_ms INTEGER NOT NULL,
        step_us INTEGER NOT NULL,
        log_end INTEGER NOT NULL,
        digest BLOB NOT NULL,
        usage BLOB
    );
    CREATE TABLE logs (name TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE artifacts (
        id INTEGER PRIMARY KEY,
        sequence INTEGER NOT NULL,
        trial INTEGER NOT NULL,
        name TEXT NOT NULL,
        appended INTEGER NOT NULL,
        size INTEGER NOT NULL,
        hash BLOB NOT NULL,
        bytes BLOB
    );
";

/// `run.db` of one run, for reading or for writing.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Makes the file with its tables and header.
    pub(crate) fn create(run: &Path, header: &Header) -> Result<Self, StoreError> {
        let mut this = Self::open_with(run, OpenFlags::default(), None)?;
        let header = header
            .to_meta()
            .map_err(|e| StoreError::damaged(run, e.to_string()))?;
        this.attempt("creating the journal", |connection| {
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            // Synced once below, instead of at every stage: until then there is no run to lose.
            connection.pragma_update(None, "synchronous", "OFF")?;
            let transaction = connection.transaction()?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.execute_batch(TABLES)?;
            for (key, value) in &header {
                transaction.execute("INSERT INTO meta VALUES (?1, ?2)", params![key, value])?;
            }
            write_status(&transaction, &RunStatus::running())?;
            transaction.commit()?;
            connection.pragma_update(None, "journal_mode", "WAL")
        })?;
        std::fs::File::open(run.join(DATABASE))
            .and_then(|file| file.sync_all())
            .map_err(|e| StoreError::io(run, "creating the journal", &e))?;
        this.attempt_ref("creating the journal", set_durable)?;
        Ok(this)
    }

    /// Opens the file of a run for writing.
    pub(crate) fn open_writable(run: &Path) -> Result<Self, StoreError> {
        let this = Self::open_with(run, OpenFlags::SQLITE_OPEN_READ_WRITE, None)?;
        this.check_format()?;
        this.attempt_ref("opening the journal", set_durable)?;
        if !this.has_usage()? {
            this.attempt_ref("adding a column", |connection| {
                connection.execute_batch("ALTER TABLE journal ADD COLUMN usage BLOB")
            })?;
        }
        Ok(this)
    }

    /// Opens the file for reading, also beside a writer, on a read-only disk and on a full one.
    pub(crate) fn open_read(run: &Path, has_writer: bool) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let plain = Self::open_with(run, flags, None).and_then(|db| db.check_format().map(|()| db));
        match plain {
            // The index file of the write-ahead log cannot be made here.
            Err(StoreError::Io { .. } | StoreError::DiskFull { .. }) if !has_writer => {
                Self::open_without_index(run).or(plain)
            }
            other => other,
        }
    }

    /// Reads with the index of the write-ahead log in memory, so that nothing is written anywhere.
    /// Only for runs that nobody writes: there, no lock is taken.
    pub(crate) fn open_without_index(run: &Path) -> Result<Self, StoreError> {
        let this = if cfg!(unix) && run.join(format!("{DATABASE}-wal")).exists() {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
            let this = Self::open_with(run, flags, Some("unix-none"))?;
            this.attempt_ref("opening the journal", |connection| {
                connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
            })?;
            this
        } else {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Self::open_file(run, &immutable_uri(&run.join(DATABASE)), flags, None)?
        };
        this.check_format()?;
        Ok(this)
    }

    fn open_with(
        run: &Path,
        flags: OpenFlags,
        file_system: Option<&str>,
    ) -> Result<Self, StoreError> {
        Self::open_file(run, &run.join(DATABASE), flags, file_system)
    }

    fn open_file(
        run: &Path,
        file: &Path,
        flags: OpenFlags,
        file_system: Option<&str>,
    ) -> Result<Self, StoreError> {
        let opened = match file_system {
            None => Connection::open_with_flags(file, flags),
            Some(name) => Connection::open_with_flags_and_vfs(file, flags, name),
        };
        let connection = opened.map_err(|e| StoreError::sql(run, "opening run.db", &e))?;
        Ok(Self {
            connection,
            path: run.to_owned(),
        })
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let (application, format): (i32, u32) =
            self.attempt_ref("reading the format", |connection| {
                Ok((
                    connection.pragma_query_value(None, "application_id", |r| r.get(0))?,
                    connection.pragma_query_value(None, "user_version", |r| r.get(0))?,
                ))
            })?;
        if application != APPLICATION_ID || format == 0 {
            return Err(StoreError::NotARun {
                path: self.path.clone(),
                reason: "its run.db was not written by tune-host, or its creation was cut short: \
                         then nothing had begun, and the directory can be removed"
                    .to_owned(),
            });
        }
        if format > FORMAT {
            return Err(StoreError::NewerFormat {
                path: self.path.clone(),
                format,
                known: FORMAT,
            });
        }
        Ok(())
    }

    fn attempt<T>(
        &mut self,
        what: &str,
        action: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        action(&mut self.connection).map_err(|e| StoreError::sql(&self.path, what, &e))
    }

    fn attempt_ref<T>(
        &self,
        what: &str,
        action: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        action(&self.connection).map_err(|e| StoreError::sql(&self.path, what, &e))
    }

    /// The header, as it was written when the run was created.
    pub(crate) fn header(&self) -> Result<Header, StoreError> {
        let meta = self.attempt_ref("reading the header", |connection| {
            connection
                .prepare("SELECT key, value FROM meta")?
                .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect::<rusqlite::Result<BTreeMap<String, String>>>()
        })?;
        Header::from_meta(&meta)
            .map_err(|e| StoreError::damaged(&self.path, format!("header: {e}")))
    }

    /// The status as it stands in the file; never "interrupted".
    pub(crate) fn status(&self) -> Result<RunStatus, StoreError> {
        let text: Option<String> = self.attempt_ref("reading the status", |connection| {
            connection
                .query_row("SELECT value FROM meta WHERE key = 'status'", [], |r| {
                    r.get(0)
                })
                .optional()
        })?;
        text.map_or_else(
            || Ok(RunStatus::running()),
            |text| {
                serde_json::from_str(&text)
                    .map_err(|e| StoreError::damaged(&self.path, format!("status: {e}")))
            },
        )
    }

    /// The journal has the column `usage`, which the first builds did not write.
    fn has_usage(&self) -> Result<bool, StoreError> {
        self.attempt_ref("reading the journal", |connection| {
            connection
                .prepare("SELECT 1 FROM pragma_table_info('journal') WHERE name = 'usage'")?
                .exists([])
        })
    }

    /// All rows from a sequence on; an error if one is missing in between.
    pub(crate) fn rows(&self, from: u64) -> Result<Vec<Row>, StoreError> {
        let usage = if self.has_usage()? { "usage" } else { "NULL" };
        let rows = self.attempt_ref("reading the journal", |connection| {
            connection
                .prepare(&format!(
                    "SELECT sequence, tick, trial, kind, body, wall_ms, step_us, log_end, digest,
                     {usage} FROM journal WHERE sequence >= ?1 ORDER BY sequence",
                ))?
                .query_map([from.cast_signed()], row_from_sql)?
                .collect::<rusqlite::Result<Vec<Row>>>()
        })?;
        for (row, expected) in rows.iter().zip(from..) {
            if row.sequence != expected {
                return Err(StoreError::damaged(
                    &self.path,
                    format!("journal row {expected} is missing"),
                ));
            }
        }
        Ok(rows)
    }

    /// Number of rows.
    pub(crate) fn count(&self) -> Result<u64, StoreError> {
        self.attempt_ref("reading the journal", |connection| {
            connection
                .query_row("SELECT max(sequence) FROM journal", [], |r| {
                    r.get::<_, Option<i64>>(0)
                })
                .map(|last| last.map_or(0, |last| last.cast_unsigned().saturating_add(1)))
        })
    }

    /// Committed lengths of the logs.
    pub(crate) fn log_lengths(&self) -> Result<BTreeMap<LogOf, u64>, StoreError> {
        self.attempt_ref("reading the lengths of logs", |connection| {
            let mut lengths = BTreeMap::new();
            let mut statement = connection.prepare("SELECT name, length FROM logs")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                if let Some(log) = LogOf::parse(&name) {
                    lengths.insert(log, row.get::<_, i64>(1)?.cast_unsigned());
                }
            }
            Ok(lengths)
        })
    }

    /// What was written to artifacts, in order, without the bytes.
    pub(crate) fn artifact_parts(&self) -> Result<Vec<Part>, StoreError> {
        self.attempt_ref("reading the artifacts", |connection| {
            connection
                .prepare(
                    "SELECT id, sequence, trial, name, appended, size, hash, bytes IS NULL
                     FROM artifacts ORDER BY id",
                )?
                .query_map([], |r| {
                    Ok(Part {
                        id: r.get(0)?,
                        sequence: r.get::<_, i64>(1)?.cast_unsigned(),
                        trial: r.get(2)?,
                        name: r.get(3)?,
                        appended: r.get(4)?,
                        size: r.get::<_, i64>(5)?.cast_unsigned(),
                        hash: r.get(6)?,
                        external: r.get(7)?,
                    })
                })?
                .collect()
        })
    }

    /// Bytes of a part that stands in the database.
    pub(crate) fn artifact_bytes(&self, id: i64) -> Result<Vec<u8>, StoreError> {
        self.attempt_ref("reading an artifact", |connection| {
            connection.query_row("SELECT bytes FROM artifacts WHERE id = ?1", [id], |r| {
                r.get(0)
            })
        })
    }

    /// Writes a group of rows and all that belongs to it, or nothing of it.
    pub(crate) fn commit(&mut self, group: &Group<'_>) -> Result<(), StoreError> {
        self.attempt("the journal", |connection| {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?;
                for row in group.rows {
                    insert.execute(params![
                        row.sequence.cast_signed(),
                        row.tick.cast_signed(),
                        row.trial,
                        row.kind,
                        row.body,
                        row.wall_ms.cast_signed(),
                        row.step_us.cast_signed(),
                        row.log_end.cast_signed(),
                        row.digest,
                        (!row.usage.is_empty()).then_some(&row.usage),
                    ])?;
                }
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO artifacts (sequence, trial, name, appended, size, hash, bytes)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?;
                for stored in group.artifacts {
                    let artifact = &stored.artifact;
                    insert.execute(params![
                        stored.sequence.cast_signed(),
                        artifact.trial,
                        artifact.name,
                        artifact.append,
                        (artifact.bytes.len() as u64).cast_signed(),
                        stored.hash,
                        (!stored.external).then_some(&artifact.bytes),
                    ])?;
                }
                let mut upsert =
                    transaction.prepare_cached("INSERT OR REPLACE INTO logs VALUES (?1, ?2)")?;
                for (log, length) in &group.log_lengths {
                    upsert.execute(params![log.file_name(), length.cast_signed()])?;
                }
                if let Some(status) = group.status {
                    write_status(&transaction, status)?;
                }
            }
            transaction.commit()
        })
    }

    /// Brings the write-ahead log home, so that the run is one plain file that opens anywhere.
    /// Not possible while somebody reads, and not needed.
    pub(crate) fn settle(self) {
        let mode = |c: &Connection| c.pragma_update(None, "journal_mode", "DELETE");
        drop(mode(&self.connection));
    }
}

/// What one transaction writes.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) artifacts: &'a [Stored],
    pub(crate) log_lengths: BTreeMap<LogOf, u64>,
    pub(crate) status: Option<&'a RunStatus>,
}

fn set_durable(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")
}

fn write_status(connection: &Connection, status: &RunStatus) -> rusqlite::Result<()> {
    let text = serde_json::to_string(status)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('status', ?1)")?
        .execute([text])?;
    Ok(())
}

fn row_from_sql(r: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        sequence: r.get::<_, i64>(0)?.cast_unsigned(),
        tick: r.get::<_, i64>(1)?.cast_unsigned(),
        trial: r.get(2)?,
        kind: r.get(3)?,
        body: r.get(4)?,
        wall_ms: r.get::<_, i64>(5)?.cast_unsigned(),
        step_us: r.get::<_, i64>(6)?.cast_unsigned(),
        log_end: r.get::<_, i64>(7)?.cast_unsigned(),
        digest: r.get(8)?,
        usage: r.get::<_, Option<Vec<u8>>>(9)?.unwrap_or_default(),
    })
}

fn immutable_uri(file: &Path) -> PathBuf {
    let mut path = file.to_string_lossy().into_owned();
    for (character, escape) in [("%", "%25"), ("?", "%3f"), ("#", "%23")] {
        path = path.replace(character, escape);
    }
    format!("file:{path}?immutable=1").into()
}

/// Whether a status in the file is out of date.
pub(crate) fn needs_running(status: &RunStatus) -> bool {
    status.state != RunState::Running
}
