//! Several in turns, all of whom learn from all results. `gp` knows the space and `cmaes` descends, which has the bottom of
//! a valley after some dozens of trials, where the surrogate of `gp` is still learning its slopes; one that joins later
//! goes on where both are misled, by noise or on a ridge.

use std::collections::BTreeMap;

use tune_plugin::{Config, Failure, Observation, Outcome, Report, Suggestion, TrialId, TrialState};
use tune_search::Judge;

use super::stage::Stage;
use crate::shares::{Best, Shares, Side};

/// All of them, and how well they have done.
#[derive(Debug)]
pub(super) struct Turns {
    members: Vec<Box<dyn Stage>>,
    /// Each member but the first shares the turns with all before it.
    shares: Vec<Shares>,
    judge: Judge,
    best: Best,
    /// Who has suggested the trials that have not ended.
    open: BTreeMap<TrialId, usize>,
}

impl Turns {
    /// Nobody yet. Ranks are as this one judges.
    pub(super) fn new(judge: Judge) -> Self {
        Self {
            members: Vec::new(),
            shares: Vec::new(),
            judge,
            best: Best::default(),
            open: BTreeMap::new(),
        }
    }

    /// These, who know of all trials, take the place of all before.
    pub(super) fn replace(&mut self, members: Vec<Box<dyn Stage>>) {
        self.members.clear();
        self.shares.clear();
        self.open.clear();
        self.join(members);
    }

    /// These, who know of all trials, take turns with those before.
    pub(super) fn join(&mut self, members: Vec<Box<dyn Stage>>) {
        for member in members {
            if !self.members.is_empty() {
                self.shares.push(Shares::new());
            }
            self.members.push(member);
        }
    }

    /// Whose turn it is.
    fn next(&mut self) -> usize {
        for (before, shares) in self.shares.iter_mut().enumerate().rev() {
            if shares.next() == Side::Second {
                return before + 1;
            }
        }
        0
    }

    /// A suggestion of this one was the best so far, or not.
    fn judge(&mut self, member: usize, is_best: bool) {
        let own = member.saturating_sub(1);
        for (before, shares) in self.shares.iter_mut().enumerate().skip(own) {
            let side = if before + 1 == member {
                Side::Second
            } else {
                Side::First
            };
            shares.judge(side, is_best);
        }
    }

    /// The suggestion of whose turn it is, told to all others.
    pub(super) fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Suggestion, Failure> {
        let turn = self.next();
        let Some(member) = self.members.get_mut(turn) else {
            return Ok(Suggestion::Exhausted);
        };
        let suggestion = member.suggest(trial, pinned)?;
        if let Suggestion::Configure(proposal) = &suggestion {
            let others = self.members.iter_mut().enumerate();
            for (_, other) in others.filter(|(place, _)| *place != turn) {
                other.adopt(trial, &proposal.config);
            }
            self.open.insert(trial, turn);
        }
        Ok(suggestion)
    }

    /// To all.
    pub(super) fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        for member in &mut self.members {
            member.observe(trial, report, state);
        }
    }

    /// To all, and success counts.
    pub(super) fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        let is_best = self.best.improves(rank);
        if let Some(member) = self.open.remove(&trial) {
            self.judge(member, is_best);
        }
        for member in &mut self.members {
            member.complete(trial, outcome);
        }
    }

    /// To all.
    pub(super) fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            let last = observation.last.as_ref();
            self.best
                .improves(self.judge.ended(observation.ending, last));
        }
        for member in &mut self.members {
            member.seed_with(known);
        }
    }

    /// The first one's.
    pub(super) fn regret_bound(&mut self) -> Option<f64> {
        self.members.first_mut()?.regret_bound()
    }
}
