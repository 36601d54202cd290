//! `bench searchers` through the real binary: the same results on any number of threads, peers, and what
//! is refused.

use std::fs;

use serde_json::{Value, json};

use crate::lab::Lab;

/// A small comparison of searchers that need no time.
const SMALL: [&str; 10] = [
    "bench",
    "searchers",
    "--searchers",
    "tpe,sobol",
    "--problems",
    "sphere-2,conditional-shared",
    "--seeds",
    "2",
    "--trials",
    "24",
];

/// Results without what they took.
fn results(lab: &Lab, file: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&lab.read(file)).unwrap();
    let mut cells = all["cells"].as_array().unwrap().clone();
    for cell in &mut cells {
        assert!(cell["seconds"].take().is_f64());
    }
    cells
}

fn sorted(mut cells: Vec<Value>) -> Vec<Value> {
    cells.sort_by_key(Value::to_string);
    cells
}

#[test]
fn results_are_the_same_on_any_number_of_threads_and_can_be_gone_on_with_and_compared() {
    let lab = Lab::new();
    let run = |more: &[&str]| lab.tune(&[&SMALL[..], more].concat()).exits(0);
    run(&["--threads", "1", "--json", "one.json"]);
    run(&["--threads", "3", "--json", "three.json"]);
    let cells = results(&lab, "one.json");
    // Searchers, problems, seeds, batches.
    assert_eq!(cells.len(), 2 * 2 * 2 * 2);
    assert_eq!(cells, results(&lab, "three.json"));
    let known = run(&[
        "--known",
        "one.json",
        "--json",
        "known.json",
        "--svg",
        "a.svg",
    ]);
    assert!(known.stdout.contains("0 runs, 0 trials"), "{known}");
    assert_eq!(cells, results(&lab, "known.json"));
    assert!(lab.read("a.svg").contains("bbob 2, 8 at once"));
    // What a call does not ask for stays in the file.
    let few = SMALL.map(|word| if word == "2" { "1" } else { word });
    let kept = ["--known", "one.json", "--json", "few.json"];
    lab.tune(&[&few[..], &kept].concat()).exits(0);
    assert_eq!(sorted(cells.clone()), sorted(results(&lab, "few.json")));
    let beside = run(&[
        "--known",
        "one.json",
        "--peers",
        "three.json",
        "--format",
        "json",
    ]);
    let beside: Value = serde_json::from_str(&beside.stdout).unwrap();
    let comparisons = beside["results"][0]["comparisons"].as_array().unwrap();
    let to_itself = comparisons
        .iter()
        .find(|c| c["theirs"] == "three/tpe")
        .unwrap();
    assert_eq!(to_itself["at"][0]["mean"], json!(0.0));
    assert_eq!(to_itself["at"][0]["verdict"], json!("no worse"));
    // What does not learn is no side of a comparison.
    assert!(comparisons.iter().all(|c| c["ours"] == "tpe"));
}

#[test]
fn a_comparison_of_what_is_not_there_says_what_is() {
    let lab = Lab::new();
    let cell = |regret: Value| json!({"searcher": "a", "problem": "sphere-2", "seed": 1, "batch": 1, "regret": regret, "seconds": 1});
    let file = |version: u32, cell: Value| json!({"version": version, "cells": [cell]}).to_string();
    for (name, text) in [
        ("text.json", "nonsense".to_owned()),
        ("version.json", file(2, cell(json!({"10": 1.0})))),
        ("negative.json", file(1, cell(json!({"10": -1.0})))),
        ("grows.json", file(1, cell(json!({"10": 1.0, "20": 2.0})))),
    ] {
        fs::write(lab.path(name), text).unwrap();
    }
    for (arguments, what) in [
        (["--searchers", "tpf"], "tpe"),
        (["--searchers", "asha"], "`asha` is a scheduler"),
        (["--searchers", "tpe:gamma"], "tpe:n_startup_trials=20"),
        (["--searchers", "tpe:gama=1"], "gamma"),
        (["--problems", "cube"], "sphere-2"),
        (["--limit", "0"], "above 0"),
        (["--peers", "none.json"], "none.json"),
        (["--peers", "text.json"], "docs/study.md"),
        (["--peers", "version.json"], "version 2"),
        (["--peers", "negative.json"], "above 0"),
        (["--peers", "grows.json"], "grew"),
    ] {
        let said = lab
            .tune(&[&["bench", "searchers"], &arguments[..]].concat())
            .exits(2);
        assert!(said.stderr.contains(what), "{arguments:?}: {said}");
    }
}
