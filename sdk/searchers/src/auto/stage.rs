//! An algorithm behind one face, whichever it is, and how it takes over from another one.

use tune_plugin::{
    Config, Failure, Observation, OptionError, Outcome, Report, Searcher, Setup, Stream,
    Suggestion, TrialId, TrialState,
};

use super::{Options, ledger::Ledger, plan::Algorithm};
use crate::{Cmaes, GpSearch, Grid, SobolSearch, Tpe, cmaes, gp, grid, sobol, tpe};

/// Results that are handed over at once, as many as a host does.
const AT_ONCE: usize = 1_000;

/// What is called of an algorithm.
pub(super) trait Stage: std::fmt::Debug {
    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure>;
    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState);
    fn complete(&mut self, trial: TrialId, outcome: &Outcome);
    fn seed_with(&mut self, known: &[Observation]);
    fn adopt(&mut self, trial: TrialId, config: &Config);
    fn regret_bound(&mut self) -> Option<f64>;
}

macro_rules! stage {
    ($($searcher:ty),*) => {$(
        impl Stage for $searcher {
            fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
                Searcher::suggest(self, trial, pinned)
            }
            fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
                Searcher::observe(self, trial, report, state);
            }
            fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
                Searcher::complete(self, trial, outcome);
            }
            fn seed_with(&mut self, known: &[Observation]) {
                Searcher::seed_with(self, known);
            }
            fn adopt(&mut self, trial: TrialId, config: &Config) {
                Self::adopt(self, trial, config);
            }
            fn regret_bound(&mut self) -> Option<f64> {
                Searcher::regret_bound(self)
            }
        }
    )*};
}

stage!(Grid, SobolSearch, GpSearch, Tpe, Cmaes);

/// Starts an algorithm with everything that is known. Two that take turns are two.
///
/// # Errors
/// What it says of the setup.
pub(super) fn begin(
    algorithm: Algorithm,
    setup: &Setup,
    options: &Options,
    ledger: &Ledger,
) -> Result<Vec<Box<dyn Stage>>, Vec<OptionError>> {
    let (on_error, unique) = (options.on_error.clone(), options.unique);
    let gp = gp::Options {
        on_error: on_error.clone(),
        unique,
        ..gp::Options::default()
    };
    let cmaes = cmaes::Options {
        on_error: on_error.clone(),
        unique,
        ..cmaes::Options::default()
    };
    let mut stages: Vec<Box<dyn Stage>> = match algorithm {
        Algorithm::Grid => vec![Box::new(Grid::init(setup, grid::Options::default())?)],
        Algorithm::Sobol => vec![Box::new(SobolSearch::init(
            setup,
            sobol::Options {
                unique,
                ..sobol::Options::default()
            },
        )?)],
        Algorithm::Gp => vec![Box::new(GpSearch::init(setup, gp)?)],
        Algorithm::Pair => {
            let other = Setup {
                seed: Stream::new(setup.seed).u64(),
                ..setup.clone()
            };
            vec![
                Box::new(GpSearch::init(setup, gp)?),
                Box::new(Cmaes::init(&other, cmaes)?),
            ]
        }
        Algorithm::Tpe => vec![Box::new(Tpe::init(
            setup,
            tpe::Options {
                on_error,
                unique,
                ..tpe::Options::default()
            },
        )?)],
        Algorithm::Cmaes => vec![Box::new(Cmaes::init(setup, cmaes)?)],
    };
    for stage in &mut stages {
        for known in ledger.ended().chunks(AT_ONCE) {
            stage.seed_with(known);
        }
        for (trial, open) in ledger.open() {
            stage.adopt(trial, &open.config);
            if let Some(report) = &open.paused {
                stage.observe(trial, report, TrialState::Paused);
            }
        }
    }
    Ok(stages)
}
