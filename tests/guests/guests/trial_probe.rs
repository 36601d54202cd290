//! Uses what a standard library offers and reports what it saw: the order of a `HashMap` (seeded by
//! the host), both clocks, and the seed. Prints and logs a line each step.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Probe {
    seed: u64,
    start: Instant,
    step: u64,
}

impl Trainable for Probe {
    const NAME: &'static str = "trial-probe";
    const SUMMARY: &'static str = "Reports what it sees of randomness and time";

    fn setup(info: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self {
            seed: info.seed,
            start: Instant::now(),
            step: 0,
        })
    }

    #[expect(
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "part of the probe"
    )]
    fn step(&mut self) -> Result<Report, Failure> {
        self.step += 1;
        println!("step {}", self.step);
        eprintln!("step {} on standard error", self.step);
        tune_plugin::log::info!("step {} in the log", self.step);
        let map: HashMap<u32, u32> = (0..100).map(|i| (i, i)).collect();
        // The order of the keys in one number.
        let order = map
            .keys()
            .fold(0_u64, |h, k| h.wrapping_mul(31).wrapping_add(u64::from(*k)));
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // 32 bits of each, which an f64 holds exactly.
        let exact = |x: u64| f64::from(x as u32);
        Ok(Report {
            finished: self.step == 3,
            ..Report::default()
        }
        .with("loss", exact(order))
        .with("random", exact(RandomState::new().hash_one(1)))
        .with("seed", exact(self.seed))
        .with("elapsed_ns", self.start.elapsed().as_nanos() as f64)
        .with("wall_ns", wall.as_nanos() as f64))
    }
}

tune_plugin::export_trainable!(Probe);
