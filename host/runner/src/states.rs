//! In which place the state of each trial is, and how an instance comes into it: at rest, kept in
//! memory, in the chunk store, or to be made again by a replay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tune_core::records::{TrialId, TrialInfo};
use tune_core::{Base, Engine, Point, Recipe, Stop};
use tune_runtime::{Control, Trial};

use crate::blueprint::{Blueprint, Foundation};
use crate::kept::{Kept, Standing};
use crate::pool::Pool;
use crate::upkeep::Upkeep;
use crate::vault::{Form, Vault};

/// All states of a run.
pub(crate) struct States {
    pub(crate) pool: Pool,
    pub(crate) kept: Kept,
    pub(crate) vault: Vault,
    pub(crate) upkeep: Upkeep,
    /// Whose instance is with an errand, and whether it is still of use when it comes back.
    away: BTreeMap<TrialId, bool>,
    /// Steps that cannot begin yet, with their ticks: the instance is away, or the state that they
    /// begin with is being captured.
    deferred: BTreeMap<TrialId, u64>,
    uses: u64,
}

/// What a step begins with.
pub(crate) enum Way {
    /// The instance is in that state.
    Live(Box<Trial>, Arc<Control>),
    /// It must be brought into that state.
    Build(Box<Blueprint>, Arc<Control>),
    /// Not yet to be had.
    Later,
}

impl States {
    pub(crate) fn new(vault: Vault, upkeep: Upkeep) -> Self {
        Self {
            pool: Pool::default(),
            kept: Kept::default(),
            vault,
            upkeep,
            away: BTreeMap::new(),
            deferred: BTreeMap::new(),
            uses: 0,
        }
    }

    pub(crate) fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    /// Puts an instance to rest.
    pub(crate) fn rest(
        &mut self,
        trial: TrialId,
        instance: (Box<Trial>, Arc<Control>),
        point: Point,
    ) {
        let used = self.next_use();
        self.pool.put(trial, instance, point, used);
    }

    /// Its instance leaves with an errand.
    pub(crate) fn leaves(&mut self, trial: TrialId) {
        self.away.insert(trial, true);
    }

    /// Its instance came back; false if it is of no more use.
    pub(crate) fn returns(&mut self, trial: TrialId) -> bool {
        self.away.remove(&trial).unwrap_or(false)
    }

    pub(crate) fn is_away(&self, trial: TrialId) -> bool {
        self.away.contains_key(&trial)
    }

    pub(crate) fn nobody_is_away(&self) -> bool {
        self.away.is_empty()
    }

    /// Whatever instance the trial has is of no more use.
    pub(crate) fn forget(&mut self, trial: TrialId) -> Option<Box<Trial>> {
        if let Some(of_use) = self.away.get_mut(&trial) {
            *of_use = false;
        }
        self.pool.take(trial).map(|rested| rested.instance)
    }

    pub(crate) fn defer(&mut self, trial: TrialId, tick: u64) {
        self.deferred.insert(trial, tick);
    }

    pub(crate) fn is_deferred(&self, trial: TrialId) -> bool {
        self.deferred.contains_key(&trial)
    }

    pub(crate) fn undefer(&mut self, trial: TrialId) -> Option<u64> {
        self.deferred.remove(&trial)
    }

    pub(crate) fn undefer_all(&mut self) -> BTreeMap<TrialId, u64> {
        std::mem::take(&mut self.deferred)
    }

    /// How a trial comes into its present state. An instance of it in another state is used up.
    pub(crate) fn way(&mut self, engine: &Engine, id: TrialId) -> Result<Way, Stop> {
        let trial = engine
            .trial(id)
            .ok_or_else(|| Stop::Damaged(format!("no trial {id}")))?;
        let point = trial.point();
        if self.is_away(id) {
            return Ok(Way::Later);
        }
        let at_rest = self.pool.state(id).map(|(point, _)| point);
        if at_rest == Some(point)
            && let Some(rested) = self.pool.take(id)
        {
            return Ok(Way::Live(rested.instance, rested.control));
        }
        let used = self.next_use();
        let memory = match self.kept.get(point, used) {
            Standing::Wanted(_) | Standing::Filling => return Ok(Way::Later),
            Standing::Filled(snapshot) => Some(snapshot),
            Standing::Absent => None,
        };
        let (base, steps) = match memory {
            Some(snapshot) => (Foundation::Memory(point, snapshot), Vec::new()),
            None => {
                let recipe = self.recipe(engine, point)?;
                (self.foundation(engine, recipe.base)?, recipe.steps)
            }
        };
        // An instance keeps its control for life.
        let (over, control) = match self.pool.take(id) {
            Some(rested) => (Some(rested.instance), rested.control),
            None => (None, Arc::new(Control::new())),
        };
        let blueprint = Blueprint {
            info: TrialInfo {
                trial: id,
                seed: trial.setup_seed,
                workers: 1,
                restoring: false,
            },
            config: trial.config.clone(),
            base,
            steps,
            own_fuel: trial.own_fuel,
            over,
        };
        Ok(Way::Build(Box::new(blueprint), control))
    }

    fn recipe(&self, engine: &Engine, point: Point) -> Result<Recipe, Stop> {
        engine.recipe(point, &|p| self.kept.is_filled(p) || self.vault.has(p))
    }

    fn foundation(&mut self, engine: &Engine, base: Base) -> Result<Foundation, Stop> {
        match base {
            Base::Setup { info, config } => Ok(Foundation::Setup { info, config }),
            Base::Imported => match self.vault.imported() {
                Some(stored) => Ok(Foundation::Stored(stored.id)),
                None => Err(Stop::Damaged(
                    "the state that the run was forked with is gone or damaged: fork it again"
                        .to_owned(),
                )),
            },
            Base::Snapshot(point) => {
                let used = self.next_use();
                if let Standing::Filled(snapshot) = self.kept.get(point, used) {
                    return Ok(Foundation::Memory(point, snapshot));
                }
                stored(engine, &self.vault, point)
            }
        }
    }

    /// States that are of use: present, kept, or about to be begun with.
    pub(crate) fn needed(engine: &Engine) -> BTreeSet<Point> {
        let mut needed = BTreeSet::new();
        for trial in engine.trials() {
            if !trial.is_ended() {
                needed.insert(trial.point());
            }
            if let Some(kept) = &trial.kept
                && engine.plan().clones
            {
                needed.insert(kept.point);
            }
        }
        needed
    }
}

/// A base in the chunk store.
pub(crate) fn stored(engine: &Engine, vault: &Vault, point: Point) -> Result<Foundation, Stop> {
    let gone = || Stop::Damaged(format!("the snapshot of {point} is gone"));
    let stored = vault.get(point).ok_or_else(gone)?;
    let trial = engine.trial(point.trial).ok_or_else(gone)?;
    Ok(match stored.form {
        Form::Exact => Foundation::Stored(stored.id),
        Form::Portable => {
            // What was in force when the state came to be.
            let change = trial
                .changes
                .iter()
                .rev()
                .find(|c| c.before_step < point.reports);
            Foundation::Portable {
                id: stored.id,
                info: TrialInfo {
                    trial: trial.id,
                    seed: change.map_or(trial.setup_seed, |c| c.change.seed),
                    workers: 1,
                    restoring: true,
                },
                config: trial.config_at(point.reports).clone(),
            }
        }
    })
}
