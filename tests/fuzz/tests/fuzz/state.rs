//! A state from a file, put into an instance: headers and memories that somebody changed.

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Unstructured;
use tune_core::records::{Config, FailureKind, TrialInfo};
use tune_core::{Limits, PluginFault};
use tune_fuzz::{Outcome, Target, mutate};
use tune_runtime::{
    Control, DataSets, Grants, Image, Plugin, Snapshot, SnapshotHeader, TrialStart,
};

use crate::run::load;

fn limits() -> Limits {
    Limits {
        // A state can make a guest run in circles.
        fuel_per_step: 20_000_000,
        memory_bytes: 64 << 20,
        wall_per_step: Duration::from_secs(60),
        ..Limits::default()
    }
}

fn start() -> TrialStart {
    TrialStart {
        info: TrialInfo {
            trial: 0,
            seed: 7,
            workers: 1,
            restoring: false,
        },
        config: Config::new(),
        limits: limits(),
        data: Arc::new(DataSets::new()),
        grants: Grants::default(),
        control: Arc::new(Control::new()),
    }
}

fn target(name: &'static str, iterations: u64) -> Target {
    Target {
        name,
        iterations,
        seeds: Vec::new(),
        words: Vec::new(),
        scratch: crate::scratch(),
    }
}

struct Good {
    plugin: Plugin,
    headers: Vec<Vec<u8>>,
    memories: Vec<Vec<Image>>,
}

/// States after several steps of a guest that uses all that a standard library keeps.
fn good() -> Good {
    let bytes = std::fs::read(tune_test_artifacts::TRIAL_EVERYTHING).unwrap();
    let plugin = load(&bytes);
    let mut trial = plugin.trial(start()).unwrap();
    trial.setup(0).unwrap();
    let (mut headers, mut memories) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        trial.step(0).unwrap();
        let snapshot = trial.snapshot().unwrap();
        headers.push(postcard::to_stdvec(snapshot.header()).unwrap());
        memories.push(snapshot.memories().to_vec());
    }
    Good {
        plugin,
        headers,
        memories,
    }
}

/// Restores and steps, fresh and over the instance that is left.
fn run(plugin: &Plugin, snapshot: &Snapshot, good: &Snapshot) -> Outcome {
    let mut trial = match plugin.restore_trial(start(), snapshot, 0) {
        Ok(trial) => trial,
        Err(fault) => return failed(&fault),
    };
    let outcome = match trial.step(0) {
        Ok(_) => Outcome::taken("a step"),
        Err(fault) => failed(&fault),
    };
    // Whatever became of it, a good state brings it back, or it is refused.
    if trial.restore_over(good, 0).is_ok() {
        trial.step(0).unwrap();
    }
    outcome
}

fn failed(fault: &PluginFault) -> Outcome {
    assert_ne!(fault.kind, FailureKind::HostBug, "{}", fault.details());
    Outcome::refused(&format!("{}: {}", fault.kind, fault.message))
}

#[test]
fn states_with_changed_headers_are_refused_or_restored() {
    let good = good();
    let whole = |at: usize| {
        let header = postcard::from_bytes(&good.headers[at]).unwrap();
        Snapshot::from_parts(header, good.memories[at].clone()).unwrap()
    };
    let last = whole(good.headers.len() - 1);
    assert_eq!(run(&good.plugin, &last, &last), Outcome::taken("a step"));
    let summary = target("state-header", 1_500).run(|entropy| {
        let u = &mut Unstructured::new(entropy);
        let at = u.choose_index(good.headers.len()).unwrap_or(0);
        let mut bytes = good.headers[at].clone();
        // The hash of the component stands at the front; behind it are the interesting numbers.
        let keep = if u.arbitrary().unwrap_or(true) {
            41.min(bytes.len())
        } else {
            0
        };
        let mut rest = bytes.split_off(keep);
        mutate(&mut rest, &good.headers, &[], u).unwrap_or_default();
        bytes.append(&mut rest);
        let header: SnapshotHeader = match postcard::from_bytes(&bytes) {
            Ok(header) => header,
            Err(error) => return Outcome::refused(&format!("header: {error}")),
        };
        match Snapshot::from_parts(header, good.memories[at].clone()) {
            Ok(snapshot) => {
                snapshot.state_hash().unwrap();
                run(&good.plugin, &snapshot, &last)
            }
            Err(error) => Outcome::refused(&error.to_string()),
        }
    });
    assert!(summary.outcomes > 8 && summary.taken > 0, "{summary:?}");
}

#[test]
fn states_with_changed_memories_stay_in_their_sandbox() {
    let good = good();
    let last = good.headers.len() - 1;
    let header: SnapshotHeader = postcard::from_bytes(&good.headers[last]).unwrap();
    let images = &good.memories[last];
    let whole = Snapshot::from_parts(header.clone(), images.clone()).unwrap();
    let mut memory = vec![0; images[0].byte_len() as usize];
    images[0].read_at(0, &mut memory).unwrap();
    // Most of a memory is never touched; what is not zero may matter.
    let used: Vec<_> = (0..memory.len()).filter(|at| memory[*at] != 0).collect();
    let summary = target("state-memory", 400).run(|entropy| {
        let u = &mut Unstructured::new(entropy);
        let mut changed = memory.clone();
        for _ in 0..u.int_in_range(1..=300).unwrap_or(1) {
            let at = u.choose(&used).copied().unwrap_or(0);
            changed[at] = u.arbitrary().unwrap_or(0);
        }
        let mut image = Image::builder(changed.len() as u64).unwrap();
        image.write_at(0, &changed).unwrap();
        let mut images = images.clone();
        images[0] = image.finish().unwrap();
        let snapshot = Snapshot::from_parts(header.clone(), images).unwrap();
        run(&good.plugin, &snapshot, &whole)
    });
    assert!(summary.outcomes > 1, "{summary:?}");
}
