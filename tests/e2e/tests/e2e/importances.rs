//! `show RUN --importance`: which parameters matter.

use crate::{experiment::Experiment, lab::Lab};

#[test]
fn importances_of_a_run_are_shown_in_both_ways() {
    let lab = Lab::new();
    let steep = "x0 = { uniform = [0.0, 1.0] }\nx1 = { uniform = [0.0, 15.0] }";
    let experiment = Experiment::branin(80).no_space().space(steep);
    lab.run(&experiment, &[]).exits(0);
    for (arguments, method) in [
        (vec!["--importance"], "ped-anova"),
        (vec!["--importance=permutation"], "permutation"),
    ] {
        let mut arguments = [&["show", "branin"], arguments.as_slice()].concat();
        let text = lab.tune(&arguments).exits(0);
        arguments.extend(["--format", "json"]);
        let json = lab.tune(&arguments).exits(0).json();
        assert_eq!(
            (&json["method"], &json["trials"]),
            (&method.into(), &80.into())
        );
        let importances = json["importances"].as_array().unwrap();
        // Where x0 hardly varies, Branin's function is a parabola in x1.
        assert_eq!(importances[0]["name"], "x1", "{json}");
        let share = |i: usize| importances[i]["importance"].as_f64().unwrap();
        assert!(share(0) > 0.7, "{json}");
        assert!((share(0) + share(1) - 1.0).abs() < 1e-12, "{json}");
        let first = text.stdout.lines().find(|line| line.starts_with("x1"));
        assert!(first.is_some_and(|line| line.contains(" % ")), "{text}");
        assert!(text.stdout.contains("80 finished trials\n"), "{text}");
    }
}

#[test]
fn stopped_trials_count_behind_those_that_came_further_if_asked_for() {
    let lab = Lab::new();
    lab.run(&Experiment::digits(20), &[]).exits(0);
    let run = lab.show("digits");
    let (finished, stopped) = (&run["counts"]["finished"], &run["counts"]["stopped"]);
    assert!(finished.as_u64().unwrap() < 10, "{run}");
    let none = ["show", "digits", "--importance"];
    let hint = "`--importance=ped-anova --stopped` counts the";
    let said = lab.tune(&none).exits(0).says(&["of 20 trials count", hint]);
    assert_eq!(said.stdout, "");
    let all = [&none[..], &["--stopped", "--format", "json"]].concat();
    let json = lab.tune(&all).exits(0).json();
    assert_eq!((&json["trials"], &json["stopped"]), (&20.into(), stopped));
    assert_eq!(json["importances"].as_array().unwrap().len(), 4);
}

#[test]
fn importances_that_cannot_be_had_are_refused_with_the_reason() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(5), &[]).exits(0);
    let json = ["show", "branin", "--importance", "--format", "json"];
    let json = lab.tune(&json).exits(0).json();
    let other_order = ["show", "--importance", "branin", "--format", "json"];
    assert_eq!(lab.tune(&other_order).exits(0).json(), json);
    assert_eq!(json["importances"], serde_json::Value::Null);
    let reason = json["reason"].as_str().unwrap();
    assert!(reason.contains("need at least 10"), "{reason}");
    for (arguments, parts) in [
        (
            &["--importance=fanova"][..],
            &["ped-anova", "permutation"][..],
        ),
        (
            &["--importance=permutation", "--stopped"],
            &["`--stopped`", "hint:"],
        ),
        (&["--stopped"], &["--importance"]),
        (&["3", "--importance"], &["cannot be used with"]),
        // The method stands behind an equals sign, so that a run may stand behind the option.
        (&["--importance", "permutation"], &["permutation", "TRIAL"]),
    ] {
        let all = [&["show", "branin"], arguments].concat();
        lab.tune(&all).exits(2).says(parts);
    }
}
