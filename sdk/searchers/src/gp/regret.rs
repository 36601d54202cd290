//! How much better than the best result any result could be: A. Makarova et al. (2022), *Automatic
//! Termination for Hyperparameter Optimization*, arXiv:2104.08166.
//!
//! With high probability the metric lies everywhere within `sqrt(beta)` deviations of the model's
//! mean. So the best of the whole space is at most the largest upper end, and the best that was tried
//! is at least the largest lower end among the tried ones; regret is at most the difference.

use tune_model::{Gp, Matern};
use tune_plugin::Stream;

use super::acquire::{Promise, Search};
use super::data::Observed;
use super::frame::Frame;

/// The bound may be wrong with this probability: the paper's.
const DELTA: f64 = 0.1;
/// Widths from theory are far too careful; they are divided by this, as in the paper and in N.
/// Srinivas et al. (2010), *Gaussian Process Optimization in the Bandit Setting*.
const SCALE: f64 = 5.0;

/// Squared deviations after so many results in so many dimensions, which stand for the size of the
/// space.
fn beta(dimensions: usize, results: usize) -> f64 {
    let pi = std::f64::consts::PI;
    let (d, t) = (dimensions.max(1) as f64, results.max(1) as f64);
    2.0 * libm::log(d * t * t * pi * pi / (6.0 * DELTA)) / SCALE
}

/// The bound in units of the objective, 0 or more.
pub(crate) fn bound(
    frame: &Frame,
    gp: &Gp<Matern>,
    observed: &Observed,
    stream: &mut Stream,
) -> Option<f64> {
    let width = beta(frame.dimensions(), observed.values.len()).sqrt();
    let search = Search {
        frame,
        part: &frame.space,
        gp,
        promise: Promise::Upper(width),
        leader: &observed.leader,
        bounds: &frame.cube,
    };
    let most = search.run(stream).first()?.score;
    let lower = |point: &[f64]| {
        let at = gp.predict(point);
        at.mean - width * at.variance.sqrt()
    };
    // Only who came to the end has a result; the leader did, or nobody did.
    let ended = observed.points.iter().filter(|p| p.last() == Some(&1.0));
    let least = ended
        .map(lower)
        .fold(lower(&frame.point(&observed.leader, 1.0)), f64::max);
    Some((most - least).max(0.0) * observed.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_paper() {
        // 2 ln(2 * 100 * pi^2 / 0.6) / 5 = 2 ln(3289.868) / 5
        assert!((beta(2, 10) - 3.239_441).abs() < 1e-6, "{}", beta(2, 10));
    }
}
