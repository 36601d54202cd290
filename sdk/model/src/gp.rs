//! Gaussian process regression: exact, with a kernel whose parameters and noise are fitted to the
//! marginal likelihood, or with priors to the posterior (MAP).
//!
//! A fit costs about `n^3 / 2` multiplications an evaluation, a prediction `n^2 / 2`, one more point
//! `n^2`, the joint distribution at m points `m n^2 / 2 + m^2 n / 2 + m^3 / 6`. Nothing bounds `n` here: who calls caps the data.

use crate::{
    joint::Joint,
    kernel::Kernel,
    known::Known,
    lbfgsb::Lbfgsb,
    packed::{LANES, Lanes, Packed, add_scaled, dot},
    points::Points,
    solution::Solution,
};

/// Variances are never below it: predictions at observed points are exact up to rounding errors.
const LEAST_VARIANCE: f64 = 1e-12;
/// Points that are predicted at once: their covariances with 600 known ones take as many kilobytes.
const BATCH: usize = 128;

/// What a process says of the value at a point, without noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Expected value.
    pub mean: f64,
    /// At least 1e-12.
    pub variance: f64,
}

/// The logarithm of a prior density at the logarithms of all parameters, up to a constant; into the
/// second argument it writes its derivatives by them.
pub type Prior<'a> = &'a dyn Fn(&[f64], &mut [f64]) -> f64;

/// How the parameters of a process are fitted.
pub struct Fit<'a> {
    /// Lowest and highest logarithm of each parameter of the kernel, and of the variance of the
    /// noise.
    pub bounds: &'a [(f64, f64)],
    /// Without it the marginal likelihood alone counts.
    pub prior: Option<Prior<'a>>,
    /// When to stop.
    pub minimizer: Lbfgsb,
}

/// A process that knows the values at some points.
#[derive(Clone, Debug)]
pub struct Gp<K> {
    kernel: K,
    noise: f64,
    known: Known,
    values: Vec<f64>,
    solution: Solution,
}

impl<K: Kernel> Gp<K> {
    /// With the parameters of `kernel` and this variance of the noise. `values` are as many as
    /// points, finite, and best standardised. None if the covariance is not positive definite, even
    /// with jitter, or a number is not finite.
    #[must_use]
    pub fn new(kernel: K, noise: f64, points: Points, values: Vec<f64>) -> Option<Self> {
        if !are_values(&values, &points) {
            return None;
        }
        let known = placed(&kernel, &points);
        let pairs = kernel.pairs(&known);
        let solution = Solution::new(pairs.covariances, noise, &values)?;
        Some(Self {
            kernel,
            noise,
            known,
            values,
            solution,
        })
    }

