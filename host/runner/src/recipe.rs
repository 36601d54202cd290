//! How to build a trial again: what it was set up with, and what happened to it since.

use tune_core::records::{Config, TrialInfo};
use tune_core::{Changed, StepRecord, Trial};

/// Everything that a trial's state follows from.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What `setup` was given.
    pub info: TrialInfo,
    /// What `setup` was given.
    pub config: Config,
    /// The steps that were handed over.
    pub history: Vec<StepRecord>,
    /// Changes in mid-training; one before the next step belongs to that step.
    pub changes: Vec<Changed>,
}

impl Recipe {
    /// Of a trial as it stands.
    #[must_use]
    pub fn of(trial: &Trial) -> Self {
        Self {
            info: TrialInfo {
                trial: trial.id,
                seed: trial.setup_seed,
                workers: 1,
                restoring: false,
            },
            config: trial.setup_config.clone(),
            history: trial.history.clone(),
            changes: trial.changes.clone(),
        }
    }

    /// The change to carry out before the step with this index.
    #[must_use]
    pub fn change_before(&self, step: u64) -> Option<&Changed> {
        self.changes.iter().find(|c| c.before_step == step)
    }
}
