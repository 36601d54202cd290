//! The scheduler `pasha` (Bohdal et al. 2023, arXiv 2207.06940): asynchronous successive halving with
//! a ceiling that rises only as long as it must.
//!
//! Trials are paused at rungs and promoted as by `asha` with `type = "promotion"`, at first between
//! the two lowest rungs only. Whenever a trial comes to the highest rung in use, the trials that it
//! and the rung below both hold are ranked by either. If the rankings differ by more than noise,
//! the next rung comes into use too.
//!
//! Departures from the authors' code in Syne Tune: rungs are exact and `max_t` is the last; rankings
//! are compared when a trial comes to the ceiling, the one moment at which they can change; noise is
//! that of pairs of trials at the ceiling, a newcomer with the hundred before it.

use std::collections::BTreeMap;

use tune_plugin::{
    Action, Config, Creation, FailureKind, OptionError, Report, Scheduler, Setup, TrialId, Turn,
    schedule::{Brackets, Entry, Ratio, Score, refuse_to_run_on, refused},
};

use ranking::{Noise, Ranking};

mod ranking;

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
    /// Results that are not farther apart count as equal in a ranking, in units of the metric. Not
    /// set: it is estimated from curves that cross and cross back.
    #[option(minimum = 0.0)]
    epsilon: Option<f64>,
    /// The percentile of their distances that the estimate is.
    #[option(default = 90.0, exclusive_minimum = 0.0, maximum = 100.0)]
    noise_percentile: f64,
    /// Only true: a trial ends at `max_t`.
    #[option(default = true)]
    stop_last_trials: bool,
}

/// The rungs, and up to which they are in use.
#[derive(Debug)]
pub struct Pasha {
    brackets: Brackets,
    /// Number of the highest rung in use.
    ceiling: usize,
    /// Who was how good at each rung.
    scores: Vec<BTreeMap<TrialId, Score>>,
    /// Of the ceiling and the rung below.
    ranking: Ranking,
    noise: Noise,
    epsilon: Option<f64>,
}

impl Pasha {
    fn epsilon(&self) -> f64 {
        self.epsilon.unwrap_or(self.noise.epsilon)
    }

    /// The ceiling is the last rung: nothing is learned of rankings and noise any more.
    fn is_at_the_top(&self) -> bool {
        self.ceiling + 1 >= self.scores.len()
    }

    /// Takes a result in; raises the ceiling if it is what makes the rankings differ.
    fn enter(&mut self, trial: TrialId, report: &Report) -> Option<Entry> {
        let (time, score) = self.brackets.goal().read(report)?;
        if self.is_at_the_top() {
            return self.brackets.enter(trial, report);
        }
        self.noise.record(trial, time, score);
        let entry = self.brackets.enter(trial, report)?;
        self.scores.get_mut(entry.rung)?.insert(trial, score);
        if entry.rung == self.ceiling && entry.rung > 0 {
            self.noise.at_ceiling(trial);
            if let Some(before) = self.scores.get(self.ceiling - 1)?.get(&trial) {
                self.ranking.insert(trial, score, *before);
            }
            if !self.ranking.agrees(self.epsilon()) {
                self.ceiling += 1;
                self.noise.rise();
                let top = self.scores.get(self.ceiling)?;
                self.ranking = Ranking::of(top, self.scores.get(self.ceiling - 1)?);
            }
        }
        Some(entry)
    }
}

impl Scheduler for Pasha {
    const NAME: &'static str = "pasha";
    const SUMMARY: &'static str =
        "Successive halving that raises its ceiling only while rankings change";
    const PAUSES: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let shape = (options.grace_period, options.reduction_factor);
        let brackets = Brackets::new(setup, shape, 1, true);
        let percentile = options.noise_percentile / 100.0;
        let percentile = Ratio::from_decimal(percentile).filter(|_| percentile <= 1.0);
        let mut errors: Vec<_> = refuse_to_run_on(options.stop_last_trials)
            .into_iter()
            .collect();
        if percentile.is_none() {
            let message = format!(
                "{} is not above 0 and at most 100",
                options.noise_percentile
            );
            errors.push(refused("noise_percentile", message, "90 is usual"));
        }
        match (brackets, percentile) {
            (Ok(brackets), Some(percentile)) if errors.is_empty() => {
                let rungs = brackets.rungs().iter().map(Vec::len).sum();
                Ok(Self {
                    brackets,
                    ceiling: usize::from(rungs > 1),
                    scores: vec![BTreeMap::new(); rungs],
                    ranking: Ranking::default(),
                    noise: Noise::new(percentile),
                    epsilon: options.epsilon,
                })
            }
            (brackets, _) => {
                errors.extend(brackets.err().unwrap_or_default());
                Err(errors)
            }
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.brackets.add(trial, 0);
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let Some(entry) = self.enter(trial, report) else {
            return Vec::new();
        };
        if self.is_at_the_top() {
            return self.brackets.decide(trial, entry);
        }
        self.brackets.judge(trial, entry).into_iter().collect()
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        if let Some(entry) = last.and_then(|report| self.enter(trial, report)) {
            self.brackets.record(trial, entry);
        }
        self.brackets.complete(trial, None)
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        self.brackets.error(trial, will_retry)
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.brackets.remove(trial)
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        let ceiling = self.ceiling;
        self.brackets.next(creation, |_, rung| rung < ceiling)
    }

    fn describe(&self) -> String {
        let rungs = self.brackets.rungs().iter().flatten();
        let level = rungs.map(|rung| rung.level).nth(self.ceiling);
        let name = format!(
            "pasha (ceiling {}, equal within {:.4})",
            level.unwrap_or(0.0),
            self.epsilon()
        );
        self.brackets.describe(&name)
    }
}

tune_plugin::export_scheduler!(Pasha);

#[cfg(test)]
mod tests;
