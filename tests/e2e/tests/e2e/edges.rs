//! Every limit has a hard edge: with as much as a guest uses it goes well, with one less the trial
//! ends (or the run stops; of fuel a hundredth less), by the right kind, and the message says the limit, what was used and what
//! to raise. What is used is what `show` prints beside the limit, so that is tested with it.
//!
//! `docs/SECURITY.md` lists every limit with the tests on both sides of it; a test here compares that
//! list with the JSON Schema of the experiment file.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::{
    experiment::Experiment,
    hostile::{calls, text::Text, threats},
    lab::{Lab, workspace},
};

/// What searcher and scheduler have while a trial is held against less.
const ROOMY: &str = "memory = \"64 MiB\"\ntable_elements = 10_000\ncomponent_bytes = \"8 MiB\"";

fn among_roomy_others(of: Experiment, limits: &str) -> Experiment {
    of.table(&format!("[limits]\n{limits}"))
        .table("[scheduler]\nplugin = \"fifo\"")
        .table(&format!("[searcher.limits]\n{ROOMY}"))
        .table(&format!("[scheduler.limits]\n{ROOMY}"))
}

/// One trial of three steps under fuel alone, which prints, logs and writes artifacts.
fn diary(limits: &str) -> Experiment {
    let diary = Experiment::of(tune_test_artifacts::TRIAL_DIARY)
        .trials(1)
        .top("max_t = 3\nmetering = \"fuel\"")
        .space("rate = { uniform = [0.1, 0.2] }")
        .table("[grants]\nartifact = true");
    among_roomy_others(diary, limits)
}

/// What the only trial of `exp`, or the searcher, used of a limit.
fn used(lab: &Lab, of: &str, limit: &str) -> u64 {
    let shown = lab.show("exp");
    let usage = match of {
        "trial" => &shown["trials"][0]["usage"],
        role => &shown["usage"][role],
    };
    usage[limit]["used"].as_u64().unwrap()
}

/// With `key = limit` it goes well; what it used is then shown beside the limit.
#[track_caller]
fn goes_well(with: &dyn Fn(&str) -> Experiment, key: &str, limit: u64) -> Lab {
    let lab = Lab::new();
    lab.run(&with(&format!("{key} = {limit}")), &[]).exits(0);
    lab
}

/// With `key = limit` every trial ends by `kind`, and its story says these.
#[track_caller]
fn ends(with: &dyn Fn(&str) -> Experiment, key: &str, limit: u64, kind: &str, parts: &[&str]) {
    let lab = Lab::new();
    let said = lab.run(&with(&format!("{key} = {limit}")), &[]).exits(1);
    let statuses = lab.statuses("exp");
    assert!(statuses.iter().all(|status| status == kind), "{said}");
    let story = lab.trial("exp", 0)["failure"].as_str().unwrap().to_owned();
    let raise = format!("raise `{key}` in [limits]");
    for part in [raise.as_str(), &limit.to_string()].iter().chain(parts) {
        assert!(story.contains(part), "no {part:?} in {story}");
    }
}

/// Fuel is looked at when a function begins and a loop goes round: what lies between two looks is still done.
fn a_little_less(fuel: u64) -> u64 {
    fuel - fuel / 100
}

/// A limit of which `show` says the use: with as much it goes well, with one less it ends.
#[track_caller]
fn has_an_edge_of_one(with: &dyn Fn(&str) -> Experiment, key: &str, kind: &str) {
    has_an_edge(with, key, kind, |most| most - 1);
}

#[track_caller]
fn has_an_edge(with: &dyn Fn(&str) -> Experiment, key: &str, kind: &str, less: fn(u64) -> u64) {
    let lab = Lab::new();
    lab.run(&with(""), &[]).exits(0);
    let most = used(&lab, "trial", key);
    let lab = goes_well(with, key, most);
    let usage = &lab.trial("exp", 0)["usage"][key];
    assert_eq!(usage["used"], most);
    assert_eq!(usage["limit"], most);
    ends(with, key, less(most), kind, &[&format!("({key})")]);
}

#[test]
fn fuel_per_step() {
    has_an_edge(&diary, "fuel_per_step", "out-of-fuel", a_little_less);
}

#[test]
fn fuel_per_trial() {
    has_an_edge(&diary, "fuel_per_trial", "out-of-fuel", a_little_less);
}

