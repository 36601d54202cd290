//! Reports `loss` = 1 / step; ends after `steps` reports, never without that parameter.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Steps {
    done: u64,
    steps: u64,
}

impl Trainable for Steps {
    const NAME: &'static str = "trial-steps";
    const SUMMARY: &'static str = "Reports loss 1/step, `steps` times or for ever";

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let steps = config.read_or("steps", i64::MAX)?.unsigned_abs();
        Ok(Self { done: 0, steps })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.done += 1;
        Ok(Report {
            finished: self.done >= self.steps,
            ..Report::default()
        }
        .with("loss", 1.0 / self.done as f64))
    }
}

tune_plugin::export_trainable!(Steps);
