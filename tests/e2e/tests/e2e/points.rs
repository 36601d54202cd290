//! `points_to_evaluate`: whole and partial ones come first, under every searcher.

use serde_json::{Value, json};

use crate::{experiment::Experiment, lab::Lab};

/// `deep` needs `kind` to be `b`.
fn experiment(searcher: &str, points: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_NOOP)
        .trials(8)
        .top(&format!("slots = 2\npoints_to_evaluate = [{points}]"))
        .space("rate = { loguniform = [1e-4, 1.0] }\nwidth = { randint = [1, 64] }")
        .space("kind = { choice = [\"a\", \"b\", \"c\"] }")
        .space("deep = { uniform = [0.0, 1.0], when = { kind = [\"b\"] } }\nbatch = 32")
        .table(&format!("[searcher]\nplugin = {searcher:?}"))
}

const POINTS: &str = "{ rate = 0.125, width = 7, kind = \"b\", deep = 0.75 }, { width = 9 }, \
                      { deep = 0.5 }, { batch = 32, kind = \"c\" }, {}, { width = 9 }";

#[test]
fn whole_and_partial_points_come_first_under_every_searcher() {
    let lab = Lab::new();
    for searcher in [
        "random",
        "sobol",
        "halton",
        "tpe",
        "gp",
        "cmaes",
        "bohb",
        "dehb",
        "evolution",
        "auto",
    ] {
        let experiment = experiment(searcher, POINTS).named(searcher);
        lab.run(&experiment, &[]).exits(0);
        let config = |trial| lab.trial(searcher, trial)["config"].clone();
        let whole = json!({"rate": 0.125, "width": 7, "kind": "b", "deep": 0.75, "batch": 32});
        assert_eq!(config(0), whole, "{searcher}");
        // The searcher chooses the rest.
        for trial in [1, 5] {
            assert_eq!(config(trial)["width"], 9, "{searcher}");
            let rate = config(trial)["rate"].as_f64().unwrap();
            assert!((1e-4..=1.0).contains(&rate), "{searcher}: {rate}");
        }
        assert_ne!(config(1), config(5), "{searcher}");
        // What a key needs is chosen so.
        let deep = config(2);
        assert_eq!((&deep["deep"], &deep["kind"]), (&json!(0.5), &json!("b")));
        assert_eq!(config(3)["kind"], "c", "{searcher}");
        assert_eq!(config(3)["deep"], Value::Null, "{searcher}");
        assert_eq!(lab.show(searcher)["counts"]["finished"], 8);
    }
}

#[test]
fn every_combination_of_a_grid_is_tried_beside_the_points() {
    let lab = Lab::new();
    let grid = Experiment::of(tune_test_artifacts::TRIAL_NOOP)
        .trials(20)
        .top("points_to_evaluate = [{ n = 3, kind = \"a\" }, { kind = \"b\" }]")
        .space("n = { grid = [1, 2, 3] }\nkind = { grid = [\"a\", \"b\"] }")
        .table("[searcher]\nplugin = \"grid\"");
    lab.run(&grid, &[]).exits(0);
    assert_eq!(lab.trial("exp", 0)["config"], json!({"n": 3, "kind": "a"}));
    assert_eq!(lab.trial("exp", 1)["config"]["kind"], "b");
    assert_eq!(lab.show("exp")["counts"]["finished"], 6, "none twice");
}

#[test]
fn points_outside_the_space_are_refused_before_the_run() {
    let lab = Lab::new();
    for (point, parts) in [
        ("{ rate = 2.0 }", ["rate", "2"]),
        ("{ width = 1.5 }", ["width", "1.5"]),
        ("{ kind = \"z\" }", ["kind", "z"]),
        ("{ kind = \"a\", deep = 0.5 }", ["deep", "kind"]),
        ("{ speed = 1 }", ["speed", "points_to_evaluate"]),
        ("{ batch = 64 }", ["batch", "64"]),
    ] {
        let experiment = experiment("random", point);
        lab.run(&experiment, &[]).exits(2).says(&parts);
    }
    assert!(!lab.path("runs").exists());
}
