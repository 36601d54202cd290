//! The scheduler `pbt`: population based training (Jaderberg et al. 2017, arXiv 1711.09846).
//!
//! The trials are a population that trains side by side. Every `perturbation_interval` a member
//! comes to a perturbation point: its state is kept, and if it is among the worst, it goes on from
//! the kept state of one of the best, with a changed copy of that one's configuration. Asynchronous:
//! each member on its own; `synch`: all of them when the last one has come to its point.
//!
//! Options, quantiles and changes are Ray Tune's, except that values stay in their range and on
//! their grid; a result that is not a finite number is ranked worst; every member is a donor at
//! each of its points (Ray: only what was saved while it was among the best); a member that took
//! over a state is not ranked until it has a result of its own; nothing is copied from an equal.

use tune_plugin::{
    Action, Config, Creation, FailureKind, OptionError, Report, Scheduler, Setup, TrialId, Turn,
    schedule::{Changeable, Pace, Perturb, Population},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Time between two perturbation points of a member, in units of `time_attr`.
    #[option(default = 4.0, exclusive_minimum = 0.0)]
    perturbation_interval: f64,
    /// No perturbation point before this time.
    #[option(default = 0.0, minimum = 0.0)]
    burn_in_period: f64,
    /// Share of the population that is the best, and as much the worst.
    #[option(default = 0.25, minimum = 0.0, maximum = 0.5)]
    quantile_fraction: f64,
    /// Probability with which a changed parameter is drawn anew from its domain.
    #[option(default = 0.25, minimum = 0.0, maximum = 1.0)]
    resample_probability: f64,
    /// Otherwise a number is multiplied by one of these, drawn for each parameter.
    #[option(default = [1.2, 0.8], exclusive_minimum = 0.0)]
    perturbation_factors: Vec<f64>,
    /// Members wait for each other at every perturbation point.
    #[option(default = false)]
    synch: bool,
    /// Names of the parameters that change; none named: all of the space.
    hyperparam_mutations: Vec<String>,
}

/// The population, whose configurations are perturbed.
#[derive(Debug)]
pub struct Pbt(Population<Perturb>);

impl Scheduler for Pbt {
    const NAME: &'static str = "pbt";
    const SUMMARY: &'static str =
        "Population based training: the worst go on from the best with changed configurations";
    const PAUSES: bool = true;
    const CLONES: bool = true;
    const CHANGES_CONFIG: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let named = &options.hyperparam_mutations;
        let perturb = Perturb::new(
            Changeable::new(setup, "hyperparam_mutations", named),
            options.resample_probability,
            &options.perturbation_factors,
        );
        let pace = Pace {
            interval: options.perturbation_interval,
            burn_in: options.burn_in_period,
            quantile_fraction: options.quantile_fraction,
            synch: options.synch,
        };
        Population::new(setup, pace, perturb).map(Self)
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

tune_plugin::export_scheduler!(Pbt);

#[cfg(test)]
mod tests;
