//! Trials of the guest `trial-ballast` outside of a run, to be captured, cloned and written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tune_core::records::{Change, Config, TrialInfo, Value};
use tune_core::{Limits, Metering};
use tune_runtime::{Control, DataSets, Grants, Plugin, Snapshot, Trial, TrialStart};

use crate::stage::Stage;

/// Its name among plugins.
pub(crate) const NAME: &str = "trial-ballast";

/// How much a trial carries, and how much of it a step rewrites.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// In units of 2^20 bytes.
    pub(crate) mb: u64,
    pub(crate) dirty_percent: u64,
}

/// Makes trials of one load.
pub(crate) struct Ballast {
    plugin: Plugin,
    load: Load,
}

impl Ballast {
    pub(crate) fn new(stage: &Stage, load: Load) -> Result<Self> {
        let plugin = stage.plugin(NAME, Metering::Fuel)?;
        Ok(Self { plugin, load })
    }

    fn start(&self, trial: u32, restoring: bool) -> TrialStart {
        let control = Arc::new(Control::new());
        // Nothing here takes a minute; what hangs must not hang the benchmark.
        control.arm(Duration::from_secs(600));
        let config: Config = [
            ("mb".to_owned(), Value::Integer(self.load.mb as i64)),
            (
                "dirty".to_owned(),
                Value::Number(self.load.dirty_percent as f64 / 100.0),
            ),
        ]
        .into_iter()
        .collect();
        TrialStart {
            info: TrialInfo {
                trial,
                seed: u64::from(trial) + 1,
                workers: 1,
                restoring,
            },
            config,
            limits: Limits {
                // Portable state is there twice while it is saved.
                memory_bytes: 2 << 30,
                ..Limits::default()
            },
            data: Arc::new(DataSets::new()),
            grants: Grants::default(),
            control,
        }
    }

    /// A trial that has made some steps.
    pub(crate) fn trial(&self, trial: u32) -> Result<Trial> {
        let mut trial = self.plugin.trial(self.start(trial, false))?;
        trial.setup(0)?;
        for _ in 0..2 {
            trial.step(0)?;
        }
        Ok(trial)
    }

    /// A new instance in the state of a snapshot.
    pub(crate) fn restored(&self, snapshot: &Snapshot) -> Result<Trial> {
        Ok(self
            .plugin
            .restore_trial(self.start(0, false), snapshot, 0)?)
    }

    /// A new instance in that state that goes its own way from there.
    pub(crate) fn clone_apart(&self, snapshot: &Snapshot, seed: u64) -> Result<Trial> {
        let mut trial = self.restored(snapshot)?;
        let change = Change {
            config: self.start(0, false).config,
            seed,
            workers: 1,
        };
        trial.reconfigure(&change, 0)?;
        Ok(trial)
    }

    /// A new instance into which portable state can be restored.
    pub(crate) fn restoring(&self) -> Result<Trial> {
        let mut trial = self.plugin.trial(self.start(0, true))?;
        trial.setup(0)?;
        Ok(trial)
    }
}

/// How long a step takes, and what it reports of the state.
pub(crate) fn step(trial: &mut Trial) -> Result<(Duration, f64)> {
    let began = Instant::now();
    let report = trial.step(0)?;
    let time = began.elapsed();
    let sum = report.metrics.iter().find(|m| m.name == "sum");
    Ok((time, sum.context("no sum was reported")?.value))
}
