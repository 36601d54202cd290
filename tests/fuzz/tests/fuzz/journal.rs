//! The journal of a run: rows whose bodies somebody changed, and a changed database.

use std::path::Path;

use arbitrary::Unstructured;
use tune_core::{Engine, Entry};
use tune_fuzz::{Outcome, Target, mutate};
use tune_store::{LogOf, Row, RunDir, RunReader, StoreError};

use crate::run::{DIGEST, RUN};

fn entry(row: &Row) -> Result<Entry, String> {
    postcard::from_bytes(&row.body).map_err(|e| e.to_string())
}

/// As every view does it.
fn fold(rows: &[Row]) -> Result<u64, String> {
    let mut engine = Engine::new(RUN.plan.clone(), DIGEST).map_err(|e| e.to_string())?;
    for row in rows {
        let handover = engine.fold(&entry(row)?).map_err(|e| e.to_string())?;
        // What is told of it, and what a resume does first.
        assert_eq!(handover.sequence + 1, engine.sequence());
    }
    Ok(engine.trials().iter().map(tune_core::Trial::reports).sum())
}

fn said(error: &StoreError) -> Outcome {
    Outcome::refused(&error.to_string())
}

fn target(name: &'static str, iterations: u64, seeds: Vec<Vec<u8>>) -> Target {
    Target {
        name,
        iterations,
        seeds,
        words: Vec::new(),
        scratch: crate::scratch(),
    }
}

#[test]
fn changed_rows_are_folded_or_refused() {
    let rows = RunReader::open(&RUN.path).unwrap().rows().unwrap();
    assert!(rows.len() > 20, "{}", rows.len());
    fold(&rows).unwrap();
    let bodies: Vec<_> = rows.iter().map(|row| row.body.clone()).collect();
    let summary = target("journal-rows", 6_000, Vec::new()).run(|entropy| {
        let mut rows = rows.clone();
        let u = &mut Unstructured::new(entropy);
        // Cannot fail: what the bytes do not cover is zero.
        for _ in 0..=u.int_in_range(0..=2).unwrap_or(0) {
            let at = u.choose_index(rows.len()).unwrap_or(0);
            let other = u.choose_index(rows.len()).unwrap_or(0);
            match u.int_in_range(0..=5).unwrap_or(0) {
                0 => rows.truncate(at + 1),
                1 => rows[at].body = bodies[other % bodies.len()].clone(),
                2 => rows.insert(at, rows[other].clone()),
                _ => mutate(&mut rows[at].body, &bodies, &[], u).unwrap_or_default(),
            }
        }
        match fold(&rows) {
            Ok(_) => Outcome::taken("rows"),
            Err(error) => Outcome::refused(&error),
        }
    });
    assert!(summary.outcomes > 10, "{summary:?}");
}

#[test]
fn a_changed_database_is_read_or_refused() {
    let original = std::fs::read(RUN.path.join("run.db")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0_u32;
    let summary = target("journal-database", 1_500, vec![original]).run(|bytes| {
        let path = dir.path().join("run");
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("run.db"), bytes).unwrap();
        let outcome = read(&path).unwrap_or_else(|error| said(&error));
        count += 1;
        // Opening for writing syncs.
        if count.is_multiple_of(20)
            && let Ok(opened) = RunDir::open_writable(&path)
        {
            drop(fold(&opened.rows));
            drop(opened.journal.close());
        }
        outcome
    });
    assert!(summary.outcomes > 5, "{summary:?}");
}

/// All that `show` and its like read.
fn read(path: &Path) -> Result<Outcome, StoreError> {
    let reader = RunReader::open(path)?;
    let _ = reader.header().map(|header| format!("{header:?}"))?;
    let status = reader.status()?;
    for log in [LogOf::Searcher, LogOf::Scheduler] {
        let _ = reader.log(log)?;
    }
    let _ = reader.artifacts()?;
    let _ = reader.chunks()?.list();
    let _ = reader.rows_from(5)?;
    let rows = reader.rows()?;
    assert!(rows.iter().zip(0..).all(|(row, at)| row.sequence == at));
    Ok(match fold(&rows) {
        Ok(_) => Outcome::taken(format!("{:?}", status.state)),
        Err(error) => Outcome::refused(&error),
    })
}
