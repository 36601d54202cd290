//! A run as the views see it: plain records, filled in by whoever folded the journal.

use tune_core::records::{Config, FailureKind, Metric, Objective};

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

/// A trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialView {
    /// Order of creation.
    pub id: u32,
    /// Its whole configuration as it is now.
    pub config: Config,
    /// Where it stands.
    pub status: TrialStatus,
    /// All its reports.
    pub reports: Vec<ReportView>,
    /// Why it failed, over several lines, if it did.
    pub failure: Option<String>,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub path: String,
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
        self.trials.iter().find(|t| t.id == id)
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
