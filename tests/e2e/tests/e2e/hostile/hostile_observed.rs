//! A plugin that would behave only while it is watched finds no watcher: whatever it can look at is
//! the same in a first run, on another thread, in a run that goes on, and in one that is repeated.

use crate::{experiment::Experiment, lab::Lab, outcome::Outcome};

fn experiment() -> Experiment {
    Experiment::of(tune_test_artifacts::HOSTILE_OBSERVED)
        .top("max_t = 8\nslots = 2")
        .table("[snapshots]\ninterval = 3")
}

#[test]
fn sees_the_same_whoever_runs_it() {
    let lab = Lab::new();
    lab.run(&experiment(), &["--name", "one", "--threads", "1"])
        .exits(0);
    lab.run(&experiment(), &["--name", "two", "--threads", "2"])
        .exits(0);
    Outcome::of(&lab, "two").must_equal(&Outcome::of(&lab, "one"));
}

#[test]
fn sees_the_same_when_its_run_was_cut_off_and_goes_on() {
    let lab = Lab::new();
    lab.run(&experiment(), &["--name", "whole"]).exits(0);
    let file = lab.file(&experiment());
    let mut started = lab.start(&["run", &file, "--name", "cut"]);
    let lines = started.lines();
    started.until(|| lines.get() > 12);
    started.kill();
    if lab.status("cut").as_deref() != Some("finished") {
        lab.tune(&["resume", "cut"]).exits(0);
    }
    Outcome::of(&lab, "cut").must_equal(&Outcome::of(&lab, "whole"));
}

#[test]
fn is_not_run_by_who_looks_at_its_file() {
    let lab = Lab::new();
    let path = tune_test_artifacts::TRIAL_SPINS;
    lab.tune(&["plugin", "check", path]).exits(0);
    lab.tune(&["plugin", "inspect", path]).exits(0);
}
