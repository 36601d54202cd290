//! Covariance functions of points of the unit cube.

use crate::{decay::decay, points::Points};

/// How much the values at two points have in common, with parameters that are fitted.
///
/// All parameters are positive and handled by their logarithms, in which they are fitted. A point is
/// one number an axis, in [0, 1] by convention.
pub trait Kernel: Clone {
    /// The logarithms of the parameters.
    fn parameters(&self) -> Vec<f64>;

    /// The same kernel with other parameters, as many as before.
    #[must_use]
    fn with(&self, logarithms: &[f64]) -> Self;

    /// The covariance of the values at two points.
    fn covariance(&self, a: &[f64], b: &[f64]) -> f64;

    /// [`Self::covariance`] with each of the first `count` points, equal bit for bit.
    fn covariances(&self, a: &[f64], points: &Points, count: usize) -> Vec<f64> {
        let points = points.iter().take(count);
        points.map(|b| self.covariance(a, b)).collect()
    }

    /// [`Self::covariance`], and into `slopes` its derivatives by the logarithms of the parameters.
    fn by_parameters(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64;

    /// [`Self::covariance`], and into `slopes` its derivatives by the coordinates of `a`; 0 where
    /// there is none, as for categories.
    fn by_point(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64;
}

/// What the coordinates of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Real numbers, ordered alternatives too.
    Number,
    /// Positions of alternatives: two are equal or not (Hamming).
    Category,
}

impl Axis {
    /// The squared distance of two coordinates, and its derivative by the first. NaN stands for an
    /// inactive parameter. Among categories it is one more. Among numbers it is in the middle: that it
    /// is inactive shows on the axis that this depends on, and results with other active parameters
    /// tell of those that both have.
    #[must_use]
    #[inline]
    pub fn distance(self, a: f64, b: f64) -> (f64, f64) {
        match self {
            Self::Number => {
                let off = placed(a) - placed(b);
                (off * off, if a.is_nan() { 0.0 } else { 2.0 * off })
            }
            Self::Category => {
                let is_equal = a == b || a.is_nan() && b.is_nan();
                (f64::from(u8::from(!is_equal)), 0.0)
            }
        }
    }
}

/// Where a number is that may be inactive.
fn placed(u: f64) -> f64 {
    if u.is_nan() { 0.5 } else { u }
}

/// Matern-5/2 with a weight an axis (automatic relevance determination):
/// `s (1 + r + r^2 / 3) exp(-r)` with `r^2 = 5 sum of w_i d_i`, `d_i` the squared distance on axis
/// `i`. A weight is 1 / lengthscale^2.
///
/// Its parameters are `s` and then the weights.
#[derive(Clone, Debug)]
pub struct Matern {
    axes: Vec<Axis>,
    scale: f64,
    weights: Vec<f64>,
}

impl Matern {
    /// With scale 1 and all weights 1.
    #[must_use]
    pub fn new(axes: Vec<Axis>) -> Self {
        Self {
            scale: 1.0,
            weights: vec![1.0; axes.len()],
            axes,
        }
    }

    /// What the coordinates are.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// 1 / lengthscale^2 of each axis: how much it matters.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Weight and distance of each axis.
    fn terms<'a>(
        &'a self,
        a: &'a [f64],
        b: &'a [f64],
    ) -> impl Iterator<Item = (f64, (f64, f64))> + 'a {
        let coordinates = a.iter().zip(b);
        let axes = self.axes.iter().zip(&self.weights);
        axes.zip(coordinates)
            .map(|((axis, w), (a, b))| (*w, axis.distance(*a, *b)))
    }

    /// Covariance, and its derivative by the sum of the weighted distances.
    fn at(&self, a: &[f64], b: &[f64]) -> (f64, f64) {
        let sum = self.terms(a, b).map(|(w, (d, _))| w * d).sum();
        self.of(sum)
    }

    /// The same by that sum.
    #[inline]
    fn of(&self, sum: f64) -> (f64, f64) {
        let r = (5.0 * sum).sqrt();
        let decay = self.scale * decay(r);
        let value = decay * (1.0 + r + r * r / 3.0);
        (value, decay * (1.0 + r) * (-5.0 / 6.0))
    }
}

impl Kernel for Matern {
    fn parameters(&self) -> Vec<f64> {
        let all = std::iter::once(&self.scale).chain(&self.weights);
        all.map(|x| libm::log(*x)).collect()
    }

    fn with(&self, logarithms: &[f64]) -> Self {
        let mut values = logarithms.iter().map(|x| libm::exp(*x));
        Self {
            axes: self.axes.clone(),
            scale: values.next().unwrap_or(1.0),
            weights: values.collect(),
        }
    }

    fn covariance(&self, a: &[f64], b: &[f64]) -> f64 {
        self.at(a, b).0
    }

    /// Axis by axis and then all at once: loops without calls or branches, several points in one instruction.
    fn covariances(&self, a: &[f64], points: &Points, count: usize) -> Vec<f64> {
        let mut values = vec![0.0; count.min(points.len())];
        for (place, ((axis, w), a)) in self.axes.iter().zip(&self.weights).zip(a).enumerate() {
            let pairs = values.iter_mut().zip(points.axis(place));
            // Once an axis, not once a point, it is asked what the axis is.
            match axis {
                Axis::Number => pairs.for_each(|(s, b)| *s += w * Axis::Number.distance(*a, *b).0),
                Axis::Category => {
                    pairs.for_each(|(s, b)| *s += w * Axis::Category.distance(*a, *b).0);
                }
            }
        }
        values.iter_mut().for_each(|sum| *sum = self.of(*sum).0);
        values
    }

