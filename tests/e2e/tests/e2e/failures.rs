//! What a failure leads to: which kinds are final, which are tried again and from where, and how a
//! run goes on whose searcher or scheduler failed. What each hostile way ends as is in `hostile`.

use std::{
    fs,
    process::{Command, Output},
};

use crate::{experiment::Experiment, lab::Lab};

/// Trials that do in their second step what `how` says, with two retries allowed.
fn misbehaving(how: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_MISBEHAVES)
        .trials(2)
        .top("max_failures = 2\nslots = 2")
        .space(&format!("how = {how:?}\nx = {{ uniform = [0.0, 1.0] }}"))
        .table("[limits]\nfuel_per_step = 20_000_000\nmemory = \"16 MiB\"")
}

const AGAIN: &str = "is tried again from its last state";

#[test]
fn what_would_fail_again_in_the_same_way_is_final_at_once() {
    for (how, kind) in [
        ("panics", "trap"),
        ("computes", "out-of-fuel"),
        ("allocates", "memory"),
        ("fails", "reported"),
        ("crowds", "bad-value"),
    ] {
        let lab = Lab::new();
        let said = lab.run(&misbehaving(how), &[]).exits(1);
        assert_eq!(lab.statuses("exp"), [kind; 2], "{said}");
        assert!(!said.stderr.contains(AGAIN), "{said}");
    }
}

#[test]
fn with_fresh_seeds_every_kind_is_tried_again_as_often_as_is_allowed() {
    for (how, kind) in [("panics", "trap"), ("allocates", "memory")] {
        let lab = Lab::new();
        let experiment = misbehaving(how).top("retry_seed = \"fresh\"");
        let said = lab.run(&experiment, &[]).exits(1);
        // A trainable that cannot be told of another seed in mid-training says so.
        let ended = lab.statuses("exp");
        assert!(
            ended.iter().all(|s| s == kind || s == "reconfigure"),
            "{said}"
        );
        assert_eq!(said.stderr.matches(AGAIN).count(), 2 * 2, "{said}");
    }
}

#[test]
fn a_wall_deadline_is_tried_again_from_the_last_state() {
    let lab = Lab::new();
    let experiment = misbehaving("computes")
        .top("metering = \"epoch\"")
        .table("[limits]\nwall_per_step = \"100 ms\"");
    let said = lab.run(&experiment, &[]).exits(1);
    assert_eq!(lab.statuses("exp"), ["deadline"; 2], "{said}");
    // Two retries of each; the third failure is final, and says of which limit how much it was.
    assert_eq!(said.stderr.matches(AGAIN).count(), 2 * 2, "{said}");
    for trial in 0..2 {
        let trial = lab.trial("exp", trial);
        // What was reported before stays and is not reported again.
        assert_eq!(trial["reports"].as_array().unwrap().len(), 1, "{trial}");
        let story = trial["failure"].as_str().unwrap();
        for part in ["100ms", "wall_per_step", "hint"] {
            assert!(story.contains(part), "no {part:?} in {story}");
        }
        let wall = &trial["usage"]["wall_per_step"];
        assert!(wall["used"].as_f64() >= wall["limit"].as_f64(), "{wall}");
    }
}

#[test]
fn the_wall_time_of_a_trial_is_a_limit_of_its_own() {
    let lab = Lab::new();
    let experiment = misbehaving("computes")
        .top("metering = \"epoch\"\nmax_failures = 0")
        .table("[limits]\nwall_per_trial = \"100 ms\"");
    lab.run(&experiment, &[]).exits(1);
    let story = lab.trial("exp", 0)["failure"].as_str().unwrap().to_owned();
    assert!(story.contains("(wall_per_trial)"), "{story}");
}

/// Runs an experiment with the least address space, in whole GiB, in which it begins: the memories of the searcher
/// and of the scheduler are there (4 GiB each, reserved), and no room for that of a trial.
fn run_without_memory_for_trials(lab: &Lab, file: &str) -> Output {
    let plain = lab.command(&["run", file, "--threads", "1"]);
    for gib in 5..64 {
        let mut limited = Command::new("sh");
        let script = format!("ulimit -v {} && exec \"$0\" \"$@\"", gib << 20);
        limited.args(["-c", &script]);
        limited.arg(plain.get_program()).args(plain.get_args());
        limited.current_dir(lab.path("")).env_clear();
        let vars = plain.get_envs();
        limited.envs(vars.filter_map(|(name, value)| Some((name, value?))));
        let ended = limited.output().unwrap();
        if lab.path("runs/branin").exists() {
            return ended;
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains("memory"), "{said}");
    }
    panic!("it never begins");
}

