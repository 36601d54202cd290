//! What a new point promises, from the mean and spread that a model gives it. Everything is
//! maximised.

use tune_space::normal;

/// Below it the improvement is summed as a series, whose terms fall far enough there.
const TAIL: f64 = -10.0;

/// The logarithm of the expected improvement over `best` of a value with this mean and standard
/// deviation, and its derivatives by mean and deviation. Exact to about 1e-11 relative in the far
/// tail too, where the improvement itself underflows (Ament et al. 2023, arXiv 2310.20708, section
/// 3.1, with another form of the tail). `deviation` is above 0.
#[must_use]
pub fn log_expected_improvement(mean: f64, deviation: f64, best: f64) -> (f64, f64, f64) {
    let z = (mean - best) / deviation;
    let log_h = log_h(z);
    let by_mean = libm::exp(normal::log_cdf(z) - log_h) / deviation;
    let by_deviation = libm::exp(normal::log_density(z) - log_h) / deviation;
    (libm::log(deviation) + log_h, by_mean, by_deviation)
}

/// `ln(density(z) + z cdf(z))`.
fn log_h(z: f64) -> f64 {
    if z > TAIL {
        return libm::log(libm::exp(normal::log_density(z)) + z * normal::cdf(z));
    }
    // density(z) / z^2 x (1 - 3 / z^2 + 15 / z^4 - ..), until the terms no longer fall.
    let r = 1.0 / (z * z);
    let (mut sum, mut term, mut odd) = (1.0, 1.0_f64, 3.0);
    loop {
        let next = -term * odd * r;
        if next.abs() >= term.abs() || next.abs() < f64::EPSILON {
            break;
        }
        sum += next;
        term = next;
        odd += 2.0;
    }
    normal::log_density(z) - 2.0 * libm::log(-z) + libm::log(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64, relative: f64) {
        assert!(
            (got - want).abs() <= relative * want.abs().max(1e-5),
            "{got:e} instead of {want:e}"
        );
    }

    #[test]
    fn it_is_the_logarithm_of_the_expected_improvement_in_the_middle() {
        for (mean, deviation, best) in [(0.0, 1.0, 0.0), (0.3, 2.0, 1.5), (5.0, 0.5, 1.0)] {
            let z: f64 = (mean - best) / deviation;
            let improvement = deviation * (libm::exp(normal::log_density(z)) + z * normal::cdf(z));
            let (got, _, _) = log_expected_improvement(mean, deviation, best);
            close(got, libm::log(improvement), 1e-14);
        }
        // 1 / sqrt(2 pi).
        close(
            log_expected_improvement(0.0, 1.0, 0.0).0,
            -0.918_938_533_204_672_8,
            1e-15,
        );
    }

    #[test]
    fn the_far_tail_is_finite_smooth_and_right() {
        // Reference values of 50 digits: ln(phi(z) + z Phi(z)).
        close(log_h(-10.0), -55.553_122_036_122_36, 1e-10);
        close(log_h(-30.0), -457.724_653_760_598, 1e-10);
        close(log_h(TAIL + 1e-9), log_h(TAIL - 1e-9), 1e-9);
        let far = log_expected_improvement(-1e8, 1.0, 0.0);
        assert!(
            far.0.is_finite() && far.1.is_finite() && far.2.is_finite(),
            "{far:?}"
        );
    }

    #[test]
    fn derivatives_agree_with_differences() {
        for (mean, deviation) in [
            (0.2, 0.7),
            (-3.0, 1.0),
            (-12.0, 1.0),
            (-45.0, 1.3),
            (4.0, 0.2),
        ] {
            let (_, by_mean, by_deviation) = log_expected_improvement(mean, deviation, 0.0);
            let step = 1e-5;
            let at = |m: f64, d: f64| log_expected_improvement(m, d, 0.0).0;
            let numeric = (at(mean + step, deviation) - at(mean - step, deviation)) / (2.0 * step);
            close(by_mean, numeric, 1e-5);
            let numeric = (at(mean, deviation + step) - at(mean, deviation - step)) / (2.0 * step);
            close(by_deviation, numeric, 1e-5);
        }
    }
}
