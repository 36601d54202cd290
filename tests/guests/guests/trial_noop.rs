//! One report, then finished: the least that a trial can be.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Noop;

impl Trainable for Noop {
    const NAME: &'static str = "trial-noop";
    const SUMMARY: &'static str = "Reports loss 0 once";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        Ok(Report::default().with("loss", 0.0).finished())
    }
}

tune_plugin::export_trainable!(Noop);
