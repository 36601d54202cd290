//! A quantile of scores that come in one by one.

use super::{Ratio, Score, Split};

/// A fixed quantile with linear interpolation (the usual one: position `share x (n - 1)` in the
/// sorted scores). O(log n) a score.
#[derive(Clone, Debug)]
pub struct Quantile {
    share: Ratio,
    scores: Split<Score>,
}

impl Quantile {
    /// Of no scores yet. `share` 0 is the worst score, 1 the best.
    #[must_use]
    pub fn new(share: Ratio) -> Self {
        Self {
            share,
            scores: Split::default(),
        }
    }

    /// Adds a score.
    pub fn insert(&mut self, score: Score) {
        let (position, _) = self.share.times(self.scores.len());
        self.scores.insert(score, position + 1);
    }

    /// The quantile; none of no scores. Between a number and [`Score::WORST`] it is the worst.
    #[must_use]
    pub fn value(&self) -> Option<Score> {
        let below = *self.scores.last_below()?;
        let (_, rest) = self.share.times(self.scores.len() - 1);
        let above = self.scores.first_above().copied().unwrap_or(below);
        if rest == 0.0 || below == Score::WORST {
            return Some(below);
        }
        // Weighted, not `below + rest x difference`: the difference of two scores can overflow. Kept
        // between them, so that rounding never puts it above a tie.
        let between = below.value() * (1.0 - rest) + above.value() * rest;
        Some(Score::new(between).clamp(below, above))
    }

    /// How many scores there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(share: Ratio, scores: &[f64]) -> Option<f64> {
        let mut quantile = Quantile::new(share);
        scores.iter().for_each(|s| quantile.insert(Score::new(*s)));
        quantile.value().map(Score::value)
    }

    #[test]
    fn neighbours_are_interpolated_as_numpy_does() {
        let upper = Ratio::from_decimal(4.0).unwrap().inverse().complement();
        assert_eq!(of(Ratio::HALF, &[450.0, 100.0]), Some(275.0));
        assert_eq!(of(Ratio::HALF, &[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(of(upper, &[4.0, 1.0, 3.0, 2.0]), Some(3.25));
        assert_eq!(of(upper, &[7.0]), Some(7.0));
        assert_eq!(of(upper, &[]), None);
    }

    #[test]
    fn it_equals_the_quantile_of_the_sorted_scores_after_every_score() {
        let mut stream = tune_space::Stream::new(2);
        let share = Ratio::from_decimal(2.5).unwrap().inverse().complement();
        let mut quantile = Quantile::new(share);
        let mut sorted = Vec::new();
        for _ in 0..300 {
            let score = stream.below(50) as f64;
            quantile.insert(Score::new(score));
            sorted.push(score);
            sorted.sort_unstable_by(f64::total_cmp);
            let (k, rest) = share.times(sorted.len() - 1);
            let above = sorted[(k + 1).min(sorted.len() - 1)];
            let expected = sorted[k] * (1.0 - rest) + above * rest;
            let got = quantile.value().unwrap().value();
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    #[test]
    fn beside_something_not_finite_it_is_the_worse_one() {
        let nan = f64::NAN;
        assert_eq!(of(Ratio::HALF, &[nan, 1.0]), Some(f64::NEG_INFINITY));
        assert_eq!(of(Ratio::HALF, &[nan, 1.0, 2.0]), Some(1.0));
        assert_eq!(of(Ratio::HALF, &[nan, nan]), Some(f64::NEG_INFINITY));
        assert_eq!(of(Ratio::HALF, &[-1e308, 1e308]), Some(0.0));
    }

    #[test]
    fn rounding_never_lifts_it_above_equal_scores() {
        let upper = Ratio::from_decimal(3.0).unwrap().inverse().complement();
        for n in 2..50 {
            assert_eq!(of(upper, &vec![0.1; n]), Some(0.1));
        }
    }
}