    /// Fits kernel and noise, starting from the given ones (moved into the bounds). None if not
    /// even those can be used.
    #[must_use]
    pub fn fit(
        kernel: &K,
        noise: f64,
        points: &Points,
        values: &[f64],
        fit: &Fit<'_>,
    ) -> Option<Self> {
        if !are_values(values, points) {
            return None;
        }
        let mut start = kernel.parameters();
        start.push(libm::log(noise));
        let known = placed(kernel, points);
        let with = |logarithms: &[f64]| {
            let (noise, parameters) = logarithms.split_last()?;
            Some((kernel.with(parameters), libm::exp(*noise)))
        };
        let end = fit.minimizer.minimize(&start, fit.bounds, |at, slopes| {
            let Some((kernel, noise)) = with(at) else {
                return f64::INFINITY;
            };
            let pairs = kernel.pairs(&known);
            let Some(solution) = Solution::new(pairs.covariances.clone(), noise, values) else {
                return f64::INFINITY;
            };
            let prior = fit.prior.map_or(0.0, |prior| prior(at, slopes));
            let likelihood = solution.log_likelihood(values);
            let by_all = solution.slopes(&kernel, noise, &known, &pairs);
            add_scaled(slopes, 1.0, &by_all);
            slopes.iter_mut().for_each(|slope| *slope = -*slope);
            -(likelihood + prior)
        });
        let (kernel, noise) = with(&end.x)?;
        Self::new(kernel, noise, points.clone(), values.to_vec())
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &K {
        &self.kernel
    }

    /// Variance of the noise.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// Where it knows values, as its kernel compares these points.
    #[must_use]
    pub fn points(&self) -> &Points {
        self.known.points()
    }

    /// The values that it knows.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Learns one more value, with the same parameters. False, and nothing changes, if the point
    /// cannot be told from the others or a number is not finite.
    pub fn push(&mut self, point: &[f64], value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        let point = self.kernel.placed(point);
        let mut row = self.covariances(&point);
        row.push(self.kernel.covariance(&point, &point) + self.noise);
        if !self.solution.append(&row, &self.values, value) {
            return false;
        }
        self.known.push(&point);
        self.values.push(value);
        true
    }

    /// The expected value at a point, at a small part of the cost of [`Self::predict`].
    #[must_use]
    pub fn mean(&self, point: &[f64]) -> f64 {
        let column = self.covariances(&self.kernel.placed(point));
        dot(&column, self.solution.weights())
    }

    /// By how much each known value is off from what the process would expect there without it, with
    /// the same parameters (Rasmussen & Williams, 2006, *Gaussian Processes for Machine Learning*,
    /// equation 5.12).
    #[must_use]
    pub fn leave_one_out(&self) -> Vec<f64> {
        let inverse = self.solution.factor().inverse();
        let own = self.solution.weights().iter().zip(inverse.diagonal());
        own.map(|(weight, own)| weight / own).collect()
    }

    /// Mean and variance of the value at a point, without noise.
    #[must_use]
    pub fn predict(&self, point: &[f64]) -> Prediction {
        let point = self.kernel.placed(point);
        let mut column = self.covariances(&point);
        let mean = dot(&column, self.solution.weights());
        self.solution.factor().forward(&mut column);
        let known = dot(&column, &column);
        Prediction {
            mean,
            variance: (self.kernel.covariance(&point, &point) - known).max(LEAST_VARIANCE),
        }
    }

    /// [`Self::predict`] of all points, equal up to rounding errors, at half of the cost or less.
    #[must_use]
    pub fn predict_all(&self, points: &Points) -> Vec<Prediction> {
        let mut predictions = Vec::with_capacity(points.len());
        for from in (0..points.len()).step_by(BATCH) {
            let batch = points.iter().skip(from).take(BATCH);
            let batch = placed(&self.kernel, &batch.collect());
            // Covariances are the same both ways: row by row those of a known point with all of the batch.
            let known = self.known.points().iter();
            let rows = known.map(|a| self.kernel.covariances(a, &batch, batch.len()));
            let rows: Vec<Vec<f64>> = rows.collect();
            let own = batch.points().iter();
            let own: Vec<f64> = own.map(|a| self.kernel.covariance(a, a)).collect();
            for (block, own) in own.chunks(LANES).enumerate() {
                predictions.extend(self.predict_lanes(&rows, LANES * block, own));
            }
        }
        predictions
    }

    /// Predictions at up to eight points, whose covariances with those known stand in `rows` from a place on.
    fn predict_lanes(&self, rows: &[Vec<f64>], from: usize, own: &[f64]) -> Vec<Prediction> {
        let mut columns: Vec<Lanes> = vec![[0.0; LANES]; rows.len()];
        let (mut means, mut known) = ([0.0; LANES], [0.0; LANES]);
        let weights = self.solution.weights();
        for ((lanes, row), weight) in columns.iter_mut().zip(rows).zip(weights) {
            let row = row.get(from..).unwrap_or_default();
            lanes.iter_mut().zip(row).for_each(|(lane, k)| *lane = *k);
            for (mean, lane) in means.iter_mut().zip(&*lanes) {
                *mean += weight * lane;
            }
        }
        self.solution.factor().forward_lanes(&mut columns);
        for lanes in &columns {
            for (known, lane) in known.iter_mut().zip(lanes) {
                *known += lane * lane;
            }
        }
        let all = own.iter().zip(means.into_iter().zip(known));
        all.map(|(own, (mean, known))| Prediction {
            mean,
            variance: (own - known).max(LEAST_VARIANCE),
        })
        .collect()
    }

    /// [`Self::predict`], and the derivatives of mean and variance by the coordinates of the point,
    /// for kernels whose variance is the same everywhere. Of an inactive coordinate they are 0.
    #[must_use]
    pub fn predict_with_slopes(&self, point: &[f64]) -> (Prediction, Vec<f64>, Vec<f64>) {
        let at = self.kernel.placed(point);
        let (column, rates) = self.kernel.covariances_and_rates(&at, &self.known);
        let weights = self.solution.weights();
        let mut solved = column.clone();
        self.solution.factor().solve(&mut solved);
        let variance = self.kernel.covariance(&at, &at) - dot(&column, &solved);
        let slopes = |shares: &[f64], factor: f64| {
            let all = self
                .kernel
                .by_point_of_all(&at, &self.known, &rates, shares);
            let all = all.into_iter().zip(point);
            let slope = |(by, u): (f64, &f64)| if u.is_nan() { 0.0 } else { factor * by };
            all.map(slope).collect::<Vec<f64>>()
        };
        let prediction = Prediction {
            mean: dot(&column, weights),
            variance: variance.max(LEAST_VARIANCE),
        };
        (prediction, slopes(weights, 1.0), slopes(&solved, -2.0))
    }

    /// The joint distribution of the values at several points, without noise. None if they cannot be
    /// told apart.
    #[must_use]
    pub fn joint(&self, points: &Points) -> Option<Joint> {
        let mut means = Vec::with_capacity(points.len());
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(points.len());
        for point in points.iter() {
            let mut column = self.covariances(&self.kernel.placed(point));
            means.push(dot(&column, self.solution.weights()));
            self.solution.factor().forward(&mut column);
            columns.push(column);
        }
        let covariance = Packed::new(points.len(), |i, j| {
            let known = columns.get(i).zip(columns.get(j));
            let known = known.map_or(0.0, |(a, b)| dot(a, b));
            let own = self.kernel.covariance(points.get(i), points.get(j)) - known;
            if i == j { own.max(LEAST_VARIANCE) } else { own }
        });
        Joint::new(means, &covariance)
    }

    /// The logarithm of the marginal likelihood of the values.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.solution.log_likelihood(&self.values)
    }

