//! The records of `wit/types.wit` and of the searcher and scheduler interfaces as plain Rust data:
//! one definition for host, SDK and algorithms. Field by field as in the WIT, where each is
//! documented; here only what Rust adds.

use serde::{Deserialize, Serialize};

use crate::{Config, Name, Value};

/// Order of creation within a run, from 0.
pub type TrialId = u32;

/// A named number. NaN is allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What is measured.
    pub name: Name,
    /// The measured value.
    #[serde(with = "any_number")]
    pub value: f64,
}

/// Numbers that JSON cannot write stand as text there: "NaN", "inf", "-inf".
mod any_number {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands a reference over"
    )]
    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() && !value.is_finite() {
            to.collect_str(value)
        } else {
            to.serialize_f64(*value)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Number {
            Plain(f64),
            Text(String),
        }
        if !from.is_human_readable() {
            return f64::deserialize(from);
        }
        match Number::deserialize(from)? {
            Number::Plain(value) => Ok(value),
            Number::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

/// An intermediate or final result of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// In the order in which the trainable gave them; the host appends its own.
    pub metrics: Vec<Metric>,
    /// The trial has nothing more to do.
    pub finished: bool,
    /// Virtual ticks that the step cost, only with the grant "virtual-cost".
    pub cost: Option<u64>,
}

impl Report {
    /// The value of a metric, if it was reported.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics
            .iter()
            .find(|m| m.name == name)
            .map(|m| m.value)
    }

    /// A report with one more metric, for building one in a line.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, value: f64) -> Self {
        self.metrics.push(Metric {
            name: name.into(),
            value,
        });
        self
    }

    /// The report, marked as the trial's last one.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.finished = true;
        self
    }
}

/// What a trainable learns of its trial before the first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialInfo {
    /// The trial.
    pub trial: TrialId,
    /// Differs for every trial and every generation of it.
    pub seed: u64,
    /// Worker threads that the trial may use.
    pub workers: u32,
    /// A portable state follows.
    pub restoring: bool,
}

/// A plugin's own error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The configuration cannot be used.
    BadConfig(String),
    /// The data cannot be used.
    BadData(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The message without its kind.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::BadConfig(m) | Self::BadData(m) | Self::Other(m) => m,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadConfig(m) => write!(f, "bad configuration: {m}"),
            Self::BadData(m) => write!(f, "bad data: {m}"),
            Self::Other(m) => f.write_str(m),
        }
    }
}

impl std::error::Error for Failure {}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Other(message.to_owned())
    }
}

/// Why a trial failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The guest returned an error.
    Reported,
    /// The guest trapped.
    Trap,
    /// The fuel limit of a call or of the trial.
    OutOfFuel,
    /// The memory limit of the trial.
    Memory,
    /// A wall deadline.
    Deadline,
    /// Something was used that is not granted.
    Grant,
    /// An answer outside its bounds.
    BadValue,
    /// A change of configuration that the trainable cannot carry out.
    Reconfigure,
    /// The host ran out of memory.
    HostMemory,
    /// The GPU was lost.
    DeviceLost,
    /// A worker was lost.
    WorkerLost,
    /// A defect of the host.
    HostBug,
}

impl FailureKind {
    /// All kinds, in the order of the WIT.
    pub const ALL: [Self; 12] = [
        Self::Reported,
        Self::Trap,
        Self::OutOfFuel,
        Self::Memory,
        Self::Deadline,
        Self::Grant,
        Self::BadValue,
        Self::Reconfigure,
        Self::HostMemory,
        Self::DeviceLost,
        Self::WorkerLost,
        Self::HostBug,
    ];

    /// Repeats exactly when the step is repeated: final at once, no retry helps.
    #[must_use]
    pub fn is_reproducible(self) -> bool {
        !matches!(
            self,
            Self::Deadline | Self::HostMemory | Self::DeviceLost | Self::WorkerLost | Self::HostBug
        )
    }

    /// The name as it stands in the WIT.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Trap => "trap",
            Self::OutOfFuel => "out-of-fuel",
            Self::Memory => "memory",
            Self::Deadline => "deadline",
            Self::Grant => "grant",
            Self::BadValue => "bad-value",
            Self::Reconfigure => "reconfigure",
            Self::HostMemory => "host-memory",
            Self::DeviceLost => "device-lost",
            Self::WorkerLost => "worker-lost",
            Self::HostBug => "host-bug",
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Answer of a trainable to a change of its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reconfigured {
    /// The trial goes on with the new configuration.
    Applied,
    /// It cannot be changed in mid-training.
    Unsupported,
}

/// What changes when a trial goes on with another configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The whole new configuration.
    pub config: Config,
    /// A fresh seed.
    pub seed: u64,
    /// Worker threads from now on.
    pub workers: u32,
}

/// An option that a plugin refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionError {
    /// Which option.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// A range of real numbers; `step`: values are multiples of it, both ends inclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealRange {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Uniform in the logarithm.
    pub log: bool,
    /// Values are multiples of it.
    pub step: Option<f64>,
}

