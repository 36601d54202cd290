//! `ask-tell` and `schedule` through the real binary: one reply a line, and a Python client.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::lab::{Lab, binary, workspace};

/// All lines at once, then the end of the input: the replies, and how the process ended.
fn talk(arguments: &[&str], lines: &str) -> (Vec<Value>, Output) {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A process that refuses to start does not read.
    drop(input.write_all(lines.as_bytes()));
    drop(input);
    let output = child.wait_with_output().unwrap();
    let replies = output.stdout.lines();
    let replies = replies.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    (replies.collect(), output)
}

#[test]
fn every_line_has_one_reply_and_the_end_of_the_input_ends_it_cleanly() {
    let lines = concat!(
        r#"{"cmd":"next","new_trial":0}"#,
        "\nnonsense\n\n",
        r#"{"cmd":"start","direction":"maximize","max_t":9,"reduction_factor":3,"slots":1,"seed":1}"#,
        "\n",
        r#"{"cmd":"next","new_trial":7}"#,
        "\n",
        r#"{"cmd":"result","trial":7,"t":9,"value":null}"#,
        "\n",
        // No end of the line.
        r#"{"cmd":"next"}"#,
    );
    let (replies, output) = talk(&["schedule", "--scheduler", "asha"], lines);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(replies.len(), 7, "{replies:?}");
    assert!(replies[..3].iter().all(|reply| reply["error"].is_string()));
    let rest = [
        json!({"ok": true}),
        json!({"run": "new"}),
        json!({"decision": "stop"}),
        json!({"run": "done"}),
    ];
    assert_eq!(replies[3..], rest);
}

#[test]
fn a_line_without_end_is_refused_and_the_next_one_is_read() {
    let long = "x".repeat(3 << 20);
    let lines = format!("{long}\n{{\"cmd\":\"stop\"}}\n{{\"cmd\":\"stop\"}}\n");
    let (replies, output) = talk(&["ask-tell", "--searcher", "random"], &lines);
    assert!(output.status.success());
    assert_eq!(replies.len(), 2, "nothing is answered after `stop`");
    assert!(replies[0]["error"].as_str().unwrap().contains("longer"));
    assert_eq!(replies[1], json!({"ok": true}));
}

