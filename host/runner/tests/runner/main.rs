//! Runs of real plugins through the whole runner: digests at any number of threads, under delays,
//! after interruptions; failures that cost one trial; replays.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

mod clones;
mod replays;
mod same_bits;
mod same_decisions;
mod simulated;
mod snapshots;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tune_core::records::{FailureKind, TrialId};
use tune_core::{Engine, EnginePlan, Entry, Handover, Metering, Note, Phase};
use tune_runner::{
    How, Observer, RunError, RunOptions, RunParts, Shutdown, StepHook, Verify, Wall,
};
use tune_runtime::{DataSets, Grants, Plugin, Runtime, RuntimeOptions};
use tune_store::{Header, Row, RunDir, SnapshotInfo};

/// Plugins are compiled once for all tests. `NAME again` is another file with the same code.
fn plugin(name: &str) -> Plugin {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, OnceLock};
    static PLUGINS: OnceLock<(Runtime, Mutex<BTreeMap<String, Plugin>>)> = OnceLock::new();
    let (runtime, plugins) = PLUGINS.get_or_init(|| {
        let options = RuntimeOptions::default();
        (Runtime::new(options).unwrap(), Mutex::default())
    });
    let mut plugins = plugins.lock().unwrap();
    plugins
        .entry(name.to_owned())
        .or_insert_with(|| {
            let (name, again) = match name.strip_suffix(" again") {
                Some(name) => (name, true),
                None => (name, false),
            };
            let embedded = tune_embedded::all().iter().find(|p| p.name == name);
            let mut bytes = match embedded {
                Some(plugin) => plugin.bytes.to_vec(),
                None => std::fs::read(guest(name)).unwrap(),
            };
            if again {
                // A custom section of two bytes: its name, which is "v".
                bytes.extend([0, 2, 1, b'v']);
            }
            let limits = tune_core::Limits::default();
            runtime
                .load(name, &bytes, Metering::Fuel, false, &limits)
                .unwrap()
        })
        .clone()
}

fn guest(name: &str) -> &'static Path {
    Path::new(match name {
        "steps" => tune_test_artifacts::TRIAL_STEPS,
        "traps_at" => tune_test_artifacts::TRIAL_TRAPS_AT,
        "spins" => tune_test_artifacts::TRIAL_SPINS,
        "probe" => tune_test_artifacts::TRIAL_PROBE,
        "scheduler_traps" => tune_test_artifacts::SCHEDULER_TRAPS,
        "pauses_all" => tune_test_artifacts::SCHEDULER_PAUSES_ALL,
        "script" => tune_test_artifacts::SCHEDULER_SCRIPT,
        "diary" => tune_test_artifacts::TRIAL_DIARY,
        "ballast" => tune_test_artifacts::TRIAL_BALLAST,
        "resolves" => tune_test_artifacts::TRIAL_RESOLVES,
        other => panic!("no guest {other}"),
    })
}

fn plan(text: &str) -> EnginePlan {
    tune_experiment::parse(text, "test.toml", 1).unwrap().engine
}

const BRANIN: &str = r#"
version = 1
name = "branin"
trainable = "functions"
metric = "value"
mode = "min"
trials = 30
slots = 4
seed = 11
max_t = 9
[space]
x0 = { uniform = [-5.0, 10.0] }
x1 = { uniform = [0.0, 15.0] }
function = "branin"
steps = 9
[searcher]
plugin = "tpe"
[scheduler]
plugin = "asha"
grace_period = 1
reduction_factor = 3
"#;

fn parts(plan: &EnginePlan) -> RunParts {
    RunParts {
        trainable: plugin(&plan.trainable),
        searcher: plugin(&plan.searcher.0),
        scheduler: plugin(&plan.scheduler.0),
        data: Arc::new(DataSets::default()),
        grants: Grants {
            artifact: plan.trainable == "diary",
            ..Grants::default()
        },
    }
}

fn options(threads: usize, hook: Option<StepHook>) -> RunOptions {
    RunOptions {
        hook,
        ..RunOptions::new(threads, 1 << 30)
    }
}

/// Keeps what happened.
#[derive(Default)]
struct Story {
    phases: Vec<Phase>,
    failures: Vec<Option<FailureKind>>,
    rows: u64,
    restored: u64,
    retried: u64,
    exploits: u64,
    saved: Vec<SnapshotInfo>,
    remarks: Vec<String>,
    stop_after: Option<(u64, Arc<Shutdown>)>,
    /// Not even steps in flight are finished, and nothing more is written.
    at_once: bool,
}

