//! The scheduler `percentile`: a trial is stopped when its best result so far is not among the best
//! `percentile` per cent of what the trials that ran to their end had at the same time.
//!
//! Names, defaults and rules are those of Optuna 5's `PercentilePruner` (50 is its `MedianPruner`),
//! except that a result which is not a finite number counts as the worst instead of being left out,
//! and that on an axis on which trials report at different times a finished trial counts with its
//! last result up to that time (Optuna compares at exactly equal steps only).

use std::collections::BTreeMap;

use tune_plugin::{
    OptionError, TrialId,
    schedule::{ByRule, Curves, Interval, Ratio, Reading, Rule, Score, Verdict, refused},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// The best per cent of trials that go on.
    #[option(default = 25.0, minimum = 0.0, maximum = 100.0)]
    percentile: f64,
    /// No trial is stopped before so many have run to their end.
    #[option(default = 5, minimum = 0)]
    n_startup_trials: u64,
    /// Results before this time stop no trial.
    #[option(default = 0.0, minimum = 0.0)]
    n_warmup_steps: f64,
    /// A trial is looked at once in so much time, at its first result.
    #[option(default = 1.0, exclusive_minimum = 0.0)]
    interval_steps: f64,
    /// A trial is judged only against at least so many that had a result at the time.
    #[option(default = 1, minimum = 1)]
    n_min_trials: usize,
}

/// The rule and what it has seen.
#[derive(Debug)]
pub struct Percentile {
    options: Options,
    interval: Interval,
    running: BTreeMap<TrialId, Running>,
    completed: u64,
    curves: Curves,
}

#[derive(Debug, Default)]
struct Running {
    best: Option<Score>,
    curve: Vec<Reading>,
}

impl Rule for Percentile {
    const NAME: &'static str = "percentile";
    const SUMMARY: &'static str = "Stops trials outside the best per cent of the finished ones";
    type Options = Options;

    fn new(options: Options) -> Result<Self, Vec<OptionError>> {
        let share = Ratio::from_percent(options.percentile).ok_or_else(|| {
            let message = format!("{} is not from 0 to 100", options.percentile);
            vec![refused("percentile", message, "25 keeps the best quarter")]
        })?;
        Ok(Self {
            interval: Interval::new(options.n_warmup_steps, options.interval_steps),
            options,
            running: BTreeMap::new(),
            completed: 0,
            curves: Curves::new(share.complement()),
        })
    }

    fn judge(&mut self, trial: TrialId, seen: Reading, _: bool) -> Verdict {
        let running = self.running.entry(trial).or_default();
        running.curve.push(seen);
        running.best = running.best.max(Some(seen.score));
        let due = self.interval.due(trial, seen.time);
        if self.completed < self.options.n_startup_trials.max(1) || !due {
            return Verdict::GoOn;
        }
        let (others, cut) = self.curves.others(trial, seen.time);
        let outside = others >= self.options.n_min_trials && running.best < cut;
        if outside || running.best == Some(Score::WORST) {
            Verdict::Stop
        } else {
            Verdict::GoOn
        }
    }

    fn complete(&mut self, trial: TrialId, last: Option<Reading>) {
        let running = self.running.remove(&trial).unwrap_or_default();
        for seen in running.curve.into_iter().chain(last) {
            self.curves.add(trial, seen.time, seen.score);
        }
        self.completed += 1;
        self.interval.forget(trial);
    }

    fn forget(&mut self, trial: TrialId) {
        self.running.remove(&trial);
        self.interval.forget(trial);
    }
}

tune_plugin::export_scheduler!(ByRule<Percentile>);

#[cfg(test)]
mod tests;
