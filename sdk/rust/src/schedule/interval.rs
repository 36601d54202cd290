//! When a trial is looked at.

use std::collections::BTreeMap;

use tune_space::TrialId;

/// Looks at a trial once in every interval after a warm-up: at its first report in it, however
/// many it has there. The rule of Optuna's pruners.
#[derive(Clone, Debug)]
pub struct Interval {
    warmup: f64,
    length: f64,
    last: BTreeMap<TrialId, f64>,
}

impl Interval {
    /// Intervals of a positive length, the first from `warmup` on.
    #[must_use]
    pub fn new(warmup: f64, length: f64) -> Self {
        Self {
            warmup,
            length,
            last: BTreeMap::new(),
        }
    }

    /// The trial reports at `time`: is it looked at?
    pub fn due(&mut self, trial: TrialId, time: f64) -> bool {
        let before = self.last.insert(trial, time);
        let begin = ((time - self.warmup) / self.length).floor() * self.length + self.warmup;
        time >= self.warmup && before.is_none_or(|before| before < begin)
    }

    /// The trial is gone.
    pub fn forget(&mut self, trial: TrialId) {
        self.last.remove(&trial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(warmup: f64, length: f64, times: &[f64]) -> Vec<f64> {
        let mut interval = Interval::new(warmup, length);
        let all = times.iter().copied();
        all.filter(|time| interval.due(7, *time)).collect()
    }

    #[test]
    fn the_first_report_of_each_interval_is_looked_at() {
        let all: Vec<f64> = (0..10).map(f64::from).collect();
        assert_eq!(due(0.0, 1.0, &all), all);
        assert_eq!(due(2.0, 3.0, &all), [2.0, 5.0, 8.0]);
        // One that was missed is made up for by the next report.
        assert_eq!(
            due(0.0, 4.0, &[1.0, 2.0, 3.0, 6.0, 7.0, 9.0]),
            [1.0, 6.0, 9.0]
        );
        assert_eq!(due(5.0, 2.0, &[4.0, 6.5, 6.9, 7.0, 20.0]), [6.5, 7.0, 20.0]);
        assert_eq!(due(0.0, 2.0, &[3.0, 3.0]), [3.0]);
    }

    #[test]
    fn a_trial_that_is_gone_begins_again() {
        let mut interval = Interval::new(0.0, 10.0);
        assert!(interval.due(1, 1.0));
        assert!(interval.due(2, 1.0));
        assert!(!interval.due(1, 2.0));
        interval.forget(1);
        assert!(interval.due(1, 3.0));
    }
}
