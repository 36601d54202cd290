//! The derived files, as other tools read them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in helpers too, a test that cannot go on has failed"
)]

mod derived;
mod tensorboard;
mod throughput;

use tune_core::records::{Config, Metric};
use tune_report::{DerivedRecord, ReportView};

const CREATED_S: u64 = 1_700_000_000;
const EVENTS: &str = "events.out.tfevents.1700000000.tune-host";

fn config(trial: u32, lr: f64) -> DerivedRecord {
    let mut config = Config::new();
    config.insert("opt.lr", lr);
    config.insert("batch", 32_i64);
    DerivedRecord::Config { trial, config }
}

fn report(trial: u32, iteration: u64, metrics: &[(&str, f64)]) -> DerivedRecord {
    let host = [
        ("training_iteration", iteration as f64),
        ("timestamp", (CREATED_S + iteration) as f64),
    ];
    let metrics = metrics
        .iter()
        .chain(&host)
        .map(|&(name, value)| Metric {
            name: name.into(),
            value,
        })
        .collect();
    DerivedRecord::Report {
        trial,
        report: ReportView { iteration, metrics },
    }
}
