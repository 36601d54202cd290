//! Covariance functions of points of the unit cube.

use crate::{
    axes::{Axes, Axis},
    decay::decay,
    known::Known,
    packed::{LANES, Lanes, Packed, add_scaled, dot},
};

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

    /// The point that is compared in place of this one, with equal covariances. By default itself.
    fn placed(&self, point: &[f64]) -> Vec<f64> {
        point.to_vec()
    }

    /// [`Self::covariance`] of a placed point with each of the first `count` known ones, equal bit for bit.
    fn covariances(&self, a: &[f64], known: &Known, count: usize) -> Vec<f64> {
        let points = known.points().iter().take(count);
        points.map(|b| self.covariance(a, b)).collect()
    }

    /// [`Self::covariances`], and what [`Self::by_point_of_all`] wants again of each, if anything.
    fn covariances_and_rates(&self, a: &[f64], known: &Known) -> (Vec<f64>, Vec<f64>) {
        (self.covariances(a, known, known.len()), Vec::new())
    }

    /// The covariances of all known points.
    fn pairs(&self, known: &Known) -> Pairs {
        let rows = known.points().iter().enumerate();
        let rows = rows.map(|(i, a)| self.covariances(a, known, i + 1));
        Pairs {
            covariances: Packed::of_rows(rows),
            rates: Packed::default(),
        }
    }

    /// [`Self::covariance`], and into `slopes` its derivatives by the logarithms of the parameters.
    fn by_parameters(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64;

    /// The sum of [`Self::by_parameters`] over all `pairs` of known points, each as often as its share says.
    fn by_parameters_of_all(&self, known: &Known, pairs: &Pairs, shares: &Packed) -> Vec<f64> {
        let count = self.parameters().len();
        let (mut sums, mut slopes) = (vec![0.0; count], vec![0.0; count]);
        debug_assert_eq!(pairs.covariances.size(), known.len());
        for (a, row) in known.points().iter().zip(shares.rows()) {
            for (b, share) in known.points().iter().zip(row) {
                self.by_parameters(a, b, &mut slopes);
                add_scaled(&mut sums, *share, &slopes);
            }
        }
        sums
    }

    /// [`Self::covariance`], and into `slopes` its derivatives by the coordinates of `a`; 0 where
    /// there is none, as for categories.
    fn by_point(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64;

    /// The sum of [`Self::by_point`] over all known points, each as often as its share says. `rates` are those of
    /// [`Self::covariances_and_rates`].
    fn by_point_of_all(&self, a: &[f64], known: &Known, rates: &[f64], shares: &[f64]) -> Vec<f64> {
        debug_assert!(rates.is_empty() || rates.len() == known.len());
        let (mut sums, mut slopes) = (vec![0.0; a.len()], vec![0.0; a.len()]);
        for (b, share) in known.points().iter().zip(shares) {
            self.by_point(a, b, &mut slopes);
            add_scaled(&mut sums, *share, &slopes);
        }
        sums
    }
}

/// What a kernel says of all pairs of points.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Their covariances.
    pub covariances: Packed,
    /// What [`Kernel::by_parameters_of_all`] wants again of each, if anything.
    pub rates: Packed,
}