#[test]
fn memory() {
    has_an_edge_of_one(&diary, "memory", "memory");
}

#[test]
fn table_elements() {
    has_an_edge_of_one(&diary, "table_elements", "memory");
}

#[test]
fn metrics() {
    // `loss` is among them.
    let with = |limits: &str| {
        Experiment::of(tune_test_artifacts::TRIAL_MANY_METRICS)
            .top("max_t = 1")
            .space("metrics = 17")
            .table(&format!("[limits]\n{limits}"))
    };
    has_an_edge_of_one(&with, "metrics", "bad-value");
}

#[test]
fn name_bytes() {
    has_an_edge_of_one(&diary, "name_bytes", "bad-value");
}

/// The guest hears of it and may go on; this one gives up.
#[test]
fn artifact_bytes_and_artifact_count() {
    for key in ["artifact_bytes", "artifact_count"] {
        let lab = Lab::new();
        lab.run(&diary(""), &[]).exits(0);
        let most = used(&lab, "trial", key);
        goes_well(&diary, key, most);
        let lab = Lab::new();
        lab.run(&diary(&format!("{key} = {}", most - 1)), &[])
            .exits(1);
        let trial = lab.trial("exp", 0);
        assert_eq!(trial["failure_kind"], "reported", "{trial}");
        let story = trial["failure"].as_str().unwrap();
        for part in [format!("({key})"), format!("{} allowed", most - 1)] {
            assert!(story.contains(&part), "no {part:?} in {story}");
        }
    }
}

/// A trainable in text of which odd trials do something once.
fn text(text: &Text, limits: &str) -> (Lab, Experiment) {
    let lab = Lab::new();
    lab.write("mine.wasm", text.component());
    let experiment = Experiment::of("./mine.wasm").table(&format!("[limits]\n{limits}"));
    (lab, experiment)
}

/// Odd trials go well with the one limit and end as `bad-value` with the other.
#[track_caller]
fn text_ends_between(of: &Text, key: &str, well: u64, ill: u64, parts: &[&str]) {
    let (lab, experiment) = text(of, &format!("{key} = {well}"));
    lab.run(&experiment, &[]).exits(0);
    let (lab, experiment) = text(of, &format!("{key} = {ill}"));
    let said = lab.run(&experiment, &[]).exits(1);
    let expected = ["finished", "bad-value", "finished", "bad-value"];
    assert_eq!(lab.statuses("exp"), expected, "{said}");
    let story = lab.trial("exp", 1)["failure"].as_str().unwrap().to_owned();
    let (raise, name) = (format!("raise `{key}` in [limits]"), format!("({key})"));
    for part in [raise.as_str(), &name, &ill.to_string()]
        .iter()
        .chain(parts)
    {
        assert!(story.contains(part), "no {part:?} in {story}");
    }
}

#[test]
fn handles() {
    // Seven, never dropped.
    let of = calls::with_stdout(
        "(local.set $i (i32.const 7))
        (loop $again
            (drop (call $out))
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (br_if $again (local.get $i)))",
    );
    text_ends_between(&of, "handles", 7, 6, &[]);
}

#[test]
fn random_bytes() {
    let of = calls::with_random("(call $random (i64.const 1000) (i32.const 6000))");
    text_ends_between(&of, "random_bytes", 1_000, 999, &["1000 random bytes"]);
}

#[test]
fn hostcall_bytes() {
    // A log line of 66,000 bytes. wasmtime counts what it copies, a little more than the text.
    let of = Text {
        step: "(call $log (i32.const 0) (i32.const 16384) (i32.const 66000))",
        more: "(func $start (drop (memory.grow (i32.const 1)))) (start $start)",
        ..Text::default()
    };
    text_ends_between(&of, "hostcall_bytes", 66_100, 65_999, &[]);
}

