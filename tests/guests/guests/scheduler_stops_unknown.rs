//! Stops a trial that does not exist, at every report.

use tune_plugin::{
    Action, Config, Creation, FailureKind, Next, NoOptions, OptionError, Report, Scheduler, Setup,
    TrialId, Turn,
};
use tune_test_guests::Pending;

struct StopsUnknown(Pending);

impl Scheduler for StopsUnknown {
    const NAME: &'static str = "scheduler-stops-unknown";
    const SUMMARY: &'static str = "Stops trials that do not exist";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self(Pending::default()))
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.0.add(trial);
        Vec::new()
    }

    fn on_result(&mut self, _: TrialId, _: &Report) -> Vec<Action> {
        vec![Action::Stop(TrialId::MAX)]
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
        self.0.turn(creation, Next::Done)
    }

    fn describe(&self) -> String {
        Self::SUMMARY.to_owned()
    }
}

tune_plugin::export_scheduler!(StopsUnknown);
