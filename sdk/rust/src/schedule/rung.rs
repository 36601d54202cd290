//! One rung of successive halving: the scores recorded at a level, and what follows for the trial
//! that reaches it.

use tune_space::{Action, TrialId};

use super::{Goal, Quantile, Ratio, Score, TopShare};

/// A level at which trials are compared, in one of the two ways of asynchronous successive halving
/// (Li et al. 2018): a bad trial is *stopped*, or all are paused and the good ones *promoted*.
#[derive(Clone, Debug)]
pub struct Rung {
    /// In units of `time_attr`.
    pub level: f64,
    scores: Scores,
}

#[derive(Clone, Debug)]
enum Scores {
    Stopping(Quantile),
    Promotion(TopShare),
}

impl Rung {
    /// An empty rung, from which one of `factor` trials goes on.
    #[must_use]
    pub fn new(level: f64, factor: Ratio, promotion: bool) -> Self {
        let share = factor.inverse();
        let scores = if promotion {
            Scores::Promotion(TopShare::new(share))
        } else {
            Scores::Stopping(Quantile::new(share.complement()))
        };
        Self { level, scores }
    }

    /// Records the score of a trial that wants to go on, and decides: a stop if it is strictly
    /// below the quantile 1 - 1/factor of the scores before it (promotion: always a pause).
    pub fn judge(&mut self, trial: TrialId, score: Score) -> Option<Action> {
        match &mut self.scores {
            Scores::Stopping(quantile) => {
                let cutoff = quantile.value();
                quantile.insert(score);
                (Some(score) < cutoff).then_some(Action::Stop(trial))
            }
            Scores::Promotion(top) => {
                top.wait(trial, score);
                Some(Action::Pause(trial))
            }
        }
    }

    /// Records the score of a trial that has ended.
    pub fn record(&mut self, trial: TrialId, score: Score) {
        match &mut self.scores {
            Scores::Stopping(quantile) => quantile.insert(score),
            Scores::Promotion(top) => top.record(trial, score),
        }
    }

    /// The best paused trial, if it is among the best 1/factor; it is promoted once.
    pub fn promote(&mut self) -> Option<TrialId> {
        match &mut self.scores {
            Scores::Stopping(_) => None,
            Scores::Promotion(top) => top.promote(),
        }
    }

    /// The trial is gone: it is never promoted, its score stays.
    pub fn leave(&mut self, trial: TrialId) {
        if let Scores::Promotion(top) = &mut self.scores {
            top.leave(trial);
        }
    }

    /// How many trials it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.scores {
            Scores::Stopping(quantile) => quantile.len(),
            Scores::Promotion(top) => top.len(),
        }
    }

    /// It holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Level, number of trials and cut-off: "9: 14 cut 0.9731".
    #[must_use]
    pub fn describe(&self, goal: &Goal) -> String {
        let cutoff = match &self.scores {
            Scores::Stopping(quantile) => quantile.value(),
            Scores::Promotion(top) => top.cutoff(),
        };
        let cutoff = cutoff.map_or_else(String::new, |c| format!(" cut {}", goal.show(c)));
        format!("{}: {}{cutoff}", self.level, self.len())
    }
}
