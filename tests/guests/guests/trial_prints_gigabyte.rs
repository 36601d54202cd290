//! Prints a gigabyte to standard output in its first step, then ends well: what is over the log
//! limit is dropped, the trial goes on.

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Prints;

impl Trainable for Prints {
    const NAME: &'static str = "trial-prints-gigabyte";
    const SUMMARY: &'static str = "Prints a gigabyte in its only step";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }

    #[expect(clippy::print_stdout, reason = "the purpose of this guest")]
    fn step(&mut self) -> Result<Report, Failure> {
        let line = "x".repeat((64 << 10) - 1);
        for _ in 0..(1 << 30) / (64 << 10) {
            println!("{line}");
        }
        Ok(Report::default().with("loss", 0.0).finished())
    }
}

tune_plugin::export_trainable!(Prints);
