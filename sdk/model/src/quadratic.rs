//! Polynomials of degree one and two through weighted values: the cheapest model that has a minimum.

use crate::{
    cholesky::Cholesky,
    packed::{Packed, TOGETHER, add_all_scaled, dot},
    points::{Points, Standard},
};

/// What is added to the diagonal of the normal equations, as a share of its mean: where points leave a
/// coefficient open it stays small.
const RIDGE: f64 = 1e-9;

/// Which products of coordinates have a coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Terms {
    /// None: a plane.
    Linear,
    /// Squares.
    Squares,
    /// All pairs.
    Pairs,
}

impl Terms {
    /// How many coefficients there are for so many coordinates, the constant included.
    #[must_use]
    pub fn count(self, dimensions: usize) -> usize {
        1 + match self {
            Self::Linear => dimensions,
            Self::Squares => 2 * dimensions,
            Self::Pairs => dimensions.saturating_mul(dimensions + 3) / 2,
        }
    }

    /// 1, the coordinates, and those products of the first ones, into `row`.
    fn row(self, x: &[f64], curved: usize, row: &mut Vec<f64>) {
        row.clear();
        row.push(1.0);
        row.extend(x);
        let x = x.get(..curved).unwrap_or(x);
        match self {
            Self::Linear => {}
            Self::Squares => row.extend(x.iter().map(|x| x * x)),
            Self::Pairs => {
                for (i, a) in x.iter().enumerate() {
                    row.extend(x.iter().take(i + 1).map(|b| a * b));
                }
            }
        }
    }
}

/// A polynomial fitted by weighted least squares.
#[derive(Clone, Debug)]
pub struct Quadratic {
    terms: Terms,
    curved: usize,
    standard: Standard,
    coefficients: Vec<f64>,
}

impl Quadratic {
    /// Fits to the values at points, each with a weight of at least 0, in `n p^2 / 2` multiplications
    /// for `n` points and `p` coefficients. Only the first `curved` coordinates have products, as far as
    /// `terms` says; the others count linearly. Best in coordinates of about 1 around 0. None if a number
    /// is not finite.
    #[must_use]
    pub fn fit(
        terms: Terms,
        curved: usize,
        points: &Points,
        values: &[f64],
        weights: &[f64],
    ) -> Option<Self> {
        let count = terms.count(curved) + points.width().saturating_sub(curved);
        let standard = Standard::of(values);
        let mut normal = Packed::new(count, |_, _| 0.0);
        let mut right = vec![0.0; count];
        let weighted = points.iter().zip(values).zip(weights);
        let weighted = weighted.map(|((point, value), w)| (point, w, w * standard.scaled(*value)));
        let weighted: Vec<(&[f64], &f64, f64)> = weighted.collect();
        let mut rows: [Vec<f64>; TOGETHER] = Default::default();
        // By coefficient: what each of the rows has there, as often as the point weighs.
        let mut shares = vec![[0.0; TOGETHER]; count];
        // So many points at once, so that what they are added to is read and written once for all of them. A row that
        // the last ones do not have is empty.
        for group in weighted.chunks(TOGETHER) {
            rows.iter_mut().for_each(Vec::clear);
            let mut scaled = [0.0; TOGETHER];
            for (k, (row, (point, weight, value))) in rows.iter_mut().zip(group).enumerate() {
                terms.row(point, curved, row);
                for (share, x) in shares.iter_mut().zip(row.iter()) {
                    if let Some(share) = share.get_mut(k) {
                        *share = *weight * x;
                    }
                }
                if let Some(scaled) = scaled.get_mut(k) {
                    *scaled = *value;
                }
            }
            for share in &mut shares {
                share.iter_mut().skip(group.len()).for_each(|x| *x = 0.0);
            }
            let rows = rows.each_ref().map(Vec::as_slice);
            for (i, shares) in shares.iter().enumerate() {
                add_all_scaled(normal.before(i).1, *shares, rows);
            }
            add_all_scaled(&mut right, scaled, rows);
        }
        let mean = normal.diagonal().sum::<f64>() / count as f64;
        normal.lift(RIDGE * mean);
        Cholesky::with_jitter(&normal)?.solve(&mut right);
        let fitted = Self {
            terms,
            curved,
            standard,
            coefficients: right,
        };
        let is_finite = fitted.coefficients.iter().all(|c| c.is_finite());
        is_finite.then_some(fitted)
    }

