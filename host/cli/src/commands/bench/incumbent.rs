//! The best result so far, over virtual time.

/// The best result so far of one run: a step at every improvement.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Incumbent {
    /// Virtual seconds and value, times ascending.
    pub(super) points: Vec<(f64, f64)>,
}

impl Incumbent {
    /// A result; kept if it is better than all before. NaN never is.
    pub(super) fn offer(&mut self, seconds: f64, value: f64, maximize: bool) {
        let better = match self.points.last() {
            None => !value.is_nan(),
            Some((_, best)) => tune_core::is_better(value, *best, maximize),
        };
        if better {
            self.points.push((seconds, value));
        }
    }

    /// The best result by a time; none before the first.
    pub(super) fn at(&self, seconds: f64) -> Option<f64> {
        let after = self.points.partition_point(|(time, _)| *time <= seconds);
        let last = after.checked_sub(1).and_then(|i| self.points.get(i));
        last.map(|(_, value)| *value)
    }
}

/// Median and quartiles of the incumbents by a time; no result counts as worst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// The quartile that is better than the median.
    pub(super) better: f64,
    /// The median.
    pub(super) median: f64,
    /// The other quartile.
    pub(super) worse: f64,
}

/// The spread of runs at a time.
pub(super) fn spread(runs: &[Incumbent], seconds: f64, maximize: bool) -> Spread {
    let worst = if maximize {
        f64::NEG_INFINITY
    } else {
        f64::INFINITY
    };
    let mut values: Vec<f64> = runs
        .iter()
        .map(|run| run.at(seconds).unwrap_or(worst))
        .collect();
    values.sort_by(f64::total_cmp);
    if maximize {
        values.reverse();
    }
    let quantile = |q: f64| {
        let place = q * values.len().saturating_sub(1) as f64;
        let of = |i: f64| values.get(i as usize).copied().unwrap_or(worst);
        let (low, high, part) = (of(place.floor()), of(place.ceil()), place.fract());
        if low == high {
            low
        } else {
            low + part * (high - low)
        }
    };
    Spread {
        better: quantile(0.25),
        median: quantile(0.5),
        worse: quantile(0.75),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_improvements_are_kept_and_nan_never_leads() {
        let mut run = Incumbent::default();
        for (time, value) in [
            (1.0, f64::NAN),
            (2.0, 0.5),
            (3.0, 0.6),
            (4.0, 0.4),
            (5.0, f64::NAN),
        ] {
            run.offer(time, value, false);
        }
        assert_eq!(run.points, [(2.0, 0.5), (4.0, 0.4)]);
        assert_eq!(
            (run.at(1.9), run.at(2.0), run.at(9.0)),
            (None, Some(0.5), Some(0.4))
        );
    }

    #[test]
    fn quartiles_stand_on_their_side_of_the_median_in_both_directions() {
        let runs: Vec<Incumbent> = (0..5)
            .map(|i| Incumbent {
                points: vec![(0.0, f64::from(i))],
            })
            .collect();
        let of = |maximize| {
            let s = spread(&runs, 1.0, maximize);
            (s.better, s.median, s.worse)
        };
        assert_eq!(of(false), (1.0, 2.0, 3.0));
        assert_eq!(of(true), (3.0, 2.0, 1.0));
        let none = spread(&[Incumbent::default()], 1.0, false);
        assert_eq!(none.median, f64::INFINITY);
    }
}
