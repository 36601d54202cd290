//! Always answers `wait`: with nothing in flight that is a deadlock.

use tune_plugin::{Config, Failure, NoOptions, OptionError, Searcher, Setup, Suggestion, TrialId};

struct Waits;

impl Searcher for Waits {
    const NAME: &'static str = "searcher-waits";
    const SUMMARY: &'static str = "Always waits";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
    }

    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Suggestion, Failure> {
        Ok(Suggestion::Wait)
    }
}

tune_plugin::export_searcher!(Waits);
