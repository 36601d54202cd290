//! The scheduler `patient`: a trial is stopped when the best of its last `patience` + 1 results is
//! worse by more than `min_delta` than its best before.
//!
//! Rules are those of Optuna 5's `PatientPruner` without a pruner inside it, except that a result
//! which is not a finite number is the worst: a trial that had a number and then reports none for
//! the whole time is stopped (Optuna lets it run).

use std::collections::{BTreeMap, VecDeque};

use tune_plugin::{
    OptionError, TrialId,
    schedule::{ByRule, Reading, Rule, Score, Verdict},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Results in a row that may be worse than the best before them; the next one stops the trial.
    #[option(default = 5, minimum = 0, maximum = 10000)]
    patience: usize,
    /// Worse by no more than this is not worse.
    #[option(default = 0.0, minimum = 0.0)]
    min_delta: f64,
}

/// The rule, and the end of the curve of every trial.
#[derive(Debug)]
pub struct Patient {
    options: Options,
    trials: BTreeMap<TrialId, Tail>,
}

/// The last `patience` + 1 results, oldest first, and the best of all before.
#[derive(Debug, Default)]
struct Tail {
    recent: VecDeque<Score>,
    before: Option<Score>,
}

impl Rule for Patient {
    const NAME: &'static str = "patient";
    const SUMMARY: &'static str = "Stops trials that have not become better for some results";
    type Options = Options;

    fn new(options: Options) -> Result<Self, Vec<OptionError>> {
        Ok(Self {
            options,
            trials: BTreeMap::new(),
        })
    }

    fn judge(&mut self, trial: TrialId, seen: Reading, _: bool) -> Verdict {
        let tail = self.trials.entry(trial).or_default();
        tail.recent.push_back(seen.score);
        if tail.recent.len() > self.options.patience + 1 {
            tail.before = tail.before.max(tail.recent.pop_front());
        }
        match (tail.before, tail.recent.iter().max()) {
            (Some(before), Some(best))
                if best.value() < before.value() - self.options.min_delta =>
            {
                Verdict::Stop
            }
            _ => Verdict::GoOn,
        }
    }

    fn forget(&mut self, trial: TrialId) {
        self.trials.remove(&trial);
    }
}

tune_plugin::export_scheduler!(ByRule<Patient>);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::parse_options;

    /// At which of the results, from 1, a trial is stopped.
    fn stops(options: &str, results: &[f64]) -> Vec<usize> {
        let mut rule = Patient::new(parse_options(options).unwrap()).unwrap();
        let mut at = |step: usize, value: f64| {
            let seen = Reading {
                time: step as f64,
                score: Score::new(value),
                value,
            };
            rule.judge(3, seen, false) == Verdict::Stop
        };
        let steps = (1..).zip(results);
        steps
            .filter(|(step, value)| at(*step, **value))
            .map(|(step, _)| step)
            .collect()
    }

    #[test]
    fn the_best_of_the_last_results_must_not_be_worse_than_the_best_before() {
        // Patience 1 compares the last two with all before: at the third result first.
        assert_eq!(stops(r#"{"patience": 1}"#, &[1.0, 0.9, 0.8]), [3]);
        assert_eq!(stops(r#"{"patience": 1}"#, &[1.0, 0.9, 1.0, 0.9, 0.9]), [5]);
        assert_eq!(stops(r#"{"patience": 0}"#, &[1.0, 0.9]), [2]);
        // Three worse ones are forgiven, the fourth is not.
        assert_eq!(stops(r#"{"patience": 3}"#, &[5.0, 4.0, 4.0, 4.0, 4.0]), [5]);
        assert_eq!(
            stops(r#"{"patience": 3}"#, &[5.0, 4.0, 4.0, 4.0, 6.0, 5.0]),
            [] as [usize; 0]
        );
    }

    #[test]
    fn as_good_as_before_is_good_enough_and_so_is_worse_by_the_tolerance() {
        assert_eq!(stops(r#"{"patience": 0}"#, &[1.0; 9]), [] as [usize; 0]);
        let tolerant = r#"{"patience": 0, "min_delta": 0.5}"#;
        assert_eq!(stops(tolerant, &[1.0, 0.5, 0.75, 0.25]), [4]);
    }

    #[test]
    fn a_trial_that_has_no_number_any_more_is_stopped_and_one_that_never_had_is_not() {
        let (nan, one) = (f64::NAN, r#"{"patience": 1}"#);
        assert_eq!(
            stops(one, &[nan, nan, nan, nan, f64::INFINITY]),
            [] as [usize; 0]
        );
        assert_eq!(stops(one, &[1.0, nan, 1.0, nan, nan]), [5]);
    }

    #[test]
    fn trials_are_judged_each_by_itself_and_forgotten_when_they_are_gone() {
        let mut rule = Patient::new(parse_options(r#"{"patience": 0}"#).unwrap()).unwrap();
        let seen = |value| Reading {
            time: 0.0,
            score: Score::new(value),
            value,
        };
        assert_eq!(rule.judge(1, seen(5.0), false), Verdict::GoOn);
        assert_eq!(rule.judge(2, seen(1.0), false), Verdict::GoOn);
        assert_eq!(rule.judge(1, seen(4.0), false), Verdict::Stop);
        rule.forget(1);
        rule.complete(2, None);
        assert!(rule.trials.is_empty());
    }
}
