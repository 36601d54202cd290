//! Learning rates that follow the signal in the updates: M. Nomura, Y. Akimoto, I. Ono (2023), *CMA-ES
//! with Learning Rate Adaptation: Can CMA-ES with Default Population Size Solve Multimodal and Noisy
//! Problems?*, with the numbers of the paper.

use super::eigen::eigen;
use super::square::Square;
use super::{Axes, Cma, Shape, differences, norm};

/// The signal that an update should have, relative to its noise and its rate.
const ALPHA: f64 = 1.4;
const BETA_MEAN: f64 = 0.1;
const BETA_SHAPE: f64 = 0.03;
/// By how much a rate changes at most in one generation, relative to itself.
const GAMMA: f64 = 0.1;

/// A rate, and the moving averages of the updates that it scales.
#[derive(Clone, Debug)]
struct Rate {
    rate: f64,
    beta: f64,
    mean: Vec<f64>,
    square: f64,
}

impl Rate {
    fn new(n: usize, beta: f64) -> Self {
        Self {
            rate: 1.0,
            beta,
            mean: vec![0.0; n],
            square: 0.0,
        }
    }

    fn see(&mut self, update: &[f64]) {
        let b = self.beta;
        self.mean
            .iter_mut()
            .zip(update)
            .for_each(|(m, u)| *m = (1.0 - b) * *m + b * u);
        self.square = (1.0 - b) * self.square + b * norm(update) * norm(update);
        let signal = norm(&self.mean) * norm(&self.mean);
        let ratio = (signal - b / (2.0 - b) * self.square) / (self.square - signal);
        let relative = (ratio / ALPHA / self.rate - 1.0).clamp(-1.0, 1.0);
        // The first update has no noise to compare with: it says nothing.
        if relative.is_finite() {
            self.rate *= libm::exp((GAMMA * self.rate).min(b) * relative);
        }
        self.rate = self.rate.min(1.0);
    }
}

/// Of the mean and of the covariance.
#[derive(Clone, Debug)]
pub(super) struct LearningRates {
    mean: Rate,
    shape: Rate,
}

impl LearningRates {
    pub(super) fn new(n: usize) -> Self {
        Self {
            mean: Rate::new(n, BETA_MEAN),
            shape: Rate::new(n * n, BETA_SHAPE),
        }
    }
}

impl Cma {
    /// Takes back a part of the last update, as the rates say.
    pub(super) fn adapt_rates(&mut self, old: &Self) {
        let (
            Some(rates),
            Shape::Full {
                covariance: before, ..
            },
            Shape::Full {
                covariance: after, ..
            },
        ) = (&mut self.rates, &old.shape, &self.shape)
        else {
            return;
        };
        let n = before.size();
        let moved = differences(&self.mean, &old.mean);
        let change = Square::new(n, |i, j| {
            self.sigma * self.sigma * after.at(i, j) - old.sigma * old.sigma * before.at(i, j)
        });
        // In the coordinates of the old distribution.
        let whitening = old.whitening();
        let local_mean: Vec<f64> = whitening
            .whitened(&moved)
            .iter()
            .map(|x| x / old.sigma)
            .collect();
        let half: Vec<Vec<f64>> = (0..n)
            .map(|j| {
                let column: Vec<f64> = (0..n).map(|i| change.at(i, j)).collect();
                whitening.whitened(&column)
            })
            .collect();
        let local_shape: Vec<f64> = (0..n)
            .flat_map(|i| {
                let row: Vec<f64> = half
                    .iter()
                    .filter_map(|column| column.get(i))
                    .copied()
                    .collect();
                whitening.whitened(&row)
            })
            .map(|x| x / (old.sigma * old.sigma) / std::f64::consts::SQRT_2)
            .collect();
        let before_rate = rates.mean.rate;
        rates.mean.see(&local_mean);
        rates.shape.see(&local_shape);
        let (mean_rate, shape_rate) = (rates.mean.rate, rates.shape.rate);

        for ((m, old), moved) in self.mean.iter_mut().zip(&old.mean).zip(&moved) {
            *m = old + mean_rate * moved;
        }
        let scaled = Square::new(n, |i, j| {
            old.sigma * old.sigma * before.at(i, j) + shape_rate * change.at(i, j)
        });
        let (values, _) = eigen(&scaled);
        let log: f64 = values.iter().map(|v| libm::log(v.max(1e-300))).sum();
        let sigma = libm::exp(log / (2.0 * n.max(1) as f64));
        let next = Square::new(n, |i, j| scaled.at(i, j) / (sigma * sigma));
        self.shape = Shape::Full {
            axes: Axes::of(&next),
            covariance: next,
        };
        self.sigma = sigma * before_rate / mean_rate;
    }
}
