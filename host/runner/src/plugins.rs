//! The searcher and the scheduler of a run, as the engine calls them.

use tune_core::records::{
    Action, Config, Creation, Failure, FailureKind, Observation, Outcome, Report, Suggestion,
    TrialId, TrialState, Turn,
};
use tune_core::{CallUsage, Deciders, PluginFault, Stop};
use tune_runtime::{SchedulerInstance, SearcherInstance, Snapshot, SnapshotError};

/// The sandboxed searcher and scheduler of a run.
pub(crate) struct Plugins {
    pub(crate) searcher: SearcherInstance,
    pub(crate) scheduler: SchedulerInstance,
}

impl Plugins {
    /// Copies of both between two handovers; none if either cannot be copied.
    pub(crate) fn snapshot(&mut self) -> Result<(Snapshot, Snapshot), SnapshotError> {
        Ok((self.searcher.snapshot()?, self.scheduler.snapshot()?))
    }

    /// Linear memory of both in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.searcher
            .memory_bytes()
            .saturating_add(self.scheduler.memory_bytes())
    }

    /// The most that a call of each used so far, the searcher first.
    pub(crate) fn usage(&self) -> [CallUsage; 2] {
        [self.searcher.usage(), self.scheduler.usage()]
    }

    /// What both logged since the last call, the searcher's first.
    pub(crate) fn take_logs(&mut self) -> [Vec<u8>; 2] {
        [self.searcher.take_log(), self.scheduler.take_log()]
    }
}

fn stop(fault: Box<PluginFault>) -> Stop {
    Stop::Plugin(fault)
}

impl Deciders for Plugins {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.searcher.seed_with(known).map_err(stop)
    }

    fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, Failure>, Stop> {
        self.searcher.suggest(trial, pinned).map_err(stop)
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) -> Result<(), Stop> {
        self.searcher.observe(trial, report, state).map_err(stop)
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Stop> {
        self.searcher.complete(trial, outcome).map_err(stop)
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        self.searcher.regret_bound().map_err(stop)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Result<Vec<Action>, Stop> {
        self.scheduler.on_add(trial, config).map_err(stop)
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Result<Vec<Action>, Stop> {
        self.scheduler.on_result(trial, report).map_err(stop)
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Result<Vec<Action>, Stop> {
        self.scheduler.on_complete(trial, last).map_err(stop)
    }

    fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Stop> {
        self.scheduler
            .on_error(trial, kind, will_retry)
            .map_err(stop)
    }

    fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Stop> {
        self.scheduler.on_remove(trial).map_err(stop)
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        self.scheduler.next_to_run(creation).map_err(stop)
    }

    fn describe(&mut self) -> Result<String, Stop> {
        self.scheduler.describe().map_err(stop)
    }
}
