//! The searcher `cmaes`: CMA-ES (N. Hansen, 2016, arXiv:1604.00772) on the unit cube, from its middle
//! and with the width 1/6 as in Optuna 5.
//!
//! Beside Optuna: a quadratic model stands for results that have not come (lq-CMA-ES); choices have a
//! distribution of their own (CatCMA) instead of random draws; whole numbers and steps keep their
//! neighbours within reach (CMA-ES with margin) by default; a spent distribution begins anew with twice
//! the population; results that come late are learned from with bounded length instead of being
//! dropped; failures and values that are no number rank last; paused and stopped trials teach; earlier
//! results shape the first distribution.

mod axes;
mod optimizer;
mod restarts;
mod surrogate;

use axes::{Axes, Place};
use optimizer::{Method, Optimizer};
use restarts::{Start, Strategy};
use tune_plugin::{
    Config, Failure, Observation, OptionError, Outcome, Proposal, Report, Searcher, Setup, Space,
    Stream, Suggestion, TrialId, TrialState, Used,
};
use tune_search::{Judge, Rank, default_population};

/// Above so many dimensions only variances are learned: a covariance would cost more than it gains
/// within the trials of a run.
const MAX_FULL: usize = 100;
/// How often a repeated configuration is drawn anew before the next unused one is taken in order.
const REDRAWS: u32 = 20;
/// Earlier results before the first distribution is shaped by the best tenth of them. With fewer than five in that
/// tenth it would have next to no shape; they are learned from like results that come late.
const MIN_KNOWN: usize = 50;

/// Options of `cmaes`.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// First width of the distribution, the range of every parameter being 1.
    #[option(
        default = 0.166_666_666_666_666_67,
        exclusive_minimum = 0.0,
        maximum = 1.0
    )]
    pub sigma0: f64,
    /// Trials of a generation; 0 for 4 + floor(3 ln dimensions).
    #[option(default = 0, minimum = 0, maximum = 1000)]
    pub popsize: u32,
    /// Trials that are drawn from the whole space before the first generation.
    #[option(default = 0, minimum = 0, maximum = 100000)]
    pub n_startup_trials: u32,
    /// What comes after a distribution is spent: one of twice the population (`ipop`), small and
    /// large ones in turn (`bipop`), or nothing (`none`).
    #[option(default = "ipop", one_of = ["ipop", "bipop", "none"])]
    pub restart_strategy: String,
    /// Learn variances only, not how parameters depend on each other. Always above 100 parameters.
    #[option(default = false)]
    pub use_separable_cma: bool,
    /// Keep the neighbours of whole numbers and steps within reach.
    #[option(default = true)]
    pub with_margin: bool,
    /// Let a quadratic model of the results stand for those of a generation that have not come, as long as it
    /// puts the newest ones in order.
    #[option(default = true)]
    pub surrogate: bool,
    /// Adapt the learning rates to the noise of the results.
    #[option(default = false)]
    pub lr_adapt: bool,
    /// Failed trials count as the worst, or not at all.
    #[option(default = "worst", one_of = ["worst", "ignore"])]
    pub on_error: String,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// The searcher.
#[derive(Debug)]
pub struct Cmaes {
    space: Space,
    axes: Axes,
    method: Method,
    judge: Judge,
    stream: Stream,
    startup: u32,
    known: Vec<(Rank, Config)>,
    /// None before the first suggestion.
    optimizer: Option<Optimizer>,
    used: Option<Used>,
}

impl Searcher for Cmaes {
    const NAME: &'static str = "cmaes";
    const SUMMARY: &'static str = "CMA-ES with margin, categories and restarts";
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let [objective] = setup.objectives.as_slice() else {
            return Err(vec![OptionError {
                key: "objectives".to_owned(),
                message: format!("cmaes needs one objective, not {}", setup.objectives.len()),
                hint: "name it by `metric` and `mode`, or use `random`".to_owned(),
            }]);
        };
        if options.popsize == 1 {
            return Err(vec![OptionError {
                key: "popsize".to_owned(),
                message: "a generation of one trial has no better half".to_owned(),
                hint: "2 or more, or 0 for the default".to_owned(),
            }]);
        }
        let axes = Axes::new(&space);
        let dimensions = axes.dimensions() + axes.categories().len();
        let population = match options.popsize {
            0 => default_population(dimensions),
            given => given as usize,
        };
        Ok(Self {
            judge: Judge {
                objective: objective.clone(),
                constraints: setup.constraints.clone(),
                time_attr: setup.time_attr.clone(),
                failures_count: options.on_error == "worst",
            },
            method: Method {
                first: Start {
                    population,
                    sigma: options.sigma0,
                },
                strategy: match options.restart_strategy.as_str() {
                    "none" => Strategy::None,
                    "bipop" => Strategy::Bipop,
                    _ => Strategy::Ipop,
                },
                separable: options.use_separable_cma || axes.dimensions() > MAX_FULL,
                margin: options.with_margin,
                adapts_rates: options.lr_adapt,
                assisted: options.surrogate,
            },
            stream: Stream::new(setup.seed),
            startup: options.n_startup_trials,
            known: Vec::new(),
            optimizer: None,
            used: options.unique.then(|| Used::new(&space, 0)),
            axes,
            space,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.space.pin(pinned)?;
        let mut optimizer = self.optimizer.take().unwrap_or_else(|| self.begin());
        let proposed = self.propose(&part, &mut optimizer);
        let Some((config, place, drawn)) =
            proposed.or_else(|| self.repeat(&part, pinned, &mut optimizer))
        else {
            self.optimizer = Some(optimizer);
            return Ok(Suggestion::Exhausted);
        };
        optimizer.ask(trial, place, drawn);
        self.optimizer = Some(optimizer);
        self.startup = self.startup.saturating_sub(1);
        if let Some(used) = &mut self.used {
            used.record(&config);
        }
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        // An ended trial is told of by `complete`, with how it ended.
        if state == TrialState::Paused
            && let Some(optimizer) = &mut self.optimizer
        {
            let rank = Some(self.judge.paused(report));
            optimizer.tell(trial, rank, &mut self.stream);
        }
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        if let Some(optimizer) = &mut self.optimizer {
            optimizer.tell(trial, rank, &mut self.stream);
        }
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            let last = observation.last.as_ref();
            if let Some(rank) = self.judge.ended(observation.ending, last) {
                self.known.push((rank, observation.config.clone()));
            }
            if let Some(used) = &mut self.used {
                used.record(&observation.config);
            }
        }
    }
}

