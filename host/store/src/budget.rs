//! What the directory of a run may take on the disk, and what goes first when it is nearly full:
//! snapshots are left out, then logs are cut, and last the journal takes no more rows, so that the
//! run stops while all that was committed is safe. What comes first harms least: a snapshot can be
//! computed again and a log line decides nothing, but a row is a result.
//!
//! Looking at every file is dear, so it is done only when so much was written that it can matter;
//! between two looks, an estimate on the safe side is added. What others have yet to write (the
//! files for other tools, up to a second after their rows) is added too: by their own count, which
//! is never too low. Before a run is stopped, they write it, and the directory is looked at.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Beside;
use crate::chunks::{CHUNKS, ChunkStore};
use crate::{LogOf, StoreError};

/// Bytes in the database for each byte of a row: in its log of what is to be written, and in its
/// place.
const PER_ROW_BYTE: u64 = 2;
/// The same for a row without content: its columns and keys, and its share of pages that are not
/// full.
const PER_ROW: u64 = 512;
/// An artifact is in the database or a content file, and in the file that people see.
const PER_ARTIFACT_BYTE: u64 = 2;

/// What a log ends with when it is cut.
const CUT: &[u8] =
    b"INFO the log is cut here: the run is near its limit on the disk (`run_disk`)\n";

/// The most that the whole directory may take, in bytes. Shared with whoever sets it.
pub(crate) type Limit = Arc<AtomicU64>;

/// The bytes of a run, and what follows from them.
pub(crate) struct Budget {
    path: PathBuf,
    /// Who else writes into the directory.
    pub(crate) beside: Vec<Arc<dyn Beside>>,
    limit: Limit,
    chunks: ChunkStore,
    /// All but the snapshots, when it was looked at last; none: never.
    seen: Option<u64>,
    /// What was written since, on the safe side.
    since: u64,
    cut: BTreeSet<LogOf>,
}

/// What a group of rows will take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Need {
    pub(crate) rows: u64,
    pub(crate) row_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) artifact_bytes: u64,
}

impl Need {
    fn bytes(self) -> u64 {
        let rows = self.rows.saturating_mul(PER_ROW);
        let rows = rows.saturating_add(self.row_bytes.saturating_mul(PER_ROW_BYTE));
        let artifacts = self.artifact_bytes.saturating_mul(PER_ARTIFACT_BYTE);
        rows.saturating_add(self.log_bytes)
            .saturating_add(artifacts)
    }
}

impl Budget {
    pub(crate) fn new(path: &Path, limit: Limit, chunks: ChunkStore) -> Self {
        Self {
            path: path.to_owned(),
            beside: Vec::new(),
            limit,
            chunks,
            seen: None,
            since: 0,
            cut: BTreeSet::new(),
        }
    }

    fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Half is for snapshots, less if the rest needs it.
    fn for_snapshots(&self, others: u64) -> u64 {
        let limit = self.limit();
        (limit / 2).min(share(limit, 7).saturating_sub(others))
    }

    /// Looks whether a group of rows fits, and makes room for it. Returns how many bytes of its logs
    /// may be written.
    ///
    /// # Errors
    /// It does not fit, or the directory cannot be read.
    pub(crate) fn admit(&mut self, need: Need) -> Result<u64, StoreError> {
        let limit = self.limit();
        if limit == u64::MAX {
            return Ok(need.log_bytes);
        }
        if self.seen.is_none() || self.since >= limit / 64 {
            self.look()?;
        }
        let snapshots = self.chunks.disk_bytes();
        let others = self.others();
        self.chunks.set_run_quota(self.for_snapshots(others));
        let used = others.saturating_add(snapshots);
        let for_logs = share(limit, 6).saturating_sub(used).min(need.log_bytes);
        let need = Need {
            log_bytes: for_logs,
            ..need
        };
        if used.saturating_add(need.bytes()) > share(limit, 7) {
            // The estimates may be too cautious.
            for beside in &self.beside {
                beside.write_now();
            }
            self.look()?;
            let used = self.others().saturating_add(snapshots);
            if used.saturating_add(need.bytes()) > share(limit, 7) {
                return Err(StoreError::RunFull {
                    path: self.path.clone(),
                    limit,
                });
            }
        }
        self.since = self.since.saturating_add(need.bytes());
        Ok(for_logs)
    }

    /// What stands in a log instead of what is left out: once for each.
    pub(crate) fn instead(&mut self, log: LogOf) -> &'static [u8] {
        if self.cut.insert(log) { CUT } else { &[] }
    }

    /// All but the snapshots.
    fn others(&self) -> u64 {
        let unwritten = self.beside.iter().map(|beside| beside.unwritten());
        let unwritten = unwritten.fold(0_u64, u64::saturating_add);
        let seen = self.seen.unwrap_or(0);
        seen.saturating_add(self.since).saturating_add(unwritten)
    }

    fn look(&mut self) -> Result<(), StoreError> {
        let seen = bytes_below(&self.path, CHUNKS)
            .map_err(|e| StoreError::io(&self.path, "measuring the directory", &e))?;
        self.seen = Some(seen);
        self.since = 0;
        Ok(())
    }
}

/// So many eighths.
fn share(limit: u64, eighths: u64) -> u64 {
    limit / 8 * eighths
}

/// Bytes of all files below a directory, but for one folder in it. A file with several names counts
/// once. What disappears meanwhile counts as nothing.
fn bytes_below(root: &Path, but: &str) -> io::Result<u64> {
    let mut total = 0_u64;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let found = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found?,
            };
            if found.is_dir() {
                if folder != root || entry.file_name() != but {
                    folders.push(entry.path());
                }
            } else {
                total = total.saturating_add(found.len() / found.nlink().max(1));
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_count_once_and_snapshots_apart() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("logs/chunks")).unwrap();
        fs::create_dir(at(CHUNKS)).unwrap();
        fs::write(at("run.db"), [0; 100]).unwrap();
        fs::write(at("logs/chunks/x"), [0; 20]).unwrap();
        fs::write(at("chunks/1.snap"), [0; 1_000]).unwrap();
        assert_eq!(bytes_below(dir.path(), CHUNKS).unwrap(), 120);
        fs::hard_link(at("run.db"), at("logs/again")).unwrap();
        assert_eq!(bytes_below(dir.path(), CHUNKS).unwrap(), 120);
        assert_eq!(bytes_below(&at("none"), CHUNKS).unwrap(), 0);
    }

    #[test]
    fn an_estimate_is_never_below_what_is_written() {
        let need = Need {
            rows: 2,
            row_bytes: 10,
            log_bytes: 5,
            artifact_bytes: 7,
        };
        assert_eq!(need.bytes(), 2 * PER_ROW + 20 + 5 + 14);
    }
}
