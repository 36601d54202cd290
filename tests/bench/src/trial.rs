//! A trial in the sandbox without a run around it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tune_core::Limits;
use tune_core::records::{Config, Report, TrialInfo};
use tune_runtime::{Control, DataSets, Grants, Plugin, Snapshot, TrialStart};

/// Of every such trial, natively too.
pub(crate) const SEED: u64 = 1;
/// Longer than any step of a benchmark.
const PATIENCE: Duration = Duration::from_secs(600);

/// The trial, after its `setup`.
pub(crate) struct Trial {
    trial: tune_runtime::Trial,
    control: Arc<Control>,
}

impl Trial {
    pub(crate) fn new(
        plugin: &Plugin,
        data: &Arc<DataSets>,
        grants: &Grants,
        config: Config,
    ) -> Result<Self> {
        let control = Arc::new(Control::new());
        let mut trial = plugin.trial(TrialStart {
            info: TrialInfo {
                trial: 0,
                seed: SEED,
                workers: 1,
                restoring: false,
            },
            config,
            limits: Limits::default(),
            data: Arc::clone(data),
            grants: grants.clone(),
            control: Arc::clone(&control),
        })?;
        control.arm(PATIENCE);
        trial.setup(0)?;
        Ok(Self { trial, control })
    }

    /// The state after the last step, and how long keeping it took.
    pub(crate) fn keep(&mut self) -> Result<(Duration, Snapshot)> {
        let began = Instant::now();
        let state = self.trial.snapshot()?;
        Ok((began.elapsed(), state))
    }

    /// Goes on from the state of another, as the loser of an exploit does; how long that took.
    pub(crate) fn exploit(&mut self, state: &Snapshot) -> Result<Duration> {
        self.control.arm(PATIENCE);
        let began = Instant::now();
        self.trial.restore_over(state, 0)?;
        Ok(began.elapsed())
    }

    /// The time of a step, and what it reported.
    pub(crate) fn step(&mut self) -> Result<(Duration, Report)> {
        self.control.arm(PATIENCE);
        let began = Instant::now();
        let report = self.trial.step(0)?;
        Ok((began.elapsed(), report))
    }
}
