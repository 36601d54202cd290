//! How weights follow gradients, element by element over whole lanes.

use tune_plugin::linalg::{LANES, Lane};

use crate::{Gradients, Network, OptimizerKind, Settings, network::Dense};

/// Decay of the mean gradient (Kingma and Ba 2015).
const BETA_1: f32 = 0.9;
/// Decay of the mean squared gradient.
const BETA_2: f32 = 0.999;
/// Keeps a division by a vanishing gradient finite.
const EPSILON: f32 = 1e-8;

/// The memory of an optimizer: velocity, or first and second moment.
#[derive(Clone, Debug)]
pub(crate) struct Optimizer {
    pub(crate) first: Gradients,
    pub(crate) second: Gradients,
    /// `BETA_1` and `BETA_2` to the power of the steps so far.
    pub(crate) powers: [f32; 2],
}

impl Optimizer {
    pub(crate) fn new(network: &Network) -> Self {
        Self {
            first: network.gradients(),
            second: network.gradients(),
            powers: [1.0; 2],
        }
    }

    /// One change of all weights. Weight decay is part of the loss (L2), and not for biases.
    pub(crate) fn step(&mut self, network: &mut Network, gradients: &Gradients, how: &Settings) {
        let [power_1, power_2] = &mut self.powers;
        *power_1 *= BETA_1;
        *power_2 *= BETA_2;
        let rate = match how.optimizer {
            OptimizerKind::Sgd => how.lr,
            OptimizerKind::Adam => how.lr * (1.0 - *power_2).sqrt() / (1.0 - *power_1),
        };
        let update =
            |to: &mut [Lane], from: &[Lane], first: &mut [Lane], second: &mut [Lane], decay| {
                let parts = to.iter_mut().zip(from).zip(first.iter_mut().zip(second));
                match how.optimizer {
                    OptimizerKind::Sgd => {
                        parts.for_each(|((w, g), (v, _))| sgd(w, g, v, rate, how.momentum, decay));
                    }
                    OptimizerKind::Adam => {
                        parts.for_each(|((w, g), (m, v))| adam(w, g, m, v, rate, decay));
                    }
                }
            };
        let memory = self.first.layers.iter_mut().zip(&mut self.second.layers);
        let layers = network.layers.iter_mut().zip(&gradients.layers);
        for ((layer, gradient), (first, second)) in layers.zip(memory) {
            let Dense { weights, bias } = layer;
            update(
                weights.lanes_mut(),
                gradient.weights.lanes(),
                first.weights.lanes_mut(),
                second.weights.lanes_mut(),
                how.weight_decay,
            );
            update(bias, &gradient.bias, &mut first.bias, &mut second.bias, 0.0);
        }
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "constant bounds of fixed-size arrays"
)]
#[inline]
fn sgd(w: &mut Lane, g: &Lane, v: &mut Lane, rate: f32, momentum: f32, decay: f32) {
    for i in 0..LANES {
        v[i] = momentum * v[i] + (g[i] + decay * w[i]);
        w[i] -= rate * v[i];
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "constant bounds of fixed-size arrays"
)]
#[inline]
fn adam(w: &mut Lane, g: &Lane, m: &mut Lane, v: &mut Lane, rate: f32, decay: f32) {
    for i in 0..LANES {
        let g = g[i] + decay * w[i];
        m[i] = BETA_1 * m[i] + (1.0 - BETA_1) * g;
        v[i] = BETA_2 * v[i] + (1.0 - BETA_2) * (g * g);
        w[i] -= rate * m[i] / (v[i].sqrt() + EPSILON);
    }
}
