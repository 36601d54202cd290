//! Pauses every trial at its first report and never starts one again.

use tune_plugin::{
    Action, Creation, FailureKind, Next, NoOptions, OptionError, Report, Scheduler, Setup, TrialId,
    Turn,
};

struct PausesAll;

impl Scheduler for PausesAll {
    const NAME: &'static str = "scheduler-pauses-all";
    const SUMMARY: &'static str = "Pauses everything and starts nothing again";
    const PAUSES: bool = true;
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
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

    fn on_remove(&mut self, _: TrialId) -> Vec<Action> {
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        Turn {
            actions: Vec::new(),
            next: match creation {
                Creation::Possible => Next::Create,
                Creation::Waiting | Creation::Closed => Next::Idle,
            },
        }
    }

    fn describe(&self) -> String {
        Self::SUMMARY.to_owned()
    }
}

tune_plugin::export_scheduler!(PausesAll);