    fn by_parameters(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64 {
        let (value, by_sum) = self.at(a, b);
        if let Some((scale, weights)) = slopes.split_first_mut() {
            *scale = value;
            for (slope, (w, (d, _))) in weights.iter_mut().zip(self.terms(a, b)) {
                *slope = by_sum * w * d;
            }
        }
        value
    }

    fn by_point(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64 {
        let (value, by_sum) = self.at(a, b);
        for (slope, (w, (_, by_a))) in slopes.iter_mut().zip(self.terms(a, b)) {
            *slope = by_sum * w * by_a;
        }
        value
    }
}

/// Compares the derivatives of a kernel with differences, for tests of kernels.
///
/// # Panics
/// If they do not agree.
#[cfg(test)]
pub(crate) fn check_slopes(kernel: &impl Kernel, a: &[f64], b: &[f64]) {
    let step = 1e-5;
    let parameters = kernel.parameters();
    let mut slopes = vec![0.0; parameters.len()];
    let value = kernel.by_parameters(a, b, &mut slopes);
    assert_eq!(value, kernel.covariance(a, b));
    for (i, slope) in slopes.iter().enumerate() {
        let at = |by: f64| {
            let mut moved = parameters.clone();
            moved[i] += by;
            kernel.with(&moved).covariance(a, b)
        };
        let numeric = (at(step) - at(-step)) / (2.0 * step);
        assert!((slope - numeric).abs() < 1e-8, "{i}: {slope} {numeric}");
    }
    let mut slopes = vec![0.0; a.len()];
    assert_eq!(kernel.by_point(a, b, &mut slopes), value);
    for (i, slope) in slopes.iter().enumerate() {
        let at = |by: f64| {
            let mut moved = a.to_vec();
            moved[i] += by;
            kernel.covariance(&moved, b)
        };
        let numeric = (at(step) - at(-step)) / (2.0 * step);
        // A step turns a category into another one.
        if numeric.abs() < 1e3 {
            assert!((slope - numeric).abs() < 1e-8, "{i}: {slope} {numeric}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_covariance_falls_as_matern_does() {
        let kernel = Matern::new(vec![Axis::Number]);
        assert_eq!(kernel.covariance(&[0.3], &[0.3]), 1.0);
        // (1 + sqrt 5 + 5 / 3) exp(-sqrt 5).
        let at_one = kernel.covariance(&[0.0], &[1.0]);
        assert!((at_one - 0.523_994_108_831_820_4).abs() < 1e-15, "{at_one}");
        let narrow = kernel.with(&[libm::log(4.0), libm::log(100.0)]);
        assert!((narrow.covariance(&[0.5], &[0.6]) - 4.0 * at_one).abs() < 1e-12);
    }

    #[test]
    fn covariances_with_several_points_are_those_with_each_bit_for_bit() {
        let kernel = Matern::new(vec![Axis::Number, Axis::Number, Axis::Category]);
        let kernel = kernel.with(&[0.7, -0.3, 2.0, 0.4]);
        let rows = [
            [0.1, 0.9, 2.0],
            [f64::NAN, 0.3, 2.0],
            [0.7, 0.2, 1.0],
            [0.1, 0.85, f64::NAN],
        ];
        let points: Points = rows.iter().map(|row| &row[..]).collect();
        for a in &rows {
            for count in 0..=5 {
                let each = rows.iter().take(count).map(|b| kernel.covariance(a, b));
                let each: Vec<f64> = each.collect();
                assert_eq!(kernel.covariances(a, &points, count), each);
            }
        }
    }

    #[test]
    fn its_derivatives_agree_with_differences() {
        let kernel = Matern::new(vec![Axis::Number, Axis::Number, Axis::Category]);
        let kernel = kernel.with(&[0.7, -0.3, 2.0, 0.4]);
        check_slopes(&kernel, &[0.1, 0.9, 2.0], &[0.6, 0.85, 2.0]);
        check_slopes(&kernel, &[0.1, 0.9, f64::NAN], &[0.6, 0.85, 2.0]);
        check_slopes(&kernel, &[0.4, 0.4, 1.0], &[0.4, 0.4, 1.0]);
    }

    #[test]
    fn categories_are_equal_or_not_and_inactive_is_equal_to_inactive() {
        let (nan, category) = (f64::NAN, Axis::Category);
        assert_eq!(category.distance(0.0, 3.0).0, category.distance(1.0, 2.0).0);
        for axis in [Axis::Number, category] {
            assert_eq!(axis.distance(nan, nan), (0.0, 0.0));
            assert_eq!(axis.distance(0.2, 0.2).0, 0.0);
            assert_eq!(axis.distance(nan, 0.25).1, 0.0);
        }
        assert_eq!(category.distance(nan, 2.0), (1.0, 0.0));
        assert_eq!(Axis::Number.distance(nan, 0.25).0, 0.0625);
        assert_eq!(Axis::Number.distance(0.25, nan), (0.0625, -0.5));
    }
}
