//! The trainable `digits-mlp`: a multi-layer perceptron on 8x8 handwritten digits, one epoch a step.
//! Reports `loss`, `val_loss` and `accuracy` (of the validation images). Needs the data set `digits`.
//!
//! Configuration, all optional, as documented at [`Settings`](tune_digits_model::Settings): `lr`,
//! `hidden`, `layers`, `activation`, `optimizer`, `momentum`, `batch`, `weight_decay`.

use tune_digits_model::Training;
use tune_plugin::{
    Change, Config, Failure, PortableState, Reconfigured, Report, Trainable, TrialInfo,
};

/// One trial.
#[derive(Clone, Debug)]
pub struct DigitsMlp(Training);

impl Trainable for DigitsMlp {
    const NAME: &'static str = "digits-mlp";
    const SUMMARY: &'static str = "A multi-layer perceptron on 8x8 handwritten digits";
    const GRANTS: &'static [&'static str] = &["data"];
    const MUTABLE_PARAMETERS: &'static [&'static str] = tune_digits_model::MUTABLE_PARAMETERS;

    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Training::of(info, config).map(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Ok(self.0.epoch().into())
    }

    fn reconfigure(&mut self, change: &Change) -> Result<Reconfigured, Failure> {
        self.0.reconfigure(&change.config, change.seed)
    }
}

impl PortableState for DigitsMlp {
    fn save(&self) -> Result<Vec<u8>, Failure> {
        self.0.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Failure> {
        self.0.restore(state)
    }
}

tune_plugin::export_portable_trainable!(DigitsMlp);
