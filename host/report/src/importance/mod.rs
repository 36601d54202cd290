//! How much each parameter matters for the objective, from the trials of a run that finished with a
//! finite value. Two ways that answer different questions: what sets the best tenth apart
//! ([`Method::PedAnova`], the default) and what moves the objective anywhere ([`Method::Permutation`]).
//!
//! Trials that a scheduler stopped have values that cannot be compared with those of finished ones.
//! PED-ANOVA needs ranks only: if asked to, it counts them behind all that came further.
//!
//! Both are pure functions of the trials: the same run gives the same numbers on every machine.

mod density;
mod ped_anova;
mod permutation;
mod table;

use tune_core::records::{Config, Objective, Space};

use crate::{RunView, Scope, TrialStatus, best_of_trial};

pub use table::{importances_json, importances_lines};

/// Fewer cannot be split into a best tenth and others.
pub const MIN_TRIALS: usize = 10;
/// So many are worth relying on: five in the best tenth, as Optuna's documentation advises.
pub const STABLE_TRIALS: usize = 50;

/// Further than any stopped trial comes.
const FINISHED: u64 = u64::MAX;

/// How importance is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// How differently values lie among the best tenth and among all. The default.
    #[default]
    PedAnova,
    /// How much exchanged values change what a Gaussian process expects.
    Permutation,
}

impl Method {
    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PedAnova => "ped-anova",
            Self::Permutation => "permutation",
        }
    }
}

/// A parameter's part of the whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// Of which parameter.
    pub name: String,
    /// From 0 to 1; together they are 1.
    pub share: f64,
    /// Trials, of those that count, in which it is active.
    pub active: usize,
}

/// Importances of all parameters of the space.
#[derive(Clone, Debug, PartialEq)]
pub struct Importances {
    /// How they were measured.
    pub method: Method,
    /// Of what.
    pub objective: Objective,
    /// Trials that count.
    pub trials: usize,
    /// Those among them that were stopped.
    pub stopped: usize,
    /// Ended trials that do not count: stopped, failed, or without a finite value.
    pub left_out: usize,
    /// Trials that are among the best, for PED-ANOVA.
    pub top: Option<usize>,
    /// Share of the variance of the objective that the model foretells of trials that it has not
    /// seen, for permutation.
    pub explained: Option<f64>,
    /// The greatest first; of equals, in the order of the space.
    pub importances: Vec<Importance>,
}

/// Why there are no importances.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message says what each is")]
pub enum NoImportances {
    #[error("the run has no metric that parameters could matter for")]
    NoObjective,
    #[error("the space of the run has no parameters")]
    NoParameters,
    #[error(
        "{trials} of {all} trials count, with a finite `{metric}`: importances need at least {}{}",
        MIN_TRIALS,
        match .stopped {
            0 => String::new(),
            n => format!("; `--importance=ped-anova --stopped` counts the {n} that were stopped, too"),
        }
    )]
    TooFew {
        metric: String,
        trials: usize,
        all: usize,
        stopped: usize,
    },
    #[error("all {trials} trials that count have the same `{metric}`: nothing matters for it")]
    Constant { metric: String, trials: usize },
    #[error(
        "more than nine tenths of the {trials} trials that count share the worst `{metric}`: there is \
         no best tenth to compare with; `--importance=permutation` may tell more"
    )]
    NoBest { metric: String, trials: usize },
    #[error("no parameter shows an effect on `{metric}` in {trials} trials")]
    NoEffect { metric: String, trials: usize },
    #[error("a Gaussian process cannot be fitted to the {trials} trials that count")]
    NoModel { trials: usize },
}

/// What is known of a trial: what it tried and how good that was, less is better.
#[derive(Clone, Debug)]
struct Sample<'a> {
    config: &'a Config,
    loss: f64,
    /// The last iteration of a stopped trial; more of a finished one.
    reached: u64,
}

/// How much each parameter of `space` matters in a run. Of each trial the best report counts, with
/// the configuration that led to it, as for `best`. `with_stopped`: not only finished trials count, but
/// stopped ones too, for PED-ANOVA alone.
///
/// # Errors
/// Too few trials count, or they do not differ.
pub fn importances(
    run: &RunView,
    space: &Space,
    method: Method,
    with_stopped: bool,
) -> Result<Importances, NoImportances> {
    let objective = run.objective.as_ref().ok_or(NoImportances::NoObjective)?;
    if space.parameters().is_empty() {
        return Err(NoImportances::NoParameters);
    }
    let metric = || objective.metric.clone();
    let with_stopped = with_stopped && method == Method::PedAnova;
    let samples = samples(run, objective, with_stopped);
    let trials = samples.len();
    let stopped = samples.iter().filter(|s| s.reached < FINISHED).count();
    let ended = run.trials.iter().filter(|t| t.status.is_ended()).count();
    let left_out = ended.saturating_sub(trials);
    if trials < MIN_TRIALS {
        return Err(NoImportances::TooFew {
            metric: metric(),
            trials,
            all: run.trials.len(),
            stopped: match with_stopped {
                true => 0,
                false => run
                    .trials
                    .iter()
                    .filter(|t| t.status == TrialStatus::Stopped)
                    .count(),
            },
        });
    }
    let first = samples.first().map(|s| (s.loss, s.reached));
    if samples.iter().all(|s| Some((s.loss, s.reached)) == first) {
        let metric = metric();
        return Err(NoImportances::Constant { metric, trials });
    }
    let (mut top, mut explained) = (None, None);
    let raw = match method {
        Method::PedAnova => {
            let best = ped_anova::top(&samples);
            let count = best.iter().filter(|is_top| **is_top).count();
            if count == trials {
                let metric = metric();
                return Err(NoImportances::NoBest { metric, trials });
            }
            top = Some(count);
            ped_anova::importances(space, &samples, &best)
        }
        Method::Permutation => {
            let judged = permutation::importances(space, &samples);
            let judged = judged.ok_or(NoImportances::NoModel { trials })?;
            explained = Some(judged.explained);
            judged.importances
        }
    };
    let sum: f64 = raw.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        let metric = metric();
        return Err(NoImportances::NoEffect { metric, trials });
    }
    let parameters = space.parameters().iter().zip(raw);
    let mut importances: Vec<Importance> = parameters
        .map(|(parameter, raw)| {
            let name = parameter.name.clone();
            let active = samples.iter().filter(|s| s.config.get(&name).is_some());
            Importance {
                active: active.count(),
                share: raw / sum,
                name,
            }
        })
        .collect();
    importances.sort_by(|a, b| b.share.total_cmp(&a.share));
    Ok(Importances {
        method,
        objective: objective.clone(),
        trials,
        stopped,
        left_out,
        top,
        explained,
        importances,
    })
}

fn samples<'a>(run: &'a RunView, objective: &Objective, with_stopped: bool) -> Vec<Sample<'a>> {
    let counts = |status| match status {
        TrialStatus::Finished => true,
        TrialStatus::Stopped => with_stopped,
        _ => false,
    };
    let counted = run.trials.iter().filter(|t| counts(t.status));
    counted
        .filter_map(|trial| {
            let best = best_of_trial(trial, objective, Scope::All)?;
            best.value.is_finite().then(|| Sample {
                config: trial.config_at(best.reports),
                reached: match trial.status {
                    TrialStatus::Finished => FINISHED,
                    _ => trial.reports.last().map_or(0, |report| report.iteration),
                },
                loss: if objective.maximize {
                    -best.value
                } else {
                    best.value
                },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
