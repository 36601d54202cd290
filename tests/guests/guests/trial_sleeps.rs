//! Sleeps for a year in its first step: it waits in a host call and burns no fuel.

use std::{thread, time::Duration};

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Sleeps;

impl Trainable for Sleeps {
    const NAME: &'static str = "trial-sleeps";
    const SUMMARY: &'static str = "Sleeps for a year in its first step";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        thread::sleep(Duration::from_secs(365 * 24 * 3600));
        Ok(Report::default().with("loss", 0.0))
    }
}

tune_plugin::export_trainable!(Sleeps);
