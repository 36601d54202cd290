//! The searcher `bohb`: the model of BOHB (S. Falkner, A. Klein, F. Hutter, 2018, *BOHB: Robust and
//! Efficient Hyperparameter Optimization at Scale*, arXiv:1807.01774), with the numbers of HpBandSter
//! 0.7.4. Together with the scheduler `hyperband` and its option `bohb = true` it is the whole method.
//!
//! Results are kept by budget: a trial's first result at or past each `max_t x reduction_factor^-k`.
//! The largest budget with enough of them has the model. Departures from HpBandSter: results of lower
//! budgets are kept after a higher one has a model; configurations of discrete spaces do not repeat;
//! from 1,000 results of a budget on, the good are the best of as many as 1,000 would have and the bad the
//! newest of as many; densities are no narrower than 0.05 instead of 0.001: with light tails that narrow, the ratio of
//! two densities is largest far away from all results (docs/searchers.md has the numbers).

mod kde;

use std::{cmp::Reverse, collections::BTreeMap};

use kde::{Axis, Kde};
use tune_plugin::{
    Config, Domain, Ending, Failure, Objective, Observation, OptionError, Outcome, Proposal,
    Report, Searcher, Setup, Space, Stream, Suggestion, TrialId, TrialState, Used,
};

/// Budgets at most: below the last one a result says next to nothing.
const MAX_BUDGETS: usize = 30;
/// Results with which the shares of the good and the bad no longer grow, so that a suggestion is bounded:
/// as many kernels as `tpe` has. The paper's 15 % of them are the best 150 then.
const MOST_MODELLED: usize = 1_000;
/// How often a repeated configuration is drawn anew before the next unused one is taken in order.
const REDRAWS: u32 = 20;

/// Options of `bohb`.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Budgets are `max_t` divided by powers of this: as for the scheduler.
    #[option(default = 3.0, exclusive_minimum = 1.0, maximum = 1000.0)]
    pub reduction_factor: f64,
    /// Good results, and as many bad ones, before a budget has a model; 0 for one more than there
    /// are parameters. Never fewer than that.
    #[option(default = 0, minimum = 0, maximum = 100000)]
    pub min_points_in_model: u32,
    /// Share of the results that are good, in percent.
    #[option(default = 15.0, exclusive_minimum = 0.0, exclusive_maximum = 100.0)]
    pub top_n_percent: f64,
    /// Candidates among which the most promising is suggested.
    #[option(default = 64, minimum = 1, maximum = 10000)]
    pub num_samples: u32,
    /// Share of configurations that are random, whatever the model says.
    #[option(default = 0.333_333_333_333_333_3, minimum = 0.0, maximum = 1.0)]
    pub random_fraction: f64,
    /// Candidates are drawn so many times as wide as the densities are.
    #[option(default = 3.0, exclusive_minimum = 0.0, maximum = 100.0)]
    pub bandwidth_factor: f64,
    /// Densities are no narrower than this, the range being 1.
    #[option(default = 0.05, exclusive_minimum = 0.0, maximum = 1.0)]
    pub min_bandwidth: f64,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// Points, one a trial.
type Rows = Vec<Vec<f64>>;

/// A trial: where it is, and its loss by budget, the largest budget first; NaN where it has none.
#[derive(Clone, Debug)]
struct Known {
    point: Vec<f64>,
    losses: Vec<f64>,
}

/// The searcher.
#[derive(Debug)]
pub struct Bohb {
    space: Space,
    axes: Vec<Axis>,
    options: Options,
    objective: Objective,
    time_attr: String,
    /// The largest first; a single one without `max_t`.
    budgets: Vec<f64>,
    stream: Stream,
    trials: Vec<Known>,
    places: BTreeMap<TrialId, usize>,
    used: Option<Used>,
}

