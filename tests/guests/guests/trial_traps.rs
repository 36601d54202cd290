//! Panics in its first step, with a message that the host must show.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Traps;

impl Trainable for Traps {
    const NAME: &'static str = "trial-traps";
    const SUMMARY: &'static str = "Panics in its first step";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        tune_plugin::log::info!("about to trap");
        Ok(Self)
    }

    #[expect(clippy::panic, reason = "the purpose of this guest")]
    fn step(&mut self) -> Result<Report, Failure> {
        panic!("trapped on purpose")
    }
}

tune_plugin::export_trainable!(Traps);
