//! Log files: bytes appended before the commit of the row that they came with, cut on open to what
//! was committed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use cap_std::fs::{Dir, OpenOptions};

use crate::StoreError;
use crate::run_dir::sync_dir;

pub(crate) const LOGS: &str = "logs";

/// Whose log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogOf {
    /// Of a trial: `logs/000012.log`.
    Trial(u32),
    /// Of the searcher: `logs/searcher.log`.
    Searcher,
    /// Of the scheduler: `logs/scheduler.log`.
    Scheduler,
}

impl LogOf {
    /// Name of the file in `logs/`.
    #[must_use]
    pub fn file_name(self) -> String {
        match self {
            Self::Trial(id) => format!("{id:06}.log"),
            Self::Searcher => "searcher.log".to_owned(),
            Self::Scheduler => "scheduler.log".to_owned(),
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let log = match name.strip_suffix(".log")? {
            "searcher" => Self::Searcher,
            "scheduler" => Self::Scheduler,
            id => Self::Trial(id.parse().ok()?),
        };
        (log.file_name() == name).then_some(log)
    }
}

/// The log files of a run and their lengths.
#[derive(Debug)]
pub(crate) struct Logs {
    dir: Dir,
    lengths: BTreeMap<LogOf, u64>,
}

impl Logs {
    /// Opens the logs and cuts each to its committed length; a log without one is deleted.
    pub(crate) fn open(
        run: &Dir,
        path: &Path,
        committed: &BTreeMap<LogOf, u64>,
    ) -> Result<Self, StoreError> {
        let io = |error: &_| StoreError::io(path, "cutting the logs to what was committed", error);
        let dir = run.open_dir(LOGS).map_err(|e| io(&e))?;
        let mut lengths = BTreeMap::new();
        for entry in dir.entries().map_err(|e| io(&e))? {
            let entry = entry.map_err(|e| io(&e))?;
            let Some(log) = entry.file_name().to_str().and_then(LogOf::parse) else {
                continue;
            };
            let name = log.file_name();
            let Some(&end) = committed.get(&log) else {
                dir.remove_file(&name).map_err(|e| io(&e))?;
                continue;
            };
            let length = entry.metadata().map_err(|e| io(&e))?.len();
            if length > end {
                let mut options = OpenOptions::new();
                options.write(true);
                let file = dir.open_with(&name, &options).map_err(|e| io(&e))?;
                file.set_len(end).map_err(|e| io(&e))?;
            }
            // A log that someone shortened is no reason to refuse the run: it goes on from there.
            lengths.insert(log, length.min(end));
        }
        Ok(Self { dir, lengths })
    }

    /// Length of a log with all that was appended.
    pub(crate) fn length(&self, log: LogOf) -> u64 {
        self.lengths.get(&log).copied().unwrap_or(0)
    }

    /// Counts bytes that [`Logs::write`] will append.
    pub(crate) fn grow(&mut self, log: LogOf, bytes: usize) -> u64 {
        let length = self.lengths.entry(log).or_insert(0);
        *length = length.saturating_add(bytes as u64);
        *length
    }

    /// Appends and syncs. Files are opened for each group of rows, so that ten thousand trials
    /// need no more handles than one.
    pub(crate) fn write(&self, logs: &BTreeMap<LogOf, Vec<u8>>) -> std::io::Result<()> {
        let mut created = BTreeSet::new();
        for (&log, bytes) in logs {
            let name = log.file_name();
            let mut options = OpenOptions::new();
            options.append(true);
            let mut file = match self.dir.open_with(&name, &options) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    created.insert(log);
                    self.dir.open_with(&name, options.create(true))?
                }
                opened => opened?,
            };
            file.write_all(bytes)?;
            file.sync_data()?;
        }
        if created.is_empty() {
            Ok(())
        } else {
            sync_dir(&self.dir)
        }
    }
}
