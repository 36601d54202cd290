//! Runs and trials done again: they come out the same, and what does not is found.

use std::path::Path;
use std::sync::Arc;

use tune_core::records::TrialId;
use tune_core::{Engine, Entry, Event, Imported, Point};
use tune_runner::{
    How, RunOptions, Shutdown, Silent, SnapshotPolicy, TrialReplay, Verdict, replay_run,
    replay_trial, state_at,
};
use tune_store::{Header, Row, RunDir, RunReader};

use crate::snapshots::{DIARY, chunks, eager, with};
use crate::{Story, options, parts, plan, run};

fn rows(dir: &Path) -> Vec<Row> {
    RunReader::open(&dir.join("run")).unwrap().rows().unwrap()
}

fn doctored(row: &mut Row, value: f64) {
    let mut entry: Entry = postcard::from_bytes(&row.body).unwrap();
    let Event::StepEnded { end, .. } = &mut entry.event else {
        panic!("no step");
    };
    let report = end.result.as_mut().unwrap();
    report.metrics.first_mut().unwrap().value = value;
    row.body = postcard::to_allocvec(&entry).unwrap();
}

#[test]
fn a_run_comes_out_the_same_and_a_row_that_was_changed_is_found() {
    let plan = plan(DIARY);
    let dir = tempfile::tempdir().unwrap();
    run(
        dir.path(),
        &plan,
        with(2, 1 << 30, eager(1)),
        Story::default(),
    )
    .unwrap();
    let mut rows = rows(dir.path());
    let again = |rows: &[Row]| {
        let (parts, shutdown) = (parts(&plan), Arc::default());
        let options = options(2, None);
        replay_run(
            plan.clone(),
            [3; 32],
            &parts,
            options,
            rows,
            &mut Silent,
            &shutdown,
        )
        .unwrap()
    };
    let replayed = again(&rows);
    assert_eq!(replayed.how, How::Finished);
    assert_eq!(
        (replayed.same, replayed.difference),
        (rows.len() as u64, None)
    );
    doctored(&mut rows[5], 0.125);
    let replayed = again(&rows);
    let difference = replayed.difference.unwrap();
    assert_eq!((difference.sequence, replayed.same), (5, 5));
    assert_ne!(difference.journal, difference.again);
}

#[test]
fn what_came_from_outside_is_taken_from_the_journal() {
    // A wall deadline, which is not computed again.
    let plan = plan(
        r#"
version = 1
name = "spins"
trainable = "spins"
metric = "loss"
mode = "min"
trials = 1
slots = 1
seed = 1
max_failures = 2
[space]
x = { uniform = [0.0, 1.0] }
[searcher]
plugin = "random"
[limits]
wall_per_step = "0.1 s"
"#,
    );
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &plan, options(1, None), Story::default()).unwrap();
    let rows = rows(dir.path());
    let mut patient = plan.clone();
    patient.limits.wall_per_step = std::time::Duration::from_secs(60);
    let replayed = replay_run(
        patient,
        [3; 32],
        &parts(&plan),
        options(1, None),
        &rows,
        &mut Silent,
        &Arc::default(),
    )
    .unwrap();
    assert_eq!(
        (replayed.same, replayed.difference),
        (rows.len() as u64, None)
    );
}

fn trial_again(dir: &Path, plan: &tune_core::EnginePlan, rows: &[Row], id: TrialId) -> TrialReplay {
    let chunks = chunks(dir);
    replay_trial(plan.clone(), [3; 32], &parts(plan), Some(&chunks), rows, id).unwrap()
}

#[test]
fn a_trial_comes_out_the_same_and_so_do_its_snapshots() {
    let plan = plan(DIARY);
    let dir = tempfile::tempdir().unwrap();
    run(
        dir.path(),
        &plan,
        with(2, 1 << 30, eager(4)),
        Story::default(),
    )
    .unwrap();
    let mut rows = rows(dir.path());
    let (mut steps, mut snapshots) = (0, 0);
    for id in 0..9 {
        let replay = trial_again(dir.path(), &plan, &rows, id);
        assert_eq!(replay.difference, None);
        assert!(replay.state_hash.is_some());
        for check in &replay.snapshots {
            assert_eq!(check.verdict, Verdict::Same, "{check:?}");
        }
        steps += replay.same;
        snapshots += replay.snapshots.len();
    }
    let reports = rows.iter().filter(|row| row.kind == "report").count() as u64;
    assert_eq!(steps, reports);
    assert!(snapshots > 0);
    let row = rows
        .iter_mut()
        .find(|r| r.kind == "report" && r.trial == Some(2));
    doctored(row.unwrap(), 0.125);
    let difference = trial_again(dir.path(), &plan, &rows, 2).difference.unwrap();
    assert_eq!(
        difference.point,
        Point {
            trial: 2,
            reports: 1
        }
    );
    assert_eq!(difference.journal.metrics[0].value, 0.125);
    assert_ne!(difference.again.unwrap().metrics[0].value, 0.125);
}

