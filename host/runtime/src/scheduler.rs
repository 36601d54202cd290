//! A scheduler: one instance for a run.

use std::sync::Arc;

use tune_core::records::{Action, Config, Creation, FailureKind, Report, Setup, TrialId, Turn};
use tune_core::{CallUsage, Limits, PluginFault};
use wasmtime::Store;

use crate::bindings::{scheduler, types};
use crate::from_guest::{self, Bounds};
use crate::instance::Instance;
use crate::linked::Linked;
use crate::plugin::{InitError, decider_parts};
use crate::searcher::call_fuel;
use crate::snapshot::Snapshot;
use crate::snapshot_error::SnapshotError;
use crate::store::{Account, StoreData};
use crate::to_guest;

/// A running scheduler. After a call that failed every later one fails. What each call means is
/// documented in `wit/scheduler.wit`.
pub struct SchedulerInstance {
    instance: Instance<scheduler::Guest>,
    limits: Arc<Limits>,
    usage: CallUsage,
    /// The last report, for the next one: names are mostly the same, and need no memory then.
    report: types::Report,
    /// The configuration that was told last, likewise.
    config: types::Config,
}

#[expect(
    clippy::missing_errors_doc,
    reason = "every method: if the plugin fails, which ends it"
)]
impl SchedulerInstance {
    pub(crate) fn new(
        linked: &Arc<Linked>,
        indices: &scheduler::GuestIndices,
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
        indices: &scheduler::GuestIndices,
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
        indices: &scheduler::GuestIndices,
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
        call: impl AsyncFnOnce(&scheduler::Guest, &mut Store<StoreData>) -> wasmtime::Result<T>,
    ) -> Result<T, Box<PluginFault>> {
        self.instance.control().arm(self.limits.wall_per_step);
        self.instance.refuel(call_fuel(&self.limits));
        let answer = self.instance.call(operation, call);
        self.usage.raise(&self.instance.call_usage());
        answer
    }

    fn actions(
        &mut self,
        operation: &'static str,
        call: impl AsyncFnOnce(
            &scheduler::Guest,
            &mut Store<StoreData>,
        ) -> wasmtime::Result<Vec<scheduler::Action>>,
    ) -> Result<Vec<Action>, Box<PluginFault>> {
        let limits = Arc::clone(&self.limits);
        self.call(operation, async |guest, store| {
            Ok(Bounds(&limits).actions(call(guest, store).await?)?)
        })
    }

    /// Tells of a new trial.
    pub fn on_add(
        &mut self,
        trial: TrialId,
        config: &Config,
    ) -> Result<Vec<Action>, Box<PluginFault>> {
        let mut told = std::mem::take(&mut self.config);
        to_guest::config_over(&mut told, config);
        let answer = self.actions("on-add", async |guest, store| {
            guest.call_on_add(store, trial, &told).await
        });
        self.config = told;
        answer
    }

    /// Tells a report of a trial that could go on; one that ignores results has nothing to say of it.
    pub fn on_result(
        &mut self,
        trial: TrialId,
        report: &Report,
    ) -> Result<Vec<Action>, Box<PluginFault>> {
        if self.instance.linked.ignores_results {
            return Ok(Vec::new());
        }
        let mut told = std::mem::replace(&mut self.report, to_guest::no_report());
        to_guest::report_over(&mut told, report);
        let answer = self.actions("on-result", async |guest, store| {
            guest.call_on_result(store, trial, &told).await
        });
        self.report = told;
        answer
    }

    /// Tells that a trial ended by itself.
    pub fn on_complete(
        &mut self,
        trial: TrialId,
        last: Option<&Report>,
    ) -> Result<Vec<Action>, Box<PluginFault>> {
        let last = last.map(to_guest::report);
        self.actions("on-complete", async |guest, store| {
            guest.call_on_complete(store, trial, last.as_ref()).await
        })
    }

    /// Tells that a step failed.
    pub fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Box<PluginFault>> {
        let kind = to_guest::failure_kind(kind);
        self.actions("on-error", async |guest, store| {
            guest.call_on_error(store, trial, kind, will_retry).await
        })
    }

    /// Tells that the user stopped a pending or paused trial.
    pub fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Box<PluginFault>> {
        self.actions("on-remove", async |guest, store| {
            guest.call_on_remove(store, trial).await
        })
    }

    /// Asks what a free slot does.
    pub fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Box<PluginFault>> {
        let (creation, limits) = (to_guest::creation(creation), Arc::clone(&self.limits));
        self.call("next-to-run", async |guest, store| {
            Ok(Bounds(&limits).turn(guest.call_next_to_run(store, creation).await?)?)
        })
    }

    /// Asks for a description for people; cut to 8 KiB, without control characters.
    pub fn describe(&mut self) -> Result<String, Box<PluginFault>> {
        let text = self.call("describe", async |guest, store| {
            guest.call_describe(store).await
        })?;
        Ok(from_guest::message(&text))
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
