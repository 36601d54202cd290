//! A searcher for those who only look at a scheduler.

use tune_plugin::{NoOptions, Searcher};
use tune_space::{
    Config, Failure, OptionError, Proposal, Setup, Space, Stream, Suggestion, TrialId,
};

/// Independent draws from the space, without end: `trials` of the plan bounds a run.
#[derive(Debug)]
pub struct Draws {
    space: Space,
    stream: Stream,
}

impl Searcher for Draws {
    const NAME: &'static str = "draws";
    const SUMMARY: &'static str = "Independent draws from the space";
    const LEARNS: bool = false;
    type Options = NoOptions;

    fn init(setup: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        Ok(Self {
            space,
            stream: Stream::new(setup.seed),
        })
    }

    fn suggest(&mut self, _: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        Ok(Suggestion::Configure(Proposal {
            config: self.space.sample(&mut self.stream, pinned)?,
            ..Proposal::default()
        }))
    }
}
