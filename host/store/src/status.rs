//! Where a run stands, as the run directory says.

use serde::{Deserialize, Serialize};

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A process works on it.
    Running,
    /// It came to its end.
    Finished,
    /// It stopped before its end and can be resumed.
    Stopped,
    /// It says running but no process holds it: it was killed, or the machine went down. Never
    /// stored; found out by readers. It can be resumed.
    Interrupted,
}

impl RunState {
    /// One word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of a run and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// Where it stands.
    pub state: RunState,
    /// Why, for people; may be empty.
    pub reason: String,
    /// The decision digest at that point, in hexadecimal digits; empty while it runs.
    pub digest: String,
    /// Unix time in milliseconds of the change; 0 if it is not known.
    pub at_ms: u64,
    /// What lists of runs show without reading the journal: counts, the best value.
    #[serde(default)]
    pub summary: serde_json::Map<String, serde_json::Value>,
}

impl RunStatus {
    /// A process works on it.
    #[must_use]
    pub fn running() -> Self {
        Self {
            state: RunState::Running,
            reason: String::new(),
            digest: String::new(),
            at_ms: 0,
            summary: serde_json::Map::new(),
        }
    }
}
