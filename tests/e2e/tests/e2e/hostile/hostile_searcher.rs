//! A hostile searcher stops the run with its name, the call and the reason; what was reported before
//! stays, and the run can be taken up again.

use super::ways;
use crate::{experiment::Experiment, lab::Lab};

fn experiment(how: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_NOOP)
        .trials(3)
        .top("slots = 1")
        .space("x = { uniform = [0.0, 1.0] }\nlist = { choice = [[1, 2], [3]] }")
        .table(&format!(
            "[searcher]\nplugin = {:?}\nhow = {how:?}",
            tune_test_artifacts::HOSTILE_SEARCHER
        ))
        .table("[limits]\nfuel_per_call = 500_000_000\nmemory = \"128 MiB\"")
}

/// The run stops with these words. `reports`: what had been handed over before.
#[track_caller]
fn stops(how: &str, code: i32, parts: &[&str], reports: usize) {
    let lab = Lab::new();
    let said = lab.run(&experiment(how), &[]).exits(code).says(parts);
    assert!(said.stderr.len() < 64 << 10, "{} bytes", said.stderr.len());
    assert!(!said.stderr.contains("\x1b[2J"), "{said}");
    if code != 4 {
        // No run is begun.
        assert!(!lab.path("runs/exp").exists());
    } else {
        said.ends_with_resume_of("runs/exp");
        let run = lab.show("exp");
        assert_eq!(run["status"], "stopped");
        assert_eq!(run["counts"]["running"], 0);
        let finished = run["counts"]["finished"].as_u64().unwrap();
        assert_eq!(finished, reports as u64);
    }
}

const FUEL: &[&str] = &["hostile-searcher", "out-of-fuel", "fuel_per_call", "hint"];
const BAD: &str = "3 bad suggestions";
const OVER: &[&str] = &["hostile-searcher", "suggest", "hostcall_bytes", "hint"];

ways! { stops:
    spin_in_init => 3, FUEL, 0;
    spin_in_suggest => 4, FUEL, 0;
    spin_in_observe => 4, FUEL, 0;
    log_for_ever => 4, FUEL, 0;
    take_memory => 4, &["memory", "134217728 allowed", "hint"], 0;
    recurse_for_ever => 4, &["suggest", "trap", "hint"], 0;
    panic_in_init => 3, &["init", "panicked on purpose", "hint"], 0;
    panic_in_suggest => 4, &["suggest", "panicked on purpose"], 0;
    panic_in_complete => 4, &["complete", "panicked on purpose"], 0;
    refuse_a_hundred_thousand_options => 2, &["k0"], 0;
    wait_for_ever => 4, &["deadlock", "wait"], 0;
    fail_for_ever => 4, &[BAD, "no idea, on purpose"], 0;
    outside_its_range => 4, &[BAD, "`x`"], 0;
    nan_parameter => 4, &[BAD, "`x`"], 0;
    infinite_parameter => 4, &[BAD, "`x`"], 0;
    wrong_type => 4, &[BAD, "`x`"], 0;
    missing_parameter => 4, &[BAD], 0;
    extra_parameter => 4, &[BAD, "extra"], 0;
    two_thousand_parameters => 4, &["bad-value", "2002 parameters", "1024 are allowed"], 0;
    a_million_parameters => 4, FUEL, 0;
    parameters_too_many_to_pass => 4, OVER, 0;
    many_long_texts => 4, &["bad-value", "1048576 are allowed", "raise `suggestion_bytes`"], 0;
    long_parameter_name => 4, &["bad-value", "1000 bytes, 128 are allowed"], 0;
    large_text => 4, &["bad-value", "100000 bytes, 65536 are allowed"], 0;
    huge_text => 4, OVER, 0;
    deep_json => 4, &[BAD, "`list`"], 0;
    start_from_nowhere => 4, &[BAD, "start"], 0;
    nan_budget => 4, &[BAD, "budget"], 0;
}

#[test]
fn the_same_searcher_when_it_is_good() {
    assert!(!WAYS.contains(&"good"));
    let lab = Lab::new();
    lab.run(&experiment("good"), &[]).exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 3]);
}
