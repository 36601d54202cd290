//! Says that it does not learn, and panics if it is told what came of a trial.

use tune_plugin::{
    Config, Failure, NoOptions, Observation, OptionError, Outcome, Proposal, Report, Searcher,
    Setup, Suggestion, TrialId, TrialState,
};

struct Deaf;

impl Searcher for Deaf {
    const NAME: &'static str = "searcher-deaf";
    const SUMMARY: &'static str = "Does not learn, and panics if it is told what came of a trial";
    const LEARNS: bool = false;
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
    }

    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Suggestion, Failure> {
        let config = ["x0", "x1"].map(|name| (name.to_owned(), 1.0.into()));
        Ok(Suggestion::Configure(Proposal {
            config: config.into_iter().collect(),
            ..Proposal::default()
        }))
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn observe(&mut self, trial: TrialId, _: &Report, _: TrialState) {
        panic!("it was told a report of trial {trial}")
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn complete(&mut self, trial: TrialId, _: &Outcome) {
        panic!("it was told the end of trial {trial}")
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn seed_with(&mut self, _: &[Observation]) {
        panic!("it was told earlier results")
    }
}

tune_plugin::export_searcher!(Deaf);
