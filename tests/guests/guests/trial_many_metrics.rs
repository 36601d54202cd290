//! Reports `metrics` metrics at once, by default 1,000: over the limit.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Many(usize);

impl Trainable for Many {
    const NAME: &'static str = "trial-many-metrics";
    const SUMMARY: &'static str = "Reports a thousand metrics at once";

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        Ok(Self(config.read_or("metrics", 1000)?))
    }

    fn step(&mut self) -> Result<Report, Failure> {
        let report = Report::default().with("loss", 0.0);
        Ok((1..self.0).fold(report, |r, i| r.with(format!("metric_{i}"), i as f64)))
    }
}

tune_plugin::export_trainable!(Many);
