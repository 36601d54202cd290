//! Suggests a parameter that the space does not have.

use tune_plugin::{
    Config, Failure, NoOptions, OptionError, Proposal, Searcher, Setup, Suggestion, TrialId,
};

struct Outside;

impl Searcher for Outside {
    const NAME: &'static str = "searcher-outside-space";
    const SUMMARY: &'static str = "Suggests what is not in the space";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
    }

    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Suggestion, Failure> {
        let mut config = Config::new();
        config.insert("no_such_parameter", 1.0);
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }
}

tune_plugin::export_searcher!(Outside);
