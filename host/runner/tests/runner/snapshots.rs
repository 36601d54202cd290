//! Snapshots change no decision, whatever is written, lost or damaged; what is lost costs replays.

use std::path::Path;
use std::sync::Arc;

use tune_core::EnginePlan;
use tune_runner::{How, RunOptions, Shutdown, SnapshotPolicy};
use tune_store::{ChunkStore, Purpose, RunReader, SnapshotInfo, SnapshotOf};

use crate::{Ran, Story, delays, options, plan, run, whole};

/// A trainable that shows every lost bit, under a scheduler that pauses.
pub(crate) const DIARY: &str = r#"
version = 1
name = "diary"
trainable = "diary"
metric = "loss"
mode = "min"
trials = 9
slots = 3
seed = 5
max_t = 9
[space]
rate = { loguniform = [0.01, 1.0] }
work = 1
[searcher]
plugin = "tpe"
[scheduler]
plugin = "asha"
type = "promotion"
grace_period = 1
reduction_factor = 3
"#;

/// Everything is written, as often as it can be.
pub(crate) fn eager(keep: u32) -> SnapshotPolicy {
    SnapshotPolicy {
        keep,
        max_share: f64::INFINITY,
        ..SnapshotPolicy::default()
    }
}

pub(crate) fn with(threads: usize, run_memory: u64, snapshots: SnapshotPolicy) -> RunOptions {
    RunOptions {
        snapshots,
        run_memory,
        ..options(threads, None)
    }
}

pub(crate) fn chunks(dir: &Path) -> ChunkStore {
    let reader = RunReader::open(&dir.join("run")).unwrap();
    reader.chunks().unwrap()
}

fn listed(dir: &Path) -> Vec<SnapshotInfo> {
    chunks(dir).list()
}

fn kept_run(dir: &Path, plan: &EnginePlan, options: RunOptions) -> Ran {
    run(dir, plan, options, Story::default()).unwrap()
}

#[test]
fn neither_memory_nor_threads_nor_snapshots_change_the_digest() {
    let plan = plan(DIARY);
    let plain = whole(&plan, with(2, 1 << 30, SnapshotPolicy::none()));
    assert_eq!(plain.how, How::Finished);
    let every_third = SnapshotPolicy {
        interval: Some(3),
        ..eager(1)
    };
    for (threads, run_memory, policy) in [
        (1, 1, eager(1)),
        (2, 1, SnapshotPolicy::none()),
        (2, 4 << 20, eager(2)),
        (4, 1 << 30, eager(1)),
        (1, 1 << 30, every_third),
        (3, 1, SnapshotPolicy::default()),
    ] {
        let said = format!("{threads} threads, {run_memory} bytes, {policy:?}");
        let mut options = with(threads, run_memory, policy);
        options.hook = Some(delays(run_memory));
        let ran = whole(&plan, options);
        assert_eq!(ran.digest, plain.digest, "{said}");
        assert_eq!(ran.story.remarks, [""; 0], "{said}");
    }
}

#[test]
fn more_trials_than_memory_has_room_for_wait_on_the_disk() {
    let plan = plan(DIARY);
    let policy = SnapshotPolicy {
        interval: Some(1_000),
        at_end: false,
        ..eager(1)
    };
    let tight = whole(&plan, with(2, 1, policy));
    let roomy = whole(&plan, with(2, 1 << 30, SnapshotPolicy::none()));
    assert_eq!(tight.digest, roomy.digest);
    let spilled = |info: &SnapshotInfo| info.purpose == Purpose::Spilled;
    assert!(tight.story.saved.iter().any(spilled));
}

#[test]
fn the_best_trial_keeps_its_last_state() {
    let plan = plan(DIARY);
    let dir = tempfile::tempdir().unwrap();
    let policy = SnapshotPolicy::default();
    let ran = kept_run(dir.path(), &plan, with(2, 1 << 30, policy));
    assert_eq!(ran.how, How::Finished);
    let last = |info: &SnapshotInfo| info.purpose == Purpose::Final;
    assert!(listed(dir.path()).into_iter().any(|info| last(&info)));
}

#[test]
fn old_snapshots_go_and_those_of_the_newest_states_stay() {
    let plan = plan(&DIARY.replace("max_t = 9", "max_t = 81"));
    let dir = tempfile::tempdir().unwrap();
    let ran = kept_run(dir.path(), &plan, with(2, 1 << 30, eager(1)));
    assert_eq!(ran.how, How::Finished);
    let states = |info: &&SnapshotInfo| matches!(info.key.of, SnapshotOf::Trial { .. });
    let count = listed(dir.path()).iter().filter(states).count() as u64;
    assert!(
        count > 0 && count < ran.story.rows / 2,
        "{count} of {}",
        ran.story.rows
    );
}

