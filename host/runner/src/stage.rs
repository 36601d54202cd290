//! What a run is carried out with.

use std::sync::Arc;
use std::time::Duration;

use tune_core::{Deciders, EnginePlan, Limits, PluginFault};
use tune_runtime::{DataSets, Grants, InitError, Plugin, Snapshot};
use tune_store::ChunkStore;

use crate::factory::Factory;
use crate::plugins::Plugins;
use crate::{SnapshotPolicy, StepHook};

/// The plugins of a run and what they may use.
pub struct RunParts {
    /// Training code.
    pub trainable: Plugin,
    /// Suggests configurations.
    pub searcher: Plugin,
    /// Decides which trial runs.
    pub scheduler: Plugin,
    /// Read-only data of the trials.
    pub data: Arc<DataSets>,
    /// What the trainable wants and is allowed.
    pub grants: Grants,
}

/// How a run is carried out: nothing here changes a decision.
#[derive(Clone)]
pub struct RunOptions {
    /// Trial threads, at least 1.
    pub threads: usize,
    /// Bytes of memory that instances at rest may hold before the least recently used are dropped,
    /// to be built again by a replay when their turn comes.
    pub run_memory: u64,
    /// Wall time that is left of the experiment's `time_budget`.
    pub time_budget: Option<Duration>,
    /// Called on a trial thread before every step.
    pub hook: Option<StepHook>,
    /// What of a resumed run must be the same again.
    pub verify: Verify,
    /// When snapshots are written, and how many are kept.
    pub snapshots: SnapshotPolicy,
    /// Where snapshots are read from and written to. By default nowhere: a state that is lost is
    /// made again from the beginning.
    pub chunks: Option<ChunkStore>,
    /// What is different from the process that left a resumed run, such as the build or a plugin:
    /// journalled before the run goes on. By default nothing.
    pub changed: Option<String>,
}

/// How much of an earlier process's work must come out the same when it is done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Digests, answers of plugins, and reports of replayed steps: the same build and plugins.
    Everything,
    /// Answers and reports, but no digests, fuel or ticks: another build of tune-host.
    Metrics,
    /// Nothing, the journal's word stands: a plugin was changed on purpose.
    Nothing,
}

impl RunOptions {
    /// Everything checked, snapshots by the default policy, no time budget.
    #[must_use]
    pub fn new(threads: usize, run_memory: u64) -> Self {
        Self {
            threads,
            run_memory,
            time_budget: None,
            hook: None,
            verify: Verify::Everything,
            snapshots: SnapshotPolicy::default(),
            chunks: None,
            changed: None,
        }
    }
}

impl RunParts {
    /// Starts the searcher and the scheduler for a moment: whether they take the plan, before
    /// anything is written for it.
    ///
    /// # Errors
    /// Which of the two refuses, and why.
    pub fn check(&self, plan: &EnginePlan) -> Result<(), (&'static str, InitError)> {
        self.init(plan).map(drop)
    }

    /// Starts the searcher and the scheduler.
    pub(crate) fn init(&self, plan: &EnginePlan) -> Result<Plugins, (&'static str, InitError)> {
        init(&self.searcher, &self.scheduler, plan)
    }

    /// The searcher and the scheduler as they were when they were saved.
    pub(crate) fn restore(
        &self,
        plan: &EnginePlan,
        saved_searcher: &Snapshot,
        saved_scheduler: &Snapshot,
    ) -> Result<Plugins, Box<PluginFault>> {
        let (searcher, scheduler) = (plan.searcher_setup(), plan.scheduler_setup());
        Ok(Plugins {
            searcher: self.searcher.restore_searcher(
                saved_searcher,
                &searcher,
                plan.searcher_limits(),
            )?,
            scheduler: self.scheduler.restore_scheduler(
                saved_scheduler,
                &scheduler,
                plan.scheduler_limits(),
            )?,
        })
    }

    /// What all trials share.
    pub(crate) fn factory(&self, limits: Limits, options: &RunOptions) -> Factory {
        Factory {
            plugin: self.trainable.clone(),
            limits,
            data: Arc::clone(&self.data),
            grants: self.grants.clone(),
            hook: options.hook.clone(),
            chunks: options.chunks.clone(),
            verify: options.verify,
        }
    }
}

fn init(
    searcher: &Plugin,
    scheduler: &Plugin,
    plan: &EnginePlan,
) -> Result<Plugins, (&'static str, InitError)> {
    Ok(Plugins {
        searcher: searcher
            .searcher(&plan.searcher_setup(), plan.searcher_limits())
            .map_err(|error| ("searcher", error))?,
        scheduler: scheduler
            .scheduler(&plan.scheduler_setup(), plan.scheduler_limits())
            .map_err(|error| ("scheduler", error))?,
    })
}

/// Starts a searcher and a scheduler as a run of the plan does, for whoever runs no trials: the same
/// sandbox, the same seeds and limits.
///
/// # Errors
/// Which of the two refuses, and why.
pub fn deciders(
    searcher: &Plugin,
    scheduler: &Plugin,
    plan: &EnginePlan,
) -> Result<Box<dyn Deciders>, (&'static str, InitError)> {
    Ok(Box::new(init(searcher, scheduler, plan)?))
}
