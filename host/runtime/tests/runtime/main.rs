//! Plugins made of a few lines of WebAssembly text, each of which crosses one limit or stays just
//! below it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod deciders;
mod files;
mod gpu;
mod guests;
mod handles;
mod headers;
mod limits;
mod outputs;
mod portable;
mod refusals;
mod snapshots;

use std::sync::Arc;

use tune_core::records::{Config, Report, TrialInfo};
use tune_core::{Limits, Metering, PluginFault};
use tune_runtime::{
    Control, DataSets, Grants, LoadError, Plugin, Runtime, RuntimeOptions, Trial, TrialStart,
};

/// Loads with a runtime of its own.
fn load(bytes: &[u8], metering: Metering) -> Result<Plugin, LoadError> {
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    runtime.load("guest", bytes, metering, false, &Limits::default())
}

fn start(limits: &Limits) -> TrialStart {
    TrialStart {
        info: TrialInfo {
            trial: 0,
            seed: 7,
            workers: 1,
            restoring: false,
        },
        config: Config::new(),
        limits: limits.clone(),
        data: Arc::new(DataSets::new()),
        grants: Grants::default(),
        control: Arc::new(Control::new()),
    }
}

/// A trial of a trainable whose `step` is this, set up.
fn trial(step: &str, limits: &Limits) -> Trial {
    trial_of(&guests::trainable(step, ""), limits, Metering::Fuel)
}

fn trial_of(bytes: &[u8], limits: &Limits, metering: Metering) -> Trial {
    let mut trial = load(bytes, metering).unwrap().trial(start(limits)).unwrap();
    trial.setup(0).unwrap();
    trial
}

/// One step of a trainable whose `step` is this.
fn step(step: &str, limits: &Limits) -> Result<Report, Box<PluginFault>> {
    trial(step, limits).step(0)
}

#[test]
fn plugins_and_their_instances_can_move_between_threads() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<Trial>();
    moves::<tune_runtime::SearcherInstance>();
    moves::<tune_runtime::SchedulerInstance>();
    is_shared::<Plugin>();
    is_shared::<Runtime>();
    is_shared::<Control>();
}
