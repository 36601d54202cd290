//! Trials that wait for a slot.

use std::collections::{BTreeSet, VecDeque};

use tune_space::{Action, Creation, Next, TrialId, Turn};

use super::{turn, unclaimed};

/// Pending trials in the order of their creation, then paused ones in the order of their pausing.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    pending: BTreeSet<TrialId>,
    paused: VecDeque<TrialId>,
}

impl Queue {
    /// The trial was created. Nothing follows.
    pub fn add(&mut self, trial: TrialId) -> Vec<Action> {
        self.pending.insert(trial);
        Vec::new()
    }

    /// The trial was paused and wants to go on.
    pub fn pause(&mut self, trial: TrialId) {
        self.paused.push_back(trial);
    }

    /// The trial is gone. Nothing follows.
    pub fn remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.pending.remove(&trial);
        self.paused.retain(|paused| *paused != trial);
        Vec::new()
    }

    /// Nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.paused.is_empty()
    }

    /// What a free slot does: the oldest pending trial, else a new one where possible, else the
    /// first paused one. The trial that it names waits no longer.
    pub fn next(&mut self, creation: Creation) -> Turn {
        let next = if let Some(trial) = self.pending.pop_first() {
            Next::Run(trial)
        } else if creation == Creation::Possible {
            Next::Create
        } else if let Some(trial) = self.paused.pop_front() {
            Next::Run(trial)
        } else {
            unclaimed(creation)
        };
        turn(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_come_first_then_new_ones_then_paused_ones() {
        let mut queue = Queue::default();
        queue.pause(0);
        queue.add(2);
        queue.add(1);
        let mut next = |creation| queue.next(creation).next;
        assert_eq!(next(Creation::Possible), Next::Run(1));
        assert_eq!(next(Creation::Closed), Next::Run(2));
        assert_eq!(next(Creation::Possible), Next::Create);
        assert_eq!(next(Creation::Waiting), Next::Run(0));
        assert_eq!(next(Creation::Waiting), Next::Idle);
        assert_eq!(next(Creation::Closed), Next::Done);
    }

    #[test]
    fn a_trial_that_is_gone_is_never_run() {
        let mut queue = Queue::default();
        queue.add(0);
        queue.pause(1);
        queue.remove(0);
        queue.remove(1);
        queue.remove(7);
        assert!(queue.is_empty());
        assert_eq!(queue.next(Creation::Closed).next, Next::Done);
    }
}
