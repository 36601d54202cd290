//! Answers `idle` for ever: a deadlock.

use tune_plugin::{
    Action, Creation, FailureKind, Next, NoOptions, OptionError, Report, Scheduler, Setup, TrialId,
    Turn,
};

struct Idles;

impl Scheduler for Idles {
    const NAME: &'static str = "scheduler-idles";
    const SUMMARY: &'static str = "Never starts anything";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
    }

    fn on_result(&mut self, _: TrialId, _: &Report) -> Vec<Action> {
        Vec::new()
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

    fn next_to_run(&mut self, _: Creation) -> Turn {
        Turn {
            actions: Vec::new(),
            next: Next::Idle,
        }
    }

    fn describe(&self) -> String {
        Self::SUMMARY.to_owned()
    }
}

tune_plugin::export_scheduler!(Idles);
