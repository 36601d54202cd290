//! What all trials of a run share: what instances are made of, and how they are stepped.

use std::sync::Arc;

use tune_core::records::{Change, Config, FailureKind, Reconfigured, Report, TrialId, TrialInfo};
use tune_core::{Limits, PluginFault};
use tune_runtime::{Control, DataSets, Grants, Plugin, Trial, TrialStart};
use tune_store::ChunkStore;

use crate::Verify;

/// Called on a trial thread before every step: tests delay steps with it.
pub type StepHook = Arc<dyn Fn(TrialId) + Send + Sync>;

/// What all trials of a run share.
pub(crate) struct Factory {
    pub(crate) plugin: Plugin,
    pub(crate) limits: Limits,
    pub(crate) data: Arc<DataSets>,
    pub(crate) grants: Grants,
    pub(crate) hook: Option<StepHook>,
    /// Where states are read from, and written to when memory is short.
    pub(crate) chunks: Option<ChunkStore>,
    /// What replayed steps must give again.
    pub(crate) verify: Verify,
}

impl Factory {
    pub(crate) fn start(
        &self,
        info: &TrialInfo,
        config: &Config,
        control: &Arc<Control>,
    ) -> TrialStart {
        TrialStart {
            info: info.clone(),
            config: config.clone(),
            limits: self.limits.clone(),
            data: Arc::clone(&self.data),
            grants: self.grants.clone(),
            control: Arc::clone(control),
        }
    }
}

/// Carries out a change, if there is one, and steps.
pub(crate) fn step(
    trial: &mut Trial,
    tick: u64,
    change: Option<&Change>,
) -> Result<Report, Box<PluginFault>> {
    if let Some(change) = change
        && trial.reconfigure(change, tick)? == Reconfigured::Unsupported
    {
        if !trial.has_portable_state() {
            return Err(trial.fault(
                "reconfigure",
                FailureKind::Reconfigure,
                "the trainable cannot change its configuration in mid-training",
                "implement `reconfigure`, and list the parameters in its manifest as mutable",
            ));
        }
        trial.reconfigure_portably(change, tick)?;
    }
    trial.step(tick)
}
