//! A factored covariance and the values that were solved with it: the likelihood and its slopes.

use crate::{
    cholesky::Cholesky,
    kernel::{Kernel, Pairs},
    known::Known,
    packed::{Packed, dot},
};

/// ln(2 pi) / 2.
pub(crate) const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// What a process makes of its covariance and its values.
#[derive(Clone, Debug)]
pub(crate) struct Solution {
    factor: Cholesky,
    /// The inverse covariance times the values.
    weights: Vec<f64>,
}

impl Solution {
    /// None if the covariance with noise is not positive definite, even with jitter.
    pub(crate) fn new(mut covariance: Packed, noise: f64, values: &[f64]) -> Option<Self> {
        covariance.lift(noise);
        let factor = Cholesky::with_jitter(&covariance)?;
        let weights = solved(&factor, values);
        Some(Self { factor, weights })
    }

    pub(crate) fn factor(&self) -> &Cholesky {
        &self.factor
    }

    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Learns a value beside the known ones. False, and nothing changes, if its row of the covariance does not
    /// leave it positive definite.
    pub(crate) fn append(&mut self, row: &[f64], known: &[f64], value: f64) -> bool {
        let fits = self.factor.append(row);
        if fits {
            let mut values = known.to_vec();
            values.push(value);
            self.weights = solved(&self.factor, &values);
        }
        fits
    }

    /// The logarithm of the marginal likelihood of the values.
    pub(crate) fn log_likelihood(&self, values: &[f64]) -> f64 {
        let n = values.len() as f64;
        -0.5 * dot(values, &self.weights) - 0.5 * self.factor.log_determinant() - n * LN_SQRT_2_PI
    }

    /// Its derivatives by the logarithms of the parameters of the kernel and of the noise.
    pub(crate) fn slopes(
        &self,
        kernel: &impl Kernel,
        noise: f64,
        known: &Known,
        pairs: &Pairs,
    ) -> Vec<f64> {
        let mut shares = self.factor.inverse();
        let mut by_noise = 0.0;
        for (i, weight) in self.weights.iter().enumerate() {
            let (_, row) = shares.before(i);
            for (share, other) in row.iter_mut().zip(&self.weights) {
                *share = weight * other - *share;
            }
            // Off the diagonal each element stands for two.
            if let Some(share) = row.last_mut() {
                *share *= 0.5;
                by_noise += *share * noise;
            }
        }
        let mut slopes = kernel.by_parameters_of_all(known, pairs, &shares);
        slopes.push(by_noise);
        slopes
    }
}

fn solved(factor: &Cholesky, values: &[f64]) -> Vec<f64> {
    let mut weights = values.to_vec();
    factor.solve(&mut weights);
    weights
}
