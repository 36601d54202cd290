//! The mean of scores that come in one by one.

use super::Score;

/// A mean of scores. It is [`Score::WORST`] of none, and as soon as one of them is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    /// Adds a score, and returns the mean of all.
    pub fn add(&mut self, score: Score) -> Score {
        self.sum += score.value();
        self.count += 1.0;
        self.value()
    }

    /// The mean; of finite scores too it is [`Score::WORST`] where their sum overflows.
    #[must_use]
    pub fn value(&self) -> Score {
        // Of no scores: 0 / 0, which is no number.
        Score::new(self.sum / self.count)
    }
}

impl FromIterator<Score> for Mean {
    fn from_iter<I: IntoIterator<Item = Score>>(scores: I) -> Self {
        let mut mean = Self::default();
        for score in scores {
            mean.add(score);
        }
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_score_counts_once_and_one_that_is_no_number_makes_the_mean_the_worst() {
        let mut mean = Mean::default();
        assert_eq!(mean.value(), Score::WORST);
        let means = [1.0, 3.0, -1.0].map(|value| mean.add(Score::new(value)));
        assert_eq!(means, [1.0, 2.0, 1.0].map(Score::new));
        assert_eq!(mean.add(Score::new(f64::NAN)), Score::WORST);
        assert_eq!(mean.add(Score::new(7.0)), Score::WORST);
        let large = [Score::new(f64::MAX); 2];
        assert_eq!(large.into_iter().collect::<Mean>().value(), Score::WORST);
    }
}
