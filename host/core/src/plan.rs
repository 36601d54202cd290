//! What the engine needs to know of an experiment: all that can change a decision.

use serde::{Deserialize, Serialize};
use tune_space::{Config, Constraint, Objective, Observation, Parameter, Report, Setup};

use crate::{GpuCosts, Limits, OwnLimits, Plateaus, seeds};

/// Version of the engine's rules and constants: digests of different versions cannot be compared.
pub const PLAN_FORMAT: u32 = 2;

/// In which order results count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By virtual time, then trial: the same at any number of threads. The default.
    Deterministic,
    /// As they come.
    Arrival,
}

/// What is compiled into the code of a component to bound and measure it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metering {
    /// Fuel: budgets, and wall deadlines at its yields. Default of the plugins in the binary.
    Fuel,
    /// Fuel and epochs, an independent net. Default of all other plugins.
    Full,
    /// Wall deadlines only.
    Epoch,
    /// Nothing: trusted plugins.
    None,
}

impl Metering {
    /// Fuel is counted.
    #[must_use]
    pub fn counts_fuel(self) -> bool {
        matches!(self, Self::Fuel | Self::Full)
    }

    /// Epochs are checked.
    #[must_use]
    pub fn checks_epochs(self) -> bool {
        matches!(self, Self::Full | Self::Epoch)
    }
}

/// The seed of a trial that is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetrySeed {
    /// As before: only irreproducible failures are tried again. The default.
    Same,
    /// Another one: reproducible failures are tried again too.
    Fresh,
}

/// A trial ends as finished when the metric reaches the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopRule {
    /// A reported or reserved metric.
    pub metric: String,
    /// The bound, inclusive.
    pub threshold: f64,
    /// Met at or above the threshold; else at or below it.
    pub at_least: bool,
}

/// A value that the host computes from a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Derived {
    /// Dotted name.
    pub name: String,
    /// An arithmetic expression over numeric parameters and constants; a name with odd characters stands in braces.
    pub expression: String,
}

/// A state of another run that trial 0 begins with instead of `setup`: a fork.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// `training_iteration` of the state: the trial goes on from there.
    pub iteration: u64,
    /// `fuel_total` of the state: the trial goes on from there.
    pub fuel_total: u64,
    /// The whole configuration that led to the state. If the trial's own one is another, it comes as
    /// a change, with a fresh seed.
    pub config: Config,
    /// The report that led to the state: the resource of the trial must not fall below its.
    pub last: Option<Report>,
    /// blake3 of the state.
    pub state: [u8; 32],
}

/// Seeds of a lineage of another run, so that trial 0 repeats it bit for bit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The seed that `setup` is given.
    pub seed: u64,
    /// `training_iteration` after which the trial was changed, and the seed of that change.
    pub changes: Vec<(u64, u64)>,
}

/// All that can change a decision of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnginePlan {
    /// Seed of the run.
    pub seed: u64,
    /// Trials that run at once in virtual time.
    pub slots: u32,
    /// Trials that are created at most; none: until the searcher is exhausted.
    pub trials: Option<u32>,
    /// The first is the one named `metric`.
    pub objectives: Vec<Objective>,
    /// Bounds on metrics.
    pub constraints: Vec<Constraint>,
    /// The metric that measures a trial's resource.
    pub time_attr: String,
    /// A trial ends when `time_attr` reaches this.
    pub max_t: Option<f64>,
    /// What the searcher suggests, parents before children.
    pub space: Vec<Parameter>,
    /// Added to every configuration.
    pub constants: Config,
    /// Computed after the constants, in order; a later one may use an earlier one.
    pub derived: Vec<Derived>,
    /// Asked for first, one trial each; partial ones pin their keys.
    pub points_to_evaluate: Vec<Config>,
    /// End a trial as finished.
    pub stop: Vec<StopRule>,
    /// Rules with a memory. By default none; then they are not in the digest.
    #[serde(default, skip_serializing_if = "Plateaus::is_empty")]
    pub plateaus: Plateaus,
    /// Order of results.
    pub order: Order,
    /// Metering of the trainable.
    pub metering: Metering,
    /// Trials report their own virtual cost.
    pub virtual_cost: bool,
    /// What GPU work costs; none: no GPU is granted, and nothing of it is in the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuCosts>,
    /// Retries of a trial after irreproducible failures.
    pub max_failures: u32,
    /// Seed of a retry.
    pub retry_seed: RetrySeed,
    /// Limits of trials, and of searcher and scheduler unless they have their own.
    pub limits: Limits,
    /// Limits of searcher and scheduler. By default none of their own; then they are not in the
    /// digest.
    #[serde(default, skip_serializing_if = "OwnLimits::is_empty")]
    pub own_limits: OwnLimits,
    /// Name of the trainable.
    pub trainable: String,
    /// Name of the searcher and its options, a JSON object.
    pub searcher: (String, String),
    /// Name of the scheduler and its options, a JSON object.
    pub scheduler: (String, String),
    /// NaNs are canonical inside the sandbox too.
    pub strict: bool,
    /// States are kept and copied: the scheduler says that it clones, or the searcher that it
    /// starts trials from earlier ones. By default neither may.
    #[serde(default)]
    pub clones: bool,
    /// The state that trial 0 begins with. By default it is set up.
    #[serde(default)]
    pub imported: Option<Imported>,
    /// Seeds that trial 0 repeats. By default they follow from the seed of the run.
    #[serde(default)]
    pub lineage: Option<Lineage>,
    /// Earlier results that the searcher is told before its first suggestion.
    #[serde(default)]
    pub known: Vec<Observation>,
}

impl EnginePlan {
    /// What the searcher may use.
    #[must_use]
    pub fn searcher_limits(&self) -> &Limits {
        self.own_limits.searcher.as_ref().unwrap_or(&self.limits)
    }

    /// What the scheduler may use.
    #[must_use]
    pub fn scheduler_limits(&self) -> &Limits {
        self.own_limits.scheduler.as_ref().unwrap_or(&self.limits)
    }

    /// What the searcher is started with. The options are as the plan has them, defaults not filled
    /// in.
    #[must_use]
    pub fn searcher_setup(&self) -> Setup {
        self.setup("searcher", &self.searcher.1)
    }

    /// What the scheduler is started with: of several objectives it sees the first.
    #[must_use]
    pub fn scheduler_setup(&self) -> Setup {
        let mut setup = self.setup("scheduler", &self.scheduler.1);
        setup.objectives.truncate(1);
        setup
    }

    fn setup(&self, role: &str, options: &str) -> Setup {
        Setup {
            space: self.space.clone(),
            objectives: self.objectives.clone(),
            constraints: self.constraints.clone(),
            time_attr: self.time_attr.clone(),
            max_t: self.max_t,
            trials: self.trials,
            slots: self.slots,
            seed: seeds::role(self.seed, role),
            options: options.to_owned(),
        }
    }
}
