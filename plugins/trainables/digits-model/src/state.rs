//! The state of a training as bytes that another version of it, or a training with other settings,
//! can read. What settings and data say is not in it. Everything read is checked before any of it
//! is used: a state that does not fit leaves the training as it was.

use serde::{Deserialize, Serialize};
use tune_plugin::{Failure, Stream};

use crate::{Gradients, OptimizerKind, Training, network::Dense};

/// The first bytes of a state, as a varint. Grows with every change of [`Saved`].
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    /// Features at each border between layers.
    widths: Vec<usize>,
    layers: Vec<SavedLayer>,
    optimizer: OptimizerKind,
    powers: [f32; 2],
    first: Vec<SavedLayer>,
    second: Vec<SavedLayer>,
    seed: u64,
    position: u128,
    order: Vec<usize>,
}

/// Without the padding, which a newer kernel may want otherwise.
#[derive(Serialize, Deserialize)]
struct SavedLayer {
    /// Row after row, a row for each input.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl SavedLayer {
    fn of(layer: &Dense, inputs: usize, outputs: usize) -> Self {
        let row = |row| (0..outputs).filter_map(move |col| layer.weights.get(row, col));
        let bias = layer.bias.as_flattened().iter().take(outputs);
        Self {
            weights: (0..inputs).flat_map(row).collect(),
            bias: bias.copied().collect(),
        }
    }

    fn fits(&self, inputs: usize, outputs: usize) -> bool {
        self.weights.len() == inputs.saturating_mul(outputs) && self.bias.len() == outputs
    }

    fn put(&self, layer: &mut Dense, outputs: usize) {
        for (row, weights) in self.weights.chunks(outputs).enumerate() {
            for (col, weight) in weights.iter().enumerate() {
                if let Some(place) = layer.weights.get_mut(row, col) {
                    *place = *weight;
                }
            }
        }
        let places = layer.bias.as_flattened_mut().iter_mut();
        places
            .zip(&self.bias)
            .for_each(|(place, bias)| *place = *bias);
    }
}

/// Inputs and outputs of each layer.
fn shapes(widths: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let pairs = widths.iter().zip(widths.iter().skip(1));
    pairs.map(|(inputs, outputs)| (*inputs, *outputs))
}

fn saved(layers: &[Dense], widths: &[usize]) -> Vec<SavedLayer> {
    let layers = layers.iter().zip(shapes(widths));
    layers
        .map(|(layer, (i, o))| SavedLayer::of(layer, i, o))
        .collect()
}

fn fit(saved: &[SavedLayer], widths: &[usize]) -> bool {
    saved.len() + 1 == widths.len()
        && saved
            .iter()
            .zip(shapes(widths))
            .all(|(layer, (i, o))| layer.fits(i, o))
}

fn put(saved: &[SavedLayer], layers: &mut [Dense], widths: &[usize]) {
    for ((saved, layer), (_, outputs)) in saved.iter().zip(layers).zip(shapes(widths)) {
        saved.put(layer, outputs);
    }
}

/// The numbers are those below `len`, each once.
fn is_order(numbers: &[usize], len: usize) -> bool {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.into_iter().eq(0..len)
}

fn damaged(what: &str) -> Failure {
    Failure::BadData(format!("the saved state is damaged: {what}"))
}

