//! The searcher `halton`: configurations along the Halton sequence (J. Halton, 1960), which fills a
//! space more evenly than random draws do. Its digits are permuted by the seed (J. Matousek, 1998):
//! without that, coordinates of more than a few parameters are correlated.

use tune_plugin::{
    Config, Failure, Observation, OptionError, Searcher, Setup, Space, Stream, Suggestion, TrialId,
};
use tune_search::{Filler, Halton, Scramble};

/// Options of `halton`.
#[tune_plugin::options]
pub struct Options {
    /// Permute the digits by the seed; false gives the points of the books.
    #[option(default = true)]
    pub scramble: bool,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// The searcher.
#[derive(Debug)]
pub struct HaltonSearch(Filler<Halton>);

impl Searcher for HaltonSearch {
    const NAME: &'static str = "halton";
    const SUMMARY: &'static str = "Fills the space evenly, along a scrambled Halton sequence";
    const LEARNS: bool = false;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let scramble = if options.scramble {
            Scramble::Owen(Stream::new(setup.seed).u64())
        } else {
            Scramble::None
        };
        let points = Halton::new(space.parameters().len(), scramble);
        Ok(Self(Filler::new(space, points, options.unique)))
    }

    fn suggest(&mut self, _: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        self.0.suggest(pinned)
    }

    fn seed_with(&mut self, known: &[Observation]) {
        self.0.seed_with(known);
    }
}

tune_plugin::export_searcher!(HaltonSearch);
