//! Instances at rest: of paused trials, and of trials whose next step has not begun.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tune_core::records::TrialId;
use tune_runtime::{Control, Trial};

/// An instance and what goes with it from step to step.
pub(crate) struct Rested {
    pub(crate) instance: Box<Trial>,
    pub(crate) control: Arc<Control>,
    memory_bytes: u64,
    last_used: u64,
}

/// The instances at rest, within a budget of memory.
pub(crate) struct Pool {
    rested: BTreeMap<TrialId, Rested>,
    wall_used: BTreeMap<TrialId, Duration>,
    memory_bytes: u64,
    budget: u64,
    uses: u64,
}

impl Pool {
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            rested: BTreeMap::new(),
            wall_used: BTreeMap::new(),
            memory_bytes: 0,
            budget,
            uses: 0,
        }
    }

    /// Puts an instance to rest; others are dropped if there is no room for all.
    pub(crate) fn put(&mut self, trial: TrialId, instance: Box<Trial>, control: Arc<Control>) {
        self.uses += 1;
        let memory_bytes = instance.memory_bytes();
        self.memory_bytes = self.memory_bytes.saturating_add(memory_bytes);
        let rested = Rested {
            instance,
            control,
            memory_bytes,
            last_used: self.uses,
        };
        self.rested.insert(trial, rested);
        while self.memory_bytes > self.budget && self.rested.len() > 1 {
            let oldest = self
                .rested
                .iter()
                .min_by_key(|(_, rested)| rested.last_used)
                .map(|(id, _)| *id);
            match oldest {
                Some(id) => drop(self.take(id)),
                None => break,
            }
        }
    }

    pub(crate) fn take(&mut self, trial: TrialId) -> Option<Rested> {
        let rested = self.rested.remove(&trial)?;
        self.memory_bytes = self.memory_bytes.saturating_sub(rested.memory_bytes);
        Some(rested)
    }

    /// The trial has ended: gives back its instance, if it has one.
    pub(crate) fn forget(&mut self, trial: TrialId) -> Option<Box<Trial>> {
        self.wall_used.remove(&trial);
        self.take(trial).map(|rested| rested.instance)
    }

    pub(crate) fn wall_used(&self, trial: TrialId) -> Duration {
        self.wall_used.get(&trial).copied().unwrap_or_default()
    }

    pub(crate) fn add_wall(&mut self, trial: TrialId, took: Duration) {
        *self.wall_used.entry(trial).or_default() += took;
    }
}
