//! How many trials stand where.

use tune_space::Ending;

use crate::Phase;

/// How many trials stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Created, not run yet.
    pub pending: usize,
    /// With a step in flight.
    pub running: usize,
    /// Waiting for the scheduler.
    pub paused: usize,
    /// Ended by themselves.
    pub finished: usize,
    /// Ended by the scheduler or the user.
    pub stopped: usize,
    /// Failed for good.
    pub failed: usize,
}

impl Counts {
    pub(crate) fn of(&mut self, phase: Phase) -> &mut usize {
        match phase {
            Phase::Pending => &mut self.pending,
            Phase::Running => &mut self.running,
            Phase::Paused => &mut self.paused,
            Phase::Ended(Ending::Finished) => &mut self.finished,
            Phase::Ended(Ending::Stopped) => &mut self.stopped,
            Phase::Ended(Ending::Failed(_)) => &mut self.failed,
        }
    }

    /// Trials that are over.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.finished + self.stopped + self.failed
    }
}
