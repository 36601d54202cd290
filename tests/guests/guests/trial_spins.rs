//! Computes for ever in its first step: fuel, deadline or the user must end it.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Spins;

impl Trainable for Spins {
    const NAME: &'static str = "trial-spins";
    const SUMMARY: &'static str = "Never returns from its first step";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Report, Failure> {
        let mut x = 1_u64;
        loop {
            x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005));
            if x == 0 {
                return Ok(Report::default());
            }
        }
    }
}

tune_plugin::export_trainable!(Spins);
