//! Instances at rest: of paused trials, of trials whose next step has not begun, of results that
//! wait for their turn. Each is in the state of a known point.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::Point;
use tune_core::records::TrialId;
use tune_runtime::{Control, Trial};

/// An instance and what goes with it from step to step.
pub(crate) struct Rested {
    pub(crate) instance: Box<Trial>,
    pub(crate) control: Arc<Control>,
    /// The state that it is in.
    pub(crate) point: Point,
    pub(crate) memory_bytes: u64,
    used: u64,
}

/// The instances at rest.
#[derive(Default)]
pub(crate) struct Pool {
    rested: BTreeMap<TrialId, Rested>,
    /// By last use, which is different for all.
    by_use: BTreeMap<u64, TrialId>,
    memory_bytes: u64,
}

impl Pool {
    /// Puts an instance to rest. `used` grows from call to call.
    pub(crate) fn put(
        &mut self,
        trial: TrialId,
        (instance, control): (Box<Trial>, Arc<Control>),
        point: Point,
        used: u64,
    ) {
        drop(self.take(trial));
        let memory_bytes = instance.resident_bytes();
        self.memory_bytes = self.memory_bytes.saturating_add(memory_bytes);
        let rested = Rested {
            instance,
            control,
            point,
            memory_bytes,
            used,
        };
        self.by_use.insert(used, trial);
        self.rested.insert(trial, rested);
    }

    pub(crate) fn take(&mut self, trial: TrialId) -> Option<Rested> {
        let rested = self.rested.remove(&trial)?;
        self.by_use.remove(&rested.used);
        self.memory_bytes = self.memory_bytes.saturating_sub(rested.memory_bytes);
        Some(rested)
    }

    /// The state of a trial's instance, and its memory in bytes.
    pub(crate) fn state(&self, trial: TrialId) -> Option<(Point, u64)> {
        let rested = self.rested.get(&trial)?;
        Some((rested.point, rested.memory_bytes))
    }

    /// The instance that was unused for longest, unless it is the only one: when, whose.
    pub(crate) fn oldest(&self) -> Option<(u64, TrialId)> {
        let mut by_use = self.by_use.iter();
        let (used, trial) = by_use.next()?;
        by_use.next().map(|_| (*used, *trial))
    }

    /// Linear memory of all of them.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Whose instances are here, in which states.
    pub(crate) fn states(&self) -> impl Iterator<Item = (TrialId, Point)> {
        self.rested.iter().map(|(trial, r)| (*trial, r.point))
    }
}
