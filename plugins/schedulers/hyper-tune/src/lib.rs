//! The scheduler `hyper-tune`: asynchronous successive halving that learns which bracket pays and
//! promotes late (Li, Shen, Jiang, Zhang, Li, Liu, Zhang and Cui 2022, *Hyper-Tune: Towards Efficient
//! Hyper-parameter Tuning at Scale*, arXiv 2201.06834).
//!
//! * *D-ASHA*: trials pause at every rung and the best are promoted, as in `asha`, but a rung
//!   promotes only while it holds `reduction_factor` times as many trials as the next one would:
//!   fewer are promoted by chance while there is little to compare with.
//! * *Brackets*: a new trial starts in bracket `k` with a chance in proportion to `theta_k / r_k`:
//!   `r_k` is its first rung, `theta_k` the chance that a model of the results there orders the
//!   trials of the highest rung best (50 draws of Gaussian processes).
//!
//! Other than in the paper: it is a scheduler for any searcher, without the paper's own; models are
//! of the newest 100 results of a level, only of the levels at which brackets begin and of the highest
//! one, and asked anew after a tenth more and at least three; a bracket whose first rung has no model
//! yet counts as the mean of the others.

mod fidelity;

use std::collections::BTreeMap;

use tune_plugin::{
    Action, Config, Creation, FailureKind, OptionError, Report, Scheduler, Setup, Space, Stream,
    TrialId, Turn, derive_seed,
    schedule::{Brackets, Entry},
};

use crate::fidelity::Fidelity;

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// The first rung, in units of `time_attr`.
    #[option(default = 1.0, exclusive_minimum = 0.0)]
    grace_period: f64,
    /// One of so many trials goes on from a rung; each rung is so many times the one before.
    #[option(default = 3.0, exclusive_minimum = 1.0)]
    reduction_factor: f64,
    /// Brackets; each leaves out one more of the first rungs. More than there are rungs count as those.
    #[option(default = 4, minimum = 1, maximum = 20)]
    brackets: u32,
}

/// The brackets and what their levels are worth.
#[derive(Debug)]
pub struct HyperTune {
    brackets: Brackets,
    factor: f64,
    fidelity: Fidelity,
    stream: Stream,
    /// Where the configurations of the trials lie that have not ended.
    places: BTreeMap<TrialId, Vec<f64>>,
}

impl HyperTune {
    /// How likely a new trial starts in each bracket, up to a factor.
    fn weights(&mut self) -> Vec<f64> {
        let firsts: Vec<f64> = self
            .brackets
            .rungs()
            .iter()
            .filter_map(|rungs| Some(rungs.first()?.level))
            .collect();
        if firsts.len() < 2 {
            return vec![1.0; firsts.len()];
        }
        let chances = self.fidelity.chances();
        let known: Vec<f64> = chances
            .iter()
            .take(firsts.len())
            .flatten()
            .copied()
            .collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        // Levels that order nothing at all: then none is known to be better than another.
        let mean = if mean > 0.0 { mean } else { 1.0 };
        let weights = firsts.iter().zip(&chances);
        let weights: Vec<f64> = weights
            .map(|(r, theta)| theta.unwrap_or(mean) / r)
            .collect();
        if weights.iter().any(|w| *w > 0.0) {
            weights
        } else {
            firsts.iter().map(|r| 1.0 / r).collect()
        }
    }

    /// Counted from the lowest rung of all, a rung of bracket `k` is `k` levels higher.
    fn learn(&mut self, trial: TrialId, entry: Entry) {
        if let Some(at) = self.places.get(&trial) {
            let level = entry.bracket + entry.rung;
            self.fidelity.learn(level, at.clone(), entry.score);
        }
    }
}

impl Scheduler for HyperTune {
    const NAME: &'static str = "hyper-tune";
    const SUMMARY: &'static str =
        "Successive halving with late promotion that learns at which rung trials are best started";
    const PAUSES: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let shape = (options.grace_period, options.reduction_factor);
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let brackets = Brackets::new(setup, shape, options.brackets as usize, true)?;
        let levels = brackets.rungs().first().map_or(0, Vec::len);
        // Apart from the draws of brackets, so that the one does not move the other.
        let seed = derive_seed(&[&setup.seed.to_le_bytes(), b"fidelity"]);
        Ok(Self {
            factor: options.reduction_factor,
            fidelity: Fidelity::new(space, levels, brackets.rungs().len(), seed),
            brackets,
            stream: Stream::new(setup.seed),
            places: BTreeMap::new(),
        })
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Vec<Action> {
        let weights = self.weights();
        let bracket = self.stream.weighted(&weights).unwrap_or(0);
        self.places.insert(trial, self.fidelity.encode(config));
        self.brackets.add(trial, bracket);
        self.brackets.quiet(trial).into_iter().collect()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let Some(entry) = self.brackets.enter(trial, report) else {
            return Vec::new();
        };
        self.learn(trial, entry);
        self.brackets.decide(trial, entry)
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        if let Some(entry) = last.and_then(|report| self.brackets.enter(trial, report)) {
            self.learn(trial, entry);
            self.brackets.record(trial, entry);
        }
        self.places.remove(&trial);
        self.brackets.complete(trial, None)
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            self.places.remove(&trial);
        }
        self.brackets.error(trial, will_retry)
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.places.remove(&trial);
        self.brackets.remove(trial)
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        let factor = self.factor;
        self.brackets.next(creation, |rungs, number| {
            let here = rungs.get(number).map_or(0, |rung| rung.len());
            let above = rungs.get(number + 1).map_or(0, |rung| rung.len());
            here as f64 >= factor * (above + 1) as f64
        })
    }

    fn describe(&self) -> String {
        self.brackets.describe(Self::NAME)
    }
}

tune_plugin::export_scheduler!(HyperTune);

#[cfg(test)]
mod tests;
