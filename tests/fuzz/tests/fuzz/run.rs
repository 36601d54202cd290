//! A real run on a temporary directory, made once for all targets that read runs.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use tempfile::TempDir;
use tune_core::{EnginePlan, Limits, Metering};
use tune_runner::{RunOptions, RunParts, Silent, SnapshotPolicy};
use tune_runtime::{DataSets, Grants, Plugin, Runtime, RuntimeOptions};
use tune_store::{Header, RunDir};

/// A population: reports, pauses, clones, changes, failures of points, an end.
const PLAN: &str = r#"
version = 1
name = "steps"
trainable = "trial-steps"
metric = "loss"
mode = "min"
trials = 6
slots = 6
max_t = 12
seed = 3
[space]
lr = { uniform = [0.1, 1.0] }
[searcher]
plugin = "random"
[scheduler]
plugin = "pbt"
perturbation_interval = 3
"#;

pub(crate) struct Run {
    pub(crate) plan: EnginePlan,
    /// Its directory.
    pub(crate) path: PathBuf,
    _dir: TempDir,
}

/// What the digest of the run begins with.
pub(crate) const DIGEST: [u8; 32] = [3; 32];

pub(crate) static RUN: LazyLock<Run> = LazyLock::new(|| {
    let mut plan = tune_experiment::parse(PLAN, "fuzz.toml", 1).unwrap().engine;
    // As the manifest of the scheduler says.
    plan.clones = true;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run_dir, journal) = RunDir::create(&path, &Header::default()).unwrap();
    let parts = RunParts {
        trainable: load(&std::fs::read(tune_test_artifacts::TRIAL_STEPS).unwrap()),
        searcher: load(embedded("random")),
        scheduler: load(embedded("pbt")),
        data: Arc::new(DataSets::default()),
        grants: Grants::default(),
    };
    let options = RunOptions {
        chunks: Some(run_dir.chunks().clone()),
        snapshots: SnapshotPolicy {
            interval: Some(3),
            max_share: f64::INFINITY,
            ..SnapshotPolicy::default()
        },
        ..RunOptions::new(1, 1 << 30)
    };
    let shutdown = Arc::default();
    tune_runner::resume(
        plan.clone(),
        DIGEST,
        &parts,
        options,
        &[],
        None,
        &journal,
        &mut Silent,
        &shutdown,
    )
    .unwrap();
    journal.close().unwrap();
    Run {
        plan,
        path,
        _dir: dir,
    }
});

fn embedded(name: &str) -> &'static [u8] {
    tune_embedded::all()
        .iter()
        .find(|p| p.name == name)
        .unwrap()
        .bytes
}

/// Compiled once a process.
pub(crate) fn load(bytes: &[u8]) -> Plugin {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Runtime::new(RuntimeOptions::default()).unwrap());
    RUNTIME
        .load("guest", bytes, Metering::Fuel, false, &Limits::default())
        .unwrap()
}
