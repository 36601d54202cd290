//! What the export macros expand to: the one static instance of a plugin, and glue between the
//! generated `Guest` traits and the traits of this crate. Hidden: authors use the macros.

use std::cell::RefCell;

use tune_space::{OptionError, Report, Setup};

use crate::{
    PluginOptions, PortableState, Scheduler, Searcher, Trainable,
    bindings::{
        scheduler::exports::tune::plugin::scheduler as wit_scheduler,
        searcher::exports::tune::plugin::searcher as wit_searcher,
        trainable::tune::plugin::types as wit,
    },
    convert::{config, list},
    log, parse_options,
    portable::Transfer,
};

/// Holds the plugin's state from `setup` or `init` on.
pub struct Slot<T>(RefCell<Option<T>>);

impl<T> Slot<T> {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    fn put(&self, state: T) {
        *self.0.borrow_mut() = Some(state);
    }

    /// Traps when the host breaks the contract by a call before `init`.
    #[expect(clippy::expect_used, reason = "a broken contract must trap")]
    fn with<R>(&self, call: impl FnOnce(&mut T) -> R) -> R {
        call(
            self.0
                .borrow_mut()
                .as_mut()
                .expect("the host called the plugin before setup or init succeeded"),
        )
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Trainable> Slot<T> {
    /// Calls [`Trainable::setup`].
    pub fn setup(&self, info: wit::TrialInfo, pairs: wit::Config) -> Result<(), wit::Failure> {
        log::hook_panics();
        self.put(T::setup(&info.into(), &config(pairs))?);
        Ok(())
    }

    /// Calls [`Trainable::step`].
    pub fn step(&self) -> Result<wit::Report, wit::Failure> {
        Ok(self.with(T::step)?.into())
    }

    /// Calls [`Trainable::reconfigure`].
    pub fn reconfigure(&self, change: wit::Change) -> Result<wit::Reconfigured, wit::Failure> {
        Ok(self.with(|t| t.reconfigure(&change.into()))?.into())
    }
}

impl<T: PortableState> Slot<T> {
    /// Calls [`PortableState::save`] at offset 0.
    pub fn save_chunk(
        &self,
        transfer: &Transfer,
        offset: u64,
        max_len: u32,
    ) -> Result<Vec<u8>, wit::Failure> {
        Ok(transfer.save_chunk(offset, max_len, || self.with(|t| t.save()))?)
    }

    /// Calls [`PortableState::restore`] at the empty chunk.
    pub fn restore_chunk(
        &self,
        transfer: &Transfer,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), wit::Failure> {
        Ok(transfer.restore_chunk(offset, bytes, |state| self.with(|t| t.restore(state)))?)
    }
}

/// Options first: they are read from the same record that `init` is shown.
fn start<O: PluginOptions, T>(
    setup: wit::Setup,
    init: impl FnOnce(&Setup, O) -> Result<T, Vec<OptionError>>,
) -> Result<T, Vec<wit::OptionError>> {
    log::hook_panics();
    let setup: Setup = setup.into();
    parse_options(&setup.options)
        .and_then(|options| init(&setup, options))
        .map_err(list)
}

impl<T: Searcher> Slot<T> {
    /// Calls [`Searcher::init`].
    pub fn init_searcher(&self, setup: wit::Setup) -> Result<(), Vec<wit::OptionError>> {
        start(setup, T::init).map(|state| self.put(state))
    }

    /// Calls [`Searcher::suggest`].
    pub fn suggest(
        &self,
        trial: u32,
        pinned: wit::Config,
    ) -> Result<wit_searcher::Suggestion, wit::Failure> {
        Ok(self.with(|s| s.suggest(trial, &config(pinned)))?.into())
    }

    /// Calls [`Searcher::observe`].
    pub fn observe(&self, trial: u32, report: wit::Report, state: wit::TrialState) {
        self.with(|s| s.observe(trial, &report.into(), state.into()));
    }

    /// Calls [`Searcher::complete`].
    pub fn complete(&self, trial: u32, outcome: wit::Outcome) {
        self.with(|s| s.complete(trial, &outcome.into()));
    }

    /// Calls [`Searcher::seed_with`].
    pub fn seed_with(&self, known: Vec<wit::Observation>) {
        self.with(|s| s.seed_with(&list(known)));
    }

    /// Calls [`Searcher::regret_bound`].
    pub fn regret_bound(&self) -> Option<f64> {
        self.with(Searcher::regret_bound)
    }
}

impl<T: Scheduler> Slot<T> {
    /// Calls [`Scheduler::init`].
    pub fn init_scheduler(&self, setup: wit::Setup) -> Result<(), Vec<wit::OptionError>> {
        start(setup, T::init).map(|state| self.put(state))
    }

    /// Calls [`Scheduler::on_add`].
    pub fn on_add(&self, trial: u32, pairs: wit::Config) -> Vec<wit_scheduler::Action> {
        list(self.with(|s| s.on_add(trial, &config(pairs))))
    }

    /// Calls [`Scheduler::on_result`].
    pub fn on_result(&self, trial: u32, report: wit::Report) -> Vec<wit_scheduler::Action> {
        list(self.with(|s| s.on_result(trial, &report.into())))
    }

    /// Calls [`Scheduler::on_complete`].
    pub fn on_complete(&self, trial: u32, last: Option<wit::Report>) -> Vec<wit_scheduler::Action> {
        let last = last.map(Report::from);
        list(self.with(|s| s.on_complete(trial, last.as_ref())))
    }

    /// Calls [`Scheduler::on_error`].
    pub fn on_error(
        &self,
        trial: u32,
        kind: wit::FailureKind,
        will_retry: bool,
    ) -> Vec<wit_scheduler::Action> {
        list(self.with(|s| s.on_error(trial, kind.into(), will_retry)))
    }

    /// Calls [`Scheduler::on_remove`].
    pub fn on_remove(&self, trial: u32) -> Vec<wit_scheduler::Action> {
        list(self.with(|s| s.on_remove(trial)))
    }

    /// Calls [`Scheduler::next_to_run`].
    pub fn next_to_run(&self, creation: wit_scheduler::Creation) -> wit_scheduler::Turn {
        self.with(|s| s.next_to_run(creation.into())).into()
    }

    /// Calls [`Scheduler::describe`].
    pub fn describe(&self) -> String {
        self.with(|s| s.describe())
    }
}
