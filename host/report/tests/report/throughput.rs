//! `cargo test --release -p tune-report -- --ignored --nocapture` prints how fast files are made.
//! It deletes what it made, and on ext4 making files is many times slower for some minutes after
//! that: wait before the next measurement, or set `TMPDIR` to another file system.

use std::time::Instant;

use tune_report::{DerivedFiles, DerivedRecord, Outputs};

use crate::{CREATED_S, config, report};

#[test]
#[ignore = "a measurement"]
fn one_report_trials_print_trials_and_files_per_second() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = [
        ("accuracy", 0.912_345),
        ("loss", 0.123_456_789),
        ("fuel_this_iter", 123_456_789.0),
        ("fuel_total", 123_456_789.0),
        ("virtual_time", 123_456_789.0),
        ("memory_bytes", 1_114_112.0),
        ("time_this_iter_s", 0.001_23),
        ("time_total_s", 0.001_23),
    ];
    for (name, outputs) in [
        ("all outputs", Outputs::ALL),
        ("json", Outputs::parse(["json"]).unwrap()),
    ] {
        let count = 10_000;
        let files = DerivedFiles::start(dir.path().join(name), outputs, CREATED_S).unwrap();
        let started = Instant::now();
        for trial in 0..count {
            files.send(config(trial, 0.1 + f64::from(trial)));
            files.send(report(trial, 1, &metrics));
            files.send(DerivedRecord::Ended { trial });
        }
        let sent = started.elapsed();
        files.finish().unwrap();
        let rate = f64::from(count) / started.elapsed().as_secs_f64();
        println!("{name}: {count} trials of one report: sent in {sent:.2?}, {rate:.0} trials/s");
    }
    let count = 100_000;
    let files = DerivedFiles::start(dir.path().join("long"), Outputs::ALL, CREATED_S).unwrap();
    let started = Instant::now();
    files.send(config(0, 0.1));
    for iteration in 0..count {
        files.send(report(0, iteration, &metrics));
    }
    files.finish().unwrap();
    let rate = count as f64 / started.elapsed().as_secs_f64();
    println!("one trial of {count} reports: {rate:.0} reports/s");
}
