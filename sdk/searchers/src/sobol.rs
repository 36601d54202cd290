//! The searcher `sobol`: configurations along the Sobol sequence (I. Sobol', 1967), which fills a
//! space more evenly than random draws do. Direction numbers of Joe and Kuo (2008), scrambled by
//! the seed as of Owen (1995); up to 1,024 parameters, which is as many as a space may have.
//!
//! Optuna's `QMCSampler` does not scramble by default and begins in the corner; here a point is
//! uniform in the space, so that the first one is as good as any.

use tune_plugin::{
    Config, Failure, Observation, OptionError, Searcher, Setup, Space, Stream, Suggestion, TrialId,
};
use tune_search::{Filler, Scramble, Sobol};

/// Options of `sobol`.
#[tune_plugin::options]
pub struct Options {
    /// How the seed changes the points: `owen`, `shift`, or `none` for the points of the books.
    #[option(default = "owen", one_of = ["owen", "shift", "none"])]
    pub scramble: String,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// The searcher.
#[derive(Debug)]
pub struct SobolSearch(Filler<Sobol>);

impl Searcher for SobolSearch {
    const NAME: &'static str = "sobol";
    const SUMMARY: &'static str = "Fills the space evenly, along a scrambled Sobol sequence";
    const LEARNS: bool = false;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let seed = Stream::new(setup.seed).u64();
        let scramble = match options.scramble.as_str() {
            "none" => Scramble::None,
            "shift" => Scramble::Shift(seed),
            _ => Scramble::Owen(seed),
        };
        let points = Sobol::new(space.parameters().len(), scramble);
        Ok(Self(Filler::new(space, points, options.unique)))
    }

    fn suggest(&mut self, _: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        self.0.suggest(pinned)
    }

    fn seed_with(&mut self, known: &[Observation]) {
        self.0.seed_with(known);
    }
}

impl SobolSearch {
    /// A trial that another searcher has suggested: its configuration is not tried again.
    pub fn adopt(&mut self, _: TrialId, config: &Config) {
        self.0.record(config);
    }
}