/// A range of whole numbers, both ends inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeRange {
    /// Smallest value.
    pub low: i64,
    /// Largest value.
    pub high: i64,
    /// Uniform in the logarithm.
    pub log: bool,
    /// Values are multiples of it.
    pub step: Option<i64>,
}

/// A normal distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaussianSpread {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation, above 0.
    pub sd: f64,
    /// Rounded to a multiple of it.
    pub step: Option<f64>,
}

/// The values that a parameter can take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Domain {
    /// Real numbers.
    Real(RealRange),
    /// Whole numbers.
    Whole(WholeRange),
    /// Normally distributed real numbers.
    Gaussian(GaussianSpread),
    /// Unordered alternatives, compared by index.
    Choice(Vec<Value>),
    /// Ordered alternatives, crossed by `grid`.
    Ordered(Vec<Value>),
}

/// The parameter is active only if `parent` is active and has one of these values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of an earlier parameter.
    pub parent: String,
    /// The values that make the child active.
    pub among: Vec<Value>,
}

/// A parameter that a searcher suggests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Dotted name.
    pub name: String,
    /// Its values.
    pub domain: Domain,
    /// All must hold for the parameter to be active.
    pub conditions: Vec<Condition>,
}

/// A metric to optimise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// Its name.
    pub metric: String,
    /// Larger is better.
    pub maximize: bool,
}

/// A bound on a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    /// Its name.
    pub metric: String,
    /// Smallest feasible value.
    pub at_least: Option<f64>,
    /// Largest feasible value.
    pub at_most: Option<f64>,
}

/// What a searcher or scheduler is started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// What is to be suggested, parents before children.
    pub space: Vec<Parameter>,
    /// The first is the one named `metric`, if any.
    pub objectives: Vec<Objective>,
    /// Bounds on metrics.
    pub constraints: Vec<Constraint>,
    /// The metric that measures a trial's resource.
    pub time_attr: String,
    /// A trial ends when `time_attr` reaches this.
    pub max_t: Option<f64>,
    /// How many trials the run creates at most.
    pub trials: Option<u32>,
    /// How many run at once.
    pub slots: u32,
    /// The only source of randomness.
    pub seed: u64,
    /// A JSON object, defaults filled in.
    pub options: String,
}

/// State of a trial after an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrialState {
    /// It goes on.
    Running,
    /// It waits.
    Paused,
    /// It has ended.
    Ended,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// By itself, at its budget or `max_t`, or by a stop rule.
    Finished,
    /// By the scheduler or the user.
    Stopped,
    /// By a failure.
    Failed(FailureKind),
}

/// How a trial ended and its last report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How.
    pub ending: Ending,
    /// None for a trial that never reported.
    pub last: Option<Report>,
}

/// A result known from elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The configuration that was tried.
    pub config: Config,
    /// Its last report.
    pub last: Option<Report>,
    /// How it ended.
    pub ending: Ending,
}

/// A configuration for a new trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Every active parameter.
    pub config: Config,
    /// The trial ends at its first report with `time_attr` at or past this.
    pub budget: Option<f64>,
    /// Start from the last kept or paused state of this trial.
    pub start_from: Option<TrialId>,
    /// Instead of the seed that the host would give.
    pub seed: Option<u64>,
}

/// Answer of a searcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Suggestion {
    /// Try this.
    Configure(Proposal),
    /// Ask again at the next handover.
    Wait,
    /// Never ask again.
    Exhausted,
}

/// `target` goes on from the last kept or paused state of `source`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exploit {
    /// The trial that is overwritten.
    pub target: TrialId,
    /// The trial that is copied.
    pub source: TrialId,
    /// The target's configuration from now on.
    pub config: Config,
}

/// What a scheduler wants done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Pause; another running trial at its next report.
    Pause(TrialId),
    /// Stop for good.
    Stop(TrialId),
    /// Keep the present state as a source for exploits.
    Keep(TrialId),
    /// Clone a trial over another.
    Exploit(Exploit),
    /// Change a trial's configuration.
    SetConfig(TrialId, Config),
    /// Change a trial's number of worker threads.
    SetWorkers(TrialId, u32),
    /// Tell no result of a trial before its resource is at or past this: none can change anything.
    QuietUntil(TrialId, f64),
}

/// Whether the engine can create trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Creation {
    /// Yes.
    Possible,
    /// The searcher answered `wait` in this handover.
    Waiting,
    /// `trials` is reached or the searcher is exhausted.
    Closed,
}

/// What a free slot does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// Run this pending or paused trial.
    Run(TrialId),
    /// Ask the searcher for a new trial.
    Create,
    /// Nothing for now.
    Idle,
    /// Nothing for ever.
    Done,
}

/// Answer of `next-to-run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Carried out first.
    pub actions: Vec<Action>,
    /// Then this.
    pub next: Next,
}
