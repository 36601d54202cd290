//! Takes and touches 16 MiB more for ever in its first step.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Overruns(Vec<Vec<u8>>);

impl Trainable for Overruns {
    const NAME: &'static str = "trial-overruns-memory";
    const SUMMARY: &'static str = "Takes more and more memory in its first step";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self(Vec::new()))
    }

    fn step(&mut self) -> Result<Report, Failure> {
        loop {
            self.0.push(std::hint::black_box(vec![1; 16 << 20]));
        }
    }
}

tune_plugin::export_trainable!(Overruns);
