//! The searcher `gp`: Bayesian optimisation with a Gaussian process (J. Mockus, 1975; J. Snoek, H.
//! Larochelle, R. Adams, 2012), with model and priors of Optuna 5's `GPSampler` and the logarithm of
//! the expected improvement (S. Ament et al., 2023, *Unexpected Improvements to Expected Improvement*).
//!
//! Beside Optuna: a quasi-random start; values below the median are warped by rank (Vizier); weights
//! are expected to be smaller in many dimensions; failures count as the worst; inactive parameters
//! equal each other, and inactive numbers are in the middle to active ones; stopped and paused trials
//! teach at the resource that they reached; running trials are believed to give what the model expects,
//! and the next one is to be better; a second model knows the neighbourhood of the best result alone, or
//! of the best one of a branch, and suggests in turn with the first ([`near`], [`turns`], [`apart`]); at
//! most 600 results, the best and the newest, are modelled, and 200 of those fit its parameters, so that
//! the cost of a suggestion is bounded.

mod acquire;
mod apart;
mod data;
mod frame;
mod near;
mod regret;
mod surrogate;
mod turns;

use acquire::{Promise, Search};
use data::{Data, Observed};
use frame::Frame;
use near::Near;
use surrogate::Fitted;
use tune_model::{Gp, Matern};
use tune_plugin::{
    Config, Failure, Observation, OptionError, Outcome, Proposal, Report, Searcher, Setup, Space,
    Stream, Suggestion, TrialId, TrialState, Used,
};
use tune_search::{Judge, Points as _, Scramble, Sobol};
use turns::{Model, Turns};

/// Results before which the neighbourhood of the best one is not looked at.
const MIN_NEAR: usize = 12;
/// Points of the sequence before the next unused configuration is taken in order.
const REDRAWS: u32 = 20;

/// Options of `gp`.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Results before which configurations are quasi-random.
    #[option(default = 10, minimum = 1, maximum = 100000)]
    pub n_startup_trials: u32,
    /// The metric has no noise: equal configurations give equal results.
    #[option(default = false)]
    pub deterministic_objective: bool,
    /// Failed trials count as the worst, or not at all.
    #[option(default = "worst", one_of = ["worst", "ignore"])]
    pub on_error: String,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// The searcher.
#[derive(Debug)]
pub struct GpSearch {
    frame: Frame,
    options: Options,
    judge: Judge,
    max_t: Option<f64>,
    stream: Stream,
    start: Sobol,
    data: Data,
    fitted: Option<Fitted>,
    used: Option<Used>,
    turns: Turns,
}

impl Searcher for GpSearch {
    const NAME: &'static str = "gp";
    const SUMMARY: &'static str = "Bayesian optimisation with a Gaussian process";
    const BOUNDS_REGRET: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let [objective] = setup.objectives.as_slice() else {
            return Err(vec![OptionError {
                key: "objectives".to_owned(),
                message: format!("gp needs one objective, not {}", setup.objectives.len()),
                hint: "name it by `metric` and `mode`, or use `random`".to_owned(),
            }]);
        };
        let mut stream = Stream::new(setup.seed);
        Ok(Self {
            judge: Judge {
                objective: objective.clone(),
                constraints: setup.constraints.clone(),
                time_attr: setup.time_attr.clone(),
                failures_count: options.on_error == "worst",
            },
            max_t: setup.max_t.filter(|t| *t > 0.0 && t.is_finite()),
            start: Sobol::new(space.parameters().len(), Scramble::Owen(stream.u64())),
            stream,
            data: Data::default(),
            fitted: None,
            turns: Turns::new(),
            used: options.unique.then(|| Used::new(&space, 0)),
            frame: Frame::new(space),
            options,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.frame.space.pin(pinned)?;
        let modelled = if self.data.informative() < self.options.n_startup_trials as usize {
            None
        } else {
            self.propose(&part)
        };
        let (proposed, model) = match modelled {
            Some((config, model)) => (config, Some(model)),
            None => (self.spread(&part), None),
        };
        let unused = match &self.used {
            Some(used) => used.unused_from(&part, &proposed),
            None => Some(proposed.clone()),
        };
        let config = match unused {
            Some(config) => config,
            None if pinned.is_empty() => return Ok(Suggestion::Exhausted),
            // Whoever pins keys wants the trial, repeated or not.
            None => proposed,
        };
        if let Some(used) = &mut self.used {
            used.record(&config);
        }
        self.data.ask(trial, config.clone(), model);
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        // An ended trial is told of by `complete`, with how it ended.
        if state == TrialState::Paused {
            self.data.tell(trial, Some(self.judge.paused(report)));
        }
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        if let Some((model, is_best)) = self.data.tell(trial, rank) {
            self.turns.judge(model, is_best);
        }
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            let last = observation.last.as_ref();
            if let Some(rank) = self.judge.ended(observation.ending, last)
                && self.frame.space.check(&observation.config).is_ok()
            {
                self.data.add(observation.config.clone(), rank);
            }
            if let Some(used) = &mut self.used {
                used.record(&observation.config);
            }
        }
    }

