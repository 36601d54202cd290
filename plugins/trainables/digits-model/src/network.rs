//! The network: dense layers, forward and backward.

use tune_plugin::{
    Stream,
    linalg::{LANES, Lane, Panels, multiply_add, multiply_transposed, tanh, transpose},
};

use crate::{Activation, CLASSES, PIXELS, Settings};

/// Weights and bias of one layer, or their gradients.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) weights: Panels,
    pub(crate) bias: Vec<Lane>,
}

impl Dense {
    fn zeros(inputs: usize, outputs: usize) -> Self {
        Self {
            weights: Panels::weights(inputs, outputs),
            bias: vec![[0.0; LANES]; outputs.div_ceil(LANES)],
        }
    }

    /// Uniform weights of variance `gain / inputs` (He et al. 2015 with 2, Glorot and Bengio 2010
    /// with 1), bias 0.
    fn random(inputs: usize, outputs: usize, gain: f64, stream: &mut Stream) -> Self {
        let mut layer = Self::zeros(inputs, outputs);
        let bound = libm::sqrt(3.0 * gain / inputs as f64);
        for row in 0..inputs {
            for col in 0..outputs {
                if let Some(weight) = layer.weights.get_mut(row, col) {
                    *weight = ((2.0 * stream.unit() - 1.0) * bound) as f32;
                }
            }
        }
        layer
    }
}

/// One set of gradients, layer by layer.
#[derive(Clone, Debug)]
pub struct Gradients {
    pub(crate) layers: Vec<Dense>,
}

/// A multi-layer perceptron with its activations and their gradients for one batch.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) layers: Vec<Dense>,
    activation: Activation,
    /// Inputs of each layer for the present batch, and then the outputs of the last.
    pub(crate) signals: Vec<Panels>,
    /// Gradients of the same, except of the first.
    slopes: Vec<Panels>,
    /// Transposed weights of the layer at hand.
    turned: Panels,
    /// Features at each border between layers.
    pub(crate) widths: Vec<usize>,
    /// Images of the present batch.
    rows: usize,
}

impl Network {
    /// A network with random weights.
    #[must_use]
    pub fn new(settings: &Settings, stream: &mut Stream) -> Self {
        let mut widths = vec![PIXELS];
        widths.extend(std::iter::repeat_n(settings.hidden, settings.layers));
        widths.push(CLASSES);
        let gain = match settings.activation {
            Activation::Relu => 2.0,
            Activation::Tanh => 1.0,
        };
        let pairs = widths.iter().zip(widths.iter().skip(1));
        Self {
            layers: pairs
                .map(|(inputs, outputs)| Dense::random(*inputs, *outputs, gain, stream))
                .collect(),
            activation: settings.activation,
            signals: vec![Panels::default(); widths.len()],
            slopes: vec![Panels::default(); widths.len()],
            turned: Panels::default(),
            widths,
            rows: 0,
        }
    }

    /// Of each layer its outputs and, row after row, its parameters: the weights of each input, then the
    /// biases.
    #[must_use]
    pub fn plain(&self) -> Vec<(usize, Vec<f32>)> {
        let pairs = self.widths.iter().zip(self.widths.iter().skip(1));
        let layers = pairs.zip(&self.layers).map(|((inputs, outputs), layer)| {
            let row = |row| (0..*outputs).filter_map(move |col| layer.weights.get(row, col));
            let bias = layer.bias.as_flattened().iter().take(*outputs);
            let weights = (0..*inputs).flat_map(row).chain(bias.copied());
            (*outputs, weights.collect())
        });
        layers.collect()
    }

    /// Zero gradients of the shape of this network.
    #[must_use]
    pub fn gradients(&self) -> Gradients {
        let pairs = self.widths.iter().zip(self.widths.iter().skip(1));
        Gradients {
            layers: pairs.map(|(i, o)| Dense::zeros(*i, *o)).collect(),
        }
    }

    /// Makes room for a batch of `rows` images and returns where their pixels go. Rows of padding
    /// stay 0 there and in the gradients, as long as nobody writes to them.
    pub(crate) fn inputs(&mut self, rows: usize) -> Option<&mut Panels> {
        if self.rows != rows {
            self.rows = rows;
            let borders = self.signals.iter_mut().zip(&mut self.slopes);
            for ((signal, slope), width) in borders.zip(&self.widths) {
                signal.reset(rows, *width);
                slope.reset(rows, *width);
            }
        }
        self.signals.first_mut()
    }

    /// The outputs of the last layer (not normalised) and where their gradients are to be put.
    pub(crate) fn outputs(&mut self) -> Option<(&Panels, &mut Panels)> {
        self.signals.last().zip(self.slopes.last_mut())
    }

    /// From the inputs to the outputs.
    pub(crate) fn forward(&mut self) {
        let last = self.layers.len();
        for (number, layer) in (1..).zip(&self.layers) {
            let (before, after) = self.signals.split_at_mut(number);
            let (Some(inputs), Some(outputs)) = (before.last(), after.first_mut()) else {
                return;
            };
            multiply_add(inputs, &layer.weights, &layer.bias, outputs);
            if number < last {
                activate(self.activation, outputs);
            }
        }
    }

    /// From the gradients of the outputs to those of all weights.
    pub(crate) fn backward(&mut self, gradients: &mut Gradients) {
        let layers = self.layers.iter().zip(&mut gradients.layers).enumerate();
        for (number, (layer, gradient)) in layers.rev() {
            let (before, after) = self.slopes.split_at_mut(number + 1);
            let (Some(inputs), Some(below), Some(above)) =
                (self.signals.get(number), before.last_mut(), after.first())
            else {
                return;
            };
            multiply_transposed(inputs, above, &mut gradient.weights);
            sum_rows(above, &mut gradient.bias);
            if number > 0 {
                // Every element is overwritten, so that the shape is all that a reset would do.
                self.turned
                    .reset(layer.bias.len() * LANES, layer.weights.rows());
                transpose(&layer.weights, &mut self.turned);
                multiply_add(
                    above,
                    &self.turned,
                    &vec![[0.0; LANES]; inputs.panels().len()],
                    below,
                );
                through(self.activation, inputs, below);
            }
        }
    }
}

fn activate(activation: Activation, sums: &mut Panels) {
    let values = sums.lanes_mut().as_flattened_mut().iter_mut();
    match activation {
        Activation::Relu => values.for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        Activation::Tanh => values.for_each(|x| *x = tanh(*x)),
    }
}

/// Sums over the batch, panel by panel.
fn sum_rows(matrix: &Panels, sums: &mut [Lane]) {
    for (panel, sum) in matrix.panels().zip(sums) {
        *sum = panel.iter().fold([0.0; LANES], |mut sum, row| {
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            sum
        });
    }
}

/// Gradients behind an activation, from its outputs and the gradients of those.
fn through(activation: Activation, outputs: &Panels, slopes: &mut Panels) {
    let outputs = outputs.lanes().as_flattened();
    let pairs = slopes
        .lanes_mut()
        .as_flattened_mut()
        .iter_mut()
        .zip(outputs);
    match activation {
        Activation::Relu => {
            pairs.for_each(|(slope, y)| *slope = if *y > 0.0 { *slope } else { 0.0 })
        }
        Activation::Tanh => pairs.for_each(|(slope, y)| *slope *= 1.0 - y * y),
    }
}
