//! Curves of trials, and how those of the others stand at one time.
//!
//! While all trials have points at the same times (every `training_iteration`), the points at each
//! time are kept in one order statistic, and a question costs O(log n). When a trial has a point at
//! another time (as on a fuel axis), each curve is looked up: O(n log m).

use std::collections::BTreeMap;

use tune_space::TrialId;

use super::{Quantile, Ratio, Score};

/// A score by time of each of many trials, and a fixed quantile over them.
#[derive(Clone, Debug)]
pub struct Curves {
    share: Ratio,
    trials: BTreeMap<TrialId, Vec<(f64, Score)>>,
    /// Time of the k-th point, and the scores of all trials that have it; none since a trial had a
    /// point at another time.
    columns: Option<Vec<(f64, Quantile)>>,
}

impl Curves {
    /// No curves yet. `share` is that of [`Quantile::new`].
    #[must_use]
    pub fn new(share: Ratio) -> Self {
        Self {
            share,
            trials: BTreeMap::new(),
            columns: Some(Vec::new()),
        }
    }

    /// Adds a point, unless it is not later than the trial's last one.
    pub fn add(&mut self, trial: TrialId, time: f64, score: Score) {
        let curve = self.trials.entry(trial).or_default();
        if curve.last().is_some_and(|(last, _)| *last >= time) {
            return;
        }
        let k = curve.len();
        curve.push((time, score));
        if let Some(columns) = &mut self.columns {
            if columns.len() == k {
                columns.push((time, Quantile::new(self.share)));
            }
            match columns.get_mut(k).filter(|(at, _)| *at == time) {
                Some((_, column)) => column.insert(score),
                None => self.columns = None,
            }
        }
    }

    /// How many other trials have come as far as `time`, and the quantile of what they had then: of
    /// each its last point up to it. None without others.
    #[must_use]
    pub fn others(&self, trial: TrialId, time: f64) -> (usize, Option<Score>) {
        let own = self.trials.get(&trial).and_then(|curve| curve.last());
        if let Some(columns) = &self.columns
            && own.is_none_or(|(last, _)| *last < time)
        {
            let k = columns.partition_point(|(at, _)| *at < time);
            match columns.get(k) {
                None => return (0, None),
                Some((at, column)) if *at == time => return (column.len(), column.value()),
                Some(_) => {}
            }
        }
        let mut found = Quantile::new(self.share);
        let others = self.trials.iter().filter(|(id, _)| **id != trial);
        for (_, curve) in others.filter(|(_, c)| c.last().is_some_and(|(t, _)| *t >= time)) {
            let until = curve.partition_point(|(at, _)| *at <= time);
            if let Some((_, score)) = until.checked_sub(1).and_then(|last| curve.get(last)) {
                found.insert(*score);
            }
        }
        (found.len(), found.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word by word.
    fn by_definition(
        points: &[(TrialId, f64, f64)],
        trial: TrialId,
        time: f64,
    ) -> (usize, Option<f64>) {
        let mut had = Vec::new();
        for other in (0..20).filter(|t| *t != trial) {
            let curve: Vec<_> = points.iter().filter(|p| p.0 == other).collect();
            let far = curve.iter().any(|p| p.1 >= time);
            had.extend(curve.iter().rfind(|p| far && p.1 <= time).map(|p| p.2));
        }
        had.sort_by(f64::total_cmp);
        let (low, high) = (had.len().saturating_sub(1) / 2, had.len() / 2);
        let median = had.get(high).map(|high| (had[low] + high) / 2.0);
        (had.len(), median)
    }

    fn check(time: impl Fn(TrialId, u32) -> f64) -> Curves {
        let mut stream = tune_space::Stream::new(5);
        let mut curves = Curves::new(Ratio::HALF);
        let mut points = Vec::new();
        let mut done = [0_u32; 20];
        for _ in 0..400 {
            let trial = stream.below(20) as TrialId;
            done[trial as usize] += 1;
            let time = time(trial, done[trial as usize]);
            // Before its own point, and a little earlier and later, where nobody has one.
            for at in [time, time - 0.3, time + 0.3] {
                let (others, median) = curves.others(trial, at);
                let (expected, value) = by_definition(&points, trial, at);
                assert_eq!(others, expected);
                let difference = median.map(Score::value).unwrap_or(0.0) - value.unwrap_or(0.0);
                assert!(difference.abs() < 1e-9, "{median:?} {value:?}");
            }
            let value = stream.unit();
            points.push((trial, time, value));
            curves.add(trial, time, Score::new(value));
        }
        curves
    }

    #[test]
    fn at_equal_times_the_others_stand_as_defined() {
        assert!(check(|_, k| f64::from(k)).columns.is_some());
    }

    #[test]
    fn at_times_of_their_own_the_others_stand_as_defined() {
        let curves = check(|trial, k| f64::from(k) * (1.0 + f64::from(trial) / 7.0));
        assert!(curves.columns.is_none());
    }

    #[test]
    fn a_point_that_is_not_later_than_the_last_counts_for_nothing() {
        let mut curves = Curves::new(Ratio::HALF);
        for (time, score) in [(1.0, 5.0), (2.0, 7.0), (2.0, 100.0), (1.5, 100.0)] {
            curves.add(0, time, Score::new(score));
        }
        assert_eq!(curves.others(1, 2.0), (1, Some(Score::new(7.0))));
        assert_eq!(curves.others(0, 2.0), (0, None));
        assert!(curves.columns.is_some());
    }

    #[test]
    fn what_is_not_a_number_is_the_worst_of_the_others() {
        let mut curves = Curves::new(Ratio::HALF);
        curves.add(0, 1.0, Score::WORST);
        curves.add(1, 1.0, Score::new(-5.0));
        assert_eq!(curves.others(2, 1.0), (2, Some(Score::WORST)));
    }
}
