//! Where the states of trials come from: points, segments, and the recipe that makes a state again.
//!
//! A state is a pure function of the journal: a trial is set up, steps, and is now and then changed
//! or replaced by a copy of another trial's earlier state. So a [`Point`] names a state once and for
//! all, whoever computes it. This module must never know how a state is stored.

use serde::{Deserialize, Serialize};
use tune_space::{Change, Config, TrialId, TrialInfo};

use crate::{Engine, Stop, Trial};

/// A state of a trial: what the trial was right after so many of its own reports, before any clone
/// that followed. The same point is the same state, bit for bit.
///
/// A trial that took over another one's state and has not stepped since is at the point of that
/// other trial, see [`Trial::point`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point {
    /// Whose steps led there.
    pub trial: TrialId,
    /// How many of its own reports were handed over by then; 0 is the state before its first step.
    pub reports: u64,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "trial {} after report {}", self.trial, self.reports)
    }
}

/// What a segment of a trial begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `setup`.
    Setup,
    /// A copy of this state.
    Clone(Point),
    /// The state that the plan imports from another run.
    Imported,
}

/// A part of a trial's history: steps that follow from one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What it begins with.
    pub origin: Origin,
    /// Own reports of the trial before it.
    pub from: u64,
    /// `training_iteration` of the state that it begins with.
    pub iteration: u64,
    /// `fuel_total` of the state that it begins with.
    pub fuel_total: u64,
    /// The handover that decided it.
    pub sequence: u64,
}

/// The last kept or paused state of a trial: what an exploit or `start-from` copies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// Which state.
    pub point: Point,
    /// Its `training_iteration`.
    pub iteration: u64,
    /// Its `fuel_total`.
    pub fuel_total: u64,
    /// The resource that it used; none before a first report.
    pub axis: Option<f64>,
}

/// How to make a state: begin with the base, then do the steps one after another in one instance.
/// Steps of other trials whose states were taken over stand in the list like its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What to begin with.
    pub base: Base,
    /// To be done silently, in order, each compared with what it gave the first time.
    pub steps: Vec<Replay>,
    /// Fuel that the steps of the point's own trial had burned by then, donors' not counted.
    pub own_fuel: u64,
}

/// What a recipe begins with.
#[derive(Clone, Debug, PartialEq)]
pub enum Base {
    /// A new instance that is set up with this, at the tick of the first step.
    Setup {
        /// What `setup` is given.
        info: TrialInfo,
        /// What `setup` is given.
        config: Config,
    },
    /// A state that is at hand.
    Snapshot(Point),
    /// The state that the plan imports.
    Imported,
}

/// A step of a recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The state after it.
    pub point: Point,
    /// The tick at which it began.
    pub start: u64,
    /// Of what was reported, see [`crate::fingerprint`].
    pub fingerprint: u64,
    /// Carried out before it.
    pub change: Option<Change>,
}

impl Engine {
    /// How to make a state again. `has` says which states are at hand; the newest one on the way
    /// is the base, so that nothing is computed again without need. `has` is never asked for a
    /// point without reports: those are set up or imported, or another trial's.
    ///
    /// # Errors
    /// There is no such state.
    pub fn recipe(&self, to: Point, has: &dyn Fn(Point) -> bool) -> Result<Recipe, Stop> {
        let own_fuel = self.trial_at(to)?.own_fuel_at(to.reports);
        let mut steps = Vec::new();
        let mut at = to;
        // Every round goes back to an earlier handover, so there is an end.
        let base = loop {
            if at.reports > 0 && has(at) {
                break Base::Snapshot(at);
            }
            let trial = self.trial_at(at)?;
            let step = at.reports.checked_sub(1);
            if let Some(step) = step {
                let record = usize::try_from(step)
                    .ok()
                    .and_then(|i| trial.history.get(i));
                let record = record.ok_or_else(|| Stop::damaged(format!("no {at}")))?;
                steps.push(Replay {
                    point: at,
                    start: record.start,
                    fingerprint: record.fingerprint,
                    change: trial.change_before(step).cloned(),
                });
            }
            let before = step.unwrap_or(0);
            match trial.origin_at(before) {
                Some(Origin::Clone(source)) => at = source,
                Some(Origin::Imported) => break Base::Imported,
                Some(Origin::Setup) => {
                    break Base::Setup {
                        info: TrialInfo {
                            trial: trial.id,
                            seed: trial.setup_seed,
                            workers: 1,
                            restoring: false,
                        },
                        config: trial.setup_config.clone(),
                    };
                }
                None => {
                    at = Point {
                        trial: trial.id,
                        reports: before,
                    }
                }
            }
        };
        steps.reverse();
        Ok(Recipe {
            base,
            steps,
            own_fuel,
        })
    }

    /// The trial of a point, if it got that far.
    fn trial_at(&self, point: Point) -> Result<&Trial, Stop> {
        let trial = self
            .trial(point.trial)
            .ok_or_else(|| Stop::damaged(format!("there is no trial {}", point.trial)))?;
        if point.reports > trial.reports() {
            return Err(Stop::damaged(format!(
                "trial {} has {} reports: there is no state after report {}",
                point.trial,
                trial.reports(),
                point.reports
            )));
        }
        Ok(trial)
    }
}
