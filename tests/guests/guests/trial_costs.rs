//! Reports a virtual cost of `cost` ticks a step (by default 1,000), four steps.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Costs {
    step: u32,
    cost: u64,
}

impl Trainable for Costs {
    const NAME: &'static str = "trial-costs";
    const SUMMARY: &'static str = "Reports its own virtual cost";
    const GRANTS: &'static [&'static str] = &["virtual-cost"];

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let cost = config.read_or("cost", 1000_i64)?.unsigned_abs();
        Ok(Self { step: 0, cost })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        Ok(Report {
            finished: self.step == 4,
            cost: Some(self.cost),
            ..Report::default()
        }
        .with("loss", 1.0 / f64::from(self.step)))
    }
}

tune_plugin::export_trainable!(Costs);
