//! The model: a Gaussian process with a Matern-5/2 kernel, its parameters fitted with priors.

use tune_model::{Fit, Gp, Lbfgsb, Matern};

use super::data::Observed;
use super::frame::Frame;

/// Logarithms of the scale, of the weight of an axis, of the variance of the noise.
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

/// The parameters of the last fit, for the next one to begin with.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    kernel: Matern,
    noise: f64,
    points: usize,
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
        && (n as f64) < fitted.points as f64 * GROWTH
        && n >= fitted.points
    {
        let (points, values) = (observed.points.clone(), observed.values.clone());
        if let Some(gp) = Gp::new(fitted.kernel.clone(), fitted.noise, points, values) {
            return Some(gp);
        }
    }
    let axes = frame.axes();
    let few = (frame.dimensions() as f64 / FEW).max(1.0);
    let fresh = || {
        use tune_model::Kernel;
        let mut start = vec![-libm::log(few); axes.len() + 1];
        if let Some(scale) = start.first_mut() {
            *scale = 0.0;
        }
        Matern::new(axes.clone()).with(&start)
    };
    let noise_bounds = if is_exact { (NOISE.0, NOISE.0) } else { NOISE };
    let mut bounds = vec![SCALE];
    bounds.extend(vec![WEIGHT; axes.len()]);
    bounds.push(noise_bounds);
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
    let with =
        |kernel: &Matern, noise| Gp::fit(kernel, noise, &observed.points, &observed.values, &fit);
    let from_last = last.as_ref().and_then(|f| with(&f.kernel, f.noise));
    let gp = from_last.or_else(|| with(&fresh(), FIRST_NOISE))?;
    *last = Some(Fitted {
        kernel: gp.kernel().clone(),
        noise: gp.noise(),
        points: n,
    });
    Some(gp)
}

/// The priors of Optuna 5: -(0.1 / w + 0.1 w) for a weight, Gamma(2, 1) for the scale, Gamma(1.1, 30)
/// for the noise; weights in units of `1 / few`.
fn log_prior(few: f64, logarithms: &[f64], slopes: &mut [f64]) -> f64 {
    let mut sum = 0.0;
    let last = logarithms.len().saturating_sub(1);
    for (i, (x, slope)) in logarithms.iter().zip(slopes.iter_mut()).enumerate() {
        let e = libm::exp(*x);
        let (value, by_x) = if i == 0 {
            (x - e, 1.0 - e)
        } else if i == last {
            (0.1 * x - 30.0 * e, 0.1 - 30.0 * e)
        } else {
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
    use super::*;

    #[test]
    fn slopes_of_the_prior_are_those_of_its_values() {
        let at = [0.3, -1.0, 2.0, -4.0];
        let mut slopes = [0.0; 4];
        log_prior(2.5, &at, &mut slopes);
        for i in 0..4 {
            let moved = |by: f64| {
                let mut x = at;
                x[i] += by;
                log_prior(2.5, &x, &mut [0.0; 4])
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((difference - slopes[i]).abs() < 1e-6, "{i}");
        }
    }
}
