//! What a step of a trial gives, without running anything.

use tune_core::{Failed, StepEnd};
use tune_space::{Config, FailureKind, Report, TrialId};

/// Ticks of virtual time in a second: a tick is a microsecond.
pub const SECOND: u64 = 1_000_000;

/// What a step of a trial gives. Closures of the same form are curves too.
pub trait Curves {
    /// The step of a trial that leads to this iteration, from 1; after an exploit it is the donor's
    /// plus 1. `config` is the whole configuration that the step has. Called once a step, in the
    /// order in which steps begin; a step that is tried again is a step of its own.
    fn step(&mut self, trial: TrialId, config: &Config, iteration: u64) -> StepEnd;
}

impl<F: FnMut(TrialId, &Config, u64) -> StepEnd> Curves for F {
    fn step(&mut self, trial: TrialId, config: &Config, iteration: u64) -> StepEnd {
        self(trial, config, iteration)
    }
}

/// A step that reported one metric and cost so many ticks of virtual time.
#[must_use]
pub fn step(metric: &str, value: f64, cost: u64) -> StepEnd {
    let mut report = Report::default().with(metric, value);
    report.cost = Some(cost);
    StepEnd {
        result: Ok(report),
        fuel: 0,
        memory_bytes: 0,
    }
}

/// A step that failed, after one tick.
#[must_use]
pub fn failure(kind: FailureKind) -> StepEnd {
    StepEnd {
        result: Err(Failed {
            kind,
            message: "as the curves say".to_owned(),
        }),
        fuel: 0,
        memory_bytes: 0,
    }
}
