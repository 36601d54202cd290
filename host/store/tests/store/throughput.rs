//! `cargo test --release -p tune-store -- --ignored --nocapture` prints how fast rows are appended.

use std::time::Instant;

use tune_store::{Attachments, RunDir};

use crate::{header, row};

#[test]
#[ignore = "a measurement"]
fn appending_prints_rows_per_second_and_bytes_per_row() {
    let parent = std::env::var_os("TUNE_STORE_BENCH_DIR");
    let dir = parent
        .map_or_else(tempfile::tempdir, tempfile::tempdir_in)
        .unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    let count = 500_000;
    let mut template = row(1);
    template.body = vec![7; 200];
    let started = Instant::now();
    for sequence in 0..count {
        let mut row = template.clone();
        row.sequence = sequence;
        row.tick = sequence * 1_000_000;
        if let Err(error) = journal.append(row, Attachments::none()) {
            println!("row {sequence}: {error}");
            break;
        }
    }
    let appended = started.elapsed();
    match journal.close() {
        Ok(()) => {}
        Err(error) => println!("close: {error}"),
    }
    drop(run);
    let total = started.elapsed();
    let bytes = std::fs::metadata(path.join("run.db")).unwrap().len();
    println!(
        "{count} rows: appended in {appended:.2?}, durable in {total:.2?}, {:.0} rows/s, {} bytes a row",
        count as f64 / total.as_secs_f64(),
        bytes / count
    );
    let started = Instant::now();
    let rows = tune_store::RunReader::open(&path).unwrap().rows().unwrap();
    println!("{} rows read in {:.2?}", rows.len(), started.elapsed());
}
