//! Reports a loss that is no number, twice.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct NanMetric {
    last: bool,
}

impl Trainable for NanMetric {
    const NAME: &'static str = "trial-nan-metric";
    const SUMMARY: &'static str = "Reports a NaN loss";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self { last: false })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        let finished = std::mem::replace(&mut self.last, true);
        Ok(Report {
            finished,
            ..Report::default()
        }
        // A payload that the host must make canonical.
        .with("loss", f64::from_bits(0x7ff8_dead_beef_0001)))
    }
}

tune_plugin::export_trainable!(NanMetric);
