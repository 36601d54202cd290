//! The scheduler `asha`: asynchronous successive halving (Li et al. 2018, arXiv 1810.05934).
//!
//! Trials are compared at rungs, all `grace_period x reduction_factor^k` below `max_t` and then
//! `max_t` itself. `stopping` (as in Ray Tune and Optuna): a trial goes on unless it is strictly
//! worse than the quantile 1 - 1/reduction_factor of what the rung held before it. `promotion` (as
//! in the paper, algorithm 2): a trial pauses at each rung and goes on when it is in the top
//! 1/reduction_factor. Departures from Ray: exact rungs with `max_t` as the last; a result that
//! jumps over rungs counts only at the highest; a result that is not a finite number is the worst.

use tune_plugin::{
    Action, Config, Creation, FailureKind, OptionError, Report, Scheduler, Setup, Stream, TrialId,
    Turn,
    schedule::{Brackets, refuse_to_run_on},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// `stopping` ends bad trials at once; `promotion` pauses all at every rung and resumes the best.
    #[option(name = "type", default = "stopping", one_of = ["stopping", "promotion"])]
    kind: String,
    /// The first rung, in units of `time_attr`.
    #[option(default = 1.0, exclusive_minimum = 0.0)]
    grace_period: f64,
    /// One of so many trials goes on from a rung; each rung is so many times the one before.
    #[option(default = 4.0, exclusive_minimum = 1.0)]
    reduction_factor: f64,
    /// Brackets; each leaves out one more of the first rungs. More than there are rungs count as those.
    #[option(default = 1, minimum = 1, maximum = 20)]
    brackets: u32,
    /// How trials are spread over brackets: `hyperband` (equal budgets) or `softmax` (as Ray Tune).
    #[option(default = "hyperband", one_of = ["hyperband", "softmax"])]
    bracket_draw: String,
    /// Only true: a trial ends at `max_t`.
    #[option(default = true)]
    stop_last_trials: bool,
}

/// The brackets, and how trials are spread over them.
#[derive(Debug)]
pub struct Asha {
    kind: String,
    brackets: Brackets,
    weights: Vec<f64>,
    stream: Stream,
}

impl Scheduler for Asha {
    const NAME: &'static str = "asha";
    const SUMMARY: &'static str =
        "Asynchronous successive halving: stops or pauses trials at rungs";
    const PAUSES: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let shape = (options.grace_period, options.reduction_factor);
        let promotion = options.kind == "promotion";
        let brackets = Brackets::new(setup, shape, options.brackets as usize, promotion);
        let refused = refuse_to_run_on(options.stop_last_trials);
        let brackets = match (brackets, refused) {
            (Ok(brackets), None) => brackets,
            (brackets, refused) => {
                let errors = brackets.err().unwrap_or_default();
                return Err(refused.into_iter().chain(errors).collect());
            }
        };
        let rungs = brackets.rungs().iter().map(|rungs| rungs.len() as f64);
        let most = rungs.clone().fold(0.0, f64::max);
        let weight = |rungs: f64| match options.bracket_draw.as_str() {
            "softmax" => libm::exp(rungs - most),
            _ => libm::pow(options.reduction_factor, rungs - most) * most / rungs,
        };
        Ok(Self {
            weights: rungs.map(weight).collect(),
            brackets,
            kind: options.kind,
            stream: Stream::new(setup.seed),
        })
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        let bracket = self.stream.weighted(&self.weights).unwrap_or(0);
        self.brackets.add(trial, bracket);
        self.brackets.quiet(trial).into_iter().collect()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        self.brackets.result(trial, report)
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        self.brackets.complete(trial, last)
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        self.brackets.error(trial, will_retry)
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.brackets.remove(trial)
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.brackets.next(creation, |_, _| true)
    }

    fn describe(&self) -> String {
        self.brackets.describe(&format!("asha ({})", self.kind))
    }
}

tune_plugin::export_scheduler!(Asha);

#[cfg(test)]
mod tests;
