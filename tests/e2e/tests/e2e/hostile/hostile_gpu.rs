//! One run in which every other trial does something else to the GPU that nobody should, and one in which
//! none does. On a device that checks everything and computes nothing, which every machine has.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::Value;

use super::{between_good_ones, ways};
use crate::{experiment::Experiment, lab::Lab};

/// Each trial by its way, as `show` has it.
fn run(ways: &[String]) -> BTreeMap<String, Value> {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::HOSTILE_GPU)
        .trials(ways.len().try_into().unwrap())
        .top(&format!("slots = {}", ways.len()))
        .space(&format!("hostile = {{ grid = {ways:?} }}"))
        .table("[searcher]\nplugin = \"grid\"")
        .table("[grants]\ngpu = true")
        .table(
            "[limits]\nfuel_per_step = 5_000_000_000\ngpu_buffers = \"16 MiB\"\ngpu_buffer = \"8 MiB\"\ngpu_objects = 500\n\
             gpu_transfer_per_step = \"1 MiB\"",
        );
    let file = lab.file(&experiment);
    let mut command = lab.command(&["run", &file, "--threads", "2"]);
    let ended = command.env("TUNE_HOST_GPU", "noop").output().unwrap();
    let shown = lab.show("exp");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(shown["status"], "finished", "{said}");
    let trials = shown["trials"].as_array().unwrap().iter().zip(ways);
    trials
        .map(|(trial, way)| (way.clone(), trial.clone()))
        .collect()
}

/// Every way, each after a trial that is good.
static HOSTILE: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| run(&between_good_ones(WAYS)));

#[track_caller]
fn failed(way: &str, kind: &str, parts: &[&str]) {
    let trial = &HOSTILE[way];
    assert_eq!(trial["failure_kind"], kind, "{trial}");
    let story = trial["failure"].as_str().unwrap();
    for part in parts {
        assert!(story.contains(part), "no {part:?} in {story}");
    }
    assert!(story.len() < 32 << 10, "{} bytes", story.len());
}

const FUEL: &[&str] = &["fuel_per_step", "hint"];
const REFUSED: &[&str] = &["all of it was refused"];

ways! { failed:
    buffers_for_ever => "reported", &["`gpu_buffers`", "of 16777216 are used"];
    huge_buffer => "reported", &["2147483648 more of `gpu_buffer`: 0 of 8388608"];
    objects_for_ever => "reported", &["1 more of `gpu_objects`: 500 of 500"];
    long_shader => "reported", &["`gpu_shader_bytes`: 0 of 1048576"];
    deep_shader => "reported", &["Shader 'deep' parsing error"];
    deep_blocks => "reported", &["Shader 'deep' parsing error", "nesting"];
    deep_types => "reported", &["Shader 'deep' parsing error"];
    huge_private_array => "reported", &["type is too large"];
    wrong_shader => "reported", &["wgsl:2:9", "expected to be `u32`"];
    too_many_workgroups => "reported", &["`max-compute-workgroups-per-dimension`"];
    too_much_at_once => "out-of-fuel", FUEL;
    too_many_commands => "reported", &["`gpu_commands_per_submit`: 0 of 65536"];
    submissions_for_ever => "out-of-fuel", FUEL;
    reads_for_ever => "reported", &["`gpu_transfer_per_step`: 1048576 of 1048576"];
    reads_that_nobody_finishes => "reported", &["`gpu_objects`: 500 of 500"];
    writes_for_ever => "reported", &["`gpu_transfer_per_step`: 1048576 of 1048576"];
    objects_of_others => "reported", REFUSED;
    places_that_are_none => "reported", REFUSED;
}

#[test]
fn neighbours_compute_as_if_nobody_were_hostile() {
    let ways: Vec<String> = (0..WAYS.len()).map(|i| format!("good_{i}")).collect();
    let peaceful = run(&ways);
    let result = |trial: &Value| {
        let fuel = trial["usage"]["fuel_per_trial"]["used"].as_u64().unwrap();
        assert_eq!(trial["status"], "finished", "{trial}");
        (trial["iterations"].as_u64().unwrap(), fuel)
    };
    for way in ways {
        assert_eq!(result(&HOSTILE[&way]), result(&peaceful[&way]), "{way}");
    }
}

/// What the software driver of Mesa, or a GPU, does; without either there is nothing to see.
fn on_a_device(way: &str, limits: &str) -> Option<Value> {
    all_on_a_device(1, way, limits).map(|trials| trials[0].clone())
}

/// The same of so many trials, one after the other.
fn all_on_a_device(trials: u32, way: &str, limits: &str) -> Option<Vec<Value>> {
    let lab = Lab::new();
    if !lab.has_gpu() {
        return None;
    }
    let experiment = Experiment::of(tune_test_artifacts::HOSTILE_GPU)
        .trials(trials)
        .top("slots = 1")
        .space(&format!(
            "hostile = {way:?}\nx = {{ uniform = [0.0, 1.0] }}"
        ))
        .table("[grants]\ngpu = true")
        .table(&format!("[limits]\n{limits}"));
    lab.run(&experiment, &[]);
    lab.show("exp")["trials"].as_array().cloned()
}

/// Where work takes minutes. A card may be done with it before the next trial has a deadline.
#[test]
fn while_four_devices_do_not_come_to_rest_no_more_are_given_out() {
    let doctor = Lab::new().tune(&["doctor", "--format", "json"]).json();
    let first = doctor["gpus"][0].as_str();
    if first.is_some_and(|adapter| !adapter.contains("software")) {
        return;
    }
    let limits = "fuel_per_step = 1_000_000_000_000_000\ngpu_time_per_submission = \"1 s\"";
    let Some(trials) = all_on_a_device(10, "endless_dispatch", limits) else {
        return;
    };
    let is_ended = |trial: &&Value| trial["failure_kind"] == "deadline";
    let ended = trials.iter().take_while(is_ended).count();
    assert!((4..10).contains(&ended), "{trials:?}");
    for trial in &trials[ended..] {
        let story = trial["failure"].as_str().unwrap();
        assert!(story.contains("4 devices do not come to rest"), "{story}");
    }
}

#[test]
fn work_without_end_is_ended_by_the_deadline_of_a_submission_a_step_and_a_trial() {
    for (way, limit) in [
        ("endless_dispatch", "gpu_time_per_submission"),
        ("endless_dispatch", "gpu_time_per_step"),
        ("endless_dispatch", "gpu_time_per_trial"),
        ("endless_dispatch_read", "gpu_time_per_submission"),
        // Under way when the step ends and its state is to be kept.
        ("endless_dispatch_left_behind", "gpu_time_per_submission"),
    ] {
        let limits = format!("fuel_per_step = 1_000_000_000_000_000\n{limit} = \"300 ms\"");
        let Some(trial) = on_a_device(way, &limits) else {
            return;
        };
        assert_eq!(trial["failure_kind"], "deadline", "{trial}");
        let story = trial["failure"].as_str().unwrap();
        for part in [limit, "hint"] {
            assert!(story.contains(part), "no {part:?} in {story}");
        }
    }
}

#[test]
fn places_outside_a_buffer_are_not_written_and_the_trial_goes_on() {
    if let Some(trial) = on_a_device("out_of_bounds", "gpu_objects = 100") {
        assert_eq!(
            (&trial["status"], &trial["iterations"]),
            (&"finished".into(), &4.into()),
            "{trial}"
        );
        // All numbers are as they were written.
        assert_eq!(trial["best"]["value"], trial["last"]["loss"], "{trial}");
    }
}