impl Observer for Story {
    fn handed_over(&mut self, engine: &Engine, handover: &Handover, _: Wall) {
        self.rows += 1;
        self.phases = engine.trials().iter().map(|t| t.phase).collect();
        let kind = |t: &tune_core::Trial| t.failure.as_ref().map(|f| f.kind);
        self.failures = engine.trials().iter().map(kind).collect();
        let retries = |n: &&Note| matches!(n, Note::Retried(..));
        self.retried += handover.notes.iter().filter(retries).count() as u64;
        let exploits = |n: &&Note| matches!(n, Note::Exploited { .. });
        self.exploits += handover.notes.iter().filter(exploits).count() as u64;
        if let Some((after, shutdown)) = &self.stop_after
            && self.rows == *after
        {
            shutdown.request();
            if self.at_once {
                shutdown.request();
            }
        }
    }

    fn restored(&mut self, _: &Engine, _: &Handover, _: Wall) {
        self.restored += 1;
    }

    fn saved(&mut self, snapshot: &SnapshotInfo) {
        self.saved.push(*snapshot);
    }

    fn remark(&mut self, text: &str) {
        self.remarks.push(text.to_owned());
    }
}

struct Ran {
    how: How,
    digest: [u8; 32],
    story: Story,
}

/// Runs, or goes on with, what is in the directory.
fn run(
    dir: &Path,
    plan: &EnginePlan,
    options: RunOptions,
    mut story: Story,
) -> Result<Ran, RunError> {
    let path = dir.join("run");
    let (run_dir, journal, rows) = if path.exists() {
        let opened = RunDir::open_writable(&path).unwrap();
        (opened.dir, opened.journal, opened.rows)
    } else {
        let (run_dir, journal) = RunDir::create(&path, &Header::default()).unwrap();
        (run_dir, journal, Vec::<Row>::new())
    };
    let shutdown = match &story.stop_after {
        Some((_, shutdown)) => Arc::clone(shutdown),
        None => Arc::default(),
    };
    let options = RunOptions {
        chunks: Some(run_dir.chunks().clone()),
        ..options
    };
    let summary = tune_runner::resume(
        plan.clone(),
        [3; 32],
        &parts(plan),
        options,
        &rows,
        None,
        &journal,
        &mut story,
        &shutdown,
    );
    journal.close().unwrap();
    drop(run_dir);
    let summary = summary?;
    Ok(Ran {
        how: summary.how,
        digest: summary.digest,
        story,
    })
}

fn whole(plan: &EnginePlan, options: RunOptions) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), plan, options, Story::default()).unwrap()
}

/// Delays that differ from step to step and from test to test.
fn delays(seed: u64) -> StepHook {
    let calls = AtomicU64::new(seed);
    Arc::new(move |trial: TrialId| {
        let n = calls.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let micros = (n ^ u64::from(trial).wrapping_mul(0xBF58_476D_1CE4_E5B9)) >> 53;
        std::thread::sleep(Duration::from_micros(micros));
    })
}

#[test]
fn the_digest_is_the_same_at_any_number_of_threads_and_under_delays() {
    let plan = plan(BRANIN);
    let one = whole(&plan, options(1, None));
    assert_eq!(one.how, How::Finished);
    assert_eq!(one.story.phases.len(), 30);
    for (threads, hook) in [(2, None), (3, Some(delays(5))), (4, Some(delays(77)))] {
        let other = whole(&plan, options(threads, hook));
        assert_eq!(other.digest, one.digest, "{threads} threads");
        assert_eq!(other.story.rows, one.story.rows);
    }
}

#[test]
fn another_seed_gives_another_digest() {
    let mut plan = plan(BRANIN);
    let one = whole(&plan, options(2, None)).digest;
    plan.seed += 1;
    assert_ne!(whole(&plan, options(2, None)).digest, one);
}

#[test]
fn a_run_that_is_interrupted_again_and_again_ends_as_if_it_had_not_been() {
    let plan = plan(BRANIN);
    let undisturbed = whole(&plan, options(2, None));
    let dir = tempfile::tempdir().unwrap();
    let mut rows = 0;
    for after in [1, 2, 7, 19, 40] {
        let shutdown: Arc<Shutdown> = Arc::default();
        let story = Story {
            stop_after: Some((after, shutdown)),
            ..Story::default()
        };
        let ran = run(dir.path(), &plan, options(2, Some(delays(after))), story).unwrap();
        assert_eq!(
            ran.story.restored, rows,
            "all that was handed over was kept"
        );
        rows += ran.story.rows;
        if ran.how == How::Finished {
            break;
        }
    }
    let last = run(dir.path(), &plan, options(2, None), Story::default()).unwrap();
    assert_eq!(last.how, How::Finished);
    assert_eq!(last.digest, undisturbed.digest);
}

