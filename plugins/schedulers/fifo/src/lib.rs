//! The scheduler `fifo`: every trial runs to its end, in the order of creation.

use tune_plugin::{Action, Config, Creation, NoOptions, OptionError};
use tune_plugin::{Scheduler, Setup, TrialId, Turn, schedule::Queue};

/// The queue is all there is.
pub struct Fifo(Queue);

impl Scheduler for Fifo {
    const NAME: &'static str = "fifo";
    const SUMMARY: &'static str = "Every trial runs to its end, in the order of creation";
    const IGNORES_RESULTS: bool = true;
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self(Queue::default()))
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.0.add(trial)
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.0.remove(trial)
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.0.next(creation)
    }
}

tune_plugin::export_scheduler!(Fifo);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::{FailureKind, Next, Report};

    #[test]
    fn trials_run_in_the_order_of_creation_and_none_is_stopped() {
        let mut fifo = Fifo(Queue::default());
        assert_eq!(fifo.next_to_run(Creation::Possible).next, Next::Create);
        for trial in [0, 1, 2] {
            assert_eq!(fifo.on_add(trial, &Config::new()), []);
        }
        fifo.on_remove(1);
        assert_eq!(fifo.next_to_run(Creation::Possible).next, Next::Run(0));
        assert_eq!(fifo.on_result(0, &Report::default()), []);
        assert_eq!(fifo.on_error(0, FailureKind::Trap, true), []);
        assert_eq!(fifo.next_to_run(Creation::Waiting).next, Next::Run(2));
        assert_eq!(fifo.next_to_run(Creation::Waiting).next, Next::Idle);
        assert_eq!(fifo.next_to_run(Creation::Closed).next, Next::Done);
    }
}