/// Interrupts a run again and again; in between, `harm` is done to its files.
pub(crate) fn interrupted(
    plan: &EnginePlan,
    dir: &Path,
    options: &RunOptions,
    at_once: bool,
    harm: &dyn Fn(&Path),
) -> (Ran, Vec<String>) {
    let mut remarks = Vec::new();
    for after in [2, 9, 5, 12, 3, 7] {
        let story = Story {
            stop_after: Some((after, Arc::new(Shutdown::default()))),
            at_once,
            ..Story::default()
        };
        let ran = run(dir, plan, options.clone(), story).unwrap();
        remarks.extend(ran.story.remarks.iter().cloned());
        if ran.how == How::Finished {
            return (ran, remarks);
        }
        harm(dir);
    }
    let ran = run(dir, plan, options.clone(), Story::default()).unwrap();
    remarks.extend(ran.story.remarks.iter().cloned());
    (ran, remarks)
}

/// Flips a bit in the middle of some files, which is in a chunk.
pub(crate) fn damage_every(nth: usize, dir: &Path) {
    for file in snapshot_files(dir).iter().step_by(nth) {
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        *bytes.get_mut(middle).unwrap() ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
}

fn snapshot_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(dir.join("run/chunks")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn a_run_that_goes_on_from_its_snapshots_ends_as_if_it_had_not_been_interrupted() {
    let plan = plan(DIARY);
    let plain = whole(&plan, with(2, 1 << 30, SnapshotPolicy::none()));
    for at_once in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let options = with(2, 1 << 30, eager(2));
        let (ran, remarks) = interrupted(&plan, dir.path(), &options, at_once, &|_| ());
        assert_eq!(ran.how, How::Finished);
        assert_eq!(ran.digest, plain.digest);
        let useless: Vec<_> = remarks.iter().filter(|r| r.contains("no use")).collect();
        assert_eq!(useless, [""; 0], "{remarks:?}");
    }
}

#[test]
fn snapshots_that_are_gone_cost_replays_only() {
    let plan = plan(DIARY);
    let plain = whole(&plan, with(2, 1 << 30, SnapshotPolicy::none()));
    let dir = tempfile::tempdir().unwrap();
    let options = with(2, 1 << 30, eager(2));
    let (ran, _) = interrupted(&plan, dir.path(), &options, true, &|dir| {
        for file in snapshot_files(dir) {
            std::fs::remove_file(file).unwrap();
        }
    });
    assert_eq!(ran.digest, plain.digest);
}

#[test]
fn damaged_snapshots_are_noticed_and_earlier_ones_are_taken() {
    let plan = plan(DIARY);
    let plain = whole(&plan, with(2, 1 << 30, SnapshotPolicy::none()));
    let dir = tempfile::tempdir().unwrap();
    let options = with(2, 1 << 30, eager(3));
    let harm = |dir: &Path| damage_every(2, dir);
    let (ran, _) = interrupted(&plan, dir.path(), &options, true, &harm);
    assert_eq!(ran.how, How::Finished);
    assert_eq!(ran.digest, plain.digest);
}

#[test]
fn calls_before_the_newest_snapshot_of_searcher_and_scheduler_are_not_made_again() {
    let plan = plan(DIARY);
    let dir = tempfile::tempdir().unwrap();
    let story = Story {
        stop_after: Some((12, Arc::new(Shutdown::default()))),
        ..Story::default()
    };
    let options = with(2, 1 << 30, eager(1));
    run(dir.path(), &plan, options.clone(), story).unwrap();
    let opened = tune_store::RunDir::open_writable(&dir.path().join("run")).unwrap();
    let mut rows = opened.rows.clone();
    // An answer that the searcher would not give again, in a row that the snapshot contains.
    let mut entry: tune_core::Entry = postcard::from_bytes(&rows[0].body).unwrap();
    let suggested = entry.answers.iter_mut().find_map(|answer| match answer {
        tune_core::Answer::Suggested(Ok(tune_core::records::Suggestion::Configure(p))) => Some(p),
        _ => None,
    });
    suggested.unwrap().config.insert("rate", 0.5);
    rows[0].body = postcard::to_allocvec(&entry).unwrap();
    let go_on = |chunks| {
        let options = RunOptions {
            chunks,
            verify: tune_runner::Verify::Metrics,
            ..options.clone()
        };
        let result = tune_runner::resume(
            plan.clone(),
            [3; 32],
            &crate::parts(&plan),
            options,
            &rows,
            None,
            &opened.journal,
            &mut tune_runner::Silent,
            &Arc::new(stopped()),
        );
        result.map(|summary| summary.how)
    };
    let error = go_on(None).unwrap_err().to_string();
    assert!(
        error.contains("nondeterministic") && error.contains("suggest"),
        "{error}"
    );
    assert_eq!(
        go_on(Some(opened.dir.chunks().clone())).unwrap(),
        How::Interrupted
    );
}

#[test]
fn states_that_cannot_be_captured_are_made_again_by_replays() {
    // From its second step on it holds a handle that cannot be made again.
    let text = DIARY
        .replace("\"diary\"", "\"resolves\"")
        .replace("work = 1", "");
    let plan = plan(&text);
    let plain = whole(&plan, with(2, 1 << 30, SnapshotPolicy::none()));
    assert_eq!(plain.how, How::Finished);
    let tight = whole(&plan, with(2, 1, eager(1)));
    assert_eq!(tight.digest, plain.digest);
    let remark = tight.story.remarks.first().unwrap();
    assert!(remark.contains("network"), "{remark}");
}

const BALLAST: &str = r#"
version = 1
name = "ballast"
trainable = "ballast"
metric = "loss"
mode = "min"
trials = 2
slots = 2
seed = 5
max_t = 12
[space]
rate = { uniform = [0.5, 1.0] }
mb = 8
dirty = 0.01
[searcher]
plugin = "random"
"#;

#[test]
fn a_changed_trainable_goes_on_from_its_portable_states() {
    let old = plan(BALLAST);
    let mut new = old.clone();
    new.trainable = "ballast again".to_owned();
    let undisturbed = tempfile::tempdir().unwrap();
    kept_run(
        undisturbed.path(),
        &old,
        with(2, 1 << 30, SnapshotPolicy::none()),
    );
    for policy in [eager(1), SnapshotPolicy::none()] {
        let dir = tempfile::tempdir().unwrap();
        let story = Story {
            stop_after: Some((9, Arc::new(Shutdown::default()))),
            ..Story::default()
        };
        run(dir.path(), &old, with(2, 1 << 30, policy.clone()), story).unwrap();
        // Its file is another one: nothing of its snapshots fits but the portable bytes.
        let options = RunOptions {
            verify: tune_runner::Verify::Nothing,
            changed: Some("the trainable".to_owned()),
            ..with(2, 1 << 30, policy)
        };
        let ran = run(dir.path(), &new, options, Story::default()).unwrap();
        assert_eq!(ran.how, How::Finished);
        assert_eq!(ran.story.remarks, [""; 0]);
        assert_eq!(last_sums(dir.path()), last_sums(undisturbed.path()));
    }
}

/// What each trial said last of all its bytes.
fn last_sums(dir: &Path) -> std::collections::BTreeMap<u32, f64> {
    let rows = RunReader::open(&dir.join("run")).unwrap().rows().unwrap();
    let mut sums = std::collections::BTreeMap::new();
    for row in rows {
        let entry: tune_core::Entry = postcard::from_bytes(&row.body).unwrap();
        if let tune_core::Event::StepEnded { trial, end } = entry.event {
            sums.insert(trial, end.result.unwrap().get("sum").unwrap());
        }
    }
    sums
}

#[test]
fn a_state_of_which_little_changes_is_written_in_little() {
    let dir = tempfile::tempdir().unwrap();
    let alone = plan(&BALLAST.replace("trials = 2", "trials = 1"));
    let ran = kept_run(dir.path(), &alone, with(1, 1 << 30, eager(12)));
    let is_state = |info: &&SnapshotInfo| matches!(info.key.of, SnapshotOf::Trial { .. });
    let states: Vec<_> = ran.story.saved.iter().filter(is_state).collect();
    assert!(states.len() >= 8, "{}", states.len());
    let first = states.first().unwrap();
    for state in states.iter().skip(1) {
        assert!(
            state.new_bytes * 4 < first.new_bytes,
            "{state:?} after {first:?}"
        );
    }
}

fn stopped() -> Shutdown {
    let shutdown = Shutdown::default();
    shutdown.request();
    shutdown.request();
    shutdown
}
