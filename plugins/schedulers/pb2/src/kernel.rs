//! The covariance of what training brings: nearer in time, in the score that it starts from, and in
//! parameters, is more alike. TV-GP-UCB (Bogunovic, Scarlett and Cevher 2016), with a categorical
//! part as in PB2-Mix (Parker-Holder et al. 2021, after CoCaBO, Ru et al. 2020).

use tune_model::{Axis, Kernel};

/// Coordinates before the parameters: time, and the score at the start.
pub(crate) const FIXED: usize = 2;

/// `s (1 - forgetting)^(|t - t'| / 2) x m`, where with `n = exp(-d^2 / length)` over score and
/// numbers and `c` the share of equal categories `m` is `mix n c + (1 - mix) (n + c) / 2`; `n` alone
/// without categories.
///
/// Parameters: `s`, length, forgetting (below 1), and with categories `mix` (at most 1).
#[derive(Clone, Debug)]
pub(crate) struct Varying {
    /// Of the parameters, without the fixed coordinates.
    axes: Vec<Axis>,
    categories: f64,
    scale: f64,
    length: f64,
    forgetting: f64,
    /// ln(1 - forgetting) / 2.
    decay: f64,
    mix: f64,
}

/// All parts of a covariance.
struct Parts {
    time: f64,
    distance: f64,
    numbers: f64,
    equal: f64,
    time_apart: f64,
}

impl Varying {
    /// With the parameters that Ray Tune starts from.
    pub(crate) fn new(axes: Vec<Axis>) -> Self {
        let categories = axes.iter().filter(|axis| **axis == Axis::Category);
        Self {
            categories: categories.count() as f64,
            axes,
            scale: 1.0,
            length: 1.0,
            forgetting: 0.1,
            decay: 0.5 * libm::log1p(-0.1),
            mix: 0.5,
        }
    }

    /// Bounds of the logarithms of the parameters.
    pub(crate) fn bounds(&self) -> Vec<(f64, f64)> {
        let all = [(0.05, 20.0), (0.01, 10.0), (1e-5, 0.5), (0.01, 0.99)];
        let logarithm = |(low, high): (f64, f64)| (libm::log(low), libm::log(high));
        all.map(logarithm).into_iter().take(self.count()).collect()
    }

    fn count(&self) -> usize {
        if self.categories > 0.0 { 4 } else { 3 }
    }

    /// Kinds of all coordinates but the time.
    fn spatial(&self) -> impl Iterator<Item = Axis> + '_ {
        std::iter::once(Axis::Number).chain(self.axes.iter().copied())
    }

    fn parts(&self, a: &[f64], b: &[f64]) -> Parts {
        let apart = |(a, b): (&f64, &f64)| (a - b).abs();
        let time_apart = a.first().zip(b.first()).map_or(0.0, apart);
        let (mut distance, mut unequal) = (0.0, 0.0);
        for (axis, (a, b)) in self.spatial().zip(a.iter().zip(b).skip(1)) {
            let (d, _) = axis.distance(*a, *b);
            match axis {
                Axis::Number => distance += d,
                Axis::Category => unequal += d,
            }
        }
        Parts {
            time: libm::exp(time_apart * self.decay),
            distance,
            numbers: libm::exp(-distance / self.length),
            equal: 1.0 - unequal / self.categories.max(1.0),
            time_apart,
        }
    }

    fn mixed(&self, parts: &Parts) -> f64 {
        if self.categories > 0.0 {
            self.mix * parts.numbers * parts.equal
                + (1.0 - self.mix) * 0.5 * (parts.numbers + parts.equal)
        } else {
            parts.numbers
        }
    }

    /// Derivative of [`Self::mixed`] by the numbers' part.
    fn by_numbers(&self, parts: &Parts) -> f64 {
        if self.categories > 0.0 {
            self.mix * parts.equal + (1.0 - self.mix) * 0.5
        } else {
            1.0
        }
    }
}

impl Kernel for Varying {
    fn parameters(&self) -> Vec<f64> {
        let all = [self.scale, self.length, self.forgetting, self.mix];
        all.map(libm::log).into_iter().take(self.count()).collect()
    }

    fn with(&self, logarithms: &[f64]) -> Self {
        let mut values = logarithms.iter().map(|x| libm::exp(*x));
        let mut next = |otherwise| values.next().unwrap_or(otherwise);
        let (scale, length) = (next(self.scale), next(self.length));
        let forgetting = next(self.forgetting);
        Self {
            axes: self.axes.clone(),
            categories: self.categories,
            scale,
            length,
            forgetting,
            decay: 0.5 * libm::log1p(-forgetting),
            mix: next(self.mix),
        }
    }

