//! A run as the views see it: plain records, filled in by whoever folded the journal.

use tune_core::Limits;
use tune_core::records::{Config, FailureKind, Metric, Objective};

use crate::usage::{DeciderUse, TrialUse};

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialStatus {
    /// Created, not run yet.
    Pending,
    /// A step is in flight.
    Running,
    /// It waits for the scheduler.
    Paused,
    /// It ended by itself.
    Finished,
    /// The scheduler or the user ended it.
    Stopped,
    /// It failed for good.
    Failed(FailureKind),
    /// It was running when its run stopped; a resume goes on with it.
    Interrupted,
}

impl TrialStatus {
    /// One word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// It is over.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Failed(_))
    }
}

impl std::fmt::Display for TrialStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(kind) => write!(f, "failed ({kind})"),
            other => f.write_str(other.name()),
        }
    }
}

/// A report that was handed over.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportView {
    /// From 1.
    pub iteration: u64,
    /// The guest's metrics and those that the host fills in.
    pub metrics: Vec<Metric>,
}

impl ReportView {
    /// The value of a metric, if it was reported.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics
            .iter()
            .find(|m| m.name == name)
            .map(|m| m.value)
    }
}

/// A state of another trial that was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Whose state.
    pub trial: u32,
    /// How many of that trial's own reports had been made by then.
    pub reports: u64,
    /// The iteration of the state.
    pub iteration: u64,
    /// The handover that decided it.
    pub sequence: u64,
}

/// A trial goes on with another configuration, and maybe from another trial's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Own reports of the trial before it.
    pub reports: u64,
    /// The state that it goes on from; none: its own.
    pub source: Option<Source>,
    /// Its whole configuration from here on.
    pub config: Config,
}

/// A trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialView {
    /// Order of creation.
    pub id: u32,
    /// Its whole configuration as it is now.
    pub config: Config,
    /// The one that it began with.
    pub first_config: Config,
    /// The iteration that it began with: above 0 only for one that began with the state of another
    /// run.
    pub first_iteration: u64,
    /// Its changes in mid-training, in order, each before another report.
    pub branches: Vec<Branch>,
    /// Where it stands.
    pub status: TrialStatus,
    /// All its reports.
    pub reports: Vec<ReportView>,
    /// Why it failed, over several lines, if it did.
    pub failure: Option<String>,
    /// What it used.
    pub usage: TrialUse,
}

impl TrialView {
    /// The whole configuration that leads on from so many own reports.
    #[must_use]
    pub fn config_from(&self, reports: u64) -> &Config {
        let after = self.branches.partition_point(|b| b.reports <= reports);
        let last = after.checked_sub(1).and_then(|i| self.branches.get(i));
        last.map_or(&self.first_config, |branch| &branch.config)
    }

    /// The whole configuration that led to an own report, counted from 1.
    #[must_use]
    pub fn config_at(&self, report: u64) -> &Config {
        self.config_from(report.saturating_sub(1))
    }

    /// The iteration of its own state after so many own reports.
    #[must_use]
    pub fn iteration_of(&self, reports: u64) -> u64 {
        let index = usize::try_from(reports).ok().and_then(|n| n.checked_sub(1));
        let report = index.and_then(|i| self.reports.get(i));
        report.map_or(self.first_iteration, |report| report.iteration)
    }

    /// The iteration of the state that it goes on from after so many own reports: another trial's
    /// if it took one over then.
    #[must_use]
    pub fn iteration_from(&self, reports: u64) -> u64 {
        let found = self.branches.binary_search_by_key(&reports, |b| b.reports);
        let branch = found.ok().and_then(|i| self.branches.get(i));
        let source = branch.and_then(|b| b.source);
        source.map_or_else(|| self.iteration_of(reports), |source| source.iteration)
    }
}

/// The state of another run that a run began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentView {
    /// The other run.
    pub run: String,
    /// Which of its trials.
    pub trial: u32,
    /// The iteration of the state.
    pub iteration: u64,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub path: String,
    /// What it is a fork of, if it is one.
    pub parent: Option<ParentView>,
    /// "running", "finished", "stopped" or "interrupted".
    pub status: String,
    /// Why, for people; may be empty.
    pub reason: String,
    /// What "best" means; without one, nothing is best.
    pub objective: Option<Objective>,
    /// All trials by id.
    pub trials: Vec<TrialView>,
    /// Handovers in its journal.
    pub handovers: u64,
    /// The decision digest, in hexadecimal digits.
    pub digest: String,
    /// What trials may use.
    pub limits: Limits,
    /// What the searcher may use.
    pub searcher_limits: Limits,
    /// What the scheduler may use.
    pub scheduler_limits: Limits,
    /// What the searcher used.
    pub searcher: DeciderUse,
    /// What the scheduler used.
    pub scheduler: DeciderUse,
}

impl RunView {
    /// How many trials stand where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(self.trials.iter().map(|t| t.status))
    }

    /// A trial by its id.
    #[must_use]
    pub fn trial(&self, id: u32) -> Option<&TrialView> {
        // Ids are the order of creation; only a part of a run has gaps.
        let at = self.trials.get(id as usize).filter(|t| t.id == id);
        at.or_else(|| self.trials.iter().find(|t| t.id == id))
    }
}

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
    /// Running when the run stopped.
    pub interrupted: usize,
}

impl Counts {
    /// Counts.
    #[must_use]
    pub fn of(statuses: impl IntoIterator<Item = TrialStatus>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            *match status {
                TrialStatus::Pending => &mut counts.pending,
                TrialStatus::Running => &mut counts.running,
                TrialStatus::Paused => &mut counts.paused,
                TrialStatus::Finished => &mut counts.finished,
                TrialStatus::Stopped => &mut counts.stopped,
                TrialStatus::Failed(_) => &mut counts.failed,
                TrialStatus::Interrupted => &mut counts.interrupted,
            } += 1;
        }
        counts
    }

    /// Trials that are over.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.finished + self.stopped + self.failed
    }

    /// All of them, with words, most telling first, without the zeros.
    #[must_use]
    pub fn named(&self) -> Vec<(usize, &'static str)> {
        let all = [
            (self.running, "running"),
            (self.finished, "finished"),
            (self.stopped, "stopped"),
            (self.failed, "failed"),
            (self.paused, "paused"),
            (self.pending, "pending"),
            (self.interrupted, "interrupted"),
        ];
        all.into_iter().filter(|(n, _)| *n > 0).collect()
    }
}
