//! `cargo test --release -p tune-store -- --ignored --nocapture` prints how fast rows are appended
//! and snapshots written.

use std::time::Instant;

use tune_store::{Attachments, CHUNK_BYTES, Memory, NewSnapshot, RunDir, RunReader, Since};

use crate::chunks::{new, noise, trial};
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

fn mib_per_second(bytes: usize, since: Instant) -> f64 {
    bytes as f64 / f64::from(1 << 20) / since.elapsed().as_secs_f64()
}

#[test]
#[ignore = "a measurement"]
fn snapshots_print_dirty_bytes_per_second() {
    let parent = std::env::var_os("TUNE_STORE_BENCH_DIR");
    let dir = parent
        .map_or_else(tempfile::tempdir, tempfile::tempdir_in)
        .unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    journal.append(row(0), Attachments::none()).unwrap();
    journal.flush().unwrap();
    let store = run.chunks();
    for mib in [1, 16, 64, 256] {
        let mut memory = noise(mib, (mib as usize) << 20);
        let started = Instant::now();
        let base = store.write(new(trial(0, mib, 0), &[&memory])).unwrap();
        println!(
            "{mib} MiB of noise, new: {:.2?}, {:.0} MiB/s with sync",
            started.elapsed(),
            mib_per_second(memory.len(), started)
        );
        for percent in [1, 10, 100] {
            let dirty = (memory.len() * percent / 100).next_multiple_of(CHUNK_BYTES);
            memory[..dirty].copy_from_slice(&noise(percent as u64 + 1000 * mib, dirty));
            let changed = [Some(std::iter::once(0..dirty as u64).collect())];
            let started = Instant::now();
            let since = Some(Since {
                id: base.id,
                changed: &changed,
            });
            let key = trial(1, mib + percent as u64, 0);
            let memories: [&dyn Memory; 1] = [&memory];
            let all = NewSnapshot {
                since,
                ..new(key, &memories)
            };
            let info = store.write(all).unwrap();
            println!(
                "{mib} MiB, {percent} % dirty: {:.2?}, {:.0} MiB/s of dirty bytes with sync, {} bytes written",
                started.elapsed(),
                mib_per_second(dirty, started),
                info.new_bytes
            );
        }
        let started = Instant::now();
        store.read_memory(base.id, 0, &mut |_, _| Ok(())).unwrap();
        println!(
            "{mib} MiB read: {:.2?}, {:.0} MiB/s",
            started.elapsed(),
            mib_per_second(memory.len(), started)
        );
        let text: Vec<u8> = (0..memory.len() / 10)
            .flat_map(|n| format!("{n:09}\n").into_bytes())
            .collect();
        let started = Instant::now();
        let info = store.write(new(trial(2, mib, 0), &[&text])).unwrap();
        println!(
            "{mib} MiB that compress: {:.2?}, {:.0} MiB/s with sync, {} bytes written",
            started.elapsed(),
            mib_per_second(text.len(), started),
            info.new_bytes
        );
        let started = Instant::now();
        store.retain(&|info| info.id % 2 == 0).unwrap();
        println!("retention: {:.2?}", started.elapsed());
    }
    let started = Instant::now();
    let reader = RunReader::open(&path).unwrap().chunks().unwrap();
    println!("{:?} opened in {:.2?}", reader.usage(), started.elapsed());
}
