//! `[searcher.limits]` and `[scheduler.limits]`: they bound the one whose they are, and no other.

use crate::{experiment::Experiment, lab::Lab};

/// Trials and the scheduler have the limits of `[limits]`, in which a plugin has no way to start.
fn narrow() -> Experiment {
    Experiment::branin(3)
        .table("[scheduler]\nplugin = \"fifo\"")
        .table("[limits]\nfuel_per_call = 1_000")
}

#[test]
fn what_is_too_little_for_one_is_raised_for_it_alone() {
    let lab = Lab::new();
    let searcher = "[searcher.limits]\nfuel_per_call = 100_000_000";
    let scheduler = "[scheduler.limits]\nfuel_per_call = 100_000_000";
    lab.run(&narrow().table(scheduler), &[]).exits(3).says(&[
        "random",
        "out-of-fuel",
        "`fuel_per_call` in [searcher.limits]",
    ]);
    lab.run(&narrow().table(searcher), &[]).exits(3).says(&[
        "fifo",
        "out-of-fuel",
        "`fuel_per_call` in [scheduler.limits]",
    ]);
    lab.run(&narrow().table(searcher).table(scheduler), &[])
        .exits(0);
    let shown = lab.tune(&["show", "branin", "--usage"]).exits(0);
    assert!(shown.stdout.contains("fuel_per_call"), "{shown}");
}

#[test]
fn a_configuration_may_be_as_large_as_the_limit_and_no_larger() {
    // A name of a hundred bytes, and a number.
    let name = "p".repeat(100);
    let with = |bytes: u32| {
        Experiment::of(tune_test_artifacts::TRIAL_NOOP)
            .trials(2)
            .space(&format!("{name} = {{ uniform = [0.0, 1.0] }}"))
            .table(&format!("[searcher.limits]\nsuggestion_bytes = {bytes}"))
    };
    let lab = Lab::new();
    lab.run(&with(107), &["--name", "over"])
        .exits(4)
        .says(&[
            "random 0.1.0",
            "bad-value",
            "a configuration of 108 bytes, 107 are allowed",
            "raise `suggestion_bytes` in [searcher.limits]",
        ])
        .ends_with_resume_of("runs/over");
    lab.run(&with(108), &["--name", "below"]).exits(0);
}

#[test]
fn a_resumed_run_keeps_them() {
    let lab = Lab::new();
    let own = "[searcher.limits]\nmemory = \"16 MiB\"";
    lab.run(&Experiment::branin(2).table(own), &[]).exits(0);
    lab.tune(&["resume", "branin", "--trials", "4"]).exits(0);
    let usage = &lab.show("branin")["usage"]["searcher"]["memory"];
    assert_eq!(usage["limit"], 16 << 20, "{usage}");
}