    /// Derivatives of [`Self::log_likelihood`] by the logarithms of the parameters of the kernel and
    /// of the noise.
    #[must_use]
    pub fn likelihood_slopes(&self) -> Vec<f64> {
        let pairs = self.kernel.pairs(&self.known);
        self.solution
            .slopes(&self.kernel, self.noise, &self.known, &pairs)
    }

    /// Covariances of the value at a placed point with those that are known.
    fn covariances(&self, point: &[f64]) -> Vec<f64> {
        self.kernel
            .covariances(point, &self.known, self.known.len())
    }
}

/// There is a number for every point.
fn are_values(values: &[f64], points: &Points) -> bool {
    values.len() == points.len() && values.iter().all(|v| v.is_finite())
}

/// Points as a kernel compares them.
fn placed(kernel: &impl Kernel, points: &Points) -> Known {
    let mut known = Known::new(points.width());
    points
        .iter()
        .for_each(|point| known.push(&kernel.placed(point)));
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{axes::Axis, kernel::Matern};
    use tune_space::Stream;

    fn data(n: usize, seed: u64) -> (Points, Vec<f64>) {
        let mut stream = Stream::new(seed);
        let mut points = Points::new(3);
        let mut values = Vec::new();
        for _ in 0..n {
            let point = [stream.unit(), stream.unit(), stream.below(3) as f64];
            // The second axis does not matter.
            let bump = if point[2] == 1.0 { 1.0 } else { 0.0 };
            values.push(libm::sin(6.0 * point[0]) + bump + 0.01 * stream.normal());
            points.push(&point);
        }
        (points, values)
    }

    fn kernel() -> Matern {
        Matern::new(vec![Axis::Number, Axis::Number, Axis::Category])
    }

    #[test]
    fn two_points_by_hand() {
        let kernel = Matern::new(vec![Axis::Number]);
        let points: Points = [&[0.0][..], &[1.0]].into_iter().collect();
        let gp = Gp::new(kernel.clone(), 0.0, points, vec![1.0, 0.0]).unwrap();
        // Inverse of [1 c; c 1] is [1 -c; -c 1] / (1 - c^2).
        let c = kernel.covariance(&[0.0], &[1.0]);
        let k = kernel.covariance(&[0.0], &[0.5]);
        let mean = k * (1.0 - c) / (1.0 - c * c);
        let variance = 1.0 - 2.0 * k * k * (1.0 - c) / (1.0 - c * c);
        let at = gp.predict(&[0.5]);
        assert!((at.mean - mean).abs() < 1e-14 && (at.variance - variance).abs() < 1e-14);
        let known = gp.predict(&[1.0]);
        assert!(known.mean.abs() < 1e-14 && known.variance <= 1e-12);
        let likelihood = -0.5 / (1.0 - c * c)
            - 0.5 * libm::log(1.0 - c * c)
            - 2.0 * crate::solution::LN_SQRT_2_PI;
        assert!((gp.log_likelihood() - likelihood).abs() < 1e-14);
    }

    #[test]
    fn slopes_of_the_likelihood_agree_with_differences() {
        let (points, values) = data(15, 1);
        let at = [0.3, 1.0, -0.5, 0.2, -3.0];
        let gp = |at: &[f64]| {
            let noise = libm::exp(at[4]);
            Gp::new(
                kernel().with(&at[..4]),
                noise,
                points.clone(),
                values.clone(),
            )
            .unwrap()
        };
        let slopes = gp(&at).likelihood_slopes();
        for (i, slope) in slopes.iter().enumerate() {
            let moved = |by: f64| {
                let mut at = at;
                at[i] += by;
                gp(&at).log_likelihood()
            };
            let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - numeric).abs() < 1e-6, "{i}: {slope} {numeric}");
        }
    }

    #[test]
    fn predictions_of_many_points_are_those_of_each() {
        let (points, values) = data(37, 10);
        let gp = Gp::new(kernel(), 1e-3, points, values).unwrap();
        let (mut at, _) = data(BATCH + 21, 11);
        at.push(&[f64::NAN, 0.3, f64::NAN]);
        let all = gp.predict_all(&at);
        assert_eq!(all.len(), at.len());
        for (point, got) in at.iter().zip(all) {
            let want = gp.predict(point);
            assert!((got.mean - want.mean).abs() < 1e-12, "{got:?} {want:?}");
            assert!((got.variance - want.variance).abs() < 1e-12);
        }
        assert!(gp.predict_all(&Points::new(3)).is_empty());
    }

    #[test]
    fn slopes_of_predictions_agree_with_differences() {
        let (points, values) = data(20, 2);
        let gp = Gp::new(kernel(), 1e-3, points, values).unwrap();
        let point = [0.3, 0.8, 1.0];
        let (prediction, by_mean, by_variance) = gp.predict_with_slopes(&point);
        let plain = gp.predict(&point);
        assert!((prediction.mean - plain.mean).abs() < 1e-12);
        assert!((prediction.variance - plain.variance).abs() < 1e-12);
        for i in 0..2 {
            let moved = |by: f64| {
                let mut point = point;
                point[i] += by;
                gp.predict(&point)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            assert!((by_mean[i] - (up.mean - down.mean) / 2e-5).abs() < 1e-6);
            assert!((by_variance[i] - (up.variance - down.variance) / 2e-5).abs() < 1e-6);
        }
        assert_eq!((by_mean[2], by_variance[2]), (0.0, 0.0));
    }

    #[test]
    fn a_fit_finds_which_axes_matter_and_predicts_what_it_has_not_seen() {
        let (points, values) = data(60, 3);
        let bounds = [
            (-5.0, 5.0),
            (-5.0, 7.0),
            (-5.0, 7.0),
            (-5.0, 7.0),
            (-12.0, 0.0),
        ];
        let fit = Fit {
            bounds: &bounds,
            prior: None,
            minimizer: Lbfgsb::default(),
        };
        let start = Gp::new(kernel(), 0.1, points.clone(), values.clone()).unwrap();
        let gp = Gp::fit(&kernel(), 0.1, &points, &values, &fit).unwrap();
        assert!(gp.log_likelihood() > start.log_likelihood() + 30.0);
        let weights = gp.kernel().weights();
        assert!(weights[0] > 100.0 * weights[1], "{weights:?}");
        let (unseen, truth) = data(50, 4);
        for (point, truth) in unseen.iter().zip(truth) {
            let error = (gp.predict(point).mean - truth).abs();
            assert!(error < 0.15, "{point:?} {error}");
        }
        // A strong prior holds the parameters where it wants them.
        let prior = |at: &[f64], slopes: &mut [f64]| {
            for (slope, x) in slopes.iter_mut().zip(at) {
                *slope = -2e6 * x;
            }
            -1e6 * dot(at, at)
        };
        let bounds = [(-5.0, 5.0); 5];
        let held = Fit {
            bounds: &bounds,
            prior: Some(&prior),
            minimizer: Lbfgsb::default(),
        };
        let gp = Gp::fit(&kernel(), 0.1, &points, &values, &held).unwrap();
        assert!(gp.kernel().parameters().iter().all(|x| x.abs() < 1e-3));
    }

    #[test]
    fn values_that_come_one_by_one_give_the_same_process() {
        let (points, values) = data(30, 5);
        let whole = Gp::new(kernel(), 1e-4, points.clone(), values.clone()).unwrap();
        let first: Points = points.iter().take(10).collect();
        let mut grown = Gp::new(kernel(), 1e-4, first, values[..10].to_vec()).unwrap();
        for (point, value) in points.iter().zip(&values).skip(10) {
            assert!(grown.push(point, *value));
        }
        assert!(!grown.push(points.get(3), f64::NAN));
        let (a, b) = (
            grown.predict(&[0.5, 0.5, 2.0]),
            whole.predict(&[0.5, 0.5, 2.0]),
        );
        assert!((a.mean - b.mean).abs() < 1e-9 && (a.variance - b.variance).abs() < 1e-9);
    }

    #[test]
    fn what_a_value_is_off_without_it_is_what_a_process_without_it_says() {
        let (points, values) = data(12, 9);
        let whole = Gp::new(kernel(), 1e-2, points.clone(), values.clone()).unwrap();
        for (i, off) in whole.leave_one_out().into_iter().enumerate() {
            let others = |j: &usize| *j != i;
            let rest: Points = (0..12).filter(others).map(|j| points.get(j)).collect();
            let known = (0..12).filter(others).map(|j| values[j]).collect();
            let without = Gp::new(kernel(), 1e-2, rest, known).unwrap();
            let mean = without.mean(points.get(i));
            assert!((off - (values[i] - mean)).abs() < 1e-9, "{i} {off} {mean}");
            assert_eq!(mean, without.predict(points.get(i)).mean);
        }
    }

    #[test]
    fn draws_have_the_mean_and_spread_of_the_predictions() {
        let (points, values) = data(8, 6);
        let gp = Gp::new(kernel(), 1e-3, points, values).unwrap();
        let at: Points = [&[0.1, 0.2, 0.0][..], &[0.15, 0.2, 0.0], &[0.9, 0.9, 2.0]]
            .into_iter()
            .collect();
        let joint = gp.joint(&at).unwrap();
        let mut stream = Stream::new(7);
        let n = 4_000;
        let draws: Vec<Vec<f64>> = (0..n)
            .map(|_| {
                let normals: Vec<f64> = (0..3).map(|_| stream.normal()).collect();
                joint.draw(&normals)
            })
            .collect();
        for (i, point) in at.iter().enumerate() {
            let expected = gp.predict(point);
            let mean = draws.iter().map(|d| d[i]).sum::<f64>() / f64::from(n);
            let spread = |d: &Vec<f64>| (d[i] - mean) * (d[i] - mean);
            let variance = draws.iter().map(spread).sum::<f64>() / f64::from(n);
            assert!((mean - expected.mean).abs() < 0.06, "{mean} {expected:?}");
            assert!(
                (variance / expected.variance - 1.0).abs() < 0.1,
                "{variance}"
            );
        }
    }

    #[test]
    fn equal_points_constant_values_and_none_at_all_are_no_trouble() {
        let points: Points = std::iter::repeat_n(&[0.5, 0.5, 1.0][..], 20).collect();
        let gp = Gp::new(kernel(), 0.0, points, vec![2.0; 20]).unwrap();
        assert!((gp.predict(&[0.5, 0.5, 1.0]).mean - 2.0).abs() < 1e-3);
        let none = Gp::new(kernel(), 0.1, Points::new(3), Vec::new()).unwrap();
        let prior = none.predict(&[0.1, 0.2, 0.0]);
        assert_eq!((prior.mean, prior.variance), (0.0, 1.0));
        let (points, mut values) = data(4, 8);
        values[2] = f64::NAN;
        assert!(Gp::new(kernel(), 0.1, points, values).is_none());
    }
}