    fn covariance(&self, a: &[f64], b: &[f64]) -> f64 {
        let parts = self.parts(a, b);
        self.scale * parts.time * self.mixed(&parts)
    }

    fn by_parameters(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64 {
        let parts = self.parts(a, b);
        let decayed = self.scale * parts.time;
        let value = decayed * self.mixed(&parts);
        let by_length = parts.numbers * parts.distance / self.length;
        let product = parts.numbers * parts.equal;
        let all = [
            value,
            decayed * self.by_numbers(&parts) * by_length,
            -value * 0.5 * parts.time_apart * self.forgetting / (1.0 - self.forgetting),
            decayed * self.mix * (product - 0.5 * (parts.numbers + parts.equal)),
        ];
        for (slope, derivative) in slopes.iter_mut().zip(all) {
            *slope = derivative;
        }
        value
    }

    fn by_point(&self, a: &[f64], b: &[f64], slopes: &mut [f64]) -> f64 {
        let parts = self.parts(a, b);
        let decayed = self.scale * parts.time;
        let value = decayed * self.mixed(&parts);
        let by_distance = -decayed * self.by_numbers(&parts) * parts.numbers / self.length;
        let coordinates = a.iter().zip(b);
        let (mut slopes, mut coordinates) = (slopes.iter_mut(), coordinates);
        if let (Some(slope), Some((a, b))) = (slopes.next(), coordinates.next()) {
            *slope = value * self.decay * (a - b).signum();
        }
        for (slope, (axis, (a, b))) in slopes.zip(self.spatial().zip(coordinates)) {
            *slope = match axis {
                Axis::Number => by_distance * axis.distance(*a, *b).1,
                Axis::Category => 0.0,
            };
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kernel: &Varying, a: &[f64], b: &[f64]) {
        let step = 1e-5;
        let parameters = kernel.parameters();
        let mut slopes = vec![0.0; parameters.len()];
        assert_eq!(
            kernel.by_parameters(a, b, &mut slopes),
            kernel.covariance(a, b)
        );
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
        assert_eq!(kernel.by_point(a, b, &mut slopes), kernel.covariance(a, b));
        for i in (0..4).filter(|i| !a[*i].is_nan()) {
            let at = |by: f64| {
                let mut moved = a.to_vec();
                moved[i] += by;
                kernel.covariance(&moved, b)
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            assert!(
                (slopes[i] - numeric).abs() < 1e-8,
                "{i}: {} {numeric}",
                slopes[i]
            );
        }
    }

    #[test]
    fn without_categories_it_is_the_kernel_of_ray_tune() {
        let kernel = Varying::new(vec![Axis::Number; 2]).with(&[0.5, 1.5, 0.25].map(libm::log));
        let (a, b) = ([0.2, 0.5, 0.1, 0.9], [0.7, 0.3, 0.4, 0.6]);
        let distance: f64 = 0.04 + 0.09 + 0.09;
        let expected = 0.5 * libm::exp(-distance / 1.5) * libm::pow(0.75, 0.25);
        assert!((kernel.covariance(&a, &b) - expected).abs() < 1e-15);
        check(&kernel, &a, &b);
    }

    #[test]
    fn with_categories_it_is_the_mixture_and_its_derivatives_agree_with_differences() {
        let axes = vec![Axis::Number, Axis::Number, Axis::Category, Axis::Category];
        let kernel = Varying::new(axes).with(&[2.0, 0.5, 0.3, 0.25].map(libm::log));
        let a = [0.2, 0.5, 0.1, 0.9, 1.0, 0.0];
        let b = [0.7, 0.3, 0.4, 0.6, 1.0, 2.0];
        let numbers = libm::exp(-(0.04 + 0.09 + 0.09) / 0.5);
        let mixed = 0.25 * numbers * 0.5 + 0.75 * 0.5 * (numbers + 0.5);
        let expected = 2.0 * libm::pow(0.7, 0.25) * mixed;
        assert!((kernel.covariance(&a, &b) - expected).abs() < 1e-14);
        assert!((kernel.covariance(&a, &a) - 2.0).abs() < 1e-15);
        check(&kernel, &a, &b);
        check(&kernel, &[0.2, 0.5, f64::NAN, 0.9, 1.0, 0.0], &b);
    }
}
