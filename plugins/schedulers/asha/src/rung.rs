//! One rung: the scores recorded at a level, and what follows for the trial that reaches it.

use tune_plugin::{
    Action, TrialId,
    schedule::{Goal, Quantile, Ratio, Score, TopShare},
};

/// A level at which trials are compared.
#[derive(Debug)]
pub(crate) struct Rung {
    /// In units of `time_attr`.
    pub(crate) level: f64,
    scores: Scores,
}

#[derive(Debug)]
enum Scores {
    Stopping(Quantile),
    Promotion(TopShare),
}

impl Rung {
    pub(crate) fn new(level: f64, factor: Ratio, promotion: bool) -> Self {
        let share = factor.inverse();
        let scores = if promotion {
            Scores::Promotion(TopShare::new(share))
        } else {
            Scores::Stopping(Quantile::new(share.complement()))
        };
        Self { level, scores }
    }

    /// Records the score of a trial that wants to go on, and decides.
    pub(crate) fn judge(&mut self, trial: TrialId, score: Score) -> Option<Action> {
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
    pub(crate) fn record(&mut self, trial: TrialId, score: Score) {
        match &mut self.scores {
            Scores::Stopping(quantile) => quantile.insert(score),
            Scores::Promotion(top) => top.record(trial, score),
        }
    }

    pub(crate) fn promote(&mut self) -> Option<TrialId> {
        match &mut self.scores {
            Scores::Stopping(_) => None,
            Scores::Promotion(top) => top.promote(),
        }
    }

    pub(crate) fn leave(&mut self, trial: TrialId) {
        if let Scores::Promotion(top) = &mut self.scores {
            top.leave(trial);
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.scores {
            Scores::Stopping(quantile) => quantile.len(),
            Scores::Promotion(top) => top.len(),
        }
    }

    /// "9: 14 cut 0.9731".
    pub(crate) fn describe(&self, goal: &Goal) -> String {
        let cutoff = match &self.scores {
            Scores::Stopping(quantile) => quantile.value(),
            Scores::Promotion(top) => top.cutoff(),
        };
        let cutoff = cutoff.map_or_else(String::new, |c| format!(" cut {}", goal.show(c)));
        format!("{}: {}{cutoff}", self.level, self.len())
    }
}