impl Searcher for Bohb {
    const NAME: &'static str = "bohb";
    const SUMMARY: &'static str =
        "The model of BOHB, for the scheduler hyperband with `bohb = true`";
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let [objective] = setup.objectives.as_slice() else {
            return Err(vec![OptionError {
                key: "objectives".to_owned(),
                message: format!("bohb needs one objective, not {}", setup.objectives.len()),
                hint: "name it by `metric` and `mode`, or use `random`".to_owned(),
            }]);
        };
        let axis = |domain: &Domain| match domain {
            Domain::Choice(values) => Axis::Choice(values.len() as u64),
            _ => Axis::Number,
        };
        let mut budgets = Vec::new();
        let mut budget = setup.max_t.filter(|t| *t > 0.0).unwrap_or(0.0);
        while budgets.is_empty() || (budget >= 1.0 && budgets.len() < MAX_BUDGETS) {
            budgets.push(budget);
            budget /= options.reduction_factor;
        }
        Ok(Self {
            axes: space.parameters().iter().map(|p| axis(&p.domain)).collect(),
            objective: objective.clone(),
            time_attr: setup.time_attr.clone(),
            budgets,
            stream: Stream::new(setup.seed),
            trials: Vec::new(),
            places: BTreeMap::new(),
            used: options.unique.then(|| Used::new(&space, 0)),
            space,
            options,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.space.pin(pinned)?;
        let used = self.used.take();
        let is_new = |config: &Config| used.as_ref().is_none_or(|used| used.is_new(config));
        let mut config = self.propose(&part);
        for _ in 1..REDRAWS {
            if is_new(&config) {
                break;
            }
            config = self.propose(&part);
        }
        let unused = used.as_ref().map(|used| used.unused_from(&part, &config));
        self.used = used;
        match unused {
            Some(Some(unused)) => config = unused,
            Some(None) if pinned.is_empty() => return Ok(Suggestion::Exhausted),
            // Whoever pins keys wants the trial, repeated or not.
            Some(None) | None => {}
        }
        if let Some(used) = &mut self.used {
            used.record(&config);
        }
        self.places.insert(trial, self.trials.len());
        self.add(&config);
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn observe(&mut self, trial: TrialId, report: &Report, _: TrialState) {
        if let Some(place) = self.places.get(&trial) {
            self.learn(*place, report);
        }
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        if let Some(place) = self.places.get(&trial).copied() {
            self.end(place, outcome.ending, outcome.last.as_ref());
        }
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            if let Some(used) = &mut self.used {
                used.record(&observation.config);
            }
            if self.space.check(&observation.config).is_ok() {
                self.add(&observation.config);
                let place = self.trials.len() - 1;
                self.end(place, observation.ending, observation.last.as_ref());
            }
        }
    }
}

impl Bohb {
    fn add(&mut self, config: &Config) {
        let parameters = self.space.parameters().iter().zip(&self.axes);
        let at = parameters.map(|(p, axis)| {
            let place = config.get(&p.name).and_then(|value| match axis {
                Axis::Choice(_) => p.domain.position(value).map(|k| k as f64),
                Axis::Number => p.domain.to_unit(value),
            });
            place.unwrap_or(f64::NAN)
        });
        self.trials.push(Known {
            point: at.collect(),
            losses: vec![f64::NAN; self.budgets.len()],
        });
    }

    /// A result counts at every budget that it is the first to reach.
    fn learn(&mut self, place: usize, report: &Report) {
        let time = report.get(&self.time_attr).unwrap_or(f64::INFINITY);
        let loss = report.get(&self.objective.metric).map(|value| {
            if self.objective.maximize {
                -value
            } else {
                value
            }
        });
        // What is no finite number is bad.
        let loss = loss
            .filter(|loss| loss.is_finite())
            .unwrap_or(f64::INFINITY);
        if let Some(known) = self.trials.get_mut(place) {
            for (budget, slot) in self.budgets.iter().zip(&mut known.losses) {
                if *budget <= time && slot.is_nan() {
                    *slot = loss;
                }
            }
        }
    }

    /// A failure is bad at the next budget that the trial would have reached.
    fn end(&mut self, place: usize, ending: Ending, last: Option<&Report>) {
        if let Some(report) = last {
            self.learn(place, report);
        }
        if matches!(ending, Ending::Failed(_))
            && let Some(known) = self.trials.get_mut(place)
            && let Some(next) = known.losses.iter_mut().rev().find(|loss| loss.is_nan())
        {
            *next = f64::INFINITY;
        }
    }

    fn propose(&mut self, part: &Space) -> Config {
        let random = self.stream.unit() < self.options.random_fraction;
        let rows = if random { None } else { self.split() };
        let Some((good, bad)) = rows else {
            let stream = &mut self.stream;
            return part.resolve(|p, _| p.domain.sample(stream));
        };
        let good = self.filled(&good);
        let bad = self.filled(&bad);
        let least = self.options.min_bandwidth;
        let (good, bad) = (
            Kde::new(&self.axes, good, least),
            Kde::new(&self.axes, bad, least),
        );
        let factor = self.options.bandwidth_factor;
        let mut best = (f64::NEG_INFINITY, Vec::new());
        for _ in 0..self.options.num_samples {
            let sample = good.sample(factor, &mut self.stream);
            let ratio = good.density(&sample) / bad.density(&sample);
            if ratio > best.0 {
                best = (ratio, sample);
            }
        }
        let stream = &mut self.stream;
        let (whole, axes) = (&self.space, &self.axes);
        part.resolve(|parameter, _| {
            let place = whole.place(&parameter.name);
            let parts = place
                .and_then(|i| Some((whole.parameters().get(i)?, axes.get(i)?, *best.1.get(i)?)));
            let value = parts.and_then(|(whole, axis, x)| match axis {
                Axis::Choice(_) => whole.domain.nth(x as u64),
                Axis::Number => Some(whole.domain.from_unit(x)),
            });
            match value {
                Some(value) if parameter.domain.contains(&value) => value,
                _ => parameter.domain.sample(stream),
            }
        })
    }

