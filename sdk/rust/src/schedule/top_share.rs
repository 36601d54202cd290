//! The best 1/n-th of a rung, and who of it waits to go on.

use std::{cmp::Reverse, collections::BTreeSet};

use tune_space::TrialId;

use super::{Ratio, Score, Split};

/// Best first; among equals the earlier trial.
type Ranked = (Reverse<Score>, TrialId);

/// Scores of trials, of which those in the top share may be promoted once each. O(log n) a score
/// and a promotion.
#[derive(Clone, Debug)]
pub struct TopShare {
    share: Ratio,
    ranks: Split<Ranked>,
    waiting: BTreeSet<Ranked>,
}

impl TopShare {
    /// Of no scores yet; of n scores the best `floor(share x n)` are the top.
    #[must_use]
    pub fn new(share: Ratio) -> Self {
        Self {
            share,
            ranks: Split::default(),
            waiting: BTreeSet::new(),
        }
    }

    /// Adds the score of a trial that does not wait.
    pub fn record(&mut self, trial: TrialId, score: Score) {
        let (top, _) = self.share.times(self.ranks.len() + 1);
        self.ranks.insert((Reverse(score), trial), top);
    }

    /// Adds the score of a trial that waits to be promoted.
    pub fn wait(&mut self, trial: TrialId, score: Score) {
        self.record(trial, score);
        self.waiting.insert((Reverse(score), trial));
    }

    /// The best waiting trial, if it is in the top; it waits no longer.
    pub fn promote(&mut self) -> Option<TrialId> {
        let best = self.waiting.first().copied()?;
        let promotable = self.ranks.last_below().is_some_and(|last| best <= *last);
        (promotable && self.waiting.remove(&best)).then_some(best.1)
    }

    /// The trial is gone: it waits no longer, its score stays.
    pub fn leave(&mut self, trial: TrialId) {
        self.waiting.retain(|(_, waiting)| *waiting != trial);
    }

    /// The worst score of the top, if it holds any.
    #[must_use]
    pub fn cutoff(&self) -> Option<Score> {
        self.ranks.last_below().map(|(Reverse(score), _)| *score)
    }

    /// How many scores there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_promoted_before_the_share_holds_a_whole_trial() {
        let mut rung = TopShare::new(Ratio::from_decimal(3.0).unwrap().inverse());
        rung.wait(0, Score::new(1.0));
        rung.wait(1, Score::new(2.0));
        assert_eq!(rung.promote(), None);
        rung.wait(2, Score::new(0.0));
        assert_eq!(rung.promote(), Some(1));
        assert_eq!(rung.promote(), None);
    }

    #[test]
    fn a_trial_that_fell_out_of_the_top_and_came_back_is_promoted() {
        let mut rung = TopShare::new(Ratio::HALF);
        rung.wait(0, Score::new(1.0));
        rung.wait(1, Score::new(0.5));
        rung.wait(2, Score::new(2.0));
        assert_eq!(rung.promote(), Some(2));
        assert_eq!(rung.promote(), None);
        rung.wait(3, Score::new(0.1));
        assert_eq!(rung.promote(), Some(0));
    }

    #[test]
    fn among_equals_the_earlier_trial_wins_and_those_who_left_never_go_on() {
        let mut rung = TopShare::new(Ratio::HALF);
        for trial in [5, 3, 4, 1] {
            rung.wait(trial, Score::WORST);
        }
        rung.leave(1);
        assert_eq!(rung.promote(), Some(3));
        assert_eq!(rung.promote(), None);
    }
}
