//! Limits of the searcher and of the scheduler through the real binary: whose they are, that they
//! hold for no other, and what is said when one is crossed.

use crate::{experiment::Experiment, lab::Lab};

/// The least fuel that a call can be given: no plugin starts with it.
const STARVED: &str = "fuel_per_call = 1_000";

fn noop() -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_NOOP)
        .trials(3)
        .table("[searcher]\nplugin = \"random\"")
        .table("[scheduler]\nplugin = \"fifo\"")
}

#[test]
fn the_searcher_and_the_scheduler_have_limits_of_their_own() {
    for role in ["searcher", "scheduler"] {
        let lab = Lab::new();
        let experiment = noop().table(&format!("[{role}.limits]\n{STARVED}"));
        lab.run(&experiment, &[]).exits(3).says(&[
            &format!("the {role} does not start"),
            "all of its 1000 units of fuel (fuel_per_call)",
            &format!("raise `fuel_per_call` in [{role}.limits]"),
        ]);
        assert!(!lab.path("runs/exp").exists());
    }
}

#[test]
fn limits_of_their_own_stand_above_those_of_all() {
    let lab = Lab::new();
    let starved = noop().table(&format!("[limits]\n{STARVED}"));
    lab.run(&starved, &[]).exits(3).says(&["fuel_per_call"]);
    let own = "fuel_per_call = 1_000_000_000\nmemory = \"32 MiB\"";
    let experiment = starved
        .table(&format!("[searcher.limits]\n{own}"))
        .table(&format!("[scheduler.limits]\n{own}\nactions = 77"));
    lab.run(&experiment, &[]).exits(0);
    let run = lab.show("exp");
    assert_eq!(run["usage"]["searcher"]["memory"]["limit"], 32 << 20);
    assert_eq!(run["usage"]["scheduler"]["actions"]["limit"], 77);
    assert_eq!(run["trials"][0]["usage"]["memory"]["limit"], 256 << 20);
    // A run that goes on has them again.
    lab.tune(&["resume", "exp", "--trials", "5"]).exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 5]);
    lab.tune(&["replay", "exp"]).exits(0);
}

#[test]
fn limits_that_are_the_same_or_of_the_clock_change_no_digest() {
    let lab = Lab::new();
    let digest = |name: &str, more: &str| {
        let experiment = noop().named(name).table(more);
        lab.run(&experiment, &[]).exits(0);
        lab.digest(name)
    };
    let plain = digest("plain", "[limits]");
    let same = "[searcher.limits]\nmemory = \"256 MiB\"\nwall_per_step = \"9 min\"";
    assert_eq!(digest("same", same), plain);
    let other = "[searcher.limits]\nmemory = \"255 MiB\"";
    assert_ne!(digest("other", other), plain);
}

/// The only configuration is a text of 1,000 bytes under the name `t`.
fn long(suggestion_bytes: u32) -> Experiment {
    noop()
        .space(&format!("t = {{ choice = [\"{}\"] }}", "x".repeat(1_000)))
        .table(&format!(
            "[searcher.limits]\nsuggestion_bytes = {suggestion_bytes}"
        ))
}

#[test]
fn a_suggestion_of_the_size_that_is_allowed_is_tried() {
    let lab = Lab::new();
    lab.run(&long(1_001), &[]).exits(0);
    let used = &lab.show("exp")["usage"]["searcher"]["suggestion_bytes"];
    assert_eq!(used["used"], 1_001);
    assert_eq!(used["limit"], 1_001);
}

#[test]
fn a_suggestion_that_is_a_byte_longer_stops_the_run_and_says_so() {
    let lab = Lab::new();
    lab.run(&long(1_000), &[])
        .exits(4)
        .says(&[
            "bad-value",
            "a configuration of 1001 bytes, 1000 are allowed",
            "raise `suggestion_bytes` in [searcher.limits]",
        ])
        .ends_with_resume_of("exp");
}

#[test]
fn a_scheduler_answers_with_as_many_actions_as_it_may() {
    let with = |scheduler: &str, actions: u32| {
        Experiment::of(tune_test_artifacts::TRIAL_BALLAST)
            .trials(4)
            .top("max_t = 110\nslots = 2")
            .space("rate = { uniform = [0.5, 1.0] }")
            .table(&format!("[scheduler]\nplugin = {scheduler}"))
            .table(&format!("[scheduler.limits]\nactions = {actions}"))
    };
    let lab = Lab::new();
    lab.run(&with("\"asha\"", 1), &[]).exits(0);
    let used = &lab.show("exp")["usage"]["scheduler"]["actions"];
    assert_eq!(
        (used["used"].as_u64(), used["limit"].as_u64()),
        (Some(1), Some(1))
    );
    let lab = Lab::new();
    let hostile = format!(
        "{:?}\nhow = \"ten_thousand_and_one_actions\"",
        tune_test_artifacts::HOSTILE_SCHEDULER
    );
    lab.run(&with(&hostile, 9_999), &[]).exits(4).says(&[
        "10001 actions in one answer, 9999 are allowed",
        "raise `actions` in [scheduler.limits]",
    ]);
}