#[test]
fn a_reply_comes_before_the_next_request() {
    let mut child = Command::new(binary())
        .args([
            "ask-tell",
            "--searcher",
            "tpe",
            "--option",
            "n_startup_trials=2",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut replies = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = |request: Value| -> Value {
        writeln!(input, "{request}").unwrap();
        serde_json::from_str(&replies.next().unwrap().unwrap()).unwrap()
    };
    let space = json!([{"name":"x","kind":"float","low":0,"high":1}]);
    ask(json!({"cmd":"start","direction":"minimize","seed":3,"space":space}));
    for id in 0..20 {
        let x = ask(json!({"cmd":"ask","id":id}))["params"]["x"]
            .as_f64()
            .unwrap();
        assert!((0.0..=1.0).contains(&x));
        let reply = ask(json!({"cmd":"tell","id":id,"params":{"x":x},"value":x}));
        assert_eq!(reply, json!({"ok": true}));
    }
    assert_eq!(ask(json!({"cmd":"stop"})), json!({"ok": true}));
    assert!(child.wait().unwrap().success());
}

#[test]
fn wrong_plugins_and_options_are_refused_before_the_first_request() {
    for (arguments, what) in [
        (
            ["schedule", "--scheduler", "pbt"].as_slice(),
            "clones trials",
        ),
        (&["schedule", "--scheduler", "ahsa"], "did you mean `asha`"),
        (&["schedule", "--scheduler", "tpe"], "is a searcher"),
        (
            &["schedule", "--scheduler", "asha", "--option", "grace=1"],
            "no such option",
        ),
        (
            &["ask-tell", "--searcher", "random", "--scheduler", "pbt"],
            "clones trials",
        ),
    ] {
        let (replies, output) = talk(arguments, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains(what) && replies.is_empty(),
            "{arguments:?}: {said}"
        );
    }
}

const ASK_TELL: &str = r#"{"cmd":"start","direction":"minimize","seed":3,"space":[{"name":"x","kind":"float","low":0,"high":1}]}"#;
const SCHEDULE: &str = r#"{"cmd":"start","direction":"minimize","slots":1,"seed":1,"max_t":9}"#;
const ASK: &str = r#"{"cmd":"ask","id":0}"#;
const NEXT: &str = r#"{"cmd":"next","new_trial":0}"#;
const STOP: &str = r#"{"cmd":"stop"}"#;

fn error(reply: &Value) -> &str {
    let error = reply["error"].as_str();
    error.unwrap_or_else(|| panic!("no error: {reply}"))
}

/// A plugin ends the run with the last of these requests and these words. What follows is refused with
/// the reason in one line, a new run begins, and the process ends by itself.
#[track_caller]
fn ends_the_run(arguments: &[&str], requests: &[&str], parts: &[&str]) {
    let again = if arguments[0] == "schedule" {
        NEXT
    } else {
        ASK
    };
    let start = requests[0];
    let lines = [requests, &[again, start, STOP]].concat().join("\n");
    let (replies, output) = talk(arguments, &lines);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(replies.len(), requests.len() + 3, "{replies:?}");
    let (good, rest) = replies.split_at(requests.len() - 1);
    assert!(
        good.iter().all(|reply| reply["error"].is_null()),
        "{good:?}"
    );
    let said = error(&rest[0]);
    for part in parts.iter().chain(&["the run is over", "send `start`"]) {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(said.len() < 8 << 10, "{} bytes", said.len());
    let refused = error(&rest[1]);
    assert!(refused.contains("without a run"), "{refused}");
    let reason = said.lines().next().unwrap();
    assert!(refused.contains(reason), "{refused}");
    assert_eq!(
        refused.lines().count(),
        2,
        "the reason and a hint: {refused}"
    );
    assert_eq!(rest[2..], [json!({"ok": true}), json!({"ok": true})]);
}

#[test]
fn a_searcher_that_traps_or_answers_wrongly_ends_the_run_and_not_the_process() {
    let traps = ["searcher-traps", "suggest", "trap", "no idea for trial 0"];
    for (searcher, how, parts) in [
        (tune_test_artifacts::SEARCHER_TRAPS, "", traps.as_slice()),
        (
            tune_test_artifacts::SEARCHER_OUTSIDE_SPACE,
            "",
            &["3 bad suggestions", "`x` is missing"],
        ),
        (tune_test_artifacts::SEARCHER_WAITS, "", &["deadlock"]),
        (
            tune_test_artifacts::HOSTILE_SEARCHER,
            "panic_in_suggest",
            &["trap", "panicked on purpose"],
        ),
        (
            tune_test_artifacts::HOSTILE_SEARCHER,
            "fail_for_ever",
            &["3 bad suggestions", "no idea, on purpose"],
        ),
        (
            tune_test_artifacts::HOSTILE_SEARCHER,
            "extra_parameter",
            &["3 bad suggestions", "no parameter of the space"],
        ),
        (
            tune_test_artifacts::HOSTILE_SEARCHER,
            "two_thousand_parameters",
            &["bad-value", "2002 parameters", "1024 are allowed"],
        ),
        (
            tune_test_artifacts::HOSTILE_SEARCHER,
            "long_parameter_name",
            &["bad-value", "1000 bytes, 128 are allowed"],
        ),
    ] {
        let how = format!("how={how}");
        let mut arguments = vec!["ask-tell", "--searcher", searcher];
        if how.len() > "how=".len() {
            arguments.extend(["--option", &how]);
        }
        ends_the_run(&arguments, &[ASK_TELL, ASK], parts);
    }
    let (replies, output) = talk(
        &[
            "ask-tell",
            "--searcher",
            tune_test_artifacts::HOSTILE_SEARCHER,
            "--option",
            "how=panic_in_init",
        ],
        &[ASK_TELL, ASK, STOP].join("\n"),
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(error(&replies[0]).contains("panicked on purpose"));
    assert!(error(&replies[1]).contains("send `start` first"));
    assert_eq!(replies[2], json!({"ok": true}));
}

#[test]
fn a_scheduler_that_traps_or_answers_wrongly_ends_the_run_and_not_the_process() {
    let report = r#"{"cmd":"report","id":0,"step":1,"value":0.5}"#;
    let result = r#"{"cmd":"result","trial":0,"t":1,"value":0.5}"#;
    let traps = [
        "scheduler-traps",
        "on-result",
        "trap",
        "cannot judge trial 0",
    ];
    let of = |scheduler| ["schedule", "--scheduler", scheduler];
    ends_the_run(
        &of(tune_test_artifacts::SCHEDULER_TRAPS),
        &[SCHEDULE, NEXT, result],
        &traps,
    );
    ends_the_run(
        &of(tune_test_artifacts::SCHEDULER_IDLES),
        &[SCHEDULE, NEXT],
        &["deadlock", "runs and creates none"],
    );
    ends_the_run(
        &of(tune_test_artifacts::SCHEDULER_PAUSES_ALL),
        &[SCHEDULE, NEXT, result, r#"{"cmd":"next"}"#],
        &["deadlock", "1 trials wait"],
    );
    let beside = |scheduler| ["ask-tell", "--searcher", "random", "--scheduler", scheduler];
    ends_the_run(
        &beside(tune_test_artifacts::SCHEDULER_TRAPS),
        &[ASK_TELL, ASK, report],
        &traps,
    );
    // Actions that are not legal are dropped, as in a run.
    let (replies, output) = talk(
        &of(tune_test_artifacts::SCHEDULER_STOPS_UNKNOWN),
        &[SCHEDULE, NEXT, result, STOP].join("\n"),
    );
    assert!(output.status.success(), "{output:?}");
    let rest = [
        json!({"run": "new"}),
        json!({"decision": "continue"}),
        json!({"ok": true}),
    ];
    assert_eq!(replies[1..], rest);
}

#[test]
fn results_that_are_no_numbers_told_twice_of_unknown_ids_or_outside_the_space_change_nothing() {
    for searcher in ["tpe", "gp", "cmaes", "bohb", "dehb", "evolution", "auto"] {
        // What is refused stands between the same requests.
        let asked = |wrong: &[(&str, &str)]| {
            let mut lines = vec![ASK_TELL, ASK];
            lines.extend(wrong.iter().map(|(line, _)| *line));
            lines.extend([
                r#"{"cmd":"tell","id":0,"value":null}"#,
                r#"{"cmd":"tell","id":8,"params":{"x":1},"value":1e308}"#,
                r#"{"cmd":"ask","id":1}"#,
                r#"{"cmd":"tell","id":1,"value":-1e308}"#,
                r#"{"cmd":"ask","id":2}"#,
                STOP,
            ]);
            let (replies, output) = talk(&["ask-tell", "--searcher", searcher], &lines.join("\n"));
            assert!(output.status.success(), "{output:?}");
            assert_eq!(replies.len(), lines.len());
            replies
        };
        let wrong = [
            (r#"{"cmd":"tell","id":0,"value":NaN}"#, "is written null"),
            (r#"{"cmd":"tell","id":0,"value":1e999}"#, "out of range"),
            (r#"{"cmd":"tell","id":0,"value":"0.5"}"#, "or null"),
            (r#"{"cmd":"tell","id":0}"#, "needs the field `value`"),
            (r#"{"cmd":"tell","id":0,"values":[1,2]}"#, "`values`"),
            (
                r#"{"cmd":"tell","id":0,"params":{"x":0.5},"value":1}"#,
                "not those that trial 0",
            ),
            (r#"{"cmd":"tell","id":7,"value":1}"#, "was never asked"),
            (
                r#"{"cmd":"tell","id":7,"params":{"x":2},"value":1}"#,
                "`x` is 2",
            ),
            (
                r#"{"cmd":"tell","id":7,"params":{"x":"high"},"value":1}"#,
                "`x` is \"high\"",
            ),
            (
                r#"{"cmd":"tell","id":7,"params":{"y":1},"value":1}"#,
                "`y` is no parameter",
            ),
            (r#"{"cmd":"tell","id":7,"params":{},"value":1}"#, "`x`"),
            (r#"{"cmd":"tell","id":-1,"value":1}"#, "whole number"),
            (r#"{"cmd":"ask","id":0}"#, "used before"),
        ];
        let plain = asked(&[]);
        let replies = asked(&wrong);
        for ((line, part), reply) in wrong.iter().zip(&replies[2..]) {
            assert!(error(reply).contains(part), "{line}: {reply}");
        }
        assert_eq!(replies[..2], plain[..2]);
        assert_eq!(replies[2 + wrong.len()..], plain[2..], "{searcher}");
        assert!(plain[4]["params"]["x"].is_number(), "{plain:?}");
        // Once told, a trial is not told again.
        let twice = [(r#"{"cmd":"tell","id":0,"value":null}"#, "")];
        let replies = asked(&twice);
        assert_eq!(replies[2], json!({"ok": true}));
        assert!(error(&replies[3]).contains("was told before"));
        assert_eq!(replies[4..], plain[3..], "{searcher}");
    }
}

/// Runs Python with the client on its path.
fn python(lab: &Lab, code: &str) -> Option<Output> {
    Command::new("python3")
        .args(["-c", code])
        .current_dir(lab.path("."))
        .env("PYTHONPATH", workspace().join("examples"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TUNE_HOST", binary())
        .output()
        .ok()
}

#[test]
fn the_python_client_finds_a_minimum() {
    let lab = Lab::new();
    let code = "from ask_tell_sklearn import Tuner\n\
                space = [{'name': 'x', 'kind': 'float', 'low': -5, 'high': 5}]\n\
                tuner = Tuner('tpe', space, 'minimize', 40, seed=1)\n\
                print(min(tuner.optimise(lambda p: (p['x'] - 2) ** 2), key=lambda r: r[0])[0])\n";
    let Some(output) = python(&lab, code) else {
        eprintln!("skipped: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let best: f64 = said.trim().parse().unwrap_or_else(|_| panic!("{output:?}"));
    assert!(best < 0.05, "{best}");
}

#[test]
fn the_python_client_tunes_scikit_learn() {
    let lab = Lab::new();
    if !python(&lab, "import sklearn").is_some_and(|output| output.status.success()) {
        eprintln!("skipped: there is no python3 with scikit-learn");
        return;
    }
    let output = python(
        &lab,
        "import ask_tell_sklearn; ask_tell_sklearn.main('tpe', '6')",
    )
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let best: Option<f64> = said.split(' ').next().and_then(|word| word.parse().ok());
    assert!(
        best.is_some_and(|best| (0.1..=1.0).contains(&best)),
        "{output:?}"
    );
}

#[test]
fn other_programs_get_spaces_and_values_of_the_problems_of_the_study() {
    let point = |x: f64| {
        json!({"cmd":"evaluate","problem":"noisy-sphere-5","seed":2,"trial":7,"params":
        {"x0":x,"x1":x,"x2":x,"x3":x,"x4":x}})
    };
    let lines = [
        json!({"cmd":"list"}).to_string(),
        point(1.0).to_string(),
        point(1.0).to_string(),
        point(9.0).to_string(),
        json!({"cmd":"evaluate","problem":"cube","params":{}}).to_string(),
        json!({"cmd":"stop"}).to_string(),
    ];
    let (replies, output) = talk(&["bench", "problems"], &lines.join("\n"));
    assert!(output.status.success(), "{output:?}");
    let problems = replies[0]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 32);
    assert!(
        problems
            .iter()
            .all(|p| p["space"].as_array().is_some_and(|s| !s.is_empty()))
    );
    assert!(replies[1]["regret"].as_f64() > Some(0.0));
    assert_ne!(replies[1]["value"], replies[1]["regret"]);
    assert_eq!(replies[1], replies[2]);
    assert!(replies[3]["error"].as_str().unwrap().contains("x0"));
    assert!(replies[4]["error"].as_str().unwrap().contains("sphere-2"));
    assert_eq!(replies[5], json!({"ok": true}));
}
