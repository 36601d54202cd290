//! Never reports `loss`, only `speed` and `size`.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Omits;

impl Trainable for Omits {
    const NAME: &'static str = "trial-omits-metric";
    const SUMMARY: &'static str = "Reports speed and size but no loss";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Ok(Report::default().with("speed", 1.0).with("size", 2.0))
    }
}

tune_plugin::export_trainable!(Omits);
