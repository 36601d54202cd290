//! Sleeps for a year in each step and reports how much time has passed since it began: a year on
//! its clock, no time at all for the host.

use std::{
    thread,
    time::{Duration, Instant},
};

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Sleeps;

impl Trainable for Sleeps {
    const NAME: &'static str = "trial-sleeps";
    const SUMMARY: &'static str = "Sleeps for a year in each step";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        let begin = Instant::now();
        thread::sleep(Duration::from_secs(365 * 24 * 3600));
        Ok(Report::default()
            .with("loss", 0.0)
            .with("slept_s", begin.elapsed().as_secs_f64()))
    }
}

tune_plugin::export_trainable!(Sleeps);
