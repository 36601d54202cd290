//! Groups, subscribers, and what a loss of power leaves.

use std::sync::{Arc, Mutex};

use tune_store::{Attachments, LogOf, RunDir, RunReader};

use crate::{copy_dir, header, log, row};

#[test]
fn subscribers_see_every_row_once_in_order_and_only_after_its_commit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (theirs, reader) = (Arc::clone(&seen), RunReader::open(&path).unwrap());
    journal.subscribe(Box::new(move |rows| {
        let durable = reader.count().unwrap();
        assert!(rows.last().unwrap().sequence < durable);
        theirs
            .lock()
            .unwrap()
            .extend(rows.iter().map(|r| r.sequence));
    }));
    for sequence in 0..10_000 {
        journal.append(row(sequence), Attachments::none()).unwrap();
    }
    journal.close().unwrap();
    assert_eq!(*seen.lock().unwrap(), (0..10_000).collect::<Vec<_>>());
}

#[test]
fn rows_become_durable_without_anyone_asking() {
    let dir = tempfile::tempdir().unwrap();
    let (_run, journal) = RunDir::create(&dir.path().join("run"), &header()).unwrap();
    let (told, told_of) = std::sync::mpsc::channel();
    journal.subscribe(Box::new(move |rows| told.send(rows.len()).unwrap()));
    journal.append(row(0), Attachments::none()).unwrap();
    assert_eq!(told_of.recv(), Ok(1));
}

/// Cuts the write-ahead log of a copied run at many places, as a loss of power would: each time the
/// run opens with a prefix of its rows, and each log holds exactly what those rows say.
#[test]
fn a_cut_write_ahead_log_opens_as_a_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    for sequence in 0..60 {
        journal
            .append(
                row(sequence),
                log(LogOf::Trial((sequence % 3) as u32), &line(sequence)),
            )
            .unwrap();
        if sequence % 4 == 3 {
            journal.flush().unwrap();
        }
    }
    let length = std::fs::metadata(path.join("run.db-wal")).unwrap().len();
    let mut counts = Vec::new();
    for step in 0..24 {
        // An odd stride: cuts fall into headers, pages and between frames.
        let cut = length * step / 24 + step;
        let copy = dir.path().join(format!("copy-{step}"));
        copy_dir(&path, &copy);
        let wal = std::fs::OpenOptions::new()
            .write(true)
            .open(copy.join("run.db-wal"))
            .unwrap();
        wal.set_len(cut).unwrap();
        // The index belongs to the memory that the power loss took.
        std::fs::remove_file(copy.join("run.db-shm")).unwrap();
        let opened = RunDir::open_writable(&copy).unwrap();
        check(&opened.rows, &copy);
        counts.push(opened.rows.len());
        let next = opened.rows.len() as u64;
        opened
            .journal
            .append(row(next), Attachments::none())
            .unwrap();
        opened.journal.close().unwrap();
        assert_eq!(RunReader::open(&copy).unwrap().count().unwrap(), next + 1);
    }
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.first(), Some(&0), "{counts:?}");
    assert!(counts.last() > Some(&40), "{counts:?}");
}

fn line(sequence: u64) -> String {
    format!("line of row {sequence}\n")
}

fn check(rows: &[tune_store::Row], path: &std::path::Path) {
    for (found, sequence) in rows.iter().zip(0..) {
        let mut expected = row(sequence);
        expected.log_end = found.log_end;
        assert_eq!(*found, expected);
    }
    for trial in 0..3_u32 {
        let expected: String = (0..rows.len() as u64)
            .filter(|s| s % 3 == u64::from(trial))
            .map(line)
            .collect();
        let file = path.join(format!("logs/{trial:06}.log"));
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(found, expected);
    }
}

#[test]
fn rows_say_how_long_the_log_of_their_trial_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    let mut about_one = row(1);
    about_one.trial = Some(1);
    let mut first = about_one.clone();
    first.sequence = 0;
    let mut third = about_one.clone();
    third.sequence = 2;
    journal.append(first, log(LogOf::Trial(1), "abc")).unwrap();
    journal
        .append(about_one, log(LogOf::Searcher, "xx"))
        .unwrap();
    journal.append(third, log(LogOf::Trial(1), "de")).unwrap();
    journal.close().unwrap();
    drop(run);
    let reader = RunReader::open(&path).unwrap();
    let ends: Vec<_> = reader.rows().unwrap().iter().map(|r| r.log_end).collect();
    assert_eq!(ends, [3, 3, 5]);
    assert_eq!(reader.log(LogOf::Trial(1)).unwrap(), b"abcde");
    assert_eq!(reader.log(LogOf::Scheduler).unwrap(), b"");
}

#[test]
fn what_a_crash_left_in_logs_and_staging_is_removed_on_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    journal
        .append(row(0), log(LogOf::Trial(0), "kept\n"))
        .unwrap();
    journal.close().unwrap();
    drop(run);
    let kept = path.join("logs/000000.log");
    std::fs::write(&kept, "kept\nlost").unwrap();
    std::fs::write(path.join("logs/000001.log"), "lost").unwrap();
    std::fs::write(path.join("logs/notes.txt"), "of the user").unwrap();
    std::fs::write(path.join("artifacts/staging/half"), "lost").unwrap();
    let _opened = RunDir::open_writable(&path).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "kept\n");
    assert!(!path.join("logs/000001.log").exists());
    assert!(path.join("logs/notes.txt").exists());
    assert!(!path.join("artifacts/staging/half").exists());
}
