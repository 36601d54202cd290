//! Killed, interrupted, resumed: the run ends as if nothing had happened.

use std::{
    hash::{BuildHasher as _, RandomState},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    experiment::Experiment,
    lab::{Lab, Started},
};

/// A number below `n` that is another one each time.
fn draw(n: u64) -> u64 {
    RandomState::new().hash_one(0) % n
}

/// Trials that run are those of a process that runs.
fn assert_nothing_runs(lab: &Lab, run: &str) {
    let shown = lab.show(run);
    assert_eq!(shown["counts"]["running"], 0, "{shown}");
    let text = lab.tune(&["show", run]).exits(0).stdout;
    assert!(!text.contains("running"), "{text}");
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened() {
    let lab = Lab::new();
    let experiment = Experiment::digits(30);
    let whole = undisturbed(&lab, &experiment);
    let file = lab.file(&experiment);

    let files = lab.path("runs/killed/trials");
    let mut arguments = vec!["run", file.as_str(), "--name", "killed"];
    let mut killed = 0;
    for _ in 0..4 {
        let delay = draw(whole / 6);
        eprintln!("killed {delay} ms after it was there, of {whole} ms");
        let ended = begin(&lab, &arguments, &files, delay).kill();
        if lab.show("killed")["status"] == "finished" {
            break;
        }
        assert_eq!(ended.code, None, "{ended}");
        killed += 1;
        assert_eq!(lab.show("killed")["status"], "interrupted");
        assert_nothing_runs(&lab, "killed");
        arguments = vec!["resume", "killed"];
    }
    if lab.show("killed")["status"] != "finished" {
        lab.tune(&["resume", "killed"]).exits(0);
    }
    assert!(killed >= 1, "it was faster than {whole} ms each time");
    assert_eq!(lab.digest("killed"), lab.digest("undisturbed"));
    assert_eq!(lab.statuses("killed"), lab.statuses("undisturbed"));
    same_files(&lab, "undisturbed", "killed");
}

/// Runs it under the name `undisturbed`; how long that takes in milliseconds, most of it after its
/// first files are there.
fn undisturbed(lab: &Lab, experiment: &Experiment) -> u64 {
    // Once for the compile cache.
    lab.run(experiment, &["--name", "warm-up"]).exits(0);
    let begin = Instant::now();
    lab.run(experiment, &["--name", "undisturbed"]).exits(0);
    begin.elapsed().as_millis().max(10) as u64
}

/// Configurations and results of all trials, without what the wall clock said.
fn same_files(lab: &Lab, a: &str, b: &str) {
    let results = |run: &str, trial: usize| -> Vec<serde_json::Value> {
        let text = lab.read(&format!("runs/{run}/trials/{trial:06}/result.json"));
        let parse = |line| {
            let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
            for key in ["time_this_iter_s", "time_total_s", "timestamp"] {
                value.as_object_mut().unwrap().remove(key);
            }
            value
        };
        text.lines().map(parse).collect()
    };
    for trial in 0..lab.statuses(a).len() {
        assert_eq!(results(a, trial), results(b, trial), "trial {trial}");
    }
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
