//! The searcher `tpe`: the tree-structured Parzen estimator (Bergstra et al., 2011), multivariate,
//! from the defaults of Optuna 5 on.
//!
//! In order of the calls: until `n_startup_trials` have results or run, random draws. Then the trials
//! are split into a few good and many bad ones (`history`), a mixture of kernels is fitted to each
//! set for every block of parameters (`blocks`, `pair`, `parzen`, `column`, `kernel`), candidates are drawn from
//! the good one and refined, and the candidate is taken whose density is highest in the good one
//! relative to the bad one.
//!
//! Beside Optuna: kernels of the good set get narrower with all trials, not with the good ones alone, and
//! weigh by rank, but for one suggestion in five; candidates are refined; failures and values that are no number count as bad; configurations of a discrete
//! space do not repeat; paused trials teach too; of the bad set only the newest 1,000 have a kernel,
//! so that the cost of a suggestion is bounded; the cell of a logarithmic whole number k reaches
//! from k to k + 1, as it is drawn, not from k - 1/2 to k + 1/2.

mod blocks;
mod column;
mod history;
mod kernel;
mod pair;
mod parzen;

use blocks::Block;
use column::Axis;
use history::History;
use pair::{Pair, View};
use parzen::{Coordinate, Mixture, Scratch};
use tune_plugin::{
    Config, Domain, Failure, Observation, OptionError, Outcome, Proposal, Report, Searcher, Setup,
    Space, Stream, Suggestion, TrialId, TrialState, Used, Value,
};
use tune_search::Judge;

/// Share of the suggestions that look at the good set from afar. Without them a run of a thousand trials
/// on many peaks stays on one; with twice as many the last decades of one valley are lost.
const FAR_SHARE: f64 = 0.2;
/// How far a refined candidate goes from the best one towards a draw: all the way is another draw, and
/// much less changes nothing.
const PULL: f64 = 0.5;
/// How often a repeated configuration is drawn anew before the next unused one is taken in order.
const ATTEMPTS: u32 = 8;
/// The same for random draws, which cost next to nothing.
const RANDOM_ATTEMPTS: u32 = 100;

/// Options of `tpe`.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Model all parameters jointly; else each by itself.
    #[option(default = true)]
    pub multivariate: bool,
    /// Model conditional parameters that are active together jointly; else each by itself.
    #[option(default = true)]
    pub group: bool,
    /// Count running trials as bad, so that others keep away from them.
    #[option(default = true)]
    pub constant_liar: bool,
    /// Trials with results or running ones before which configurations are drawn at random; half of them must have results.
    #[option(default = 10, minimum = 0, maximum = 100000)]
    pub n_startup_trials: u32,
    /// Candidates among which the most promising is suggested; the last third refines the best of the others.
    #[option(default = 24, minimum = 1, maximum = 10000)]
    pub n_ei_candidates: u32,
    /// Share of the trials that count as good, of which there are at most 25.
    #[option(default = 0.1, exclusive_minimum = 0.0, maximum = 1.0)]
    pub gamma: f64,
    /// Failed trials count as the worst, or not at all.
    #[option(default = "worst", one_of = ["worst", "ignore"])]
    pub on_error: String,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// The searcher.
#[derive(Debug)]
pub struct Tpe {
    space: Space,
    options: Options,
    stream: Stream,
    judge: Judge,
    history: History,
    blocks: Vec<Block>,
    /// By parameter: which block it is in.
    block_of: Vec<Option<usize>>,
    used: Option<Used>,
}

