//! Panics when it is asked.

use tune_plugin::{Config, Failure, NoOptions, OptionError, Searcher, Setup, Suggestion, TrialId};

struct Traps;

impl Searcher for Traps {
    const NAME: &'static str = "searcher-traps";
    const SUMMARY: &'static str = "Panics when it is asked";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn suggest(&mut self, trial: TrialId, _: &Config) -> Result<Suggestion, Failure> {
        panic!("no idea for trial {trial}")
    }
}

tune_plugin::export_searcher!(Traps);
