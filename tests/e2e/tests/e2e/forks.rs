//! `fork`: a new run that goes on from any iteration of a trial, with other hyperparameters.

use serde_json::Value;

use crate::{
    dice::Dice, experiment::Experiment, lab::Lab, outcome::Outcome, population::population,
};

fn parent() -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_DIARY)
        .top("trials = 3\nmax_t = 8\nslots = 2")
        .space("rate = { uniform = [0.05, 0.5] }\nwork = 200")
        .table("[grants]\nartifact = true")
}

/// Where the walk of a diary stands: the root of its loss.
fn place(report: &Value) -> f64 {
    report["metrics"]["loss"].as_f64().unwrap().sqrt()
}

#[test]
fn a_fork_goes_on_from_the_state_of_its_iteration_with_a_value_that_acts() {
    let lab = Lab::new();
    lab.run(&parent(), &[]).exits(0);
    let said = lab
        .tune(&["fork", "exp", "1@3", "--set", "rate=0.5"])
        .exits(0);
    assert!(said.stderr.contains("exp"), "{said}");
    let before = lab.trial("exp", 1);
    let after = lab.trial("exp-fork", 0);
    assert_eq!(after["config"]["rate"], 0.5);
    let reports = after["reports"].as_array().unwrap();
    let iterations: Vec<u64> = reports
        .iter()
        .map(|report| report["iteration"].as_u64().unwrap())
        .collect();
    assert_eq!(iterations, [4, 5, 6, 7, 8]);
    // Noise moves the place by 0.005 at most; with the parent's rate it would be far away.
    let mut last = place(&before["reports"][2]);
    for report in reports {
        assert!((last * 0.5 - place(report)).abs() < 0.006, "{report}");
        last = place(report);
    }
    // It remembers the pages of its parent, and writes a diary of its own.
    let diary = lab.read("runs/exp-fork/artifacts/000000/diary.txt");
    assert!(diary.starts_with("page 4: "), "{diary}");
    assert_eq!(diary.lines().count(), 5);
    // The parent stays as it was.
    assert_eq!(lab.trial("exp", 1), before);
}

#[test]
fn a_fork_without_changes_goes_on_as_its_parent_did() {
    let lab = Lab::new();
    lab.run(&parent(), &[]).exits(0);
    lab.tune(&["fork", "exp", "1@3"]).exits(0);
    let (before, after) = (lab.trial("exp", 1), lab.trial("exp-fork", 0));
    assert_eq!(after["config"], before["config"]);
    let metrics = |report: &Value| {
        // Virtual time begins anew with the run, and the clock shows it.
        let names = ["loss", "pages", "visits", "fuel_total", "memory_bytes"];
        names.map(|name| report["metrics"][name].clone())
    };
    let all = |trial: &Value| -> Vec<_> {
        let reports = trial["reports"].as_array().unwrap().iter();
        reports.map(metrics).collect()
    };
    assert_eq!(all(&after), all(&before)[3..]);
    lab.tune(&["replay", "exp-fork"]).exits(0);
}

#[test]
fn a_state_is_made_again_where_no_snapshot_is_left() {
    let lab = Lab::new();
    let often = parent().table("[snapshots]\ninterval = 1\nkeep = 100");
    let never = parent().table("[snapshots]\nmax_overhead = 0.0\nat_end = false\nkeep_best = 0");
    for (name, experiment) in [("often", often), ("never", never)] {
        lab.run(&experiment, &["--name", name]).exits(0);
        let fork = ["fork", name, "2@5", "--set", "rate=0.1", "--name"];
        lab.tune(&[&fork[..], &[&format!("{name}-fork")]].concat())
            .exits(0);
    }
    Outcome::of(&lab, "often-fork").must_equal(&Outcome::of(&lab, "never-fork"));
}