impl Searcher for Tpe {
    const NAME: &'static str = "tpe";
    const SUMMARY: &'static str =
        "Tree-structured Parzen estimator, multivariate, closing in by rank";
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let [objective] = setup.objectives.as_slice() else {
            return Err(vec![OptionError {
                key: "objectives".to_owned(),
                message: format!("tpe needs one objective, not {}", setup.objectives.len()),
                hint: "name it by `metric` and `mode`, or use `random`".to_owned(),
            }]);
        };
        let blocks = blocks::split(&space, options.multivariate, options.group);
        let block_with = |place| {
            let has = |block: &Block| block.iter().any(|(member, _)| *member == place);
            blocks.iter().position(has)
        };
        Ok(Self {
            judge: Judge {
                objective: objective.clone(),
                constraints: setup.constraints.clone(),
                time_attr: setup.time_attr.clone(),
                failures_count: options.on_error == "worst",
            },
            stream: Stream::new(setup.seed),
            history: History::default(),
            block_of: (0..space.parameters().len()).map(block_with).collect(),
            used: options.unique.then(|| Used::new(&space, 0)),
            blocks,
            space,
            options,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.space.pin(pinned)?;
        let drawn = if self.is_starting() {
            self.draw(&part)
        } else {
            self.propose(&part)
        };
        let unused = match &self.used {
            Some(used) => used.unused_from(&part, &drawn),
            None => Some(drawn.clone()),
        };
        let config = match unused {
            Some(config) => config,
            None if pinned.is_empty() => return Ok(Suggestion::Exhausted),
            // Whoever pins keys wants the trial, repeated or not.
            None => drawn,
        };
        if let Some(used) = &mut self.used {
            used.record(&config);
        }
        self.history.ask(trial, self.point(&config));
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        // An ended trial is told of by `complete`, with how it ended.
        if state == TrialState::Paused {
            self.history.tell(trial, Some(self.judge.paused(report)));
        }
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        self.history.tell(trial, rank);
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            let rank = self
                .judge
                .ended(observation.ending, observation.last.as_ref());
            if let Some(rank) = rank {
                self.history.add(self.point(&observation.config), rank);
            }
            if let Some(used) = &mut self.used {
                used.record(&observation.config);
            }
        }
    }
}

impl Tpe {
    /// A trial that another searcher has suggested and that has not ended.
    pub fn adopt(&mut self, trial: TrialId, config: &Config) {
        if let Some(used) = &mut self.used {
            used.record(config);
        }
        self.history.ask(trial, self.point(config));
    }

    /// So many trials that have a result or run are drawn at random, and more while not even half as many have one.
    fn is_starting(&self) -> bool {
        let first = self.options.n_startup_trials as usize;
        let results = self.history.informative();
        results + self.history.running() < first || results < first.div_ceil(2)
    }

    fn is_new(&self, config: &Config) -> bool {
        self.used.as_ref().is_none_or(|used| used.is_new(config))
    }

    /// A random draw, an unused one if that is quickly found.
    fn draw(&mut self, part: &Space) -> Config {
        let mut config = Config::new();
        for _ in 0..RANDOM_ATTEMPTS {
            config = part.build(|_, p| p.domain.sample(&mut self.stream));
            if self.is_new(&config) {
                break;
            }
        }
        config
    }

    /// The model's suggestion, an unused one if that is quickly found.
    fn propose(&mut self, part: &Space) -> Config {
        let split = self
            .history
            .split(self.options.gamma, self.options.constant_liar);
        let stream = &mut self.stream;
        let view = if stream.unit() < FAR_SHARE {
            View::Far
        } else {
            View::Near
        };
        let blocks = self.blocks.iter();
        let pairs: Vec<Pair> = blocks.map(|b| Pair::fit(b, &split, view, stream)).collect();
        let mut config = Config::new();
        for _ in 0..ATTEMPTS {
            config = self.compose(part, &pairs);
            if self.is_new(&config) {
                break;
            }
        }
        config
    }

    /// Chooses the values of one block after the other, parents first.
    fn compose(&mut self, part: &Space, pairs: &[Pair]) -> Config {
        let mut config = Config::new();
        for (place, parameter) in part.parameters().iter().enumerate() {
            // A block is chosen as a whole at its first parameter.
            if config.get(&parameter.name).is_some() || !parameter.is_active(&config) {
                continue;
            }
            let block = self.block_of.get(place).copied().flatten();
            match block.and_then(|b| Some((self.blocks.get(b)?.clone(), pairs.get(b)?))) {
                Some((block, pair)) => config = self.choose(part, &block, pair, config),
                None => {
                    let value = parameter.domain.sample(&mut self.stream);
                    config.insert(parameter.name.as_str(), value);
                }
            }
        }
        config
    }

