//! What a trainable is granted: what its manifest asks for and the experiment file allows, and
//! nothing that only one of the two says. Directories are in `guests::trial::trial_files`.

use std::fs;

use crate::{experiment::Experiment, lab::Lab};

const ALL: &str = "[grants]\nartifact = true\nvirtual-cost = true";

/// The trainable that writes artifacts, with a manifest that asks for something else.
fn that_asks_for(grants: &[u8; 12]) -> Vec<u8> {
    let asking = b"[\"artifact\"]";
    let mut bytes = fs::read(tune_test_artifacts::TRIAL_ARTIFACTS).unwrap();
    let at = bytes
        .windows(asking.len())
        .position(|window| window == asking)
        .unwrap();
    bytes[at..at + asking.len()].copy_from_slice(grants);
    bytes
}

fn that_does_not_ask() -> Vec<u8> {
    that_asks_for(b"[          ]")
}

#[test]
fn what_both_say_is_granted_and_what_only_the_file_says_is_not() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_ARTIFACTS).table(ALL);
    lab.run(&experiment, &[]).exits(0).says(&[
        "granted: artifact",
        "does not ask for the grant `virtual-cost` in its manifest and does not get it",
    ]);
    assert_eq!(lab.show("exp")["granted"], serde_json::json!(["artifact"]));
    let shown = lab.tune(&["show", "exp"]).exits(0).stdout;
    assert!(shown.contains("granted: artifact\n"), "{shown}");
    // What it may use it still may when its run goes on.
    lab.tune(&["resume", "exp", "--trials", "5"]).exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 5]);
}

#[test]
fn a_trainable_that_does_not_ask_gets_nothing_though_the_file_allows_all() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_NOOP).table(ALL);
    let said = lab.run(&experiment, &[]).exits(0);
    assert!(!said.stderr.contains("granted:"), "{said}");
    said.says(&["the grant `artifact`", "the grant `virtual-cost`"]);
    assert_eq!(lab.show("exp")["granted"], serde_json::json!([]));
}

#[test]
fn data_that_the_manifest_does_not_ask_for_are_not_read_and_change_nothing() {
    let lab = Lab::new();
    lab.write("numbers/a.bin", [1]);
    let plain = Experiment::of(tune_test_artifacts::TRIAL_NOOP);
    let table = "[[data]]\nname = \"numbers\"\npath = \"numbers\"";
    lab.run(&plain.clone().table(table), &[])
        .exits(0)
        .says(&["does not ask for the grant `data`"]);
    assert_eq!(lab.show("exp")["granted"], serde_json::json!([]));
    lab.run(&plain.named("plain"), &[]).exits(0);
    assert_eq!(lab.digest("exp"), lab.digest("plain"));
    // They are nothing to the run, which goes on without them.
    fs::remove_dir_all(lab.path("numbers")).unwrap();
    lab.tune(&["resume", "exp", "--trials", "5"]).exits(0);
}

#[test]
fn an_artifact_that_the_manifest_does_not_ask_for_ends_its_trial() {
    let lab = Lab::new();
    lab.write("mine.wasm", that_does_not_ask());
    let experiment = Experiment::of("./mine.wasm").table(ALL);
    let said = lab.run(&experiment, &[]).exits(1);
    assert_eq!(lab.statuses("exp"), ["grant"; 4], "{said}");
    let story = lab.trial("exp", 0)["failure"].as_str().unwrap().to_owned();
    for part in ["`artifact`, which is not granted", "manifest", "[grants]"] {
        assert!(story.contains(part), "no {part:?} in {story}");
    }
}

#[test]
fn a_cost_that_the_manifest_does_not_ask_for_ends_its_trial() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::HOSTILE_TRAINABLE)
        .space("hostile = \"cost_without_grant\"")
        .table(ALL);
    // It asks for data too.
    lab.write("numbers/a.bin", [1]);
    let experiment = experiment.table("[[data]]\nname = \"numbers\"\npath = \"numbers\"");
    lab.run(&experiment, &[]).exits(1);
    assert_eq!(lab.statuses("exp"), ["grant"; 4]);
    let granted = &lab.show("exp")["granted"];
    assert_eq!(*granted, serde_json::json!(["artifact", "data numbers"]));
}

#[test]
fn workers_are_refused_to_who_asks_for_them_whatever_the_file_allows() {
    let lab = Lab::new();
    lab.write("mine.wasm", that_asks_for(b"[\"workers\"] "));
    for table in ["", "[grants]\nworkers = true"] {
        let experiment = Experiment::of("./mine.wasm").table(table);
        lab.run(&experiment, &[]).exits(2).says(&[
            "`trial-artifacts` wants the grant `workers`: a trial has one thread in this version",
            "use another trainable",
        ]);
    }
    assert!(!lab.path("runs/exp").exists());
}

#[test]
fn workers_that_only_the_file_allows_are_granted_to_nobody() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_NOOP);
    let experiment = experiment.table("[grants]\nworkers = true");
    let said = lab.run(&experiment, &[]).exits(0);
    said.says(&["does not ask for the grant `workers`"]);
    assert_eq!(lab.show("exp")["granted"], serde_json::json!([]));
}

/// What `plugin inspect` prints of a plugin with `exp.toml` holds these lines.
fn inspected(lab: &Lab, plugin: &str, lines: &[&str]) {
    let said = lab.tune(&["plugin", "inspect", plugin, "--experiment", "exp.toml"]);
    let said = said.exits(0).stdout;
    for line in lines {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
}

#[test]
fn inspect_prints_what_a_plugin_is_granted_with_an_experiment_file() {
    let lab = Lab::new();
    lab.write("mine.wasm", that_asks_for(b"[\"data\"]    "));
    let grants = "[grants]\nvirtual-cost = true\nworkers = true\n[[data]]\nname = \"numbers\"";
    let table = format!("{grants}\npath = \"numbers\"");
    lab.file(&Experiment::of("./mine.wasm").table(&table));
    let lines = [
        "grants with exp.toml\n",
        "  data         wanted, allowed: numbers; given\n",
        "  virtual-cost not wanted, allowed; not given\n",
        "  workers      not wanted, allowed; not given\n",
    ];
    inspected(&lab, "./mine.wasm", &lines);
    let json = ["--experiment", "exp.toml", "--format", "json"];
    let json = lab.tune(&[&["plugin", "inspect", "./mine.wasm"][..], &json].concat());
    let given: Vec<(String, bool)> = json.exits(0).json()["grants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let name = line["grant"].as_str().unwrap().to_owned();
            (name, line["given"].as_bool().unwrap())
        })
        .collect();
    let expected = [("data", true), ("virtual-cost", false), ("workers", false)];
    assert_eq!(
        given,
        expected.map(|(name, given)| (name.to_owned(), given))
    );
}

#[test]
fn inspect_says_which_wishes_refuse_a_run_and_that_searchers_are_granted_nothing() {
    let lab = Lab::new();
    lab.write("mine.wasm", that_asks_for(b"[\"data\",\"x\"]"));
    lab.file(&Experiment::of("./mine.wasm"));
    let lines = [
        "  data         wanted, not allowed; a run is refused\n",
        "  x            wanted, not allowed; not in this version, a run is refused\n",
    ];
    inspected(&lab, "./mine.wasm", &lines);
    inspected(&lab, "tpe", &["grants with exp.toml\n  none\n"]);
    let missing = ["plugin", "inspect", "tpe", "--experiment", "missing.toml"];
    lab.tune(&missing)
        .exits(2)
        .says(&["cannot read the experiment missing.toml"]);
}
