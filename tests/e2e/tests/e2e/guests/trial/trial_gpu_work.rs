//! A trainable that computes on a GPU, from the grant to the states that it leaves. Most of it on a device that
//! checks everything and computes nothing; what computes needs a GPU, in hardware or software.

use super::*;

const GUEST: &str = tune_test_artifacts::TRIAL_GPU_WORK;

fn experiment(what: &str) -> Experiment {
    Experiment::of(GUEST)
        .trials(2)
        .top("max_t = 3")
        .space(&format!(
            "what = {what:?}\ncount = 3\nx = {{ uniform = [0.0, 1.0] }}"
        ))
        .table("[grants]\ngpu = true")
}

/// Runs a command on the device of that name: what it printed, and its exit code.
fn on(device: &str, lab: &Lab, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = lab.command(arguments).env("TUNE_HOST_GPU", device).output();
    let ended = ended.unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn every_kind_of_work_is_done_and_shown_beside_its_limits() {
    for what in ["call", "wait", "batch", "write", "read"] {
        let lab = Lab::new();
        let (code, said) = on("noop", &lab, &["run", &lab.file(&experiment(what))]);
        assert_eq!(code, Some(0), "{what}: {said}");
        assert!(said.contains("granted: gpu, on"), "{said}");
        let usage = &lab.show("exp")["trials"][0]["usage"];
        let used = usage["gpu_buffers"]["used"].as_u64().unwrap();
        assert!(used >= 1 << 20, "{usage}");
    }
}

#[test]
fn work_costs_the_same_fuel_whatever_the_threads() {
    let digest = |name: &str, threads: &str| {
        let lab = Lab::new();
        let file = lab.file(&experiment("batch").named(name));
        let (code, said) = on("noop", &lab, &["run", &file, "--threads", threads]);
        assert_eq!(code, Some(0), "{said}");
        lab.digest(name)
    };
    assert_eq!(digest("exp", "1"), digest("exp", "2"));
}

#[test]
fn is_refused_before_the_run_without_the_grant() {
    let lab = Lab::new();
    let experiment = experiment("wait").table("[grants]\nartifact = false");
    lab.run(&experiment, &[])
        .exits(2)
        .says(&["wants the grant `gpu`", "gpu = true", "hint"]);
    assert!(!lab.path("runs/exp").exists());
}

#[test]
fn without_a_device_its_trials_say_what_to_install() {
    let lab = Lab::new();
    let (code, said) = on("off", &lab, &["run", &lab.file(&experiment("wait"))]);
    assert_ne!(code, Some(0), "{said}");
    for part in ["hint", "Vulkan"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn the_doctor_says_why_there_is_no_device_and_what_to_do() {
    let lab = Lab::new();
    let (_, said) = on("off", &lab, &["doctor"]);
    assert!(said.contains("TUNE_HOST_GPU=off"), "{said}");
    let (_, said) = on("nop", &lab, &["doctor"]);
    assert!(said.contains("neither `off` nor `noop`"), "{said}");
    let (_, said) = on("noop", &lab, &["doctor"]);
    assert!(!said.contains("none: "), "{said}");
}

#[test]
fn goes_on_with_what_is_on_the_device_after_a_stop() {
    let lab = Lab::new();
    let file = lab.file(&experiment("write").top("max_t = 3"));
    let (code, said) = on("noop", &lab, &["run", &file]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = on("noop", &lab, &["resume", "exp", "--trials", "3"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = on("noop", &lab, &["replay", "exp"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = on(
        "noop",
        &lab,
        &["fork", "exp", "1", "--name", "again", "--until", "5"],
    );
    assert_eq!(code, Some(0), "{said}");
}