#[test]
fn a_clone_is_forked_at_an_iteration_that_it_has_from_its_donor() {
    let lab = Lab::new();
    lab.run(&population(""), &[]).exits(0);
    let clone = (0..8).find(|t| lab.trial("pbt", *t)["lineage"][0]["trial"] != *t);
    let from = format!("{}@11", clone.unwrap());
    lab.tune(&[
        "fork",
        "pbt",
        &from,
        "--set",
        "rate=0.25",
        "--name",
        "forked",
    ])
    .exits(0);
    let reports = lab.trial("forked", 0)["reports"].clone();
    let parent = lab.trial("pbt", clone.unwrap())["reports"].clone();
    let at = parent.as_array().unwrap().iter().rev();
    let at = at.clone().find(|report| report["iteration"] == 11).unwrap();
    assert_eq!(reports[0]["iteration"], 12);
    let expected = place(at) * 0.75;
    assert!((expected - place(&reports[0])).abs() < 0.006, "{reports}");
}

#[test]
fn an_iteration_that_does_not_exist_is_refused_with_those_that_do() {
    let lab = Lab::new();
    lab.run(&parent(), &[]).exits(0);
    let refused = |arguments: &[&str], parts: &[&str]| {
        let arguments = [&["fork", "exp"], arguments].concat();
        lab.tune(&arguments).exits(2).says(parts).says(&["hint"]);
    };
    refused(&["1@99", "--set", "rate=0.1"], &["99", "0 to 8"]);
    refused(&["7@1", "--set", "rate=0.1"], &["no trial 7", "0 to 2"]);
    refused(&["1@3", "--set", "rat=0.1"], &["rat", "rate"]);
    refused(&["1@3", "--set", "rate=7"], &["rate", "7"]);
    refused(&["1@3", "--set", "work=7"], &["cannot change `work`"]);
    assert!(!lab.path("runs/exp-fork").exists());
}

#[test]
fn from_the_beginning_whatever_it_is_may_be_changed() {
    let lab = Lab::new();
    lab.run(&parent(), &[]).exits(0);
    lab.tune(&["fork", "exp", "1@0", "--set", "work=50"])
        .exits(0);
    let trial = lab.trial("exp-fork", 0);
    assert_eq!(trial["config"]["work"], 50);
    assert_eq!(
        trial["config"]["rate"],
        lab.trial("exp", 1)["config"]["rate"]
    );
    assert_eq!(trial["reports"].as_array().unwrap().len(), 8);
}

#[test]
fn a_search_goes_on_with_the_results_of_its_parent() {
    let lab = Lab::new();
    let experiment = Experiment::branin(30).table("[searcher]\nplugin = \"tpe\"");
    lab.run(&experiment, &[]).exits(0);
    let fork = [
        "fork", "branin", "--search", "--trials", "10", "--name", "on",
    ];
    lab.tune(&fork).exits(0);
    assert_eq!(lab.show("on")["counts"]["finished"], 10);
    // With 30 results tpe knows where to look; at random ten draws are this good once in a hundred
    // times.
    let best = |run: &str| lab.show(run)["best"]["value"].as_f64().unwrap();
    assert!(best("on") < 5.0, "{} of {}", best("on"), best("branin"));
}

#[test]
fn a_fork_that_is_killed_goes_on_from_the_state_that_it_has_copied() {
    let lab = Lab::new();
    let mut dice = Dice::of("fork");
    lab.run(&parent().top("max_t = 60"), &[]).exits(0);
    let arguments = |name| ["fork", "exp", "1@20", "--set", "rate=0.1", "--name", name];
    lab.tune(&arguments("whole")).exits(0);
    let lines = 5 + dice.below(20);
    let mut process = lab.start(&arguments("killed"));
    let heard = process.lines();
    process.until(|| heard.get() >= lines);
    let ended = process.kill();
    assert_eq!(ended.code, None, "{ended}");
    // The parent is not needed any more.
    std::fs::remove_dir_all(lab.path("runs/exp")).unwrap();
    lab.tune(&["resume", "killed"]).exits(0);
    Outcome::of(&lab, "killed").must_equal(&Outcome::of(&lab, "whole"));
}