    /// Suggestions stay what they would be if nobody asked.
    fn regret_bound(&mut self) -> Option<f64> {
        if self.data.informative() < self.options.n_startup_trials as usize {
            return None;
        }
        let observed = self.data.whole(&self.frame, self.max_t)?;
        let exact = self.options.deterministic_objective;
        let gp = surrogate::fit(&self.frame, &observed, &mut self.fitted.clone(), exact)?;
        regret::bound(&self.frame, &gp, &observed, &mut self.stream.clone())
    }
}

impl GpSearch {
    /// A trial that another searcher has suggested and that has not ended.
    pub fn adopt(&mut self, trial: TrialId, config: &Config) {
        if let Some(used) = &mut self.used {
            used.record(config);
        }
        self.data.ask(trial, config.clone(), None);
    }

    fn is_new(&self, config: &Config) -> bool {
        self.used.as_ref().is_none_or(|used| used.is_new(config))
    }

    /// The next point of the sequence, an unused one if that is quickly found.
    fn spread(&mut self, part: &Space) -> Config {
        let mut config = Config::new();
        for _ in 0..REDRAWS {
            config = part.decode(&self.start.next_point());
            if self.is_new(&config) {
                break;
            }
        }
        config
    }

    /// What a model promises most of; none if there is no model.
    fn propose(&mut self, part: &Space) -> Option<(Config, Model)> {
        let observed = self.data.whole(&self.frame, self.max_t)?;
        // With the parameters of the last fit the model is not made before its turn comes.
        let fitted = if surrogate::is_current(self.fitted.as_ref(), observed.values.len()) {
            None
        } else {
            Some(self.fit(&observed)?)
        };
        // Pinned values may be others than those of the best result.
        if observed.values.len() >= MIN_NEAR
            && *part == self.frame.space
            && let Some(near) = self.nearby()
        {
            return Some(near);
        }
        let mut gp = match fitted {
            Some(gp) => gp,
            None => self.fit(&observed)?,
        };
        let best = self.believe(&mut gp, observed.best);
        let search = Search {
            frame: &self.frame,
            part,
            gp: &gp,
            promise: Promise::Improvement(best),
            leader: &observed.leader,
            bounds: &self.frame.cube,
        };
        let candidates = search.run(&mut self.stream);
        let new = candidates.iter().find(|c| self.is_new(&c.config));
        let best = new.or(candidates.first())?;
        Some((best.config.clone(), Model::Whole))
    }

    /// The model of the whole space.
    fn fit(&mut self, observed: &Observed) -> Option<Gp<Matern>> {
        let exact = self.options.deterministic_objective;
        surrogate::fit(&self.frame, observed, &mut self.fitted, exact)
    }

    /// A new configuration around the best one, or the best one of a branch, if it is a neighbourhood's
    /// turn; none if nothing is known there or nothing is new.
    fn nearby(&mut self) -> Option<(Config, Model)> {
        let turn = self.turns.next();
        if turn == Model::Whole {
            return None;
        }
        let observed = &self.data.observed(&self.frame, self.max_t)?;
        let exact = self.options.deterministic_objective;
        let mut centres = near::centres(observed);
        if turn == Model::Near {
            centres.truncate(1);
        }
        let mut best: Option<(f64, Config, Model)> = None;
        for place in centres {
            let Some(near) = near::around(&self.frame, observed, place, exact) else {
                continue;
            };
            let Some((promise, config)) = self.within(near) else {
                continue;
            };
            if best.as_ref().is_none_or(|(most, ..)| promise > *most) {
                let leads = place == observed.place;
                let model = if leads { Model::Near } else { Model::Branch };
                best = Some((promise, config, model));
            }
        }
        best.map(|(_, config, model)| (config, model))
    }

    /// The most promising new configuration of a neighbourhood, and the logarithm of what it promises in
    /// units of the objective.
    fn within(&mut self, mut near: Near) -> Option<(f64, Config)> {
        let best = self.believe(&mut near.gp, near.best);
        let search = Search {
            frame: &self.frame,
            part: &near.part,
            gp: &near.gp,
            promise: Promise::Improvement(best),
            leader: &near.centre,
            bounds: &near.bounds,
        };
        let candidates = search.run(&mut self.stream);
        let new = candidates.iter().find(|c| self.is_new(&c.config))?;
        Some((new.score + libm::log(near.unit), new.config.clone()))
    }

    /// Running trials give what is expected of them; the best value with that. A next one must promise
    /// more than they do, or it would be suggested where the best of them runs.
    fn believe(&self, gp: &mut Gp<Matern>, mut best: f64) -> f64 {
        for config in self.data.running() {
            let point = self.frame.point(config, 1.0);
            let expected = gp.predict(&point).mean;
            if gp.push(&point, expected) {
                best = best.max(expected);
            }
        }
        best
    }
}
