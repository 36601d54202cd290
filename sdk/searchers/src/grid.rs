//! The searcher `grid`: every configuration once, one after the other, then the end.
//!
//! A mixed-radix counter as in Ray Tune: the first name turns fastest (a parent always slower than
//! its children). Choices, ordered values, whole numbers and multiples of a step are all visited;
//! of other real numbers `points` values, the middles of equal parts of their distribution. Nothing
//! but the present position is held, so a grid may be as large as it likes.

use tune_plugin::{
    Config, Failure, Observation, OptionError, Proposal, Searcher, Setup, Space, Suggestion,
    TrialId, Used, Walk,
};

/// Options of `grid`.
#[tune_plugin::options]
pub struct Options {
    /// Values that are tried of a real parameter without a step.
    #[option(default = 10, minimum = 1, maximum = 10000)]
    pub points: u32,
}

/// The searcher.
#[derive(Debug)]
pub struct Grid {
    space: Space,
    points: u32,
    /// The next configuration; none when all were visited.
    walk: Option<Walk>,
    /// What was suggested, so that pinned points come into the grid only once.
    used: Used,
}

impl Searcher for Grid {
    const NAME: &'static str = "grid";
    const SUMMARY: &'static str = "Tries every configuration once, the first name turning fastest";
    const LEARNS: bool = false;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        Ok(Self {
            walk: Walk::new(space.clone(), options.points),
            used: Used::new(&space, options.points),
            points: options.points,
            space,
        })
    }

    fn suggest(&mut self, _: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let next = if pinned.is_empty() {
            self.next()
        } else {
            self.pinned(pinned)?
        };
        let Some(config) = next else {
            return Ok(Suggestion::Exhausted);
        };
        self.used.record(&config);
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            self.used.record(&observation.config);
        }
    }
}

impl Grid {
    /// A trial that another searcher has suggested: its configuration is not tried again.
    pub fn adopt(&mut self, _: TrialId, config: &Config) {
        self.used.record(config);
    }

    fn next(&mut self) -> Option<Config> {
        let walk = self.walk.as_mut()?;
        loop {
            let config = walk.config();
            let more = walk.advance();
            let is_new = self.used.is_new(&config);
            if !more {
                self.walk = None;
                return is_new.then_some(config);
            }
            if is_new {
                return Some(config);
            }
        }
    }

    /// The first unused configuration with the pinned values, or a used one if there is no other:
    /// whoever pins keys wants the trial.
    fn pinned(&self, pinned: &Config) -> Result<Option<Config>, Failure> {
        let part = self.space.pin(pinned)?;
        let first = Walk::new(part.clone(), self.points).map(|walk| walk.config());
        Ok(first.map(|first| self.used.unused_from(&part, &first).unwrap_or(first)))
    }
}
