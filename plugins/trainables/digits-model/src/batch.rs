//! One batch: images in, loss, hits and gradients out.

use tune_plugin::linalg::{LANES, Lane, exp};

use crate::{CLASSES, Gradients, Images, Network};

/// What a network makes of some images.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// Sum of the cross-entropies.
    pub(crate) loss: f64,
    /// Images whose largest output is that of their digit.
    pub(crate) hits: usize,
}

impl Score {
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.hits += other.hits;
    }
}

/// Puts the images with these numbers through the network; the gradient of their mean loss goes
/// into `gradients`, if any.
pub(crate) fn run(
    network: &mut Network,
    images: &Images,
    numbers: &[usize],
    gradients: Option<&mut Gradients>,
) -> Score {
    let Some(inputs) = network.inputs(numbers.len()) else {
        return Score::default();
    };
    for (part, panel) in inputs.panels_mut().enumerate() {
        for (row, number) in panel.iter_mut().zip(numbers) {
            let image = images.pixels.get(*number);
            if let Some(lane) = image.and_then(|image| image.get(part)) {
                *row = *lane;
            }
        }
    }
    network.forward();
    let mut score = Score::default();
    let Some((outputs, slopes)) = network.outputs() else {
        return score;
    };
    let share = 1.0 / numbers.len() as f32;
    let labels = numbers
        .iter()
        .filter_map(|number| images.labels.get(*number));
    let rows = outputs.lanes().iter().zip(slopes.lanes_mut());
    for ((output, slope), label) in rows.zip(labels) {
        score.add(cross_entropy(output, usize::from(*label), share, slope));
    }
    if let Some(gradients) = gradients {
        network.backward(gradients);
    }
    score
}

/// Loss of one image and its gradient, scaled by `share`, by the outputs.
fn cross_entropy(output: &Lane, label: usize, share: f32, slope: &mut Lane) -> Score {
    let (mut best, mut top) = (0, f32::NEG_INFINITY);
    for (class, value) in output.iter().enumerate().take(CLASSES) {
        if *value > top {
            (best, top) = (class, *value);
        }
    }
    let mut powers = *output;
    for power in &mut powers {
        *power = exp(*power - top);
    }
    powers
        .iter_mut()
        .skip(CLASSES)
        .for_each(|power| *power = 0.0);
    let sum = powers
        .iter()
        .take(CLASSES)
        .fold(0.0, |sum, power| sum + power);
    let scale = share / sum;
    for (slope, power) in slope.iter_mut().zip(powers) {
        *slope = power * scale;
    }
    if let Some(slope) = slope.get_mut(label) {
        *slope -= share;
    }
    let own = output.get(label).copied().unwrap_or(f32::NAN);
    Score {
        loss: f64::from(libm::logf(sum) + (top - own)),
        hits: usize::from(best == label),
    }
}

const _: () = assert!(
    CLASSES <= LANES,
    "the outputs of the network fit into one panel"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, OptimizerKind, Settings};
    use tune_plugin::Stream;

    fn images(n: usize) -> Images {
        let mut stream = Stream::new(8);
        let mut images = Images::default();
        for _ in 0..n {
            let mut image = crate::Image::default();
            image
                .as_flattened_mut()
                .iter_mut()
                .for_each(|p| *p = stream.unit() as f32);
            images.pixels.push(image);
            images.labels.push(stream.below(10) as u8);
        }
        images
    }

    fn network(activation: Activation, layers: usize) -> Network {
        let settings = Settings {
            lr: 0.0,
            hidden: 21,
            layers,
            activation,
            optimizer: OptimizerKind::Sgd,
            momentum: 0.0,
            batch: 7,
            weight_decay: 0.0,
        };
        Network::new(&settings, &mut Stream::new(4))
    }

    #[test]
    fn gradients_equal_finite_differences() {
        const STEP: f32 = 1e-3;
        let (images, numbers) = (images(7), [0, 1, 2, 3, 4, 5, 6]);
        for activation in [Activation::Tanh, Activation::Relu] {
            for layers in [1, 2] {
                let mut network = network(activation, layers);
                let mut gradients = network.gradients();
                run(&mut network, &images, &numbers, Some(&mut gradients));
                let mut stream = Stream::new(9);
                for layer in 0..=layers {
                    let (rows, cols) = match (layer == 0, layer == layers) {
                        (true, _) => (64, 21),
                        (_, true) => (21, 10),
                        _ => (21, 21),
                    };
                    for _ in 0..40 {
                        let (row, col) = (stream.below(rows) as usize, stream.below(cols) as usize);
                        let mut loss = |step: f32| {
                            *network.layers[layer].weights.get_mut(row, col).unwrap() += step;
                            run(&mut network, &images, &numbers, None).loss / 7.0
                        };
                        let (up, down) = (loss(STEP), loss(-2.0 * STEP));
                        loss(STEP);
                        let expected = (up - down) / f64::from(2.0 * STEP);
                        let got = gradients.layers[layer].weights.get(row, col).unwrap();
                        let error = (f64::from(got) - expected).abs();
                        assert!(
                            error < 6e-4,
                            "{activation:?} {layer} {row} {col}: {got} {expected}"
                        );
                    }
                    let mut loss = |step: f32| {
                        network.layers[layer].bias[0][3] += step;
                        run(&mut network, &images, &numbers, None).loss / 7.0
                    };
                    let expected = (loss(STEP) - loss(-2.0 * STEP)) / f64::from(2.0 * STEP);
                    loss(STEP);
                    let got = gradients.layers[layer].bias[0][3];
                    assert!((f64::from(got) - expected).abs() < 6e-4, "{got} {expected}");
                }
            }
        }
    }

    #[test]
    fn images_left_out_change_nothing() {
        let images = images(9);
        let mut network = network(Activation::Relu, 2);
        let whole = run(&mut network, &images, &[0, 1, 2, 3, 4], None);
        let mut parts = Score::default();
        for number in 0..5 {
            parts.add(run(&mut network, &images, &[number], None));
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn the_loss_of_equal_outputs_is_the_logarithm_of_the_classes() {
        let mut slope = [0.0; LANES];
        let score = cross_entropy(&[3.0; LANES], 4, 1.0, &mut slope);
        assert!((score.loss - libm::log(10.0)).abs() < 1e-6);
        assert_eq!(score.hits, 0);
        assert!((slope[4] + 0.9).abs() < 1e-6 && (slope[9] - 0.1).abs() < 1e-6);
        assert_eq!(slope[CLASSES..], [0.0; LANES - CLASSES]);
    }

    #[test]
    fn outputs_that_are_not_numbers_give_a_loss_that_is_none() {
        let mut slope = [0.0; LANES];
        assert!(
            cross_entropy(&[f32::NAN; LANES], 4, 1.0, &mut slope)
                .loss
                .is_nan()
        );
    }
}