    /// Adds the most promising candidate of a block to a configuration: first draws from the good set,
    /// the last third between the best one so far and another draw. Where one block is the whole space,
    /// used candidates count only if all are.
    fn choose(&mut self, part: &Space, block: &Block, pair: &Pair, config: Config) -> Config {
        let counted = self.used.as_ref().is_some_and(Used::remembers);
        let alone = self.blocks.len() == 1 && counted;
        let mut best: Option<Candidate> = None;
        let candidates = self.options.n_ei_candidates;
        // Their memory is used again for the next candidate.
        let (mut next, mut coordinates) = (Candidate::default(), Vec::new());
        let mut scratch = Scratch::default();
        for step in 0..candidates {
            pair.good.sample(&mut self.stream, &mut next.draw);
            if step >= candidates - candidates / 3
                && let Some(best) = &best
            {
                pull(&mut next.draw, &best.draw, block, &mut self.stream);
            }
            next.values.clear();
            coordinates.clear();
            for ((place, axis), u) in block.iter().zip(&next.draw) {
                let (Some(whole), Some(narrow)) = (
                    self.space.parameters().get(*place),
                    part.parameters().get(*place),
                ) else {
                    continue;
                };
                let mut value = from_coordinate(&whole.domain, *axis, *u);
                if !narrow.domain.contains(&value) {
                    value = narrow.domain.sample(&mut self.stream);
                }
                coordinates.push(coordinate(&whole.domain, *axis, &value));
                next.values.push(value);
            }
            let mut log = |mixture: &Mixture| mixture.log_density(&coordinates, &mut scratch);
            next.score = log(&pair.good) - log(&pair.bad);
            next.is_new = !alone || self.is_new(&self.with(&config, block, &next.values));
            match &mut best {
                Some(best) if next.is_better(best) => std::mem::swap(best, &mut next),
                Some(_) => {}
                None => best = Some(std::mem::take(&mut next)),
            }
        }
        let values = best.map_or_else(Vec::new, |best| best.values);
        self.with(&config, block, &values)
    }

    /// A configuration with these values of a block.
    fn with(&self, config: &Config, block: &Block, values: &[Value]) -> Config {
        let mut all = config.clone();
        for ((place, _), value) in block.iter().zip(values) {
            if let Some(parameter) = self.space.parameters().get(*place) {
                all.insert(parameter.name.as_str(), value.clone());
            }
        }
        all
    }

    /// Coordinates by parameter: NaN for inactive ones and values outside their domain.
    fn point(&self, config: &Config) -> Vec<f64> {
        let at = |(p, value): (&tune_plugin::Parameter, Option<&Value>)| match &p.domain {
            Domain::Choice(_) => p.domain.position(value?).map(|i| i as f64),
            _ => p.domain.to_unit(value?),
        };
        let parameters = self.space.parameters().iter();
        let all = parameters.zip(self.space.values(config));
        all.map(|one| at(one).unwrap_or(f64::NAN)).collect()
    }
}

/// Values of a block that may be suggested.
#[derive(Default)]
struct Candidate {
    /// Coordinates as they were drawn.
    draw: Vec<f64>,
    values: Vec<Value>,
    /// No trial has them, as far as that counts.
    is_new: bool,
    /// The logarithm of how much likelier they are among good trials than among bad ones.
    score: f64,
}

impl Candidate {
    fn is_better(&self, other: &Self) -> bool {
        let order = (self.is_new, self.score).partial_cmp(&(other.is_new, other.score));
        order == Some(std::cmp::Ordering::Greater)
    }
}

/// Pulls a draw towards the best candidate: some coordinates become those of the best one, the more the
/// higher a share that is drawn first; the other numbers come half way.
fn pull(draw: &mut [f64], best: &[f64], block: &Block, stream: &mut Stream) {
    let share = stream.unit();
    for ((u, best), (_, axis)) in draw.iter_mut().zip(best).zip(block) {
        if stream.unit() < share {
            *u = *best;
        } else if *axis == Axis::Number {
            *u = (best + PULL * (*u - best)).clamp(0.0, 1.0);
        }
    }
}

/// The value at a coordinate that a mixture has drawn.
fn from_coordinate(domain: &Domain, axis: Axis, u: f64) -> Value {
    match axis {
        Axis::Number => domain.from_unit(u),
        Axis::Category(_) => domain.nth(u as u64).unwrap_or(Value::Boolean(false)),
    }
}

/// Where a mixture looks for a value of the domain.
fn coordinate(domain: &Domain, axis: Axis, value: &Value) -> Coordinate {
    match axis {
        Axis::Number => {
            let (low, high) = domain.cell(value).unwrap_or((0.5, 0.5));
            Coordinate::Cell(low, high)
        }
        Axis::Category(_) => Coordinate::Category(domain.position(value).unwrap_or(0) as u32),
    }
}
