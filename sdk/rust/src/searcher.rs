//! The trait of search algorithms.

use tune_space::{
    Config, Failure, Observation, OptionError, Outcome, Report, Setup, Suggestion, TrialId,
    TrialState,
};

use crate::PluginOptions;

/// A search algorithm. One instance of the plugin is one run, called in the deterministic order of
/// the run; randomness comes from `setup.seed` alone.
pub trait Searcher: Sized + 'static {
    /// By which experiments name the plugin.
    const NAME: &'static str;
    /// One sentence for lists of plugins.
    const SUMMARY: &'static str;
    /// It models results by their configurations, so that a scheduler which changes configurations
    /// in mid-training would mislead it. If false, neither reports nor ends of trials nor earlier
    /// results can change what it suggests, and it is told none of them. By default true.
    const LEARNS: bool = true;
    /// It answers `regret_bound` once it knows enough, so that a plan may stop by regret. By default
    /// false.
    const BOUNDS_REGRET: bool = false;
    /// It gives trials budgets of their own where the plan has a `max_t`, which only the scheduler
    /// `fifo` lets it do. By default false.
    const BUDGETS: bool = false;
    /// It starts trials from states of earlier ones (`start_from`): the state of a trial that reached
    /// its budget is kept for that, and the trainable must allow copies of its states. If it has an
    /// option `continue`, only where that is true. By default false.
    const CLONES: bool = false;
    /// What a `[searcher]` table may hold; [`crate::NoOptions`] if nothing.
    type Options: PluginOptions;

    /// Called once, before everything else.
    ///
    /// # Errors
    /// Every option that is wrong, at once.
    fn init(setup: &Setup, options: Self::Options) -> Result<Self, Vec<OptionError>>;

    /// A configuration for a new trial, with the values of `pinned` as they are.
    ///
    /// # Errors
    /// The suggestion is asked again; three errors in a row stop the run.
    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure>;

    /// Called for every report that is handed over, if it learns. By default nothing.
    fn observe(&mut self, _trial: TrialId, _report: &Report, _state: TrialState) {}

    /// Called once when a trial has ended, if it learns. By default nothing.
    fn complete(&mut self, _trial: TrialId, _outcome: &Outcome) {}

    /// Results that no trial of this run has, at most 1,000 a call: before the first `suggest`, and
    /// under `ask-tell` whenever a result from elsewhere is told; if it learns. By default nothing.
    fn seed_with(&mut self, _known: &[Observation]) {}

    /// Bound on how much better than the best result any result could be, in units of the first
    /// objective; a number of 0 or more. Called after each `complete`, only when the plan stops by
    /// regret. By default unknown.
    fn regret_bound(&mut self) -> Option<f64> {
        None
    }
}
