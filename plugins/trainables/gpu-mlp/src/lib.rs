//! The trainable `gpu-mlp`: the multi-layer perceptron of `digits-mlp` with its whole training loop on the
//! GPU; one epoch a step. Reports `loss`, `val_loss` and `accuracy` (of the validation images). Needs the
//! data set `digits` and the grant `gpu`.
//!
//! Configuration, all optional, as documented at [`Settings`](tune_digits_model::Settings): `lr`,
//! `hidden`, `layers`, `activation`, `optimizer`, `momentum`, `batch`, `weight_decay`. The first weights and
//! the order of the images are those of `digits-mlp` with the same seed; sums are in another order.

mod layer;
mod training;

use tune_plugin::{Change, Config, Failure, Reconfigured, Report, Trainable, TrialInfo};

use crate::training::Training;

/// One trial.
pub struct GpuMlp(Training);

impl Trainable for GpuMlp {
    const NAME: &'static str = "gpu-mlp";
    const SUMMARY: &'static str = "A multi-layer perceptron on 8x8 handwritten digits, on the GPU";
    const GRANTS: &'static [&'static str] = &["data", "gpu"];
    const MUTABLE_PARAMETERS: &'static [&'static str] = tune_digits_model::MUTABLE_PARAMETERS;

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Training::of(info, config).map(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Ok(self.0.epoch()?.into())
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        self.0.reconfigure(&change.config, change.seed)
    }
}

tune_plugin::export_trainable!(GpuMlp);

#[cfg(test)]
mod tests;
