//! One run in which every other trial is hostile, each in its own way, and one in which none is:
//! each way ends its own trial, by its kind and with its story, and nothing else differs.

use std::{collections::BTreeMap, fs, sync::LazyLock};

use serde_json::Value;

use super::{between_good_ones, ways};
use crate::{experiment::Experiment, lab::Lab};

/// What is kept of a run: its folder is gone.
struct Run {
    /// Each trial by its way.
    trials: BTreeMap<String, Value>,
    logs: BTreeMap<String, String>,
    /// Results, logs and artifacts of each well-behaved trial, without what the clock said.
    good: BTreeMap<String, Vec<String>>,
    /// What was in the directory beside the run.
    beside: Vec<String>,
}

fn run(ways: &[String]) -> Run {
    let lab = Lab::new();
    lab.write("here/data/a.bin", [1]);
    lab.write("here/secret", "secret");
    let experiment = Experiment::of(tune_test_artifacts::HOSTILE_TRAINABLE)
        .trials(ways.len().try_into().unwrap())
        // All begin at the same virtual time: when another one ends cannot be seen.
        .top(&format!("slots = {}", ways.len()))
        .space(&format!("hostile = {{ grid = {ways:?} }}"))
        .table("[searcher]\nplugin = \"grid\"")
        .table("[grants]\nartifact = true")
        .table("[[data]]\nname = \"numbers\"\npath = \"data\"")
        .table(
            "[limits]\nfuel_per_step = 50_000_000\nmemory = \"16 MiB\"\nhostcall_bytes = \"1 MiB\"\n\
             log_bytes = \"64 KiB\"\nartifact_bytes = \"64 KiB\"\nartifact_count = 4",
        );
    let file = lab.write("here/exp.toml", experiment.to_toml());
    let said = lab.tune(&["run", file.to_str().unwrap()]);
    let shown = lab.show("exp");
    assert_eq!(shown["status"], "finished", "{said}");
    let mut run = Run {
        trials: BTreeMap::new(),
        logs: BTreeMap::new(),
        good: BTreeMap::new(),
        beside: Vec::new(),
    };
    for (trial, way) in shown["trials"].as_array().unwrap().iter().zip(ways) {
        let number = trial["id"].as_u64().unwrap();
        assert_eq!(trial["config"]["hostile"], **way);
        let text = |path: &str| {
            let path = lab.path(&format!("runs/exp/{path}"));
            fs::read(path).map_or(String::new(), |b| String::from_utf8(b).unwrap())
        };
        let log = text(&format!("logs/{number:06}.log"));
        if way.starts_with("good") {
            let results = text(&format!("trials/{number:06}/result.json"));
            let mut kept: Vec<String> = results.lines().map(without_clock).collect();
            kept.push(log.clone());
            kept.push(text(&format!("artifacts/{number:06}/drawn.txt")));
            run.good.insert(way.clone(), kept);
        }
        run.logs.insert(way.clone(), log);
        run.trials.insert(way.clone(), trial.clone());
    }
    for folder in ["", "here"] {
        let entries = fs::read_dir(lab.path(folder)).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        run.beside.extend(names);
    }
    run.beside.sort();
    run
}

/// A line of results, without what the wall clock says.
fn without_clock(line: &str) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    fn strip(value: &mut Value) {
        if let Value::Object(entries) = value {
            for key in ["time_this_iter_s", "time_total_s", "timestamp"] {
                entries.remove(key);
            }
            entries.values_mut().for_each(strip);
        }
    }
    strip(&mut value);
    value.to_string()
}

/// Every way, each after a trial that is good.
static HOSTILE: LazyLock<Run> = LazyLock::new(|| run(&between_good_ones(WAYS)));

/// The story of a trial that failed in this way.
#[track_caller]
fn failed(way: &str, kind: &str, parts: &[&str]) {
    let trial = &HOSTILE.trials[way];
    assert_eq!(trial["failure_kind"], kind, "{trial}");
    let story = trial["failure"].as_str().unwrap();
    for part in parts {
        assert!(story.contains(part), "no {part:?} in {story}");
    }
    assert!(story.len() < 32 << 10, "{} bytes", story.len());
    assert!(!story.contains('\x1b'), "{story}");
    assert_eq!(trial["iterations"], 0, "{trial}");
}

const FUEL: &[&str] = &["50000000", "fuel_per_step", "hint", "[limits]"];
const MEMORY: &[&str] = &["wanted, 16777216 allowed", "hint", "`memory`", "[limits]"];
const REFUSED: &[&str] = &["all of it was refused"];
const PANIC: &[&str] = &["panicked on purpose", "guest backtrace", "hint"];

