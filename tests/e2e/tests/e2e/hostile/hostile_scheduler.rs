//! A hostile scheduler stops the run with its name, the call and the reason; no action of it reaches
//! further than its own trials, and what was reported before stays.

use super::ways;
use crate::{experiment::Experiment, lab::Lab};

fn experiment(how: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_BALLAST)
        .trials(3)
        .top("max_t = 110\nslots = 2")
        .space("rate = { uniform = [0.5, 1.0] }")
        .table(&format!(
            "[scheduler]\nplugin = {:?}\nhow = {how:?}",
            tune_test_artifacts::HOSTILE_SCHEDULER
        ))
        .table("[limits]\nfuel_per_call = 500_000_000\nmemory = \"128 MiB\"")
}

/// The run stops with these words.
#[track_caller]
fn stops(how: &str, parts: &[&str]) {
    let lab = Lab::new();
    let said = lab.run(&experiment(how), &[]).says(parts);
    assert!(said.stderr.len() < 64 << 10, "{} bytes", said.stderr.len());
    if how.ends_with("in_init") {
        // No run is begun.
        said.exits(3);
        assert!(!lab.path("runs/exp").exists());
        return;
    }
    let said = said.exits(4);
    said.ends_with_resume_of("runs/exp");
    let run = lab.show("exp");
    assert_eq!(run["status"], "stopped");
    assert_eq!(run["counts"]["running"], 0);
}

const FUEL: &[&str] = &["hostile-scheduler", "out-of-fuel", "fuel_per_call", "hint"];

ways! { stops:
    spin_in_init => FUEL;
    spin_in_on_result => FUEL;
    spin_in_next_to_run => FUEL;
    take_memory => &["memory", "134217728 allowed", "hint"];
    panic_in_init => &["init", "panicked on purpose"];
    panic_in_on_result => &["on-result", "panicked on purpose"];
    stop_an_unknown_trial => &["100 actions", "unknown trial 4294967295"];
    stop_what_has_ended => &["100 actions", "has ended"];
    exploit_itself => &["100 actions", "from itself"];
    exploit_an_unknown_trial => &["100 actions", "unknown trial 4294967295"];
    pause_for_ever => &["deadlock", "paused"];
    idle_for_ever => &["deadlock", "idle"];
    done_at_once => &["deadlock"];
    ten_thousand_and_one_actions => &["10001 actions", "10000 are allowed"];
    a_million_actions => &["hostcall_bytes", "hint"];
    configure_outside_the_space => &["100 actions", "`rate`"];
    workers_for_ever => &["100 actions", "set-workers"];
    create_for_ever => &["deadlock", "hostile-scheduler", "answers", "no trial can be created"];
    run_what_runs => &["100 actions", "does not wait"];
    run_what_is_unknown => &["deadlock", "64 answers", "hostile-scheduler", "run of trial 4294967295"];
    describe_a_library => &["describe", "hostcall_bytes"];
}

#[test]
fn describe_a_book() {
    assert!(!WAYS.contains(&"describe_a_book"));
    let lab = Lab::new();
    let said = lab.run(&experiment("describe_a_book"), &[]).exits(0);
    let shown = lab.tune(&["show", "exp"]).exits(0);
    for said in [said, shown] {
        assert!(!said.to_string().contains("\x1b[2J"), "{said}");
        assert!(said.to_string().len() < 64 << 10, "{said}");
    }
}