/// What is over them is cut and counted; no trial ends.
#[test]
fn log_bytes_and_log_line_bytes() {
    let log = |limits: &str| {
        let lab = Lab::new();
        lab.run(&diary(limits), &[]).exits(0);
        let kept = used(&lab, "trial", "log_bytes");
        (lab.read("runs/exp/logs/000000.log"), kept)
    };
    let (whole, kept) = log("");
    assert!(
        !whole.contains("dropped") && !whole.contains('…'),
        "{whole}"
    );
    let (same, _) = log(&format!("log_bytes = {kept}"));
    assert_eq!(same, whole);
    let (less, _) = log(&format!("log_bytes = {}", kept - 1));
    assert_ne!(less, whole);
    // The longest line that is logged: `page 1: rate ` and 18 characters.
    let (same, _) = log("log_line_bytes = 31");
    assert_eq!(same, whole);
    let (cut, _) = log("log_line_bytes = 30");
    assert_ne!(cut, whole);
    assert!(cut.contains("1 bytes dropped"), "{cut}");
}

/// A searcher that draws two numbers, under limits of its own.
fn searcher(limits: &str) -> Experiment {
    Experiment::branin(3)
        .space("t = { choice = [\"abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-0123456789\"] }")
        .table(&format!("[searcher.limits]\n{limits}"))
}

/// The same edge where a searcher crosses it: no run is begun, or it stops and can be resumed.
#[track_caller]
fn searcher_has_an_edge_of_one(key: &str) {
    searcher_has_an_edge(key, |most| most - 1);
}

#[track_caller]
fn searcher_has_an_edge(key: &str, less: fn(u64) -> u64) {
    let lab = Lab::new();
    lab.run(&searcher(""), &["--name", "exp"]).exits(0);
    let most = used(&lab, "searcher", key);
    let lab = Lab::new();
    let at = |lab: &Lab, limit: u64| {
        let experiment = searcher(&format!("{key} = {limit}"));
        lab.run(&experiment, &["--name", "exp"])
    };
    at(&lab, most).exits(0);
    assert_eq!(used(&lab, "searcher", key), most);
    let said = at(&Lab::new(), less(most));
    assert!(matches!(said.code, Some(3 | 4)), "{said}");
    said.says(&[
        &format!("raise `{key}` in [searcher.limits]"),
        &format!("({key})"),
        &less(most).to_string(),
    ]);
}

#[test]
fn fuel_per_call() {
    searcher_has_an_edge("fuel_per_call", a_little_less);
}

#[test]
fn parameters() {
    searcher_has_an_edge_of_one("parameters");
}

#[test]
fn text_bytes() {
    // The text of `t` has 64 bytes, which is the least that can be allowed: one more is refused.
    let lab = Lab::new();
    lab.run(&searcher("text_bytes = 64"), &[]).exits(0);
    assert_eq!(
        lab.show("branin")["usage"]["searcher"]["text_bytes"]["used"],
        64
    );
    let longer = searcher("text_bytes = 64").no_space().space(&format!(
        "x0 = 1.0\nx1 = 1.0\nt = {{ choice = [{:?}] }}",
        "x".repeat(65)
    ));
    Lab::new().run(&longer, &[]).exits(4).says(&[
        "65 bytes, 64 are allowed (text_bytes)",
        "raise `text_bytes` in [searcher.limits]",
    ]);
}

#[test]
fn suggestion_bytes() {
    searcher_has_an_edge_of_one("suggestion_bytes");
}

#[test]
fn component_bytes() {
    let bytes = fs::read(tune_test_artifacts::TRIAL_NOOP).unwrap();
    let lab = Lab::new();
    lab.write("mine.wasm", &bytes);
    let with = |limit: usize| {
        let limits = format!("component_bytes = {limit}");
        among_roomy_others(Experiment::of("./mine.wasm"), &limits)
    };
    let said = lab.run(&with(bytes.len() - 1), &[]).exits(3);
    let allowed = format!("{} bytes, {} are allowed", bytes.len(), bytes.len() - 1);
    said.says(&[&allowed, "`component_bytes`"]);
    assert!(!lab.path("runs/exp").exists());
    lab.run(&with(bytes.len()), &[]).exits(0);
}

#[test]
fn component_bytes_above_what_is_allowed_by_default() {
    // Bytes that no instance ever takes into its memory.
    let data = format!(r#"(data "{}")"#, "x".repeat(65 << 20));
    let text = Text {
        more: data.leak(),
        ..Text::default()
    };
    let lab = Lab::new();
    lab.write("mine.wasm", text.component());
    let experiment = Experiment::of("./mine.wasm");
    lab.run(&experiment, &[])
        .exits(3)
        .says(&["67108864 are allowed", "`component_bytes`"]);
    let roomy = experiment.table("[limits]\ncomponent_bytes = \"80 MiB\"");
    lab.run(&roomy, &[]).exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 4]);
}

