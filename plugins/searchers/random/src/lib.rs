//! The searcher `random`: independent draws from the distributions of the space.
//!
//! Ordered parameters (`grid` in an experiment file) are crossed as in Ray Tune: the n-th trial
//! takes the n-th cell of their grid, the first name turning fastest, round and round; everything
//! else is drawn afresh.

use tune_plugin::{
    Condition, Config, Domain, Failure, Observation, OptionError, Parameter, Proposal, Searcher,
    Setup, Space, Stream, Suggestion, TrialId, Used, Walk,
};

/// Draws before the next unused configuration is looked up in order: rejection alone is slow when
/// a space is nearly used up.
const DRAWS: u32 = 100;

/// Options of `random`.
#[tune_plugin::options]
pub struct Options {
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// The searcher.
#[derive(Debug)]
pub struct Random {
    space: Space,
    stream: Stream,
    used: Option<Used>,
    /// The grid of the ordered parameters.
    cells: Option<Walk>,
}

impl Searcher for Random {
    const NAME: &'static str = "random";
    const SUMMARY: &'static str = "Draws from the distributions of the space; crosses `grid` ones";
    const LEARNS: bool = false;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        Ok(Self {
            cells: cells(&space),
            used: options.unique.then(|| Used::new(&space, 0)),
            stream: Stream::new(setup.seed),
            space,
        })
    }

    fn suggest(&mut self, _: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        if !pinned.is_empty() && self.space.check(pinned).is_ok() {
            // There is nothing to draw, and whoever pins all wants the trial, repeated or not.
            self.used.iter_mut().for_each(|used| used.record(pinned));
            return Ok(Suggestion::Configure(Proposal {
                config: pinned.clone(),
                ..Proposal::default()
            }));
        }
        let part = self.space.pin(pinned)?;
        let cell = self.cell(pinned);
        let mut config = draw(&part, &cell, &mut self.stream);
        if let Some(used) = &mut self.used {
            for _ in 1..DRAWS {
                if used.is_new(&config) {
                    break;
                }
                config = draw(&part, &cell, &mut self.stream);
            }
            match used.unused_from(&part, &config) {
                Some(unused) => config = unused,
                None if pinned.is_empty() => return Ok(Suggestion::Exhausted),
                // Whoever pins keys wants the trial, repeated or not.
                None => {}
            }
            used.record(&config);
        }
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn seed_with(&mut self, known: &[Observation]) {
        if let Some(used) = &mut self.used {
            for observation in known {
                used.record(&observation.config);
            }
        }
    }
}

impl Random {
    /// The next cell of the grid. Points to evaluate that pin a part of it leave it where it is.
    fn cell(&mut self, pinned: &Config) -> Config {
        let Some(cells) = &mut self.cells else {
            return Config::new();
        };
        let cell = cells.config();
        if pinned.iter().any(|(name, _)| cell.get(name).is_some()) {
            return Config::new();
        }
        cells.advance();
        cell
    }
}

/// A draw in which ordered parameters have the values of the cell, where the part allows.
fn draw(part: &Space, cell: &Config, stream: &mut Stream) -> Config {
    part.resolve(|parameter, _| match cell.get(&parameter.name) {
        Some(value) if parameter.domain.contains(value) => value.clone(),
        _ => parameter.domain.sample(stream),
    })
}

/// The grid of the ordered parameters, as if those that they depend on were all active.
fn cells(space: &Space) -> Option<Walk> {
    let is_ordered = |p: &Parameter| matches!(p.domain, Domain::Ordered(_));
    let inside = |c: &Condition| space.get(&c.parent).is_some_and(is_ordered);
    let ordered: Vec<Parameter> = space
        .parameters()
        .iter()
        .filter(|p| is_ordered(p))
        .map(|p| Parameter {
            conditions: p.conditions.iter().filter(|c| inside(c)).cloned().collect(),
            ..p.clone()
        })
        .collect();
    if ordered.is_empty() {
        return None;
    }
    Walk::new(Space::new(ordered).ok()?, 0)
}

tune_plugin::export_searcher!(Random);
