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
