//! The model: a Gaussian process with a Matern-5/2 kernel, its parameters fitted with priors.

use tune_model::{Axis, Fit, Gp, Kernel as _, Lbfgsb, Matern, Points};

use super::data::Observed;
use super::frame::Frame;

/// Logarithms of the scale, of the weight of an axis in units of what is expected, of the variance of
/// the noise.
const SCALE: (f64, f64) = (-7.0, 7.0);
const WEIGHT: (f64, f64) = (-12.0, 8.0);
const NOISE: (f64, f64) = (-13.8, 0.0);
/// The variance of the noise to begin with.
const FIRST_NOISE: f64 = 1e-3;
/// Up to so many parameters a weight of 1 is expected; for more of them correspondingly less, so that
/// two points of the cube have something to tell of each other (C. Hvarfner, E. Hellsten, L. Nardi,
/// 2024, *Vanilla Bayesian Optimization Performs Great in High Dimensions*).
const FEW: f64 = 6.0;
/// Parameters are fitted anew when there are so many more observations than the last time: in between
/// they hardly change, and a fit costs as much as many predictions.
const GROWTH: f64 = 1.05;

/// Observations that parameters are fitted to at most, evenly over the time of the search. A fit costs
/// some dozens of times as much as the model itself, and with the cube of them: to 600 it would take
/// more fuel than a call has by default (20e9 units), to these a tenth of it.
pub(super) const MAX_FITTED: usize = 200;

/// The parameters of the last fit, for the next one to begin with.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    kernel: Matern,
    noise: f64,
    points: usize,
}

/// Whether the parameters of the last fit do for so many observations.
pub(crate) fn is_current(last: Option<&Fitted>, n: usize) -> bool {
    last.is_some_and(|last| (n as f64) < last.points as f64 * GROWTH && n >= last.points)
}

/// Fits to the observations. None if they cannot be told apart from each other.
pub(crate) fn fit(
    frame: &Frame,
    observed: &Observed,
    last: &mut Option<Fitted>,
    is_exact: bool,
) -> Option<Gp<Matern>> {
    let n = observed.points.len();
    if let Some(fitted) = last
        && is_current(Some(fitted), n)
    {
        let (points, values) = (observed.points.clone(), observed.values.clone());
        if let Some(gp) = Gp::new(fitted.kernel.clone(), fitted.noise, points, values) {
            return Some(gp);
        }
    }
    let few = vec![expected(frame.dimensions()); frame.axes().len()];
    let (points, values) = sample(observed);
    let with = |kernel: &Matern, noise| fit_from(kernel, noise, &points, &values, &few, is_exact);
    let from_last = last.as_ref().and_then(|f| with(&f.kernel, f.noise));
    let mut gp = from_last.or_else(|| with(&fresh(frame.axes(), &few), FIRST_NOISE))?;
    if points.len() < n {
        let (points, values) = (observed.points.clone(), observed.values.clone());
        // Of few of them there is at least a model.
        gp = Gp::new(gp.kernel().clone(), gp.noise(), points, values).unwrap_or(gp);
    }
    *last = Some(Fitted {
        kernel: gp.kernel().clone(),
        noise: gp.noise(),
        points: n,
    });
    Some(gp)
}

/// Fits to the observations in a box with these sides, along which so many parameters move.
pub(crate) fn fit_near(
    frame: &Frame,
    points: &Points,
    values: &[f64],
    sides: &[f64],
    moving: usize,
    is_exact: bool,
) -> Option<Gp<Matern>> {
    let expected = expected(moving);
    let few: Vec<f64> = sides.iter().map(|side| side * side * expected).collect();
    let kernel = fresh(frame.axes(), &few);
    fit_from(&kernel, FIRST_NOISE, points, values, &few, is_exact)
}

/// The weight that is expected of an axis of the unit cube is 1 by this.
fn expected(dimensions: usize) -> f64 {
    (dimensions as f64 / FEW).max(1.0)
}

/// A kernel with the weights that are expected: 1 by these.
fn fresh(axes: Vec<Axis>, few: &[f64]) -> Matern {
    let weights = few.iter().map(|few| -libm::log(*few));
    let start: Vec<f64> = std::iter::once(0.0).chain(weights).collect();
    Matern::new(axes).with(&start)
}

