//! Panics at the first report.

use tune_plugin::{
    Action, Creation, FailureKind, Next, NoOptions, OptionError, Report, Scheduler, Setup, TrialId,
    Turn,
};

struct Traps;

impl Scheduler for Traps {
    const NAME: &'static str = "scheduler-traps";
    const SUMMARY: &'static str = "Panics at the first report";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn on_result(&mut self, trial: TrialId, _: &Report) -> Vec<Action> {
        panic!("cannot judge trial {trial}")
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
                Creation::Waiting => Next::Idle,
                Creation::Closed => Next::Done,
            },
        }
    }

    fn describe(&self) -> String {
        Self::SUMMARY.to_owned()
    }
}

tune_plugin::export_scheduler!(Traps);