impl Cmaes {
    /// A trial that another searcher has suggested and that has not ended. To be called after
    /// [`Searcher::seed_with`].
    pub fn adopt(&mut self, trial: TrialId, config: &Config) {
        if let Some(used) = &mut self.used {
            used.record(config);
        }
        let mut optimizer = self.optimizer.take().unwrap_or_else(|| self.begin());
        let place = self.axes.place(config, &self.middle());
        optimizer.ask(trial, place, false);
        self.optimizer = Some(optimizer);
    }

    /// The middle of the cube, and every first alternative.
    fn middle(&self) -> Place {
        Place {
            x: vec![0.5; self.axes.dimensions()],
            chosen: vec![0; self.axes.categories().len()],
        }
    }

    /// The first distribution.
    fn begin(&mut self) -> Optimizer {
        let middle = self.middle();
        let place = |(rank, config)| (rank, self.axes.place(&config, &middle));
        let known = std::mem::take(&mut self.known);
        let known: Vec<(Rank, Place)> = known.into_iter().map(place).collect();
        let good = good(&known);
        let mut optimizer = Optimizer::new(self.axes.clone(), self.method.clone(), &good);
        for (rank, place) in known {
            if good.is_empty() {
                optimizer.inject(place, rank, &mut self.stream);
            } else {
                optimizer.know(place, rank);
            }
        }
        optimizer
    }

    /// An unused configuration, its point, and whether that is the point as it was drawn; none if
    /// all were used.
    fn propose(
        &mut self,
        part: &Space,
        optimizer: &mut Optimizer,
    ) -> Option<(Config, Place, bool)> {
        let mut config = Config::new();
        let mut place = Place {
            x: Vec::new(),
            chosen: Vec::new(),
        };
        for _ in 0..REDRAWS {
            place = self.draw(optimizer);
            let stream = &mut self.stream;
            config = self
                .axes
                .config(part, &place, |domain| domain.sample(stream));
            if self.used.as_ref().is_none_or(|used| used.is_new(&config)) {
                return Some(self.placed(config, place));
            }
        }
        let used = self.used.as_ref()?;
        let config = used.unused_from(part, &config)?;
        Some(self.placed(config, place))
    }

    /// A configuration that was used before, for whoever pins keys: that one wants the trial.
    fn repeat(
        &mut self,
        part: &Space,
        pinned: &Config,
        optimizer: &mut Optimizer,
    ) -> Option<(Config, Place, bool)> {
        if pinned.is_empty() {
            return None;
        }
        let place = self.draw(optimizer);
        let stream = &mut self.stream;
        let config = self
            .axes
            .config(part, &place, |domain| domain.sample(stream));
        Some(self.placed(config, place))
    }

    fn draw(&mut self, optimizer: &mut Optimizer) -> Place {
        if self.startup == 0 {
            return optimizer.draw(&mut self.stream);
        }
        let stream = &mut self.stream;
        let counts = self.axes.categories();
        Place {
            x: (0..self.axes.dimensions()).map(|_| stream.unit()).collect(),
            chosen: counts
                .iter()
                .map(|k| stream.below(*k as u64) as usize)
                .collect(),
        }
    }

    /// The drawn point stands for the configuration unless pinned values or an unused neighbour took
    /// the place of it.
    fn placed(&self, config: Config, drawn: Place) -> (Config, Place, bool) {
        let same = |domain: &tune_plugin::Domain| domain.from_unit(0.5);
        let as_drawn = self.axes.config(&self.space, &drawn, same);
        if self.startup == 0 && as_drawn == config {
            return (config, drawn, true);
        }
        let place = self.axes.place(&config, &drawn);
        (config, place, false)
    }
}

/// The best tenth of enough earlier results.
fn good(known: &[(Rank, Place)]) -> Vec<Place> {
    if known.len() < MIN_KNOWN {
        return Vec::new();
    }
    let mut ranked: Vec<&(Rank, Place)> = known.iter().collect();
    // Stable: among equals the earlier one.
    ranked.sort_by_key(|(rank, _)| *rank);
    let best = ranked.iter().take(known.len().div_ceil(10));
    let best = best.filter(|(rank, _)| !rank.is_worst());
    best.map(|(_, place)| place.clone()).collect()
}
