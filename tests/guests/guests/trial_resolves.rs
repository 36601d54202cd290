//! Looks up the address of a host from its second step on: that is refused, but the standard library
//! keeps the handle of the network that it asked.

use std::net::ToSocketAddrs as _;

use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};

struct Resolves(u64);

impl Trainable for Resolves {
    const NAME: &'static str = "trial-resolves";
    const SUMMARY: &'static str = "Asks for the address of a host";

    fn setup(_: &TrialInfo, _: &Config) -> Result<Self, Failure> {
        Ok(Self(0))
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.0 += 1;
        let found = self.0 > 1 && ("example.com", 80).to_socket_addrs().is_ok();
        Ok(Report::default().with("loss", f64::from(u8::from(found))))
    }
}

tune_plugin::export_trainable!(Resolves);
