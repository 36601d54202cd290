//! Pauses every trial at its first report and never starts one again.

use tune_plugin::{
    Action, Config, Creation, FailureKind, Next, NoOptions, OptionError, Report, Scheduler, Setup,
    TrialId, Turn,
};
use tune_test_guests::Pending;

struct PausesAll(Pending);

impl Scheduler for PausesAll {
    const NAME: &'static str = "scheduler-pauses-all";
    const SUMMARY: &'static str = "Pauses everything and starts nothing again";
    const PAUSES: bool = true;
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self(Pending::default()))
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.0.add(trial);
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, _: &Report) -> Vec<Action> {
        vec![Action::Pause(trial)]
    }

    fn on_complete(&mut self, _: TrialId, _: Option<&Report>) -> Vec<Action> {
        Vec::new()
    }

    fn on_error(&mut self, _: TrialId, _: FailureKind, _: bool) -> Vec<Action> {
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.0.remove(trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.0.turn(creation, Next::Idle)
    }

    fn describe(&self) -> String {
        Self::SUMMARY.to_owned()
    }
}

tune_plugin::export_scheduler!(PausesAll);
