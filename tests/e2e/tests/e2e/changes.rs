//! A run goes on although its plugin has changed, when that is asked for: with the state that the
//! plugin itself can carry over, else from the beginning of its trials.

use std::fs;

use crate::{
    experiment::Experiment,
    lab::{Finished, Lab},
};

/// Another file of the same plugin: a section that nobody reads.
fn new_version(component: &str) -> Vec<u8> {
    let mut bytes = fs::read(component).unwrap();
    // Custom section (0) of 8 bytes: a name of 7.
    bytes.extend(b"\x00\x08\x07version");
    bytes
}

/// Trials that pause at their first rungs; a longer run takes them up again.
fn experiment(guest: &str) -> (Lab, Experiment) {
    let lab = Lab::new();
    fs::copy(guest, lab.path("mine.wasm")).unwrap();
    let experiment = Experiment::of("./mine.wasm")
        .top("trials = 9\nmax_t = 9\nslots = 2")
        .table("[scheduler]\nplugin = \"asha\"\nreduction_factor = 3\ntype = \"promotion\"")
        .space("rate = { uniform = [0.1, 0.9] }");
    (lab, experiment)
}

fn extend(lab: &Lab, run: &str, more: &[&str]) -> Finished {
    lab.tune(&[&["resume", run, "--trials", "27"], more].concat())
}

const ACCEPT: &str = "--accept-changed-plugin";

#[test]
fn what_is_portable_is_carried_over_to_a_new_version() {
    let (lab, experiment) = experiment(tune_test_artifacts::TRIAL_BALLAST);
    for name in ["same", "changed"] {
        lab.run(&experiment, &["--name", name]).exits(0);
    }
    extend(&lab, "same", &[]).exits(0);
    lab.write("mine.wasm", new_version(tune_test_artifacts::TRIAL_BALLAST));
    let refused = extend(&lab, "changed", &[]);
    assert!(matches!(refused.code, Some(2 | 3)), "{refused}");
    refused.says(&["mine", "changed", "hint", ACCEPT]);

    extend(&lab, "changed", &[ACCEPT])
        .exits(0)
        .says(&["another version"]);
    // The new version computes the same: states that were lost would show in the sums.
    let sums = |run: &str| -> Vec<_> {
        let run = lab.show(run);
        let trials = run["trials"].as_array().unwrap().iter();
        let last = trials.map(|t| (t["iterations"].clone(), t["last"]["sum"].clone()));
        last.collect()
    };
    assert_eq!(sums("changed"), sums("same"));
    // What was accepted once needs no asking again.
    lab.tune(&["resume", "changed", "--trials", "28"]).exits(0);
}

#[test]
fn what_is_not_portable_begins_again() {
    let (lab, experiment) = experiment(tune_test_artifacts::TRIAL_DIARY);
    let experiment = experiment.table("[grants]\nartifact = true");
    lab.run(&experiment, &[]).exits(0);
    lab.write("mine.wasm", new_version(tune_test_artifacts::TRIAL_DIARY));
    extend(&lab, "exp", &[ACCEPT])
        .exits(0)
        .says(&["another version"]);
    assert_eq!(lab.show("exp")["trials"].as_array().unwrap().len(), 27);
    let statuses = lab.statuses("exp");
    assert!(
        statuses.iter().all(|s| s == "finished" || s == "paused"),
        "{statuses:?}"
    );
}

#[test]
fn a_run_of_a_newer_version_is_refused_by_name() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(3), &[]).exits(0);
    let journal = rusqlite::Connection::open(lab.path("runs/branin/run.db")).unwrap();
    journal.pragma_update(None, "user_version", 999).unwrap();
    drop(journal);
    for verb in ["resume", "show", "replay", "snapshots"] {
        lab.tune(&[verb, "branin"]).exits(2).says(&["999", "newer"]);
    }
}
