//! A searcher: one instance for a run.

use std::sync::Arc;

use tune_core::records::{
    Config, Failure, Observation, Outcome, Report, Setup, Suggestion, TrialId, TrialState,
};
use tune_core::{CallUsage, Limits, PluginFault};
use wasmtime::Store;

use crate::bindings::{searcher, types};
use crate::from_guest::{self, Bounds};
use crate::instance::{Fuel, Instance};
use crate::linked::Linked;
use crate::plugin::{InitError, decider_parts};
use crate::snapshot::Snapshot;
use crate::snapshot_error::SnapshotError;
use crate::store::{Account, StoreData};
use crate::to_guest;

/// A running searcher. After a call that failed every later one fails. What each call means is
/// documented in `wit/searcher.wit`.
pub struct SearcherInstance {
    instance: Instance<searcher::Guest>,
    limits: Arc<Limits>,
    usage: CallUsage,
    /// As the scheduler's, both.
    report: types::Report,
    config: types::Config,
}

/// Fuel of one call.
pub(crate) fn call_fuel(limits: &Limits) -> Fuel {
    Fuel::all_of("fuel_per_call", limits.fuel_per_call)
}

#[expect(
    clippy::missing_errors_doc,
    reason = "every method: if the plugin fails, which ends it"
)]
impl SearcherInstance {
    pub(crate) fn new(
        linked: &Arc<Linked>,
        indices: &searcher::GuestIndices,
        setup: &Setup,
        limits: &Limits,
    ) -> Result<Self, InitError> {
        let mut this = Self::made(linked, indices, setup, limits, Account::Step)?;
        let setup = to_guest::setup(setup);
        this.call("init", async |guest, store| {
            guest.call_init(store, &setup).await
        })?
        .map_err(|errors| InitError::Options(from_guest::option_errors(errors)))?;
        Ok(this)
    }

    pub(crate) fn restored(
        linked: &Arc<Linked>,
        indices: &searcher::GuestIndices,
        from: &Snapshot,
        setup: &Setup,
        limits: &Limits,
    ) -> Result<Self, Box<PluginFault>> {
        let mut this = Self::made(linked, indices, setup, limits, Account::Host)?;
        this.instance.restore_fresh(from, limits)?;
        Ok(this)
    }

    fn made(
        linked: &Arc<Linked>,
        indices: &searcher::GuestIndices,
        setup: &Setup,
        limits: &Limits,
        account: Account,
    ) -> Result<Self, Box<PluginFault>> {
        let parts = decider_parts(setup, limits, account);
        parts.control.arm(limits.wall_per_step);
        let load = |store: &mut _, exports: &_| indices.load(store, exports);
        Ok(Self {
            instance: Instance::new(linked, parts, (call_fuel(limits), 0), load)?,
            limits: Arc::new(limits.clone()),
            usage: CallUsage::default(),
            report: to_guest::no_report(),
            config: types::Config::new(),
        })
    }

    /// Its whole state. What it answers later does not depend on whether it was taken.
    ///
    /// # Errors
    /// If it has ended, or a part of its state is out of reach.
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        self.instance.capture()
    }

    fn call<T>(
        &mut self,
        operation: &'static str,
        call: impl AsyncFnOnce(&searcher::Guest, &mut Store<StoreData>) -> wasmtime::Result<T>,
    ) -> Result<T, Box<PluginFault>> {
        self.instance.control().arm(self.limits.wall_per_step);
        self.instance.refuel(call_fuel(&self.limits));
        let answer = self.instance.call(operation, call);
        self.usage.raise(&self.instance.call_usage());
        answer
    }

    /// Asks for a configuration. The inner error is the searcher's own and does not end it.
    pub fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, Failure>, Box<PluginFault>> {
        let mut told = std::mem::take(&mut self.config);
        to_guest::config_over(&mut told, pinned);
        let limits = Arc::clone(&self.limits);
        let answer = self.call("suggest", async |guest, store| {
            Ok(match guest.call_suggest(store, trial, &told).await? {
                Ok(suggestion) => Ok(Bounds(&limits).suggestion(suggestion)?),
                Err(failure) => Err(from_guest::failure(failure)),
            })
        });
        self.config = told;
        answer
    }

    /// Tells a result, as the two below: of one that ignores them, nothing.
    pub fn observe(
        &mut self,
        trial: TrialId,
        report: &Report,
        state: TrialState,
    ) -> Result<(), Box<PluginFault>> {
        if self.instance.linked.ignores_results {
            return Ok(());
        }
        let state = to_guest::trial_state(state);
        let mut told = std::mem::replace(&mut self.report, to_guest::no_report());
        to_guest::report_over(&mut told, report);
        let answer = self.call("observe", async |guest, store| {
            guest.call_observe(store, trial, &told, state).await
        });
        self.report = told;
        answer
    }

    /// Tells that a trial ended.
    pub fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Box<PluginFault>> {
        if self.instance.linked.ignores_results {
            return Ok(());
        }
        let told = std::mem::replace(&mut self.report, to_guest::no_report());
        let told = to_guest::outcome_over(told, outcome);
        let answer = self.call("complete", async |guest, store| {
            guest.call_complete(store, trial, &told).await
        });
        self.report = told.last.unwrap_or_else(to_guest::no_report);
        answer
    }

    /// Tells earlier results, at most 1,000 a call: the caller cuts the list.
    pub fn seed_with(&mut self, known: &[Observation]) -> Result<(), Box<PluginFault>> {
        if self.instance.linked.ignores_results {
            return Ok(());
        }
        let known: Vec<_> = known.iter().map(to_guest::observation).collect();
        self.call("seed-with", async |guest, store| {
            guest.call_seed_with(store, &known).await
        })
    }

    /// Asks how far the best result may be from the best possible one.
    pub fn regret_bound(&mut self) -> Result<Option<f64>, Box<PluginFault>> {
        let bound = self.call("regret-bound", async |guest, store| {
            guest.call_regret_bound(store).await
        })?;
        Ok(bound.map(from_guest::canonical))
    }

    /// The most that a call used so far.
    #[must_use]
    pub fn usage(&self) -> CallUsage {
        self.usage
    }

    /// Log lines since the last take.
    pub fn take_log(&mut self) -> Vec<u8> {
        self.instance.take_log()
    }

    /// Bytes of all its linear memories, after the last call.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.instance.memory_bytes()
    }
}
