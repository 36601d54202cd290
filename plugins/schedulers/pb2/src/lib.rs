//! The scheduler `pb2`: population based bandits (Parker-Holder, Nguyen and Roberts 2020, *Provably
//! Efficient Online Hyperparameter Optimization with Population-Based Bandits*, arXiv 2002.02518),
//! with categorical parameters as in PB2-Mix (2021, arXiv 2106.15883).
//!
//! As `pbt`, except for what a member goes on with that took over another one's state: not a random
//! change of the donor's configuration, but the one of which a model of the population's own past
//! promises the largest increase of the score by time. Numbers come from a Gaussian process over
//! time, score and parameters (upper confidence bound), categories from a bandit that forgets.
//!
//! Options are Ray Tune's. Other than there: logarithmic ranges and whole numbers are modelled on
//! the unit cube; the noise is fitted; members that still train what they were given count until
//! their own result is there, and by one process instead of a second one; the spread that is added
//! to the mean is the standard deviation, as in the paper, not the variance; the data are capped so
//! that a decision stays bounded; and what `pbt` does otherwise than Ray.

mod bandit;
mod bounds;
mod explorer;
mod kernel;
mod surrogate;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use tune_plugin::{
    Action, Config, Creation, FailureKind, OptionError, PluginOptions, Report, Scheduler, Setup,
    TrialId, Turn,
    schedule::{Pace, Population},
};

use crate::explorer::Explorer;

/// What a `[scheduler]` table may hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    perturbation_interval: f64,
    burn_in_period: f64,
    quantile_fraction: f64,
    synch: bool,
    hyperparam_bounds: Map<String, Json>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            perturbation_interval: 4.0,
            burn_in_period: 0.0,
            quantile_fraction: 0.25,
            synch: false,
            hyperparam_bounds: Map::new(),
        }
    }
}

// Written by hand: the attribute `options` knows no tables.
impl PluginOptions for Options {
    const SCHEMA: &'static str = concat!(
        r#"{"type":"object","properties":{"#,
        r#""perturbation_interval":{"type":"number","exclusiveMinimum":0.0,"default":4.0,"#,
        r#""description":"Time between two perturbation points of a member, in units of `time_attr`."},"#,
        r#""burn_in_period":{"type":"number","minimum":0.0,"default":0.0,"#,
        r#""description":"No perturbation point before this time."},"#,
        r#""quantile_fraction":{"type":"number","minimum":0.0,"maximum":0.5,"default":0.25,"#,
        r#""description":"Share of the population that is the best, and as much the worst."},"#,
        r#""synch":{"type":"boolean","default":false,"#,
        r#""description":"Members wait for each other at every perturbation point."},"#,
        r#""hyperparam_bounds":{"type":"object","default":{},"#,
        r#""description":"Parameters that change, each name = [low, high] within its range, or "#,
        r#"name = [] for all of it; none named: all of the space."}},"#,
        r#""additionalProperties":false}"#
    );
}

/// The population, whose configurations a model chooses.
#[derive(Debug)]
pub struct Pb2(Population<Explorer>);

impl Scheduler for Pb2 {
    const NAME: &'static str = "pb2";
    const SUMMARY: &'static str = "Population based bandits: the worst go on from the best with what a model promises most of";
    const PAUSES: bool = true;
    const CLONES: bool = true;
    const CHANGES_CONFIG: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let pace = Pace {
            interval: options.perturbation_interval,
            burn_in: options.burn_in_period,
            quantile_fraction: options.quantile_fraction,
            synch: options.synch,
        };
        let explorer = Explorer::new(setup, &options.hyperparam_bounds);
        Population::new(setup, pace, explorer).map(Self)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Vec<Action> {
        self.0.add(trial, config);
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        self.0.report(trial, report)
    }

    fn on_complete(&mut self, trial: TrialId, _: Option<&Report>) -> Vec<Action> {
        self.on_remove(trial)
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if will_retry {
            return Vec::new();
        }
        self.on_remove(trial)
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.0.remove(trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.0.next_to_run(creation)
    }

    fn describe(&self) -> String {
        self.0.describe(Self::NAME)
    }
}

tune_plugin::export_scheduler!(Pb2);

#[cfg(test)]
mod tests;
