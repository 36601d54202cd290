//! Hostile and probing guests, one component a file in `guests/`, named `SUITE_NAME`; each says
//! itself what it does. `tests/artifacts` builds them and makes sure that each has a host test.
//!
//! A file is an example target behind the feature `guests`, so that only that build compiles it.
//! Here stands only what several guests share.

mod gpu_work;

use std::collections::VecDeque;

pub use gpu_work::{DISPATCHES, GpuBench, GpuWork};

use tune_plugin::{Creation, Next, TrialId, Turn};

/// Starts trials in the order in which they were added: the least that a scheduler must do.
#[derive(Debug, Default)]
pub struct Pending(VecDeque<TrialId>);

impl Pending {
    /// A trial was created.
    pub fn add(&mut self, trial: TrialId) {
        self.0.push_back(trial);
    }

    /// The user has stopped a trial.
    pub fn remove(&mut self, trial: TrialId) {
        self.0.retain(|t| *t != trial);
    }

    /// The oldest, else a new one, else `otherwise`.
    pub fn turn(&mut self, creation: Creation, otherwise: Next) -> Turn {
        let next = match (self.0.pop_front(), creation) {
            (Some(trial), _) => Next::Run(trial),
            (None, Creation::Possible) => Next::Create,
            (None, Creation::Waiting) => Next::Idle,
            (None, Creation::Closed) => otherwise,
        };
        Turn {
            actions: Vec::new(),
            next,
        }
    }
}
