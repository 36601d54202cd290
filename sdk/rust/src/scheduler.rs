//! The trait of trial schedulers.

use tune_space::{
    Action, Config, Creation, FailureKind, OptionError, Report, Setup, TrialId, Turn,
};

use crate::PluginOptions;

/// A trial scheduler. One instance of the plugin is one run, called in the deterministic order of
/// the run; randomness comes from `setup.seed` alone.
pub trait Scheduler: Sized + 'static {
    /// By which experiments name the plugin.
    const NAME: &'static str;
    /// One sentence for lists of plugins.
    const SUMMARY: &'static str;
    /// It pauses trials. By default false.
    const PAUSES: bool = false;
    /// It keeps states of trials and clones them. By default false.
    const CLONES: bool = false;
    /// It changes configurations in mid-training. By default false.
    const CHANGES_CONFIG: bool = false;
    /// No report of a trial that could go on can change what it answers, now or later: `on_result` is not
    /// called. By default false.
    const IGNORES_RESULTS: bool = false;
    /// What a `[scheduler]` table may hold; [`crate::NoOptions`] if nothing.
    type Options: PluginOptions;

    /// Called once, before everything else.
    ///
    /// # Errors
    /// Every option that is wrong, at once.
    fn init(setup: &Setup, options: Self::Options) -> Result<Self, Vec<OptionError>>;

    /// Called for every new trial, before it runs. By default nothing.
    fn on_add(&mut self, _trial: TrialId, _config: &Config) -> Vec<Action> {
        Vec::new()
    }

    /// Called for every report of a trial that could go on, unless it ignores results, and not before
    /// [`Action::QuietUntil`]. It goes on if
    /// no action names it. By default nothing.
    fn on_result(&mut self, _trial: TrialId, _report: &Report) -> Vec<Action> {
        Vec::new()
    }

    /// Called once when a trial has ended by itself, at its budget or `max_t`, by a stop rule, or
    /// by the user while it ran. By default nothing.
    fn on_complete(&mut self, _trial: TrialId, _last: Option<&Report>) -> Vec<Action> {
        Vec::new()
    }

    /// Called when a step has failed; a retry needs nothing of the scheduler. With `will_retry` any
    /// action on the trial but a stop is dropped. By default nothing.
    fn on_error(&mut self, _trial: TrialId, _kind: FailureKind, _will_retry: bool) -> Vec<Action> {
        Vec::new()
    }

    /// Called when the user stops a pending or paused trial, which must not be run any more. By
    /// default nothing.
    fn on_remove(&mut self, _trial: TrialId) -> Vec<Action> {
        Vec::new()
    }

    /// What a free slot does next. Called at every handover for each free slot, at most 64 times a
    /// slot.
    fn next_to_run(&mut self, creation: Creation) -> Turn;

    /// The state of the algorithm for people, at most 8 KiB. By default its name.
    fn describe(&self) -> String {
        Self::NAME.to_owned()
    }
}
