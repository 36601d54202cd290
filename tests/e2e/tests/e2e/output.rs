//! What goes where: results on standard output, all else on standard error, plain when piped, and
//! JSON whose keys are documented.

use serde_json::Value;

use crate::{experiment::Experiment, lab::Lab};

#[track_caller]
fn has_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "no {key:?} in {value:#}");
    }
}

#[test]
fn piped_output_is_one_plain_line_an_event() {
    let lab = Lab::new();
    let said = lab.run(&Experiment::branin(3), &[]).exits(0);
    for text in [&said.stdout, &said.stderr] {
        assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
    }
    for trial in 0..3 {
        for line in [
            format!("trial {trial} created: "),
            format!("trial {trial} iteration 1: "),
            format!("trial {trial} finished after 1 report"),
        ] {
            let count = said.stderr.lines().filter(|l| l.starts_with(&line)).count();
            assert_eq!(count, 1, "{line:?} in {said}");
        }
    }
    assert!(
        !said.stdout.contains("created"),
        "progress is no result: {said}"
    );
}

#[test]
fn quiet_leaves_the_result_alone() {
    let lab = Lab::new();
    let said = lab.run(&Experiment::branin(3), &["--quiet"]).exits(0);
    assert!(!said.stderr.contains("created"), "{said}");
    assert!(said.stdout.contains("best"), "{said}");
}

#[test]
fn no_color_and_pipes_have_no_escape_codes() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(3), &[]).exits(0);
    for arguments in [
        ["show", "branin"].as_slice(),
        &["best", "branin"],
        &["runs"],
        &["doctor"],
    ] {
        let mut command = lab.command(arguments);
        let output = command.env("NO_COLOR", "1").output().unwrap();
        assert!(output.status.success());
        assert!(!output.stdout.contains(&0x1b), "{arguments:?}");
        assert!(
            !lab.tune(arguments).exits(0).stdout.contains('\u{1b}'),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_end_of_a_run_as_json_and_nothing_else() {
    let lab = Lab::new();
    let json = lab
        .run(&Experiment::branin(3), &["--format", "json"])
        .exits(0)
        .json();
    assert_eq!(json["digest"].as_str().unwrap(), lab.digest("branin"));
    assert_eq!(json["best"]["value"], lab.show("branin")["best"]["value"]);
}

#[test]
fn every_view_as_json_holds_its_documented_keys() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(3), &[]).exits(0);
    lab.run(&Experiment::branin(3), &[]).exits(0);

    let run = lab.show("branin");
    has_keys(
        &run,
        &[
            "name",
            "path",
            "status",
            "reason",
            "metric",
            "mode",
            "digest",
            "handovers",
            "counts",
            "best",
            "trials",
        ],
    );
    has_keys(
        &run["trials"][0],
        &[
            "id",
            "status",
            "failure_kind",
            "failure",
            "config",
            "iterations",
            "best",
            "last",
        ],
    );
    let trial = lab.trial("branin", 1);
    assert_eq!(trial["id"], 1);
    has_keys(&trial["reports"][0], &["iteration", "metrics"]);
    has_keys(
        &trial["reports"][0]["metrics"],
        &[
            "value",
            "training_iteration",
            "fuel_total",
            "virtual_time",
            "memory_bytes",
        ],
    );
    let best = lab
        .tune(&["best", "branin", "--format", "json"])
        .exits(0)
        .json();
    has_keys(
        &best,
        &[
            "trial",
            "iteration",
            "value",
            "metric",
            "mode",
            "config",
            "metrics",
        ],
    );
    assert_eq!(best, run["best"]);

    let runs = lab.tune(&["runs", "--format", "json"]).exits(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 2);
    has_keys(
        &runs[0],
        &[
            "name",
            "path",
            "status",
            "reason",
            "digest",
            "created_ms",
            "handovers",
            "summary",
        ],
    );
    assert_eq!(runs[0]["digest"], run["digest"]);

    let compared = lab
        .tune(&["compare", "branin", "branin-2", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(compared["equal"], true);
    has_keys(
        &compared["runs"][1],
        &[
            "name",
            "digest",
            "handovers",
            "trials",
            "best",
            "difference",
        ],
    );

    let plugins = lab
        .tune(&["plugin", "list", "--format", "json"])
        .exits(0)
        .json();
    let names: Vec<&str> = plugins
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    for name in [
        "random",
        "grid",
        "tpe",
        "fifo",
        "asha",
        "median-stopping",
        "digits-mlp",
    ] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    let asha = lab
        .tune(&["plugin", "inspect", "asha", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(asha["kind"], "scheduler", "{asha:#}");
    lab.tune(&["plugin", "check", "asha", "--format", "json"])
        .exits(0)
        .json();
    lab.tune(&["doctor", "--format", "json"]).exits(0).json();
}

#[test]
fn the_schema_is_json_and_knows_the_options_of_shipped_plugins() {
    let lab = Lab::new();
    let said = lab.tune(&["schema"]).exits(0);
    let schema = said.json();
    has_keys(&schema, &["$schema", "properties"]);
    for key in ["trainable", "space", "limits", "stop", "data"] {
        has_keys(&schema["properties"], &[key]);
    }
    assert!(
        said.stdout.contains("reduction_factor"),
        "asha's options are in it"
    );
}

#[test]
fn text_views_show_the_run() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(3), &[]).exits(0);
    let show = lab.tune(&["show", "branin"]).exits(0).stdout;
    for part in ["trial", "status", "value", "x0", "x1", "finished"] {
        assert!(show.contains(part), "no {part:?} in\n{show}");
    }
    let trial = lab.tune(&["show", "branin", "2"]).exits(0).stdout;
    assert!(trial.starts_with("trial 2 finished"), "{trial}");
    let runs = lab.tune(&["runs"]).exits(0).stdout;
    assert!(
        runs.contains("branin") && runs.contains("finished"),
        "{runs}"
    );
    lab.tune(&["show", "branin", "7"])
        .exits(2)
        .says(&["trial 7"]);
}

#[test]
fn completions_are_printed_for_shells() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = lab.tune(&["completions", shell]).exits(0).stdout;
        assert!(
            script.contains("tune-host") && script.contains("resume"),
            "{shell}"
        );
    }
}
