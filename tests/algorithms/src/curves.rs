//! What steps give: good curves, and every kind of bad one.

use std::collections::BTreeMap;

use tune_core::StepEnd;
use tune_plugin::{Config, FailureKind, Stream, TrialId, derive_seed};
use tune_simulation::{Curves, failure, step};

/// What kind of trials there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Losses that fall, each to its own level, with noise.
    Tame,
    /// The same with results that are not numbers, failures of both sorts and early ends.
    Wild,
    /// No result is a number.
    NoNumbers,
    /// All results are equal.
    Ties,
    /// Every step fails for good.
    Failing,
    /// Every trial ends by itself at its first result.
    Brief,
}

/// Curves of a kind. The same calls in the same order give the same steps.
#[derive(Debug)]
pub struct Course {
    kind: Kind,
    seed: u64,
    tried: BTreeMap<(TrialId, u64), u64>,
}

impl Course {
    /// Curves that nothing was asked of yet.
    #[must_use]
    pub fn new(kind: Kind, seed: u64) -> Self {
        Self {
            kind,
            seed,
            tried: BTreeMap::new(),
        }
    }
}

impl Curves for Course {
    fn step(&mut self, trial: TrialId, config: &Config, iteration: u64) -> StepEnd {
        let attempt = self.tried.entry((trial, iteration)).or_default();
        *attempt += 1;
        let parts = [self.seed, trial.into(), iteration, *attempt].map(u64::to_le_bytes);
        let mut stream = Stream::new(derive_seed(&parts.each_ref().map(|part| &part[..])));
        one(self.kind, config, iteration, &mut stream)
    }
}

fn one(kind: Kind, config: &Config, iteration: u64, stream: &mut Stream) -> StepEnd {
    let x = config.f64("x").unwrap_or(0.5);
    let cost = 1 + stream.below(300);
    let loss = x + 1.0 / iteration as f64 + 0.1 * stream.unit();
    let not_a_number = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let any = |stream: &mut Stream| {
        let index = usize::try_from(stream.below(3)).unwrap_or(0);
        not_a_number.get(index).copied().unwrap_or(f64::NAN)
    };
    match kind {
        Kind::Tame => step("loss", loss, cost),
        Kind::Ties => step("loss", 1.0, cost),
        Kind::NoNumbers => step("loss", any(stream), cost),
        Kind::Failing => failure(FailureKind::Trap),
        Kind::Brief => ended(step("loss", loss, cost)),
        Kind::Wild => match stream.below(40) {
            0 => failure(FailureKind::Trap),
            1 | 2 => failure(FailureKind::Deadline),
            3..=6 => step("loss", any(stream), cost),
            7 => ended(step("loss", loss, cost)),
            _ => step("loss", loss, cost),
        },
    }
}

fn ended(mut step: StepEnd) -> StepEnd {
    step.result = step.result.map(|report| report.finished());
    step
}
