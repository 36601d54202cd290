//! What a snapshot is of, and the numbers that people are told about snapshots.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Whose state a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SnapshotOf {
    /// What a trial was right after so many of its own reports.
    Trial {
        /// Which trial.
        trial: u32,
        /// How many reports it had made.
        reports: u64,
    },
    /// The searcher.
    Searcher,
    /// The scheduler.
    Scheduler,
    /// The state that a fork starts from, copied from another run. It contains no handover of this
    /// run, so it is visible from the start.
    Imported,
}

impl std::fmt::Display for SnapshotOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trial { trial, reports } => write!(f, "trial {trial} after {reports} reports"),
            Self::Searcher => f.write_str("the searcher"),
            Self::Scheduler => f.write_str("the scheduler"),
            Self::Imported => f.write_str("the state that was imported"),
        }
    }
}

/// Whose state, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SnapshotKey {
    /// Whose state.
    pub of: SnapshotOf,
    /// Sequence of the last journal row that it contains. The snapshot counts only once that row
    /// is committed.
    pub sequence: u64,
}

impl SnapshotKey {
    /// Whether it counts in a run with so many committed rows.
    pub(crate) fn is_visible(&self, committed: u64) -> bool {
        self.of == SnapshotOf::Imported || self.sequence < committed
    }
}

/// Why a snapshot was written; for people and for retention, the store makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// It was time for the next one.
    Periodic,
    /// The scheduler keeps this state, or the trial was paused in it.
    Kept,
    /// Memory was needed for others.
    Spilled,
    /// The trial or the run came to its end.
    Final,
    /// Copied from another run.
    Imported,
}

impl Purpose {
    /// One word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Periodic => "periodic",
            Self::Kept => "kept",
            Self::Spilled => "spilled",
            Self::Final => "final",
            Self::Imported => "imported",
        }
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A snapshot as lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its number; later ones have higher numbers. Of use while the run is open: that of a dropped
    /// snapshot may be given again once the run is opened anew.
    pub id: u64,
    /// Whose state, and when.
    pub key: SnapshotKey,
    /// Why it was written.
    pub purpose: Purpose,
    /// Bytes of state: memories and portable bytes, zeros included.
    pub bytes: u64,
    /// Bytes that were written for it: what no earlier snapshot held, compressed, and its manifest.
    pub new_bytes: u64,
    /// Unix time in milliseconds when it was written, as the caller said.
    pub wall_ms: u64,
}

/// One linear memory to be written.
pub trait Memory {
    /// Length in bytes.
    fn byte_len(&self) -> u64;

    /// Fills the buffer from an offset; both lie within the length.
    ///
    /// # Errors
    /// It cannot be read; then the snapshot is not written.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()>;
}

/// Plain bytes.
impl<T: AsRef<[u8]>> Memory for T {
    fn byte_len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = from
            .checked_add(into.len())
            .and_then(|to| self.as_ref().get(from..to))
            .ok_or(std::io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(part);
        Ok(())
    }
}

/// What has changed since an earlier snapshot, so that only that needs to be read.
#[derive(Clone, Copy, Debug)]
pub struct Since<'a> {
    /// The earlier snapshot. If it is gone or damaged, everything is read.
    pub id: u64,
    /// For each memory, the byte ranges outside of which it equals the memory of that snapshot;
    /// `None`, or nothing for this memory: it may differ anywhere. What lies beyond the length of
    /// the earlier memory differs without being named.
    pub changed: &'a [Option<Vec<Range<u64>>>],
}

/// A snapshot to be written.
pub struct NewSnapshot<'a> {
    /// Whose state, and when.
    pub key: SnapshotKey,
    /// Why.
    pub purpose: Purpose,
    /// Unix time in milliseconds.
    pub wall_ms: u64,
    /// Whatever else belongs to the state, as bytes that only the caller understands; at most
    /// [`MAX_HEADER_BYTES`](crate::MAX_HEADER_BYTES).
    pub header: &'a [u8],
    /// The memories, in the caller's order.
    pub memories: &'a [&'a dyn Memory],
    /// What is known to be unchanged.
    pub since: Option<Since<'a>>,
    /// The state in the form that survives another version of the plugin, read to its end.
    pub portable: Option<&'a mut dyn std::io::Read>,
}

impl std::fmt::Debug for NewSnapshot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSnapshot")
            .field("key", &self.key)
            .field("purpose", &self.purpose)
            .field("memories", &self.memories.len())
            .finish_non_exhaustive()
    }
}

/// What retention freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// How many snapshots are gone.
    pub snapshots: u64,
    /// Bytes of disk that are free again.
    pub bytes: u64,
}

/// What the snapshots of a run take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many there are.
    pub snapshots: u64,
    /// Bytes of state in all of them together, zeros and repetitions included.
    pub logical_bytes: u64,
    /// Bytes of different chunks among them, before compression, zeros not counted.
    pub unique_bytes: u64,
    /// Bytes of all files.
    pub disk_bytes: u64,
}

impl Usage {
    /// How many bytes of state stand on one byte of disk; 1 if there is nothing.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.disk_bytes == 0 {
            1.0
        } else {
            self.logical_bytes as f64 / self.disk_bytes as f64
        }
    }
}