/// Work on a device that checks everything and computes nothing, under one limit of the GPU.
#[track_caller]
fn gpu_work(what: &str, key: &str, limit: u64) -> (Option<i32>, Value) {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_GPU_WORK)
        .trials(1)
        .top("max_t = 1")
        .space(&format!("what = {what:?}\nx = {{ uniform = [0.0, 1.0] }}"))
        .table("[grants]\ngpu = true")
        .table(&format!("[limits]\n{key} = {limit}"));
    let file = lab.file(&experiment);
    let mut command = lab.command(&["run", &file]);
    let ended = command.env("TUNE_HOST_GPU", "noop").output().unwrap();
    (ended.status.code(), lab.trial("exp", 0))
}

/// The guest hears of it and may go on; this one gives up.
#[test]
fn gpu_limits() {
    const MEBIBYTE: u64 = 1 << 20;
    for (what, key, most) in [
        // A buffer of a mebibyte, and an open read of as much.
        ("read", "gpu_buffers", 2 * MEBIBYTE),
        // Buffer, shader module, pipeline, layout, bind group; an open read.
        ("read", "gpu_objects", 6),
        // A pipeline, a bind group, and a thousand dispatches.
        ("batch", "gpu_commands_per_submit", 1_002),
        ("batch", "gpu_workgroups_per_submit", 1_000),
        // What the buffer begins with, and is then written.
        ("write", "gpu_transfer_per_step", 2 * MEBIBYTE),
    ] {
        let (code, trial) = gpu_work(what, key, most);
        assert_eq!(code, Some(0), "{key}: {trial}");
        let (code, trial) = gpu_work(what, key, most - 1);
        assert_eq!(code, Some(1), "{key}: {trial}");
        assert_eq!(trial["failure_kind"], "reported", "{trial}");
        let story = trial["failure"].as_str().unwrap();
        for part in [format!("`{key}`"), format!("of {}", most - 1)] {
            assert!(story.contains(&part), "no {part:?} in {story}");
        }
    }
    // What these take is the least that can be allowed, or less.
    for (key, least) in [
        ("gpu_buffer", MEBIBYTE),
        ("gpu_shader_bytes", 1 << 10),
        ("gpu_submissions_in_flight", 1),
    ] {
        assert_eq!(gpu_work("read", key, least).0, Some(0), "{key}");
    }
}

/// The rows of the table of limits: its cells.
fn rows() -> Vec<Vec<String>> {
    let page = fs::read_to_string(workspace().join("docs/SECURITY.md")).unwrap();
    let (_, table) = page.split_once("\n## Limits\n").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells = line.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

#[test]
fn every_limit_stands_in_the_table_with_its_default_its_range_and_tests_on_both_sides() {
    let schema: Value = Lab::new().tune(&["schema"]).exits(0).json();
    let limits = schema["properties"]["limits"]["properties"].as_object();
    let keys: BTreeSet<&str> = limits.unwrap().keys().map(String::as_str).collect();
    let tests = threats::tests();
    // Held against the code by a test of `tune-experiment`.
    let reference = fs::read_to_string(workspace().join("docs/experiment-file.md")).unwrap();
    let mut seen = BTreeSet::new();
    let rows = rows();
    for row in &rows {
        let [key, default, range, per, over, crossed, below] = row.as_slice() else {
            panic!("key, default, range, per, over it, crossed by, just below: {row:?}");
        };
        let name = key.trim_matches('`');
        assert!(keys.contains(name), "{name} is no limit");
        assert!(seen.insert(name), "{name} stands twice");
        let same = format!("\n| {key} | {default} | {range} |");
        assert!(reference.contains(&same), "not so in the reference: {same}");
        assert!(!per.is_empty() && !over.is_empty(), "{row:?}");
        for cell in [crossed, below] {
            assert!(cell.contains("::"), "no test: {row:?}");
            for test in threats::named(cell) {
                assert!(tests.contains(test), "there is no test {test}");
            }
        }
    }
    let missing: Vec<_> = keys.difference(&seen).collect();
    assert!(missing.is_empty(), "not in docs/SECURITY.md: {missing:?}");
}
