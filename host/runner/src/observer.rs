//! Who is told what happens: the live view, plain lines, files for other tools.

use tune_core::{Engine, Handover};
use tune_store::SnapshotInfo;

/// Facts of a handover that are for people only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// Unix time in milliseconds.
    pub timestamp_ms: u64,
    /// How long the step took.
    pub step_us: u64,
}

/// Is told of every handover, on the coordinator's thread: must be quick.
pub trait Observer {
    /// A handover was decided; its row is on the way to the journal.
    fn handed_over(&mut self, engine: &Engine, handover: &Handover, wall: Wall);

    /// A handover of an earlier process, while a run is resumed.
    fn restored(&mut self, _engine: &Engine, _handover: &Handover, _wall: Wall) {}

    /// Called at least ten times a second while the run waits, for views that show time.
    fn tick(&mut self, _engine: &Engine) {}

    /// A snapshot was written. It may be gone again later, see [`crate::SnapshotPolicy`].
    fn saved(&mut self, _snapshot: &SnapshotInfo) {}

    /// A remark on the run, such as a shutdown that has begun.
    fn remark(&mut self, _text: &str) {}
}

/// Tells nobody.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn handed_over(&mut self, _: &Engine, _: &Handover, _: Wall) {}
}