/// Fits to these points, with weights of 1 by `few` expected.
fn fit_from(
    kernel: &Matern,
    noise: f64,
    points: &Points,
    values: &[f64],
    few: &[f64],
    is_exact: bool,
) -> Option<Gp<Matern>> {
    let mut bounds = vec![SCALE];
    bounds.extend(few.iter().map(|few| {
        let middle = -libm::log(*few);
        (middle + WEIGHT.0, middle + WEIGHT.1)
    }));
    bounds.push(if is_exact { (NOISE.0, NOISE.0) } else { NOISE });
    let prior = |logarithms: &[f64], slopes: &mut [f64]| log_prior(few, logarithms, slopes);
    let fit = Fit {
        bounds: &bounds,
        prior: Some(&prior),
        minimizer: Lbfgsb {
            iterations: 40,
            evaluations: 60,
            tolerance: 1e-2,
            ..Lbfgsb::default()
        },
    };
    Gp::fit(kernel, noise, points, values, &fit)
}

/// Of more than [`MAX_FITTED`] observations so many, evenly over their order.
fn sample(observed: &Observed) -> (Points, Vec<f64>) {
    let n = observed.points.len();
    if n <= MAX_FITTED {
        return (observed.points.clone(), observed.values.clone());
    }
    let taken = (0..MAX_FITTED).map(|k| k * n / MAX_FITTED);
    let row = |place: usize| Some((observed.points.get(place), *observed.values.get(place)?));
    let (points, values): (Vec<&[f64]>, Vec<f64>) = taken.filter_map(row).unzip();
    (points.into_iter().collect(), values)
}

/// The priors of Optuna 5: -(0.1 / w + 0.1 w) for a weight, Gamma(2, 1) for the scale, Gamma(1.1, 30)
/// for the noise; weights in units of `1 / few`.
fn log_prior(few: &[f64], logarithms: &[f64], slopes: &mut [f64]) -> f64 {
    let mut sum = 0.0;
    let last = logarithms.len().saturating_sub(1);
    for (i, (x, slope)) in logarithms.iter().zip(slopes.iter_mut()).enumerate() {
        let e = libm::exp(*x);
        let (value, by_x) = if i == 0 {
            (x - e, 1.0 - e)
        } else if i == last {
            (0.1 * x - 30.0 * e, 0.1 - 30.0 * e)
        } else {
            let few = few.get(i - 1).copied().unwrap_or(1.0);
            let w = e * few;
            (-(0.1 / w + 0.1 * w), 0.1 / w - 0.1 * w)
        };
        sum += value;
        *slope += by_x;
    }
    sum
}

#[cfg(test)]
mod tests {
    use tune_plugin::{Config, Domain, Parameter, RealRange, Space};

    use super::*;

    #[test]
    fn parameters_are_fitted_to_some_of_many_observations_and_the_model_knows_all() {
        let space = Space::new(vec![Parameter {
            name: "x".to_owned(),
            domain: Domain::Real(RealRange {
                low: 0.0,
                high: 1.0,
                log: false,
                step: None,
            }),
            conditions: Vec::new(),
        }]);
        let frame = Frame::new(space.unwrap());
        let observed = |n: usize| {
            let x = |i: usize| (i * 37 % n) as f64 / n as f64;
            let points: Vec<Vec<f64>> = (0..n).map(|i| vec![x(i), 1.0]).collect();
            Observed {
                points: points.iter().map(Vec::as_slice).collect(),
                values: (0..n).map(|i| libm::sin(6.0 * x(i))).collect(),
                best: 1.0,
                leader: Config::new(),
                place: 0,
                scores: Vec::new(),
                unit: 1.0,
            }
        };
        let all = observed(450);
        let (points, values) = sample(&all);
        assert_eq!((points.len(), values.len()), (MAX_FITTED, MAX_FITTED));
        assert_eq!(points.get(1), all.points.get(2));
        assert_eq!(points.get(199), all.points.get(447));
        let gp = fit(&frame, &all, &mut None, true).unwrap();
        assert_eq!(gp.points().len(), 450);
        let off = gp.predict(&[0.123, 1.0]).mean - libm::sin(6.0 * 0.123);
        assert!(off.abs() < 0.01, "{off}");
        let few = observed(MAX_FITTED);
        assert_eq!(sample(&few), (few.points.clone(), few.values.clone()));
    }

    #[test]
    fn slopes_of_the_prior_are_those_of_its_values() {
        let (at, few) = ([0.3, -1.0, 12.0, -4.0], [2.5, 1e-6]);
        let mut slopes = [0.0; 4];
        log_prior(&few, &at, &mut slopes);
        for i in 0..4 {
            let moved = |by: f64| {
                let mut x = at;
                x[i] += by;
                log_prior(&few, &x, &mut [0.0; 4])
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((difference - slopes[i]).abs() < 1e-6, "{i}");
        }
    }
}
