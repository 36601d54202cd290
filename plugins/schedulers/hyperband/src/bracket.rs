//! One bracket: synchronous successive halving of its trials.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem::take,
};

use tune_plugin::{
    TrialId,
    schedule::{Milestone, Score},
};

/// Its milestones, and where its trials are. A live one that is neither ready nor waiting runs.
#[derive(Debug, Default)]
pub(crate) struct Bracket {
    plan: Vec<Milestone>,
    /// The milestone that its trials are on the way to.
    rung: usize,
    created: u64,
    /// It takes no more trials.
    pub(crate) closed: bool,
    /// Those that have not ended.
    pub(crate) live: BTreeSet<TrialId>,
    /// Those that a slot can run, best first.
    pub(crate) ready: VecDeque<TrialId>,
    /// Those at the milestone, best first and the earlier of equals, and how far they are.
    waiting: BTreeMap<(Reverse<Score>, TrialId), f64>,
}

impl Bracket {
    pub(crate) fn new(plan: Vec<Milestone>) -> Self {
        Self {
            plan,
            ..Self::default()
        }
    }

    /// A milestone; past the last one nobody goes on.
    fn at(&self, rung: usize) -> Milestone {
        self.plan.get(rung).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, trial: TrialId) {
        self.created += 1;
        self.closed = self.created >= self.at(0).1;
        self.live.insert(trial);
        self.ready.push_back(trial);
    }

    /// A trial reports; true if it is at the milestone of this bracket and waits there.
    pub(crate) fn reach(&mut self, trial: TrialId, time: f64, score: Score) -> bool {
        let there = self.live.contains(&trial) && time >= self.at(self.rung).0;
        if there {
            self.waiting.insert((Reverse(score), trial), time);
        }
        there
    }

    /// A trial has ended, wherever it was.
    pub(crate) fn leave(&mut self, trial: TrialId) {
        if self.live.remove(&trial) {
            self.ready.retain(|ready| *ready != trial);
            self.waiting.retain(|(_, waiting), _| *waiting != trial);
        }
    }

    /// All its trials wait at the milestone.
    pub(crate) fn is_complete(&self) -> bool {
        self.waiting.len() == self.live.len()
    }

    /// If all wait, as many as planned go on to the next milestone, where those whose results
    /// jumped so far wait already. The others have left it: they are returned.
    pub(crate) fn halve(&mut self) -> Vec<TrialId> {
        let mut stopped = Vec::new();
        while !self.live.is_empty() && self.is_complete() {
            self.rung += 1;
            let (level, trials) = self.at(self.rung);
            for (place, (key, time)) in (0..).zip(take(&mut self.waiting)) {
                if place >= trials {
                    self.live.remove(&key.1);
                    stopped.push(key.1);
                } else if time >= level {
                    self.waiting.insert(key, time);
                } else {
                    self.ready.push_back(key.1);
                }
            }
        }
        stopped
    }

    pub(crate) fn describe(&self) -> String {
        let (planned, level) = (self.at(0).1, self.at(self.rung).0);
        let (created, live, waiting) = (self.created, self.live.len(), self.waiting.len());
        format!("{created} of {planned} created, {live} left, {waiting} of them wait at {level}")
    }
}
