//! Interrupted, resumed: the run ends as if nothing had happened. What a kill leaves is a test of
//! its own, see `crash`.

use std::{path::Path, thread, time::Duration};

use crate::{
    experiment::Experiment,
    lab::{Lab, Started},
};

/// Trials that run are those of a process that runs.
fn assert_nothing_runs(lab: &Lab, run: &str) {
    let shown = lab.show(run);
    assert_eq!(shown["counts"]["running"], 0, "{shown}");
    let text = lab.tune(&["show", run]).exits(0).stdout;
    assert!(!text.contains("running"), "{text}");
}

/// Starts a run and waits until it has been there, with its first files, for so many milliseconds.
fn begin(lab: &Lab, arguments: &[&str], files: &Path, delay: u64) -> Started {
    let mut run = lab.start(arguments);
    run.until(|| files.exists());
    thread::sleep(Duration::from_millis(delay));
    run
}

#[test]
fn ctrl_c_finishes_the_steps_in_flight_and_says_how_to_go_on() {
    let lab = Lab::new();
    let experiment = Experiment::digits(80);
    lab.run(&experiment, &["--name", "undisturbed"]).exits(0);
    let file = lab.file(&experiment);
    let arguments = ["run", &file, "--name", "interrupted"];
    let run = begin(&lab, &arguments, &lab.path("runs/interrupted/trials"), 50);
    run.interrupt();
    run.wait().exits(4).ends_with_resume_of("interrupted");
    assert_eq!(lab.show("interrupted")["status"], "stopped");
    assert_nothing_runs(&lab, "interrupted");
    lab.tune(&["resume", "interrupted"]).exits(0);
    assert_eq!(lab.digest("interrupted"), lab.digest("undisturbed"));
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_step_that_never_ends() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_SPINS);
    let file = lab.file(&experiment);
    let run = begin(&lab, &["run", &file], &lab.path("runs/exp/trials"), 300);
    run.interrupt();
    thread::sleep(Duration::from_millis(200));
    run.interrupt();
    run.wait().exits(4).ends_with_resume_of("exp");
    assert_nothing_runs(&lab, "exp");
}

#[test]
fn a_run_in_progress_is_seen_as_running_and_is_not_resumed_twice() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_SPINS);
    let file = lab.file(&experiment);
    let run = begin(&lab, &["run", &file], &lab.path("runs/exp/trials"), 300);
    assert_eq!(lab.show("exp")["status"], "running");
    let refused = lab.tune(&["resume", "exp"]);
    assert_eq!(refused.code, Some(2), "{refused}");
    refused.says(&["in use by process"]);
    run.kill();
    assert_eq!(lab.show("exp")["status"], "interrupted");
}