#[test]
fn a_machine_without_memory_fails_trials_which_are_tried_again_and_nothing_else() {
    let lab = Lab::new();
    let experiment = Experiment::branin(2).top("max_failures = 1\nslots = 1");
    let file = lab.file(&experiment);
    // Compiles the plugins, which takes memory too.
    lab.tune(&["run", &file, "--name", "roomy"]).exits(0);
    let ended = run_without_memory_for_trials(&lab, &file);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert_eq!(lab.statuses("branin"), ["host-memory"; 2], "{said}");
    assert_eq!(said.matches(AGAIN).count(), 2, "{said}");
    for part in ["the machine has no", "hint: use fewer threads"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    // With memory the same run goes on.
    lab.tune(&["resume", "branin", "--trials", "3"]).exits(1);
    assert_eq!(
        lab.statuses("branin"),
        ["host-memory", "host-memory", "finished"]
    );
}

#[test]
fn a_failed_trial_shows_the_limit_that_ended_it() {
    for (how, limit) in [("computes", "fuel_per_step"), ("allocates", "memory")] {
        let lab = Lab::new();
        lab.run(&misbehaving(how), &[]).exits(1);
        let trial = lab.trial("exp", 0);
        let usage = &trial["usage"][limit];
        assert!(usage["used"].as_u64() >= usage["limit"].as_u64(), "{usage}");
        let near = |said: crate::lab::Finished| {
            let text = said.exits(0).stdout;
            assert!(text.contains(limit) && text.contains("100 %"), "{text}");
        };
        near(lab.tune(&["show", "exp", "0"]));
        near(lab.tune(&["show", "exp", "--usage"]));
        let line = lab.tune(&["show", "exp"]).exits(0).stdout;
        assert!(line.contains("nearest to limits: trial 0 "), "{line}");
    }
}

#[test]
fn usage_of_searcher_and_scheduler_stands_beside_their_limits() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(5), &[]).exits(0);
    let shown = lab.show("branin");
    for role in ["searcher", "scheduler"] {
        let usage = &shown["usage"][role];
        for limit in ["fuel_per_call", "memory"] {
            let used = usage[limit]["used"].as_u64().unwrap();
            let most = usage[limit]["limit"].as_u64().unwrap();
            assert!(0 < used && used < most, "{role} {limit}: {usage}");
        }
    }
    assert_eq!(shown["usage"]["searcher"]["parameters"]["used"], 2);
    let text = lab.tune(&["show", "branin", "--usage"]).exits(0).stdout;
    assert!(text.contains("scheduler, its largest call"), "{text}");
}

/// A plugin that fails, then one that does not in its place: the run comes to its end.
fn goes_on_with_a_fixed(table: &str, space: &str, bad: &str, good: &str) {
    let lab = Lab::new();
    fs::copy(bad, lab.path("mine.wasm")).unwrap();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_STEPS)
        .trials(3)
        .top("max_t = 5")
        .space(space)
        .table(&format!("[{table}]\nplugin = \"./mine.wasm\""));
    lab.run(&experiment, &[])
        .exits(4)
        .says(&["trap", "hint"])
        .ends_with_resume_of("runs/exp");
    // The same again.
    lab.tune(&["resume", "exp"]).exits(4).says(&["trap"]);
    fs::copy(good, lab.path("mine.wasm")).unwrap();
    let refused = lab.tune(&["resume", "exp"]);
    assert!(matches!(refused.code, Some(2 | 3)), "{refused}");
    refused.says(&["mine", "changed", "--accept-changed-plugin"]);
    lab.tune(&["resume", "exp", "--accept-changed-plugin"])
        .exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 3]);
}

#[test]
fn a_run_goes_on_with_a_fixed_scheduler() {
    goes_on_with_a_fixed(
        "scheduler",
        "x = { uniform = [0.0, 1.0] }",
        tune_test_artifacts::SCHEDULER_TRAPS,
        tune_test_artifacts::HOSTILE_SCHEDULER,
    );
}

#[test]
fn a_run_goes_on_with_a_fixed_searcher() {
    goes_on_with_a_fixed(
        "searcher",
        "x = { uniform = [0.0, 1.0] }\nlist = { choice = [[1, 2], [3]] }",
        tune_test_artifacts::SEARCHER_TRAPS,
        tune_test_artifacts::HOSTILE_SEARCHER,
    );
}
