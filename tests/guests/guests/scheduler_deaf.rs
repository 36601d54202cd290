//! Says that it ignores results, and panics if it is told one.

use tune_plugin::{
    Action, Config, Creation, Next, NoOptions, OptionError, Report, Scheduler, Setup, TrialId, Turn,
};
use tune_test_guests::Pending;

struct Deaf(Pending);

impl Scheduler for Deaf {
    const NAME: &'static str = "scheduler-deaf";
    const SUMMARY: &'static str = "Ignores results, and panics if it is told one";
    const IGNORES_RESULTS: bool = true;
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self(Pending::default()))
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.0.add(trial);
        Vec::new()
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn on_result(&mut self, trial: TrialId, _: &Report) -> Vec<Action> {
        panic!("it was told a result of trial {trial}")
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.0.remove(trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.0.turn(creation, Next::Done)
    }
}

tune_plugin::export_scheduler!(Deaf);