#[test]
fn a_replayed_step_that_differs_stops_the_run_and_names_the_trial() {
    let plan = plan(BRANIN);
    let dir = tempfile::tempdir().unwrap();
    let shutdown: Arc<Shutdown> = Arc::default();
    let story = Story {
        stop_after: Some((6, shutdown)),
        ..Story::default()
    };
    run(dir.path(), &plan, options(1, None), story).unwrap();
    // Another configuration than the journal's: what the trial reports again is not the same.
    let opened = RunDir::open_writable(&dir.path().join("run")).unwrap();
    let mut rows = opened.rows.clone();
    for row in &mut rows {
        let mut entry: Entry = postcard::from_bytes(&row.body).unwrap();
        if let tune_core::Event::StepEnded { end, .. } = &mut entry.event
            && let Ok(report) = &mut end.result
        {
            report.metrics[0].value += 1.0;
        }
        row.body = postcard::to_allocvec(&entry).unwrap();
    }
    let mut careless = options(1, None);
    careless.verify = Verify::Metrics;
    let result = tune_runner::resume(
        plan.clone(),
        [3; 32],
        &parts(&plan),
        careless,
        &rows,
        None,
        &opened.journal,
        &mut tune_runner::Silent,
        &Arc::default(),
    );
    let message = result.unwrap_err().to_string();
    assert!(message.contains("nondeterministic"), "{message}");
}

#[test]
fn instances_that_were_dropped_for_memory_are_built_again_by_replay() {
    let mut plan = plan(BRANIN);
    plan.scheduler = (
        "asha".to_owned(),
        r#"{"grace_period":1,"reduction_factor":3,"type":"promotion"}"#.to_owned(),
    );
    let roomy = whole(&plan, options(2, None));
    let mut tight = options(2, None);
    tight.run_memory = 1;
    assert_eq!(whole(&plan, tight).digest, roomy.digest);
}

#[test]
fn a_trial_that_runs_out_of_fuel_costs_itself_only() {
    let text = r#"
version = 1
name = "spins"
trainable = "spins"
metric = "loss"
mode = "min"
trials = 3
slots = 2
seed = 1
[space]
x = { uniform = [0.0, 1.0] }
[searcher]
plugin = "random"
[limits]
fuel_per_step = 50_000_000
"#;
    let ran = whole(&plan(text), options(2, None));
    assert_eq!(ran.how, How::Finished);
    assert_eq!(ran.story.failures, [Some(FailureKind::OutOfFuel); 3]);
}

#[test]
fn a_wall_deadline_is_tried_again_as_often_as_the_plan_says() {
    let text = r#"
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
"#;
    let ran = whole(&plan(text), options(1, None));
    assert_eq!(ran.story.retried, 2);
    assert_eq!(ran.story.failures, [Some(FailureKind::Deadline)]);
}

#[test]
fn a_scheduler_that_traps_stops_the_run_and_the_journal_stays() {
    let text = BRANIN
        .replace("\"asha\"", "\"scheduler_traps\"")
        .replace("grace_period = 1", "")
        .replace("reduction_factor = 3", "");
    let plan = plan(&text);
    let dir = tempfile::tempdir().unwrap();
    let error = run(dir.path(), &plan, options(2, None), Story::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("trap"), "{error}");
    assert!(RunDir::open_writable(&dir.path().join("run")).is_ok());
}

#[test]
fn an_extended_run_goes_on_where_it_ended() {
    let plan = plan(BRANIN);
    let dir = tempfile::tempdir().unwrap();
    let first = run(dir.path(), &plan, options(2, None), Story::default()).unwrap();
    let opened = RunDir::open_writable(&dir.path().join("run")).unwrap();
    let mut story = Story::default();
    let summary = tune_runner::resume(
        plan.clone(),
        [3; 32],
        &parts(&plan),
        options(2, None),
        &opened.rows,
        Some(40),
        &opened.journal,
        &mut story,
        &Arc::default(),
    )
    .unwrap();
    assert_eq!(summary.how, How::Finished);
    assert_eq!(story.phases.len(), 40);
    assert_ne!(summary.digest, first.digest);
    opened.journal.close().unwrap();
}
