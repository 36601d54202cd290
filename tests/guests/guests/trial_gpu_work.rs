//! Does `count` pieces of the GPU work `what` a step; see `GpuWork`.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};
use tune_test_guests::{GpuBench, GpuWork};

struct Work {
    bench: GpuBench,
    what: GpuWork,
    count: usize,
}

impl Trainable for Work {
    const NAME: &'static str = "trial-gpu-work";
    const SUMMARY: &'static str = "Gives a GPU work in small and large pieces";
    const GRANTS: &'static [&'static str] = &["gpu"];

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let what: String = config.read("what")?;
        let known = GpuWork::ALL.into_iter().find(|one| one.name() == what);
        Ok(Self {
            bench: GpuBench::new()?,
            what: known.ok_or_else(|| format!("there is no work `{what}`"))?,
            count: config.read_or("count", 1)?,
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.bench.work(self.what, self.count)?;
        Ok(Report::default().with("loss", 0.0))
    }
}

tune_plugin::export_trainable!(Work);