#[test]
fn the_state_of_a_point_is_the_same_from_any_snapshot_or_none() {
    let plan = plan(DIARY);
    let dir = tempfile::tempdir().unwrap();
    run(
        dir.path(),
        &plan,
        with(2, 1 << 30, eager(2)),
        Story::default(),
    )
    .unwrap();
    let rows = rows(dir.path());
    let chunks = chunks(dir.path());
    let state = |chunks, reports| {
        let point = Point { trial: 0, reports };
        state_at(
            plan.clone(),
            [3; 32],
            &parts(&plan),
            chunks,
            &rows,
            point,
            &mut Silent,
        )
    };
    let last = rows
        .iter()
        .filter(|r| r.kind == "report" && r.trial == Some(0))
        .count() as u64;
    for reports in 1..=last {
        let hash = |chunks| state(chunks, reports).unwrap().state_hash().unwrap();
        assert_eq!(hash(Some(&chunks)), hash(None), "after report {reports}");
    }
    let error = state(None, last + 1).unwrap_err().to_string();
    assert!(error.contains(&format!("{last} reports")), "{error}");
}

#[test]
fn a_fork_goes_on_from_a_state_of_another_run() {
    let parent = plan(DIARY);
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &parent, options(2, None), Story::default()).unwrap();
    let rows = rows(dir.path());
    let point = Point {
        trial: 1,
        reports: 1,
    };
    let state = state_at(
        parent.clone(),
        [3; 32],
        &parts(&parent),
        None,
        &rows,
        point,
        &mut Silent,
    );
    let state = state.unwrap();
    let mut engine = Engine::new(parent.clone(), [3; 32]).unwrap();
    for row in &rows {
        engine
            .fold(&postcard::from_bytes(&row.body).unwrap())
            .unwrap();
    }
    let mut fork = parent.clone();
    fork.trials = Some(1);
    fork.scheduler = ("fifo".to_owned(), String::new());
    fork.imported = Some(Imported {
        iteration: 1,
        fuel_total: engine.trials()[1].fuel_total_at(1),
        config: engine.trials()[1].config.clone(),
        last: None,
        state: state.state_hash().unwrap(),
    });
    let forked = |options: RunOptions| {
        let home = tempfile::tempdir().unwrap();
        let (run_dir, journal) =
            RunDir::create(&home.path().join("run"), &Header::default()).unwrap();
        tune_runner::import_state(run_dir.chunks(), &state).unwrap();
        let options = RunOptions {
            chunks: Some(run_dir.chunks().clone()),
            ..options
        };
        let summary = tune_runner::start(
            fork.clone(),
            [4; 32],
            &parts(&fork),
            options,
            &journal,
            &mut Silent,
            &Arc::new(Shutdown::default()),
        );
        journal.close().unwrap();
        let summary = summary.unwrap();
        assert_eq!(summary.counts.finished, 1);
        summary.digest
    };
    let digest = forked(with(1, 1 << 30, SnapshotPolicy::none()));
    assert_eq!(forked(with(2, 1, eager(1))), digest);
}

#[test]
fn a_replay_that_is_asked_to_stop_says_how_far_it_came() {
    let plan = plan(DIARY);
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &plan, options(2, None), Story::default()).unwrap();
    let shutdown: Arc<Shutdown> = Arc::default();
    let mut story = Story {
        stop_after: Some((4, Arc::clone(&shutdown))),
        at_once: true,
        ..Story::default()
    };
    let replayed = replay_run(
        plan.clone(),
        [3; 32],
        &parts(&plan),
        options(1, None),
        &rows(dir.path()),
        &mut story,
        &shutdown,
    )
    .unwrap();
    assert_eq!(replayed.how, How::Interrupted);
    assert!(replayed.same >= 4 && replayed.difference.is_none());
}