    /// The value at a point.
    #[must_use]
    pub fn predict(&self, point: &[f64]) -> f64 {
        let (constant, rest) = self.coefficients.split_first().unwrap_or((&0.0, &[]));
        let (linear, mut rest) = rest.split_at(point.len().min(rest.len()));
        let mut sum = constant + dot(linear, point);
        let curved = point.get(..self.curved).unwrap_or(point);
        match self.terms {
            Terms::Linear => {}
            Terms::Squares => sum += curved.iter().zip(rest).map(|(x, c)| c * x * x).sum::<f64>(),
            Terms::Pairs => {
                for (i, x) in curved.iter().enumerate() {
                    let (own, others) = rest.split_at((i + 1).min(rest.len()));
                    sum += x * dot(own, curved);
                    rest = others;
                }
            }
        }
        self.standard.unscaled(sum)
    }
}

#[cfg(test)]
mod tests {
    use tune_space::Stream;

    use super::*;

    fn points(n: usize, width: usize, seed: u64) -> Points {
        let mut stream = Stream::new(seed);
        let mut points = Points::new(width);
        for _ in 0..n {
            let point: Vec<f64> = (0..width).map(|_| stream.normal()).collect();
            points.push(&point);
        }
        points
    }

    fn bowl(x: &[f64]) -> f64 {
        let [a, b, c] = x else { panic!("three") };
        7.0 + a - 2.0 * b + 3.0 * a * a + a * c + 0.5 * c * c - b * b
    }

    #[test]
    fn a_polynomial_is_found_again_by_as_many_points_as_it_has_coefficients() {
        assert_eq!(Terms::Pairs.count(3), 10);
        let known = points(10, 3, 1);
        let values: Vec<f64> = known.iter().map(bowl).collect();
        let fitted = Quadratic::fit(Terms::Pairs, 3, &known, &values, &[1.0; 10]).unwrap();
        for point in points(50, 3, 2).iter() {
            let off = fitted.predict(point) - bowl(point);
            assert!(off.abs() < 1e-3, "{off}");
        }
    }

    #[test]
    fn fewer_terms_give_the_best_that_they_can() {
        let known = points(400, 2, 3);
        let values: Vec<f64> = known
            .iter()
            .map(|p| 1.0 + 2.0 * p[0] + p[0] * p[1])
            .collect();
        let plane = Quadratic::fit(Terms::Linear, 2, &known, &values, &[1.0; 400]).unwrap();
        assert!((plane.predict(&[1.0, 0.0]) - plane.predict(&[0.0, 0.0]) - 2.0).abs() < 0.2);
        let squares: Vec<f64> = known.iter().map(|p| p[0] * p[0] - 3.0 * p[1]).collect();
        let fitted = Quadratic::fit(Terms::Squares, 2, &known, &squares, &[1.0; 400]).unwrap();
        assert!((fitted.predict(&[2.0, 1.0]) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn coordinates_behind_the_curved_ones_count_linearly() {
        let known = points(12, 3, 5);
        let value = |p: &[f64]| p[0] * p[1] - p[1] * p[1] + 3.0 * p[2];
        let values: Vec<f64> = known.iter().map(value).collect();
        let fitted = Quadratic::fit(Terms::Pairs, 2, &known, &values, &[1.0; 12]).unwrap();
        assert!((fitted.predict(&[1.0, 2.0, 3.0]) - 7.0).abs() < 1e-5);
    }

    #[test]
    fn what_has_no_weight_does_not_count() {
        let known = points(30, 3, 4);
        let mut values: Vec<f64> = known.iter().map(bowl).collect();
        let mut weights = vec![1.0; 30];
        (values[4], weights[4]) = (1e3, 0.0);
        let fitted = Quadratic::fit(Terms::Pairs, 3, &known, &values, &weights).unwrap();
        assert!((fitted.predict(known.get(4)) - bowl(known.get(4))).abs() < 1e-3);
    }

    #[test]
    fn too_few_points_give_a_small_polynomial_and_what_is_no_number_none() {
        let known: Points = [&[1.0, 0.0][..], &[-1.0, 0.0]].into_iter().collect();
        let fitted = Quadratic::fit(Terms::Pairs, 2, &known, &[1.0, -1.0], &[1.0, 1.0]).unwrap();
        assert!((fitted.predict(&[1.0, 0.0]) - 1.0).abs() < 1e-3);
        assert!(fitted.predict(&[0.0, 5.0]).abs() < 0.5);
        let none = Points::new(2);
        assert!(Quadratic::fit(Terms::Pairs, 2, &none, &[], &[]).is_none());
        let bad: Points = [&[f64::NAN, 0.0][..]].into_iter().collect();
        assert!(Quadratic::fit(Terms::Linear, 2, &bad, &[1.0], &[1.0]).is_none());
    }
}
