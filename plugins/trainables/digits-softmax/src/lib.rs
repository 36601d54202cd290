//! The trainable `digits-softmax`: softmax regression on 8x8 handwritten digits, one epoch a step. A
//! convex problem, so that what a configuration decides is how fast and how far its training comes.
//! Reports `loss` (of the training images, without the penalty), `val_loss` and `accuracy` (of the
//! validation images). Needs the data set `digits`.
//!
//! Configuration, all optional: `lr` (0 to 1,000; default 0.5), `decay` (factor of the learning rate
//! after every epoch, above 0 to 1; default 1), `momentum` (0 to below 1; default 0), `batch` (1 to
//! 4,096; default 32), `l2` (weight of the squared weights, halved, 0 to 10; default 0) and `init`
//! (standard deviation of the first weights, 0 to 100; default 0).

use tune_digits_model::{CLASSES, Dataset, Epoch, Images, PIXELS};
use tune_plugin::{Config, Failure, Report, Stream, Trainable, TrialInfo, linalg::exp};

/// All parameters, for the message about an unknown one.
const NAMES: [&str; 6] = ["lr", "decay", "momentum", "batch", "l2", "init"];
/// Pixels and a constant 1.
const INPUTS: usize = PIXELS + 1;
/// Images in a batch at most, as in `digits-mlp`.
const MAX_BATCH: i64 = 4_096;

/// Weights by class, the last of each is the bias.
type Weights = [[f32; INPUTS]; CLASSES];
const ZERO: Weights = [[0.0; INPUTS]; CLASSES];

/// One trial.
#[derive(Clone, Debug)]
pub struct DigitsSoftmax {
    dataset: Dataset,
    stream: Stream,
    order: Vec<usize>,
    weights: Weights,
    velocity: Weights,
    lr: f32,
    decay: f32,
    momentum: f32,
    batch: usize,
    l2: f32,
}

impl Trainable for DigitsSoftmax {
    const NAME: &'static str = "digits-softmax";
    const SUMMARY: &'static str = "Softmax regression on 8x8 handwritten digits";
    const GRANTS: &'static [&'static str] = &["data"];

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Self::new(config, Dataset::load()?, info.seed)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Ok(self.epoch().into())
    }
}

impl DigitsSoftmax {
    fn new(config: &Config, dataset: Dataset, seed: u64) -> Result<Self, Failure> {
        if let Some((name, _)) = config.iter().find(|(name, _)| !NAMES.contains(name)) {
            return Err(Failure::BadConfig(format!(
                "unknown parameter `{name}`: this model has {}",
                NAMES.join(", ")
            )));
        }
        let batch = config.read_or("batch", 32_i64)?;
        if !(1..=MAX_BATCH).contains(&batch) {
            return Err(Failure::BadConfig(format!(
                "`batch` is {batch}: expected a whole number from 1 to {MAX_BATCH}"
            )));
        }
        let momentum = real(config, "momentum", 0.0, 0.0, 1.0)?;
        let decay = real(config, "decay", 1.0, 0.0, 1.0)?;
        if momentum >= 1.0 || decay <= 0.0 {
            return Err(Failure::BadConfig(
                "`momentum` must be below 1, and `decay` above 0".to_owned(),
            ));
        }
        let init = real(config, "init", 0.0, 0.0, 100.0)?;
        let mut stream = Stream::new(seed);
        let mut weights = ZERO;
        for weight in weights.as_flattened_mut() {
            *weight = init * stream.normal() as f32;
        }
        Ok(Self {
            order: (0..dataset.training.len()).collect(),
            dataset,
            stream,
            weights,
            velocity: ZERO,
            lr: real(config, "lr", 0.5, 0.0, 1_000.0)?,
            decay,
            momentum,
            batch: usize::try_from(batch).unwrap_or(1),
            l2: real(config, "l2", 0.0, 0.0, 10.0)?,
        })
    }

    /// Trains on every training image once, in random order, and validates.
    fn epoch(&mut self) -> Epoch {
        self.stream.shuffle(&mut self.order);
        let mut loss = 0.0;
        for numbers in self.order.chunks(self.batch) {
            let mut gradient = ZERO;
            for number in numbers {
                let score = score(
                    &self.weights,
                    &self.dataset.training,
                    *number,
                    |class, slope, image| {
                        let row = gradient.get_mut(class);
                        if let Some((bias, pixels)) = row.and_then(|row| row.split_last_mut()) {
                            for (g, x) in pixels.iter_mut().zip(image) {
                                *g += slope * x;
                            }
                            *bias += slope;
                        }
                    },
                );
                loss += score.0;
            }
            let share = 1.0 / numbers.len() as f32;
            let all = self.weights.as_flattened_mut().iter_mut();
            let moves = self.velocity.as_flattened_mut().iter_mut();
            for ((w, v), g) in all.zip(moves).zip(gradient.as_flattened()) {
                *v = self.momentum * *v + (g * share + self.l2 * *w);
                *w -= self.lr * *v;
            }
        }
        self.lr *= self.decay;
        let validation = &self.dataset.validation;
        let (mut val_loss, mut hits) = (0.0, 0);
        for number in 0..validation.len() {
            let (loss, hit) = score(&self.weights, validation, number, |_, _, _| {});
            val_loss += loss;
            hits += usize::from(hit);
        }
        Epoch {
            loss: loss / self.order.len() as f64,
            val_loss: val_loss / validation.len() as f64,
            accuracy: hits as f64 / validation.len() as f64,
        }
    }
}

