//! Everything that is known of the trials, whoever suggested them: what an algorithm that takes over
//! is told.

use std::collections::BTreeMap;

use tune_plugin::{Config, Observation, Outcome, Report, TrialId};
use tune_search::Judge;

/// A trial that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) config: Config,
    /// Its newest report, if it is paused.
    pub(super) paused: Option<Report>,
}

/// All trials.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    judge: Judge,
    ended: Vec<Observation>,
    open: BTreeMap<TrialId, Open>,
    /// Ended ones that tell good from bad.
    informative: usize,
    /// The same of paused ones.
    waiting: usize,
}

impl Ledger {
    pub(super) fn new(judge: Judge) -> Self {
        Self {
            judge,
            ended: Vec::new(),
            open: BTreeMap::new(),
            informative: 0,
            waiting: 0,
        }
    }

    /// Results with which a model can tell good from bad.
    pub(super) fn results(&self) -> usize {
        self.informative + self.waiting
    }

    /// Those that have ended, in the order in which that was told.
    pub(super) fn ended(&self) -> &[Observation] {
        &self.ended
    }

    /// Those that have not, by their number.
    pub(super) fn open(&self) -> impl Iterator<Item = (TrialId, &Open)> {
        self.open.iter().map(|(trial, open)| (*trial, open))
    }

    /// A trial was suggested (again).
    pub(super) fn ask(&mut self, trial: TrialId, config: Config) {
        let paused = None;
        self.close(trial);
        self.open.insert(trial, Open { config, paused });
    }

    /// A trial waits. Unknown ones are ignored.
    pub(super) fn pause(&mut self, trial: TrialId, report: &Report) {
        let Some(open) = self.open.get_mut(&trial) else {
            return;
        };
        let tells = |report: &Report| self.judge.paused(report).reached().is_some();
        self.waiting -= usize::from(open.paused.as_ref().is_some_and(tells));
        self.waiting += usize::from(tells(report));
        open.paused = Some(report.clone());
    }

    /// A trial has ended. Unknown ones are ignored.
    pub(super) fn end(&mut self, trial: TrialId, outcome: &Outcome) {
        if let Some(open) = self.close(trial) {
            self.add(Observation {
                config: open.config,
                last: outcome.last.clone(),
                ending: outcome.ending,
            });
        }
    }

    /// A result, perhaps from elsewhere.
    pub(super) fn add(&mut self, observation: Observation) {
        let last = observation.last.as_ref();
        let rank = self.judge.ended(observation.ending, last);
        self.informative += usize::from(rank.is_some_and(|rank| rank.reached().is_some()));
        self.ended.push(observation);
    }

    fn close(&mut self, trial: TrialId) -> Option<Open> {
        let open = self.open.remove(&trial)?;
        let tells = |report: &Report| self.judge.paused(report).reached().is_some();
        self.waiting -= usize::from(open.paused.as_ref().is_some_and(tells));
        Some(open)
    }
}
