//! Learning curves of all trials, and how one stands against the rest at its present time.
//!
//! While all trials report at the same times (every `training_iteration`), the means at each time
//! are kept in one order statistic and a report costs O(log n). When a trial reports at another
//! time (as on a fuel axis), each mean is looked up in its curve: O(n log m).

use std::collections::BTreeMap;

use tune_space::TrialId;

use super::{Quantile, Ratio, Score};

/// A trial at its newest report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Its best score so far.
    pub best: Score,
    /// How many other trials have come as far.
    pub others: usize,
    /// Median of the others' running means up to the same time; none without others.
    pub median: Option<Score>,
}

/// The scores of all trials by time.
#[derive(Clone, Debug)]
pub struct Curves {
    /// Running means begin here.
    grace: f64,
    trials: BTreeMap<TrialId, Curve>,
    /// Time of the k-th report past grace, and the means of all trials that made it; none since a
    /// trial reported at another time.
    columns: Option<Vec<(f64, Quantile)>>,
}

#[derive(Clone, Debug)]
struct Curve {
    best: Score,
    sum: f64,
    /// Time and running mean of each report past grace.
    means: Vec<(f64, Score)>,
}

impl Curve {
    /// The running mean at `time`, if the trial has come so far and reported since grace.
    fn mean_at(&self, time: f64) -> Option<Score> {
        self.means.last().filter(|(last, _)| *last >= time)?;
        let until = self.means.partition_point(|(t, _)| *t <= time);
        Some(self.means.get(until.checked_sub(1)?)?.1)
    }
}

impl Curves {
    /// No curves yet; running means are over the reports at or past `grace`.
    #[must_use]
    pub fn new(grace: f64) -> Self {
        Self {
            grace,
            trials: BTreeMap::new(),
            columns: Some(Vec::new()),
        }
    }

    /// How many trials have reported.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trials.len()
    }

    /// None has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trials.is_empty()
    }

    /// Adds a report. None before grace.
    pub fn record(&mut self, trial: TrialId, time: f64, score: Score) -> Option<Standing> {
        let curve = self.trials.entry(trial).or_insert(Curve {
            best: score,
            sum: 0.0,
            means: Vec::new(),
        });
        curve.best = curve.best.max(score);
        if time < self.grace {
            return None;
        }
        let best = curve.best;
        let k = curve.means.len();
        curve.sum += score.value();
        let mean = Score::new(curve.sum / (k + 1) as f64);
        curve.means.push((time, mean));

        if let Some(columns) = &mut self.columns {
            if columns.len() == k {
                columns.push((time, Quantile::new(Ratio::HALF)));
            }
            if let Some((_, column)) = columns.get_mut(k).filter(|(at, _)| *at == time) {
                let (others, median) = (column.len(), column.value());
                column.insert(mean);
                return Some(Standing {
                    best,
                    others,
                    median,
                });
            }
        }
        self.columns = None;
        let mut means = Quantile::new(Ratio::HALF);
        for (_, other) in self.trials.iter().filter(|(id, _)| **id != trial) {
            if let Some(mean) = other.mean_at(time) {
                means.insert(mean);
            }
        }
        Some(Standing {
            best,
            others: means.len(),
            median: means.value(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word by word.
    fn by_definition(
        reports: &[(TrialId, f64, f64)],
        grace: f64,
        trial: TrialId,
        time: f64,
    ) -> (usize, Option<f64>) {
        let mut means = Vec::new();
        for other in (0..20).filter(|t| *t != trial) {
            let curve: Vec<_> = reports.iter().filter(|r| r.0 == other).collect();
            let far = curve.iter().any(|r| r.1 >= time);
            let past: Vec<f64> = curve
                .iter()
                .filter(|r| r.1 >= grace && r.1 <= time)
                .map(|r| r.2)
                .collect();
            if far && !past.is_empty() {
                means.push(past.iter().sum::<f64>() / past.len() as f64);
            }
        }
        means.sort_by(f64::total_cmp);
        let (low, high) = (means.len().saturating_sub(1) / 2, means.len() / 2);
        let median = means.get(high).map(|high| (means[low] + high) / 2.0);
        (means.len(), median)
    }

    fn check(steps: impl Fn(TrialId, u32) -> f64) -> Curves {
        let mut stream = tune_space::Stream::new(5);
        let mut curves = Curves::new(3.0);
        let mut reports = Vec::new();
        let mut done = [0_u32; 20];
        for _ in 0..400 {
            let trial = stream.below(20) as TrialId;
            done[trial as usize] += 1;
            let time = steps(trial, done[trial as usize]);
            let value = stream.unit();
            reports.push((trial, time, value));
            let standing = curves.record(trial, time, Score::new(value));
            assert_eq!(standing.is_none(), time < 3.0);
            let Some(standing) = standing else { continue };
            let (others, median) = by_definition(&reports, 3.0, trial, time);
            assert_eq!(standing.others, others);
            let got = standing.median.map_or(f64::NAN, Score::value);
            assert!((got - median.unwrap_or(f64::NAN)).abs() < 1e-9 || median.is_none());
        }
        curves
    }

    #[test]
    fn at_equal_times_the_standing_is_as_defined() {
        assert!(check(|_, k| f64::from(k)).columns.is_some());
    }

    #[test]
    fn at_times_of_their_own_the_standing_is_as_defined() {
        let curves = check(|trial, k| f64::from(k) * (1.0 + f64::from(trial) / 7.0));
        assert!(curves.columns.is_none());
    }

    #[test]
    fn a_result_that_is_not_a_number_makes_the_mean_the_worst() {
        let mut curves = Curves::new(0.0);
        curves.record(0, 1.0, Score::WORST);
        let standing = curves.record(1, 1.0, Score::new(-5.0)).unwrap();
        assert_eq!(standing.median, Some(Score::WORST));
        curves.record(0, 2.0, Score::new(7.0));
        let standing = curves.record(1, 2.0, Score::new(-5.0)).unwrap();
        assert_eq!(standing.median, Some(Score::WORST));
        assert_eq!(standing.best, Score::new(-5.0));
    }
}