fn real(config: &Config, name: &str, default: f64, low: f64, high: f64) -> Result<f32, Failure> {
    let value = config.read_or(name, default)?;
    if (low..=high).contains(&value) {
        return Ok(value as f32);
    }
    Err(Failure::BadConfig(format!(
        "`{name}` is {value}: expected a number from {low} to {high}"
    )))
}

/// Loss of an image and whether it is recognised; `each` is told the gradient of the loss by the
/// output of every class.
fn score(
    weights: &Weights,
    images: &Images,
    number: usize,
    mut each: impl FnMut(usize, f32, &[f32]),
) -> (f64, bool) {
    let (Some(image), Some(label)) = (images.pixels.get(number), images.labels.get(number)) else {
        return (0.0, false);
    };
    let (image, label) = (image.as_flattened(), usize::from(*label));
    let mut outputs = [0.0_f32; CLASSES];
    for (output, row) in outputs.iter_mut().zip(weights) {
        let (bias, pixels) = row.split_last().unwrap_or((&0.0, &[]));
        *output = pixels
            .iter()
            .zip(image)
            .fold(*bias, |sum, (w, x)| sum + w * x);
    }
    let (mut best, mut top) = (0, f32::NEG_INFINITY);
    for (class, output) in outputs.iter().enumerate() {
        if *output > top {
            (best, top) = (class, *output);
        }
    }
    let powers = outputs.map(|output| exp(output - top));
    let sum = powers.iter().fold(0.0, |sum, power| sum + power);
    for (class, power) in powers.iter().enumerate() {
        let hit = if class == label { 1.0 } else { 0.0 };
        each(class, power / sum - hit, image);
    }
    let own = outputs.get(label).copied().unwrap_or(f32::NAN);
    (f64::from(libm::logf(sum) + (top - own)), best == label)
}

tune_plugin::export_trainable!(DigitsSoftmax);

#[cfg(test)]
mod tests {
    use super::*;

    fn training(pairs: &[(&str, f64)]) -> Result<DigitsSoftmax, Failure> {
        let csv = include_bytes!("../../../../data/digits/digits.csv");
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()));
        DigitsSoftmax::new(&pairs.collect(), Dataset::parse(csv).unwrap(), 1)
    }

    #[test]
    fn a_good_configuration_learns_and_a_learning_rate_of_zero_does_not() {
        let mut good = training(&[("lr", 0.5), ("momentum", 0.9)]).unwrap();
        let last = (0..20).map(|_| good.epoch()).last().unwrap();
        assert!(last.accuracy > 0.95 && last.val_loss < 0.2, "{last:?}");
        let mut still = training(&[("lr", 0.0)]).unwrap();
        let first = still.epoch();
        assert!((first.loss - libm::log(10.0)).abs() < 1e-5, "{first:?}");
        assert_eq!(still.epoch().val_loss, first.val_loss);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let model = training(&[("init", 0.5)]).unwrap();
        let images = &model.dataset.training;
        let mut gradient = ZERO;
        score(&model.weights, images, 3, |class, slope, image| {
            for (g, x) in gradient[class].iter_mut().zip(image) {
                *g = slope * x;
            }
            gradient[class][PIXELS] = slope;
        });
        for (class, pixel) in [(0, 10), (3, 20), (9, PIXELS), (5, 44)] {
            let loss = |step: f32| {
                let mut weights = model.weights;
                weights[class][pixel] += step;
                score(&weights, images, 3, |_, _, _| {}).0
            };
            let slope = (loss(1e-2) - loss(-1e-2)) / 2e-2;
            let got = f64::from(gradient[class][pixel]);
            assert!((slope - got).abs() < 1e-3, "{class} {pixel}: {got} {slope}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_curve_and_bad_parameters_are_named() {
        let curve = || {
            let mut model = training(&[("batch", 8.0), ("init", 0.1)]).unwrap();
            [model.epoch(), model.epoch()]
        };
        assert_eq!(curve(), curve());
        for (name, value) in [
            ("lr", -1.0),
            ("momentum", 1.0),
            ("decay", 0.0),
            ("batch", 0.0),
            ("rate", 1.0),
        ] {
            let error = training(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
