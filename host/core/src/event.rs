//! What the engine is told, what it was answered, and what it wants done.

use serde::{Deserialize, Serialize};
use tune_space::{
    Action, Change, Config, Ending, Failure, FailureKind, Report, Suggestion, TrialId, Turn,
};

use crate::Point;

/// A step that failed: the part of a plugin fault that is the same whenever the step is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// What kind of failure.
    pub kind: FailureKind,
    /// For people; not part of the digest.
    pub message: String,
}

/// How a step ended, as the runner saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepEnd {
    /// The guest's report, or why there is none.
    pub result: Result<Report, Failed>,
    /// Fuel that the step burned, setup and reconfiguration included; 0 without metering.
    pub fuel: u64,
    /// Linear memory of the instance after the step.
    pub memory_bytes: u64,
}

/// Everything that can change the state of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The run begins: slots are filled at tick 0.
    Opened,
    /// The step in flight of a trial ended and its turn has come.
    StepEnded {
        /// Whose step.
        trial: TrialId,
        /// How it ended.
        end: StepEnd,
    },
    /// The user stops a trial.
    StopTrial {
        /// Which.
        trial: TrialId,
    },
    /// The user lets the run create this many trials in all.
    Extended {
        /// The new total.
        trials: u32,
    },
    /// `time_budget` is used up: creation closes and every live trial is stopped.
    TimeBudgetSpent,
    /// From here on another build or another plugin carries the run out. It changes no state, but
    /// digests cannot be compared with those of a run without it.
    Changed {
        /// What changed, for people.
        what: String,
    },
}

impl Event {
    /// One word for journal rows and digests.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::StepEnded { end, .. } if end.result.is_ok() => "report",
            Self::StepEnded { .. } => "failure",
            Self::StopTrial { .. } => "stop",
            Self::Extended { .. } => "extended",
            Self::TimeBudgetSpent => "time-budget",
            Self::Changed { .. } => "changed",
        }
    }

    /// The trial that it is about.
    #[must_use]
    pub fn trial(&self) -> Option<TrialId> {
        match self {
            Self::StepEnded { trial, .. } | Self::StopTrial { trial } => Some(*trial),
            Self::Opened | Self::Extended { .. } | Self::TimeBudgetSpent | Self::Changed { .. } => {
                None
            }
        }
    }
}

/// What a searcher or scheduler answered, in the order of the calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Of `suggest`.
    Suggested(Result<Suggestion, Failure>),
    /// Of `on-add`, `on-result`, `on-complete`, `on-error`, `on-remove`.
    Actions(Vec<Action>),
    /// Of `next-to-run`.
    Turn(Turn),
    /// Of `describe`.
    Described(String),
    /// Of `regret-bound`.
    Bound(Option<f64>),
}

/// A handover as the journal keeps it: folding these gives the state of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// What the plugins answered while it was handed over.
    pub answers: Vec<Answer>,
}

/// What the runner is to do after a handover, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run the next step of the trial; it begins at this tick.
    Start {
        /// Which trial.
        trial: TrialId,
        /// When in virtual time.
        tick: u64,
    },
    /// The present state of the trial is one that others may be made a copy of; it takes the place
    /// of the trial's state that was kept before.
    Keep {
        /// Whose present state.
        trial: TrialId,
        /// Which state that is: another trial's if it was taken over and not stepped from yet.
        point: Point,
    },
    /// The next step of the trial begins with a copy of this state instead of its own. The change
    /// to carry out first is the trial's pending one. A later one before that step replaces it.
    Clone {
        /// Which trial goes on from there; it may never have run.
        target: TrialId,
        /// From which state.
        source: Point,
    },
    /// Park the instance of a paused trial.
    Park(TrialId),
    /// Cancel the step in flight and drop the instance.
    Discard(TrialId),
    /// Drop the instance.
    Release(TrialId),
    /// Drop the instance, and build the trial anew before its next step.
    Rebuild(TrialId),
}

/// Something that people should know of, with no effect on the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A trial was created.
    Created(TrialId),
    /// A trial ended.
    Ended(TrialId, Ending),
    /// A trial was paused.
    Paused(TrialId),
    /// A paused trial goes on.
    Resumed(TrialId),
    /// The scheduler keeps the present state of a trial.
    Kept(TrialId),
    /// A trial goes on from another one's state.
    Exploited {
        /// Which.
        target: TrialId,
        /// From which state.
        source: Point,
        /// `training_iteration` of that state.
        iteration: u64,
    },
    /// A failed step is tried again.
    Retried(TrialId, Failed),
    /// The trial failed for good.
    Failed(TrialId, Failed),
    /// A suggestion was refused.
    Rejected(String),
    /// An action was dropped.
    Dropped(String),
    /// A stop rule, `experiment_plateau` or `regret`, has ended the run.
    EndedByRule(String),
}

/// A change of a trial in mid-training, as replays need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Before the trial's own step with this index, from 0.
    pub before_step: u64,
    /// What changed.
    pub change: Change,
}

/// A handover, done.
#[derive(Clone, Debug)]
pub struct Handover {
    /// Dense, from 0.
    pub sequence: u64,
    /// Virtual time.
    pub tick: u64,
    /// What the journal keeps.
    pub entry: Entry,
    /// The report with the metrics that the host fills in.
    pub report: Option<Report>,
    /// Configurations of the trials that were created.
    pub created: Vec<(TrialId, Config)>,
    /// What the runner is to do.
    pub effects: Vec<Effect>,
    /// What people should know.
    pub notes: Vec<Note>,
    /// The decision digest up to here.
    pub digest: [u8; 32],
}
