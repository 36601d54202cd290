//! Refuses every configuration.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Refuses;

impl Trainable for Refuses {
    const NAME: &'static str = "trial-setup-error";
    const SUMMARY: &'static str = "Refuses every configuration";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Err(Failure::BadConfig("nothing is good enough".to_owned()))
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Err("setup failed, so this is never called".into())
    }
}

tune_plugin::export_trainable!(Refuses);
