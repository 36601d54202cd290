//! Counts its steps as `count` and `loss` and panics at step `at` (by default 3).

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct TrapsAt {
    count: i64,
    at: i64,
}

impl Trainable for TrapsAt {
    const NAME: &'static str = "trial-traps-at";
    const SUMMARY: &'static str = "Panics at step `at`";

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let at = config.read_or("at", 3)?;
        Ok(Self { count: 0, at })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.count += 1;
        assert!(self.count != self.at, "trapped at step {}", self.at);
        Ok(Report::default()
            .with("count", self.count as f64)
            .with("loss", -(self.count as f64)))
    }
}

tune_plugin::export_trainable!(TrapsAt);