impl Training {
    /// The state as bytes: weights, the optimizer's memory, the order of images and the place in
    /// the random stream.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn save(&self) -> Result<Vec<u8>, Failure> {
        let widths = &self.network.widths;
        let of = |gradients: &Gradients| saved(&gradients.layers, widths);
        let state = Saved {
            widths: widths.clone(),
            layers: saved(&self.network.layers, widths),
            optimizer: self.settings.optimizer,
            powers: self.optimizer.powers,
            first: of(&self.optimizer.first),
            second: of(&self.optimizer.second),
            seed: self.seed,
            position: self.stream.position(),
            order: self.order.clone(),
        };
        postcard::to_stdvec(&(FORMAT, state)).map_err(|error| error.to_string().into())
    }

    /// Takes over a saved state. Under the seed with which it was saved the training goes on bit
    /// for bit; under another one the images come in another order from here on, as after
    /// [`Training::reconfigure`]. The memory of an optimizer of another kind is left out.
    ///
    /// # Errors
    /// [`Failure::BadData`] for bytes that are no such state, [`Failure::BadConfig`] for the state
    /// of a network of another shape. Nothing has changed then.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), Failure> {
        let (format, rest) =
            postcard::take_from_bytes::<u32>(state).map_err(|_| damaged("no format number"))?;
        if format != FORMAT {
            return Err(Failure::BadData(format!(
                "the saved state has format {format}: this version reads {FORMAT}"
            )));
        }
        let (state, rest) = postcard::take_from_bytes::<Saved>(rest)
            .map_err(|error| damaged(&error.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged(&format!("{} bytes too many", rest.len())));
        }
        let widths = &self.network.widths;
        if state.widths != *widths {
            return Err(Failure::BadConfig(format!(
                "the saved network has layers of {:?} units, this one of {widths:?}: `hidden` and \
                 `layers` cannot change in mid-training",
                state.widths
            )));
        }
        let parts = [&state.layers, &state.first, &state.second];
        if !parts.iter().all(|layers| fit(layers, widths)) {
            return Err(damaged("weights of another number than its layers have"));
        }
        if !is_order(&state.order, self.order.len()) {
            return Err(Failure::BadData(format!(
                "the saved state is of {} training images, there are {}",
                state.order.len(),
                self.order.len()
            )));
        }
        put(&state.layers, &mut self.network.layers, widths);
        if state.optimizer == self.settings.optimizer {
            put(&state.first, &mut self.optimizer.first.layers, widths);
            put(&state.second, &mut self.optimizer.second.layers, widths);
            self.optimizer.powers = state.powers;
        }
        self.stream = if state.seed == self.seed {
            Stream::at(self.seed, state.position)
        } else {
            Stream::new(self.seed)
        };
        self.order = state.order;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::tests::{configuration, training};

    const SGD: &str = "optimizer=sgd lr=0.05 hidden=21 layers=2";

    #[test]
    fn a_restored_training_goes_on_bit_for_bit() {
        for config in ["", SGD] {
            let mut original = training(config, 5);
            original.epoch();
            original.epoch();
            let state = original.save().unwrap();
            let mut restored = training(config, 5);
            restored.restore(&state).unwrap();
            assert_eq!(restored.save().unwrap(), state);
            for _ in 0..2 {
                assert_eq!(restored.epoch(), original.epoch());
            }
        }
    }

    #[test]
    fn restoring_under_new_settings_and_a_new_seed_is_the_same_as_reconfiguring() {
        let mut original = training(SGD, 5);
        original.epoch();
        let state = original.save().unwrap();
        let changed = format!("{SGD} momentum=0.5");
        let mut restored = training(&changed, 6);
        restored.restore(&state).unwrap();
        original.reconfigure(&configuration(&changed), 6).unwrap();
        assert_eq!(restored.epoch(), original.epoch());
    }

    #[test]
    fn another_optimizer_starts_with_an_empty_memory_and_the_old_weights() {
        let mut original = training(SGD, 5);
        original.epoch();
        let mut restored = training("lr=0 hidden=21 layers=2", 5);
        restored.restore(&original.save().unwrap()).unwrap();
        assert_eq!(restored.optimizer.powers, [1.0; 2]);
        // A learning rate of 0 leaves the weights alone.
        original.settings.lr = 0.0;
        assert_eq!(restored.epoch().val_loss, original.epoch().val_loss);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut original = training(SGD, 5);
        original.epoch();
        let state = original.save().unwrap();
        let mut wider = training("optimizer=sgd hidden=22 layers=2", 5);
        let before = wider.save().unwrap();
        let error = wider.restore(&state).unwrap_err();
        assert!(matches!(&error, Failure::BadConfig(m) if m.contains("21") && m.contains("22")));
        assert_eq!(wider.save().unwrap(), before);

        let mut same = training(SGD, 5);
        let before = same.save().unwrap();
        let mut refused = |state: &[u8], part: &str| {
            let error = same.restore(state).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
            assert_eq!(same.save().unwrap(), before);
        };
        refused(&[], "no format number");
        refused(
            &[&[9], state.get(1..).unwrap()].concat(),
            "format 9: this version reads 1",
        );
        refused(&[state.as_slice(), &[0]].concat(), "1 bytes too many");
        for len in [1, 2, 10, state.len() / 2, state.len() - 1] {
            refused(state.get(..len).unwrap(), "damaged");
        }
        let forged = |change: fn(&mut Saved)| {
            let (_, mut saved): (u32, Saved) = postcard::from_bytes(&state).unwrap();
            change(&mut saved);
            postcard::to_stdvec(&(FORMAT, saved)).unwrap()
        };
        refused(&forged(|s| drop(s.layers.pop())), "another number");
        refused(
            &forged(|s| s.second.iter_mut().for_each(|l| l.bias.push(0.0))),
            "another number",
        );
        refused(
            &forged(|s| s.order.truncate(1441)),
            "1441 training images, there are 1442",
        );
        refused(
            &forged(|s| s.order.swap_with_slice(&mut [0; 1442])),
            "training images",
        );
    }

    #[test]
    fn random_damage_never_panics() {
        let mut original = training("hidden=4", 5);
        original.epoch();
        let state = original.save().unwrap();
        let mut stream = Stream::new(1);
        for _ in 0..300 {
            let mut bytes = state.clone();
            for _ in 0..=stream.below(4) {
                // Mostly the head, where the lengths of the first lists are.
                let end = if stream.below(3) > 0 {
                    40
                } else {
                    bytes.len() as u64
                };
                let at = stream.below(end) as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = stream.u64() as u8;
                }
            }
            let mut restored = original.clone();
            if restored.restore(&bytes).is_ok() {
                restored.epoch();
            }
        }
    }
}