ways! { failed:
    spin_in_setup => "out-of-fuel", FUEL;
    spin_in_step => "out-of-fuel", FUEL;
    fill_memory_for_ever => "out-of-fuel", FUEL;
    sleep_for_ever => "out-of-fuel", FUEL;
    log_for_ever => "out-of-fuel", FUEL;
    print_for_ever => "out-of-fuel", FUEL;
    write_artifacts_for_ever => "out-of-fuel", FUEL;
    take_memory_in_setup => "memory", MEMORY;
    take_memory_in_step => "memory", MEMORY;
    recurse_for_ever => "trap", &["recurse", "hint"];
    panic_in_setup => "trap", PANIC;
    panic_in_step => "trap", PANIC;
    panic_in_a_panic => "trap", &["a panic in a panic", "hint"];
    exit_in_step => "trap", &["it exited", "hint"];
    abort_in_step => "trap", &["must not be reached", "hint"];
    huge_log_line => "bad-value", &["`hostcall_bytes` in [limits]"];
    huge_failure_text => "bad-value", &["`hostcall_bytes` in [limits]"];
    huge_report => "bad-value", &["`hostcall_bytes` in [limits]"];
    large_failure_text => "reported", &["[cut]"];
    repeated_metric => "bad-value", &["`loss` stands twice"];
    metric_of_the_host => "bad-value", &["`training_iteration`", "rename"];
    metric_of_the_clock => "bad-value", &["`timestamp`", "rename"];
    long_metric_name => "bad-value", &["129 bytes, 128 are allowed"];
    empty_metric_name => "bad-value", &["empty"];
    metric_name_with_escapes => "bad-value", &["control characters"];
    too_many_metrics => "bad-value", &["2001 metrics", "256 are allowed"];
    no_metric => "bad-value", &["`loss` was not reported"];
    cost_without_grant => "grant", &["virtual-cost = true", "[grants]"];
    artifact_with_a_path => "reported", &["`../../../owned` cannot name an artifact"];
    artifact_at_the_root => "reported", &["cannot name an artifact"];
    artifact_hidden => "reported", &["cannot name an artifact"];
    too_many_artifacts => "reported", &["artifact limit"];
    too_large_artifacts => "reported", &["artifact limit", "artifact_bytes", "65536 allowed (artifact_bytes)"];
    data_outside_its_folder => "reported", REFUSED;
    files_of_the_machine => "reported", REFUSED;
    network_of_the_machine => "reported", REFUSED;
    environment_of_the_machine => "reported", REFUSED;
    read_for_ever => "reported", REFUSED;
    threads => "reported", REFUSED;
}

/// Ways that the host takes without harm: the trial goes on.
const TAKEN: [&str; 5] = [
    "print_a_megabyte",
    "print_rubbish",
    "infinite_metric",
    "nan_metric",
    "metric_name_as_path",
];

/// Its own run: more of them in the other one would be no better test.
static HARMLESS: LazyLock<Run> = LazyLock::new(|| run(&TAKEN.map(str::to_owned)));

#[track_caller]
fn finished(way: &str) -> &'static Value {
    let trial = &HARMLESS.trials[way];
    assert_eq!(trial["status"], "finished", "{trial}");
    trial
}

#[test]
fn print_a_megabyte() {
    finished("print_a_megabyte");
    let log = &HARMLESS.logs["print_a_megabyte"];
    assert!(log.len() < (64 << 10) + 500, "{} bytes", log.len());
    assert!(log.lines().last().unwrap().contains("dropped"), "{log}");
}

#[test]
fn print_rubbish() {
    finished("print_rubbish");
    let log = &HARMLESS.logs["print_rubbish"];
    let odd = |c: char| c.is_control() && c != '\n';
    assert!(!log.is_empty() && !log.contains(odd), "{log:?}");
}

#[test]
fn infinite_metric() {
    finished("infinite_metric");
}

#[test]
fn nan_metric() {
    assert_eq!(finished("nan_metric")["last"]["loss"], Value::Null);
}

#[test]
fn metric_name_as_path() {
    // A column name in quotes; a file of this name would be found beside the run.
    finished("metric_name_as_path");
    assert_eq!(
        HARMLESS.beside,
        ["data", "exp.toml", "here", "runs", "secret"]
    );
}

#[test]
fn neighbours_are_as_if_nobody_were_hostile() {
    let peaceful = run(&(0..2 * WAYS.len())
        .map(|i| format!("good_{}", if i % 2 == 0 { i / 2 } else { 1000 + i }))
        .collect::<Vec<_>>());
    assert_eq!(HOSTILE.good.len(), WAYS.len());
    for (way, kept) in &HOSTILE.good {
        assert_eq!(HOSTILE.trials[way]["status"], "finished", "{way}");
        assert_eq!(kept.len(), 6, "four reports, log and artifact");
        assert!(kept.iter().all(|part| !part.is_empty()), "{kept:?}");
        assert_eq!(*kept, peaceful.good[way], "{way}");
    }
}

#[test]
fn nothing_is_left_beside_the_run() {
    assert_eq!(
        HOSTILE.beside,
        ["data", "exp.toml", "here", "runs", "secret"]
    );
    assert!(!fs::exists("/tmp/owned").unwrap());
}
