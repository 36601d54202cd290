//! Deciders out of plugins that are linked natively: no sandbox, no limits.

use tune_core::{Deciders, EnginePlan, Stop, seeds};
use tune_plugin::{Scheduler, Searcher, parse_options};
use tune_space::{
    Action, Config, Creation, Failure, FailureKind, Observation, OptionError, Outcome, Report,
    Setup, Suggestion, TrialId, TrialState, Turn,
};

/// A searcher and a scheduler as the engine calls them.
#[derive(Debug)]
pub struct Native<Se, Sc> {
    /// The searcher, to look into.
    pub searcher: Se,
    /// The scheduler, to look into.
    pub scheduler: Sc,
}

impl<Se: Searcher, Sc: Scheduler> Native<Se, Sc> {
    /// Both, started as a run of this plan starts them, with the options that the plan holds; what is
    /// not given has its default. Ranges of options are checked by plugins alone, not by their
    /// schemas.
    ///
    /// # Errors
    /// Every option that is wrong.
    pub fn of_plan(plan: &EnginePlan) -> Result<Self, Vec<OptionError>> {
        Self::started(&plan.searcher_setup(), &plan.scheduler_setup())
    }

    /// The same without a plan: `setup.seed` is the seed of the run, of which each gets its own one.
    /// `setup.options` is not read; options are JSON objects, empty text is none.
    ///
    /// # Errors
    /// Every option that is wrong.
    pub fn new(
        setup: &Setup,
        searcher_options: &str,
        scheduler_options: &str,
    ) -> Result<Self, Vec<OptionError>> {
        let of = |role: &str, options: &str| Setup {
            seed: seeds::role(setup.seed, role),
            options: options.to_owned(),
            ..setup.clone()
        };
        Self::started(
            &of("searcher", searcher_options),
            &of("scheduler", scheduler_options),
        )
    }

    fn started(searcher: &Setup, scheduler: &Setup) -> Result<Self, Vec<OptionError>> {
        Ok(Self {
            searcher: Se::init(searcher, parse_options(&searcher.options)?)?,
            scheduler: Sc::init(scheduler, parse_options(&scheduler.options)?)?,
        })
    }
}

impl<Se: Searcher, Sc: Scheduler> Deciders for Native<Se, Sc> {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.searcher.seed_with(known);
        Ok(())
    }

    fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, Failure>, Stop> {
        Ok(self.searcher.suggest(trial, pinned))
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) -> Result<(), Stop> {
        self.searcher.observe(trial, report, state);
        Ok(())
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Stop> {
        self.searcher.complete(trial, outcome);
        Ok(())
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        Ok(self.searcher.regret_bound())
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Result<Vec<Action>, Stop> {
        Ok(self.scheduler.on_add(trial, config))
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Result<Vec<Action>, Stop> {
        Ok(self.scheduler.on_result(trial, report))
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Result<Vec<Action>, Stop> {
        Ok(self.scheduler.on_complete(trial, last))
    }

    fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Stop> {
        Ok(self.scheduler.on_error(trial, kind, will_retry))
    }

    fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Stop> {
        Ok(self.scheduler.on_remove(trial))
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        Ok(self.scheduler.next_to_run(creation))
    }

    fn describe(&mut self) -> Result<String, Stop> {
        Ok(self.scheduler.describe())
    }
}
