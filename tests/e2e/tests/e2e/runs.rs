//! A run from its file to its files.

use std::fs;

use serde_json::Value;

use crate::{
    experiment::Experiment,
    lab::{Lab, workspace},
};

#[test]
fn branin_at_random_runs_to_its_end_and_leaves_all_files() {
    let lab = Lab::new();
    let experiment = Experiment::branin(20).top("slots = 4");
    let said = lab.run(&experiment, &[]).exits(0);
    assert!(format!("{said}").contains("runs/branin"), "{said}");

    let run = lab.show("branin");
    assert_eq!(run["status"], "finished");
    assert_eq!(run["counts"]["finished"], 20);
    let best = run["best"]["value"].as_f64().unwrap();
    // Branin's values on its square lie between 0.398 and 309.
    assert!((0.397..309.0).contains(&best), "{best}");

    for trial in 0..20 {
        let folder = format!("runs/branin/trials/{trial:06}");
        let config: Value =
            serde_json::from_str(&lab.read(&format!("{folder}/params.json"))).unwrap();
        let x0 = config["x0"].as_f64().unwrap();
        assert!((-5.0..=10.0).contains(&x0), "{config}");
        let results = lab.read(&format!("{folder}/result.json"));
        let lines: Vec<Value> = results
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["config"], config);
        assert_eq!(lines[0]["training_iteration"], 1);
        assert!(lines[0]["value"].as_f64().unwrap() >= best);
        let table = lab.read(&format!("{folder}/progress.csv"));
        assert_eq!(table.lines().count(), 2, "{table}");
        assert!(
            table
                .lines()
                .next()
                .unwrap()
                .split(',')
                .any(|c| c == "value"),
            "{table}"
        );
        let events = fs::read_dir(lab.path(&folder))
            .unwrap()
            .filter(|f| {
                let name = f.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with("events.out.tfevents.")
            })
            .count();
        assert_eq!(events, 1, "{folder}");
    }
}

#[test]
fn the_end_of_a_run_names_the_best_trial_its_configuration_and_where_its_files_are() {
    let lab = Lab::new();
    let said = lab.run(&Experiment::branin(8), &[]).exits(0);
    let best = &lab.show("branin")["best"];
    let trial = best["trial"].as_u64().unwrap();
    let all = format!("{said}");
    for part in [
        format!("trial {trial}"),
        "x0".to_owned(),
        "x1".to_owned(),
        format!("runs/branin/trials/{trial:06}"),
    ] {
        assert!(all.contains(&part), "no {part:?} in {said}");
    }
    let said = lab.tune(&["best", "branin"]).exits(0);
    assert!(said.stdout.contains(&format!("trial {trial}")), "{said}");
}

#[test]
fn digits_under_tpe_and_asha_learns_and_stops_what_is_not_worth_it() {
    let lab = Lab::new();
    lab.run(&Experiment::digits(12), &[]).exits(0);
    let run = lab.show("digits");
    assert_eq!(run["trials"].as_array().unwrap().len(), 12);
    assert!(
        run["best"]["value"].as_f64().unwrap() > 0.8,
        "{}",
        run["best"]
    );
    let stopped = run["counts"]["stopped"].as_u64().unwrap();
    let finished = run["counts"]["finished"].as_u64().unwrap();
    assert!(stopped >= 1 && finished >= 1, "{}", run["counts"]);
    assert_eq!(stopped + finished, 12);
    // Momentum is there exactly with sgd.
    for trial in run["trials"].as_array().unwrap() {
        let config = &trial["config"];
        assert_eq!(
            config["optimizer"] == "sgd",
            config.get("momentum").is_some(),
            "{config}"
        );
        assert_eq!(config["batch"], 64);
    }
}

#[test]
fn both_forms_of_the_digits_model_learn_alike() {
    let lab = Lab::new();
    let losses = ["digits-mlp", "digits-coroutine"].map(|trainable| {
        let toml = Experiment::digits(2)
            .named(trainable)
            .top("max_t = 2")
            .to_toml()
            .replace(
                "trainable = \"digits-mlp\"",
                &format!("trainable = {trainable:?}"),
            );
        lab.write("digits.toml", toml);
        lab.tune(&["run", "digits.toml"]).exits(0);
        [0, 1].map(|trial| {
            lab.trial(trainable, trial)["last"]["loss"]
                .as_f64()
                .unwrap()
        })
    });
    assert_eq!(losses[0], losses[1]);
}

#[test]
fn a_json_file_is_the_same_experiment() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(3), &[]).exits(0);
    lab.write(
        "same.json",
        r#"{"version": 1, "name": "json", "trainable": "functions", "metric": "value", "mode": "min",
            "seed": 7, "trials": 3, "searcher": {"plugin": "random"},
            "space": {"x0": {"uniform": [-5.0, 10.0]}, "x1": {"uniform": [0.0, 15.0]}}}"#,
    );
    lab.tune(&["run", "same.json"]).exits(0);
    assert_eq!(lab.digest("json"), lab.digest("branin"));
}

#[test]
fn the_shipped_examples_are_accepted() {
    let lab = Lab::new();
    let file = workspace().join("examples/functions.toml");
    lab.tune(&["run", file.to_str().unwrap(), "--quiet"])
        .exits(0);
    let run = lab.show("functions");
    assert_eq!(run["counts"]["finished"], 200);
    // The first trial is the point that the file names.
    assert_eq!(run["trials"][0]["config"]["x0"], 3.0);
}

#[test]
fn without_a_seed_one_is_drawn_printed_and_recorded() {
    let lab = Lab::new();
    let toml = Experiment::branin(2).to_toml().replace("seed = 7\n", "");
    lab.write("branin.toml", toml);
    let said = lab.tune(&["run", "branin.toml"]).exits(0);
    let word = |text: &str| {
        let (_, rest) = text.split_once("seed ")?;
        let digits: String = rest
            .trim_start_matches(['=', ' '])
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        (!digits.is_empty()).then_some(digits)
    };
    let seed = word(&said.stderr)
        .or_else(|| word(&said.stdout))
        .unwrap_or_else(|| panic!("{said}"));
    let seeded = Experiment::branin(2)
        .named("seeded")
        .top(&format!("seed = {seed}"));
    lab.run(&seeded, &[]).exits(0);
    assert_eq!(lab.digest("seeded"), lab.digest("branin"));
}