/// Matern-5/2 with a weight an axis (automatic relevance determination):
/// `s (1 + r + r^2 / 3) exp(-r)` with `r^2 = 5 sum of w_i d_i`, `d_i` the squared distance on axis
/// `i`. A weight is 1 / lengthscale^2.
///
/// Its parameters are `s` and then the weights.
#[derive(Clone, Debug)]
pub struct Matern {
    axes: Axes,
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
            axes: Axes::new(axes),
        }
    }

    /// What the coordinates are.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        self.axes.all()
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
        let axes = self.axes().iter().zip(&self.weights);
        axes.zip(coordinates)
            .map(|((axis, w), (a, b))| (*w, axis.distance(*a, *b)))
    }

    /// Covariance, and its derivative by the sum of the weighted distances.
    fn at(&self, a: &[f64], b: &[f64]) -> (f64, f64) {
        let mut sum = 0.0;
        self.terms(a, b).for_each(|(w, (d, _))| sum += w * d);
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

    /// The sums of the weighted distances of a point from some known ones, and of as many more as fill a block.
    fn sums(&self, a: &[f64], known: &Known, count: usize) -> Vec<f64> {
        let blocks = known.blocks().take(count.div_ceil(LANES));
        let sums: Vec<Lanes> = blocks
            .map(|block| self.axes.distances(&self.weights, a, block))
            .collect();
        sums.into_flattened()
    }

    /// Covariances and their derivatives by the sums: a loop without calls or branches, several in one instruction.
    fn of_all(&self, mut sums: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
        let mut rates = vec![0.0; sums.len()];
        for (sum, rate) in sums.iter_mut().zip(&mut rates) {
            (*sum, *rate) = self.of(*sum);
        }
        (sums, rates)
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

    fn placed(&self, point: &[f64]) -> Vec<f64> {
        let coordinates = self.axes().iter().zip(point);
        coordinates.map(|(axis, u)| axis.placed(*u)).collect()
    }

    fn covariances(&self, a: &[f64], known: &Known, count: usize) -> Vec<f64> {
        let mut values = self.sums(a, known, count);
        values.iter_mut().for_each(|sum| *sum = self.of(*sum).0);
        values.truncate(count.min(known.len()));
        values
    }

    fn covariances_and_rates(&self, a: &[f64], known: &Known) -> (Vec<f64>, Vec<f64>) {
        let (mut values, mut rates) = self.of_all(self.sums(a, known, known.len()));
        values.truncate(known.len());
        rates.truncate(known.len());
        (values, rates)
    }

    fn pairs(&self, known: &Known) -> Pairs {
        let mut sums = Vec::with_capacity(known.len() * (known.len() + 1) / 2);
        for (i, a) in known.points().iter().enumerate() {
            sums.extend(self.sums(a, known, i + 1).iter().take(i + 1));
        }
        let (covariances, rates) = self.of_all(sums);
        Pairs {
            covariances: Packed::of(known.len(), covariances),
            rates: Packed::of(known.len(), rates),
        }
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

    fn by_parameters_of_all(&self, known: &Known, pairs: &Pairs, shares: &Packed) -> Vec<f64> {
        let mut scale = 0.0;
        let mut distances = vec![[0.0; LANES]; self.weights.len()];
        let rows = pairs.covariances.rows().zip(pairs.rates.rows());
        let rows = known.points().iter().zip(shares.rows().zip(rows));
        for (a, (shares, (covariances, rates))) in rows {
            scale += dot(shares, covariances);
            let factors = in_lanes(shares.iter().zip(rates).map(|(share, rate)| share * rate));
            for (block, factors) in known.blocks().zip(&factors) {
                self.axes.add_distances(&mut distances, factors, a, block);
            }
        }
        let weights = distances.iter().zip(&self.weights);
        let weights = weights.map(|(lanes, w)| w * lanes.iter().sum::<f64>());
        std::iter::once(scale).chain(weights).collect()
    }

    fn by_point(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64 {
        let (value, by_sum) = self.at(a, b);
        for (slope, (w, (_, by_a))) in slopes.iter_mut().zip(self.terms(a, b)) {
            *slope = by_sum * w * by_a;
        }
        value
    }

    fn by_point_of_all(&self, a: &[f64], known: &Known, rates: &[f64], shares: &[f64]) -> Vec<f64> {
        let mut offs = vec![[0.0; LANES]; self.weights.len()];
        let factors = in_lanes(shares.iter().zip(rates).map(|(share, rate)| share * rate));
        for (block, factors) in known.blocks().zip(&factors) {
            self.axes.add_offs(&mut offs, factors, a, block);
        }
        let offs = offs.iter().zip(&self.weights);
        offs.map(|(lanes, w)| 2.0 * w * lanes.iter().sum::<f64>())
            .collect()
    }
}

/// Numbers in blocks; what the last one lacks is 0.
fn in_lanes(numbers: impl ExactSizeIterator<Item = f64>) -> Vec<Lanes> {
    let mut blocks = vec![[0.0; LANES]; numbers.len().div_ceil(LANES)];
    let lanes = blocks.as_flattened_mut().iter_mut();
    lanes.zip(numbers).for_each(|(lane, number)| *lane = number);
    blocks
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
    use crate::points::Points;

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
        let points: Points = rows.iter().cycle().take(13).map(|row| &row[..]).collect();
        let known = known(&kernel, &points);
        for a in points.iter() {
            for count in 0..=14 {
                let each = points.iter().take(count).map(|b| kernel.covariance(a, b));
                let each: Vec<f64> = each.collect();
                assert_eq!(kernel.covariances(&kernel.placed(a), &known, count), each);
            }
        }
    }

    fn known(kernel: &Matern, points: &Points) -> Known {
        let mut known = Known::new(points.width());
        points.iter().for_each(|b| known.push(&kernel.placed(b)));
        known
    }

    #[test]
    fn sums_over_all_points_are_those_of_each() {
        let axes = [Axis::Number, Axis::Category, Axis::Number, Axis::Number];
        let kernel = Matern::new(axes.to_vec()).with(&[0.7, -0.3, 2.0, 0.4, 0.1]);
        let mut stream = tune_space::Stream::new(1);
        let points: Vec<[f64; 4]> = (0..21)
            .map(|_| [stream.unit(), stream.below(3) as f64, 0.5, stream.unit()])
            .collect();
        let points: Points = points.iter().map(|row| &row[..]).collect();
        let known = known(&kernel, &points);
        let pairs = kernel.pairs(&known);
        let shares = Packed::new(21, |_, _| stream.normal());
        let got = kernel.by_parameters_of_all(&known, &pairs, &shares);
        let mut want = vec![0.0; 5];
        for (i, j) in (0..21).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            let mut slopes = vec![0.0; 5];
            let value = kernel.by_parameters(points.get(i), points.get(j), &mut slopes);
            assert_eq!(pairs.covariances.row(i)[j], value);
            add_scaled(&mut want, shares.row(i)[j], &slopes);
        }
        close(&got, &want);
        let (a, shares) = (points.get(3), shares.row(20));
        let (values, rates) = kernel.covariances_and_rates(a, &known);
        let got = kernel.by_point_of_all(a, &known, &rates, shares);
        let mut want = vec![0.0; 4];
        for ((b, value), share) in points.iter().zip(values).zip(shares) {
            let mut slopes = vec![0.0; 4];
            assert_eq!(kernel.by_point(a, b, &mut slopes), value);
            add_scaled(&mut want, *share, &slopes);
        }
        close(&got, &want);
    }

    fn close(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-10, "{got} {want}");
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
}
