//! `gp` and `cmaes` in turns, both of which learn from all results. One knows the space, the other descends: it has the
//! bottom of a valley after some dozens of trials, where the surrogate of `gp` is still learning its slopes.

use std::collections::BTreeMap;

use tune_plugin::{
    Config, Failure, Observation, OptionError, Outcome, Report, Searcher, Setup, Stream,
    Suggestion, TrialId, TrialState,
};
use tune_search::Judge;

use super::stage::Stage;
use crate::shares::{Best, Shares, Side};
use crate::{Cmaes, GpSearch, cmaes, gp};

/// Both, and how well they have done.
#[derive(Debug)]
pub(super) struct Pair {
    gp: Box<dyn Stage>,
    cmaes: Box<dyn Stage>,
    judge: Judge,
    best: Best,
    shares: Shares,
    /// Who has suggested the trials that have not ended.
    open: BTreeMap<TrialId, Side>,
}

impl Pair {
    /// # Errors
    /// What one of them says of the setup.
    pub(super) fn new(
        setup: &Setup,
        gp: gp::Options,
        cmaes: cmaes::Options,
        judge: Judge,
    ) -> Result<Self, Vec<OptionError>> {
        let seed = Stream::new(setup.seed).u64();
        let other = Setup {
            seed,
            ..setup.clone()
        };
        Ok(Self {
            gp: Box::new(GpSearch::init(setup, gp)?),
            cmaes: Box::new(Cmaes::init(&other, cmaes)?),
            judge,
            best: Best::default(),
            shares: Shares::new(),
            open: BTreeMap::new(),
        })
    }
}

impl Stage for Pair {
    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let side = self.shares.next();
        let suggestion = match side {
            Side::First => self.gp.suggest(trial, pinned)?,
            Side::Second => self.cmaes.suggest(trial, pinned)?,
        };
        if let Suggestion::Configure(proposal) = &suggestion {
            match side {
                Side::First => self.cmaes.adopt(trial, &proposal.config),
                Side::Second => self.gp.adopt(trial, &proposal.config),
            }
            self.open.insert(trial, side);
        }
        Ok(suggestion)
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        self.gp.observe(trial, report, state);
        self.cmaes.observe(trial, report, state);
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        let is_best = self.best.improves(rank);
        if let Some(side) = self.open.remove(&trial) {
            self.shares.judge(side, is_best);
        }
        self.gp.complete(trial, outcome);
        self.cmaes.complete(trial, outcome);
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            let rank = self
                .judge
                .ended(observation.ending, observation.last.as_ref());
            self.best.improves(rank);
        }
        self.gp.seed_with(known);
        self.cmaes.seed_with(known);
    }

    fn adopt(&mut self, trial: TrialId, config: &Config) {
        self.gp.adopt(trial, config);
        self.cmaes.adopt(trial, config);
    }

    fn regret_bound(&mut self) -> Option<f64> {
        self.gp.regret_bound()
    }
}
