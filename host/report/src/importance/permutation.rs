//! Permutation importance on a Gaussian process: the values of one parameter are exchanged between
//! trials, and the mean square by which that changes what the model expects is how much the parameter
//! matters (L. Breiman, 2001, *Random Forests*; A. Fisher, C. Rudin, F. Dominici, 2019, *All Models are
//! Wrong, but Many are Useful*). Halved, and with parameters drawn independently, that is Jansen's
//! estimate of the total-effect variance (M. Jansen, 1999): interactions count for all that take part.
//!
//! A conditional parameter is exchanged between the trials in which it is active. With a parent its
//! children come along: those that become active have the other trial's values.

use tune_core::records::{Config, Domain, Parameter, Space, Stream, Value};
use tune_model::{Axis, Fit, Gp, Kernel, Lbfgsb, Matern, Points, Standard};

use super::Sample;

/// The cost of a fit grows with the cube: of more trials, evenly chosen ones.
const MAX_TRIALS: usize = 300;
/// Each trial is compared with so many others.
const EXCHANGES: usize = 10;
/// The same run always gives the same numbers.
const SEED: u64 = 0;
/// Logarithms of scale, weights and noise of the model.
const SCALE: (f64, f64) = (-7.0, 7.0);
const WEIGHT: (f64, f64) = (-12.0, 8.0);
const NOISE: (f64, f64) = (-13.8, 0.0);
/// The variance of the noise to begin with, of values with variance 1.
const FIRST_NOISE: f64 = 1e-3;
/// Deviation of the normal prior of each logarithm around its first value: wide, so that it only
/// decides what few trials leave open.
const PRIOR_DEVIATION: f64 = 3.0;

/// What the model says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    /// An importance for each parameter, not normalised.
    pub(super) importances: Vec<f64>,
    /// The share of the variance of the objective that the model foretells of trials that it has not
    /// seen; below 0 if worse than the mean does.
    pub(super) explained: f64,
}

/// None if the model cannot be fitted.
pub(super) fn importances(space: &Space, samples: &[Sample<'_>]) -> Option<Judged> {
    let samples = chosen(samples);
    let losses: Vec<f64> = samples.iter().map(|s| s.loss).collect();
    let standard = Standard::of(&losses);
    let losses: Vec<f64> = losses.iter().map(|l| standard.scaled(*l)).collect();
    let points: Vec<Vec<f64>> = samples.iter().map(|s| point(space, s.config)).collect();
    let gp = fit(space, &points, &losses)?;
    let missed: f64 = gp.leave_one_out().iter().map(|e| e * e).sum();
    let all: f64 = losses.iter().map(|l| l * l).sum();
    let before: Vec<f64> = points.iter().map(|p| gp.mean(p)).collect();
    let mut stream = Stream::new(SEED);
    let parameters = space.parameters().iter();
    let importances = parameters.map(|parameter| {
        let mut active: Vec<usize> = (0..samples.len())
            .filter(|i| value(&samples, *i, parameter).is_some())
            .collect();
        let varies = active.iter().map(|i| value(&samples, *i, parameter));
        if varies.clone().all(|v| v == varies.clone().next().flatten()) {
            return 0.0;
        }
        let mut sum = 0.0;
        for _ in 0..EXCHANGES {
            stream.shuffle(&mut active);
            let others = active.iter().skip(1).chain(active.first());
            for (own, other) in active.iter().zip(others) {
                let (Some(own_sample), Some(other), Some(before)) =
                    (samples.get(*own), samples.get(*other), before.get(*own))
                else {
                    continue;
                };
                let config = exchanged(space, parameter, own_sample.config, other.config);
                let change = gp.mean(&point(space, &config)) - before;
                sum += change * change;
            }
        }
        sum / (EXCHANGES * samples.len()) as f64
    });
    Some(Judged {
        importances: importances.collect(),
        explained: 1.0 - missed / all,
    })
}

fn value<'a>(samples: &[&'a Sample<'_>], at: usize, parameter: &Parameter) -> Option<&'a Value> {
    samples.get(at)?.config.get(&parameter.name)
}

/// All, or evenly spaced ones in the order of creation.
fn chosen<'a, 'b>(samples: &'a [Sample<'b>]) -> Vec<&'a Sample<'b>> {
    let n = samples.len();
    let taken = n.min(MAX_TRIALS);
    (0..taken)
        .filter_map(|i| samples.get(i * n / taken))
        .collect()
}

/// `own` with the value that `parameter` has in `other`, and with what that makes active.
fn exchanged(space: &Space, parameter: &Parameter, own: &Config, other: &Config) -> Config {
    space.resolve(|p, _| {
        let (first, second) = if p.name == parameter.name {
            (other, own)
        } else {
            (own, other)
        };
        let value = first.get(&p.name).or_else(|| second.get(&p.name));
        // Active in neither: only with two parents.
        value.cloned().unwrap_or_else(|| p.domain.from_unit(0.5))
    })
}

/// Coordinates of a configuration: positions of choices, places in the unit cube of everything else,
/// NaN for what is not active.
fn point(space: &Space, config: &Config) -> Vec<f64> {
    let place = |p: &Parameter| {
        let value = config.get(&p.name)?;
        match (&p.domain, value) {
            (Domain::Choice(_), _) => p.domain.position(value).map(|k| k as f64),
            // A scheduler may have moved it out of its range.
            (domain, Value::Number(x)) => domain.to_unit(&domain.nearest(*x)?),
            (domain, Value::Integer(i)) => match domain.to_unit(value) {
                Some(place) => Some(place),
                None => domain.to_unit(&domain.nearest(*i as f64)?),
            },
            (domain, _) => domain.to_unit(value),
        }
    };
    let parameters = space.parameters().iter();
    parameters.map(|p| place(p).unwrap_or(f64::NAN)).collect()
}

fn fit(space: &Space, points: &[Vec<f64>], losses: &[f64]) -> Option<Gp<Matern>> {
    let axis = |p: &Parameter| match p.domain {
        Domain::Choice(_) => Axis::Category,
        _ => Axis::Number,
    };
    let axes: Vec<Axis> = space.parameters().iter().map(axis).collect();
    let kernel = Matern::new(axes);
    let mut start = kernel.parameters();
    start.push(libm::log(FIRST_NOISE));
    let prior = |at: &[f64], slopes: &mut [f64]| {
        let mut sum = 0.0;
        for ((x, start), slope) in at.iter().zip(&start).zip(slopes.iter_mut()) {
            let off = (x - start) / PRIOR_DEVIATION;
            sum -= 0.5 * off * off;
            *slope -= off / PRIOR_DEVIATION;
        }
        sum
    };
    let mut bounds = vec![SCALE];
    bounds.extend(vec![WEIGHT; space.parameters().len()]);
    bounds.push(NOISE);
    let fit = Fit {
        bounds: &bounds,
        prior: Some(&prior),
        minimizer: Lbfgsb::default(),
    };
    let points: Points = points.iter().map(Vec::as_slice).collect();
    Gp::fit(&kernel, FIRST_NOISE, &points, losses, &fit)
}
