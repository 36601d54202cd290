//! Creating, opening, listing and locking.

use tune_store::{
    Attachments, LogOf, RunDir, RunReader, RunState, RunStatus, StoreError, list_runs,
};

use crate::{header, log, row};

#[test]
fn what_was_appended_is_read_back_after_closing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    for sequence in 0..1000 {
        journal.append(row(sequence), Attachments::none()).unwrap();
    }
    journal.close().unwrap();

    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.header().unwrap(), header());
    assert_eq!(
        reader.rows().unwrap(),
        (0..1000).map(row).collect::<Vec<_>>()
    );
    assert_eq!(reader.rows_from(998).unwrap(), vec![row(998), row(999)]);
    assert_eq!(reader.count().unwrap(), 1000);
}

#[test]
fn a_closed_run_is_one_plain_database_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    journal.append(row(0), Attachments::none()).unwrap();
    journal.close().unwrap();
    assert!(!path.join("run.db-wal").exists());
    assert!(!path.join("run.db-shm").exists());
}

#[test]
fn a_run_that_exists_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("precious"), "x").unwrap();
    let error = RunDir::create(&path, &header()).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }));
    assert!(error.to_string().contains("resume"), "{error}");
    assert!(error.to_string().contains("--name"), "{error}");
    assert!(path.join("precious").exists());
}

#[test]
fn a_second_writer_is_refused_by_name_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    let error = RunDir::open_writable(&path).unwrap_err();
    let me = std::process::id().to_string();
    assert!(
        matches!(&error, StoreError::InUse { process, .. } if *process == me),
        "{error}"
    );
    drop(run);
    assert!(
        RunDir::open_writable(&path).is_err(),
        "the journal holds the lock as well"
    );
    journal.close().unwrap();
    RunDir::open_writable(&path).unwrap();
}

#[test]
fn a_reader_sees_committed_rows_while_another_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    let reader = RunReader::open(&path).unwrap();
    for sequence in 0..50 {
        journal
            .append(row(sequence), log(LogOf::Searcher, "hello\n"))
            .unwrap();
        journal.wait_committed(sequence).unwrap();
        assert_eq!(reader.count().unwrap(), sequence + 1);
    }
    assert_eq!(reader.status().unwrap().state, RunState::Running);
    assert_eq!(reader.log(LogOf::Searcher).unwrap().len(), 50 * 6);
}

#[test]
fn a_run_that_says_running_without_a_process_is_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.status().unwrap().state, RunState::Running);
    drop((run, journal));
    assert_eq!(reader.status().unwrap().state, RunState::Interrupted);
}

#[test]
fn a_finished_run_is_running_again_once_a_row_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    let finished = RunStatus {
        state: RunState::Finished,
        reason: "100 trials".to_owned(),
        digest: "cd".repeat(32),
        at_ms: 5,
        summary: serde_json::Map::from_iter([("best".to_owned(), 0.5.into())]),
    };
    journal.append(row(0), Attachments::none()).unwrap();
    journal.set_status(finished.clone()).unwrap();
    journal.close().unwrap();
    drop(run);
    let reader = RunReader::open(&path).unwrap();
    assert_eq!(reader.status().unwrap(), finished);

    let opened = RunDir::open_writable(&path).unwrap();
    assert_eq!(opened.status, finished);
    assert_eq!(reader.status().unwrap(), finished, "only looked at so far");
    opened.journal.append(row(1), Attachments::none()).unwrap();
    opened.journal.flush().unwrap();
    assert_eq!(reader.status().unwrap().state, RunState::Running);
}

#[test]
fn runs_are_listed_oldest_first_and_broken_ones_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for (name, created_ms) in [("b", 1), ("a", 2)] {
        let mut header = header();
        header.created_ms = created_ms;
        drop(RunDir::create(&dir.path().join(name), &header).unwrap());
    }
    std::fs::create_dir(dir.path().join("no-run")).unwrap();
    std::fs::create_dir(dir.path().join("broken")).unwrap();
    std::fs::write(dir.path().join("broken/run.db"), "not a database, for sure").unwrap();
    let (runs, unreadable) = list_runs(dir.path()).unwrap();
    let names: Vec<_> = runs.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(unreadable.len(), 1);
    assert!(
        unreadable[0].to_string().contains("broken"),
        "{unreadable:?}"
    );
    assert_eq!(list_runs(&dir.path().join("none")).unwrap().0, []);
}

#[test]
fn a_newer_format_is_refused_by_readers_and_writers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    drop(RunDir::create(&path, &header()).unwrap());
    let database = rusqlite::Connection::open(path.join("run.db")).unwrap();
    database.pragma_update(None, "user_version", 2).unwrap();
    drop(database);
    for error in [
        RunReader::open(&path).unwrap_err(),
        RunDir::open_writable(&path).unwrap_err(),
    ] {
        assert!(
            matches!(
                error,
                StoreError::NewerFormat {
                    format: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn another_database_is_not_taken_for_a_run() {
    let dir = tempfile::tempdir().unwrap();
    rusqlite::Connection::open(dir.path().join("run.db"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    let error = RunReader::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotARun { .. }), "{error}");
    let error = RunReader::open(&dir.path().join("absent")).unwrap_err();
    assert!(matches!(error, StoreError::NotARun { .. }), "{error}");
}

#[test]
fn rows_out_of_order_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    journal.append(row(0), Attachments::none()).unwrap();
    let error = journal.append(row(2), Attachments::none()).unwrap_err();
    assert_eq!(
        error,
        StoreError::OutOfOrder {
            expected: 1,
            got: 2
        }
    );
    assert!(journal.wait_committed(1).is_err());
    journal.append(row(1), Attachments::none()).unwrap();
    journal.close().unwrap();
}

#[test]
fn a_missing_row_is_damage_not_a_shorter_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    for sequence in 0..5 {
        journal.append(row(sequence), Attachments::none()).unwrap();
    }
    journal.close().unwrap();
    drop(run);
    rusqlite::Connection::open(path.join("run.db"))
        .unwrap()
        .execute_batch("DELETE FROM journal WHERE sequence = 2")
        .unwrap();
    let error = RunReader::open(&path).unwrap().rows().unwrap_err();
    assert!(error.to_string().contains("row 2 is missing"), "{error}");
}
