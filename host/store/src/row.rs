//! A row of the journal and what travels with it.

use crate::{Artifact, LogOf};

/// One handover, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From 0, dense.
    pub sequence: u64,
    /// Virtual time.
    pub tick: u64,
    /// The trial that it is about, if it is about one.
    pub trial: Option<u32>,
    /// One word for people and queries: "opened", "report", "failure", ...
    pub kind: String,
    /// What happened, as bytes that only the engine understands.
    pub body: Vec<u8>,
    /// When, as Unix time in milliseconds.
    pub wall_ms: u64,
    /// How long the step took, in microseconds; 0 if there was none.
    pub step_us: u64,
    /// Length of the trial's log after this row, in bytes; 0 without a log. Filled in by the
    /// journal, whatever the caller put here.
    pub log_end: u64,
    /// How much of its limits the step used, as bytes that only the engine's crate understands; for
    /// people. Empty: nothing to say.
    pub usage: Vec<u8>,
    /// The decision digest up to and with this row.
    pub digest: [u8; 32],
}

impl Row {
    /// Bytes of what has no fixed length.
    pub(crate) fn bytes(&self) -> usize {
        self.body.len() + self.usage.len()
    }
}

/// What becomes durable together with a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachments {
    /// Bytes to append to log files.
    pub logs: Vec<(LogOf, Vec<u8>)>,
    /// Files that the step wrote, in the order of the writes.
    pub artifacts: Vec<Artifact>,
}

impl Attachments {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.log_bytes() + self.artifact_bytes()
    }

    pub(crate) fn log_bytes(&self) -> usize {
        self.logs.iter().map(|(_, b)| b.len()).sum()
    }

    pub(crate) fn artifact_bytes(&self) -> usize {
        self.artifacts.iter().map(|a| a.bytes.len()).sum()
    }
}