    /// Good and bad points of the largest budget that has enough of both.
    fn split(&self) -> Option<(Rows, Rows)> {
        let least = (self.axes.len() + 1).max(self.options.min_points_in_model as usize);
        (0..self.budgets.len()).find_map(|budget| {
            let mut told: Vec<(f64, usize)> = (self.trials.iter().enumerate())
                .filter_map(|(place, known)| Some((*known.losses.get(budget)?, place)))
                .filter(|(loss, _)| !loss.is_nan())
                .collect();
            let modelled = told.len().min(MOST_MODELLED);
            let share = |percent: f64| (percent * modelled as f64 / 100.0) as usize;
            let good = least.max(share(self.options.top_n_percent));
            let bad = least.max(share(100.0 - self.options.top_n_percent));
            if told.len() < good + least {
                return None;
            }
            let by_loss =
                |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            told.sort_unstable_by(by_loss);
            let (first, rest) = told.split_at_mut(good);
            if modelled == MOST_MODELLED {
                // Of the bad the newest: they are closest to what is suggested now.
                rest.sort_unstable_by_key(|(_, place)| Reverse(*place));
            }
            let points = |part: &[(f64, usize)]| {
                let known = part.iter().filter_map(|(_, place)| self.trials.get(*place));
                known.map(|known| known.point.clone()).collect::<Vec<_>>()
            };
            Some((points(first), points(rest.get(..bad).unwrap_or(rest))))
        })
    }

    /// Gaps of inactive parameters are filled from a random row that has them, or from anywhere.
    fn filled(&mut self, rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut filled = rows.to_vec();
        for row in &mut filled {
            for (i, (x, axis)) in row.iter_mut().zip(&self.axes).enumerate() {
                if x.is_nan() {
                    let values = rows
                        .iter()
                        .filter_map(|row| row.get(i))
                        .filter(|x| !x.is_nan());
                    let values: Vec<f64> = values.copied().collect();
                    let chosen = self.stream.below(values.len() as u64) as usize;
                    *x = values.get(chosen).copied().unwrap_or_else(|| match axis {
                        Axis::Number => self.stream.unit(),
                        Axis::Choice(count) => self.stream.below(*count) as f64,
                    });
                }
            }
        }
        filled
    }
}

tune_plugin::export_searcher!(Bohb);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::{Parameter, RealRange, parse_options};

    #[test]
    fn of_thousands_of_results_the_best_and_the_newest_of_the_bad_are_modelled() {
        let (low, high, log, step) = (0.0, 1.0, false, None);
        let setup = Setup {
            space: vec![Parameter {
                name: "x".to_owned(),
                domain: Domain::Real(RealRange {
                    low,
                    high,
                    log,
                    step,
                }),
                conditions: Vec::new(),
            }],
            objectives: vec![Objective {
                metric: "loss".to_owned(),
                maximize: false,
            }],
            constraints: Vec::new(),
            time_attr: "training_iteration".to_owned(),
            max_t: None,
            trials: None,
            slots: 1,
            seed: 0,
            options: "{}".to_owned(),
        };
        let mut bohb = Bohb::init(&setup, parse_options("{}").unwrap()).unwrap();
        // The earlier, the better: the good are the first, and among the bad the last are the newest.
        let known = |place: u32| Known {
            point: vec![f64::from(place)],
            losses: vec![f64::from(place)],
        };
        let places = |rows: Rows| -> Vec<f64> {
            let mut places: Vec<f64> = rows.into_iter().flatten().collect();
            places.sort_by(f64::total_cmp);
            places
        };
        let upto = |range: std::ops::Range<u32>| range.map(f64::from).collect::<Vec<_>>();
        bohb.trials = (0..999).map(known).collect();
        let (good, bad) = bohb.split().unwrap();
        assert_eq!((places(good), places(bad)), (upto(0..149), upto(149..998)));
        bohb.trials = (0..5_000).map(known).collect();
        let (good, bad) = bohb.split().unwrap();
        assert_eq!(
            (places(good), places(bad)),
            (upto(0..150), upto(4_150..5_000))
        );
    }
}
