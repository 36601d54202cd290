//! The searcher `dehb` gives each trial a budget: how long trials run, and from where promoted ones go
//! on.

use crate::{
    crash::{Victim, undisturbed},
    dice::Dice,
    experiment::Experiment,
    lab::Lab,
};

/// A first bracket of 9, 3 and 1 trials and a second one of 3 and 1.
fn dehb(options: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_DIARY)
        .named("dehb")
        .top("trials = 17\nmax_t = 9\nslots = 1")
        .space("rate = { loguniform = [0.01, 0.3] }\nwork = 200")
        .table("[grants]\nartifact = true")
        .table(&format!("[searcher]\nplugin = \"dehb\"\n{options}"))
        .table("[scheduler]\nplugin = \"fifo\"")
}

/// `training_iteration` of the last report and the number of own reports of each trial.
fn lengths(lab: &Lab, run: &str) -> Vec<(u64, usize)> {
    (0..lab.statuses(run).len() as u32)
        .map(|trial| {
            let trial = lab.trial(run, trial);
            let reached = trial["last"]["training_iteration"].as_f64().unwrap() as u64;
            (reached, trial["reports"].as_array().unwrap().len())
        })
        .collect()
}

#[test]
fn trials_run_as_long_as_their_brackets_say_each_from_the_beginning() {
    let lab = Lab::new();
    lab.run(&dehb(""), &[]).exits(0);
    let lengths = lengths(&lab, "dehb");
    let (reached, own): (Vec<u64>, Vec<usize>) = lengths.into_iter().unzip();
    assert_eq!(reached[..9], [1; 9]);
    assert_eq!(reached[9..], [3, 3, 3, 9, 3, 3, 3, 9]);
    assert!(own.iter().zip(&reached).all(|(n, t)| *n as u64 == *t));
    assert_eq!(lab.show("dehb")["counts"]["finished"], 17);
}

#[test]
fn promoted_trials_go_on_from_the_states_of_those_that_they_were() {
    let lab = Lab::new();
    lab.run(&dehb("continue = true"), &[]).exits(0);
    let lengths = lengths(&lab, "dehb");
    // From 1 to 3 and from 3 to 9; the second bracket begins with new ones.
    assert_eq!(lengths[..9], [(1, 1); 9]);
    assert_eq!(lengths[9..13], [(3, 2), (3, 2), (3, 2), (9, 6)]);
    assert_eq!(lengths[13..], [(3, 3), (3, 3), (3, 3), (9, 6)]);
    for trial in [9, 10, 11, 12, 16] {
        let promoted = lab.trial("dehb", trial);
        let source = promoted["lineage"][0]["trial"].as_u64().unwrap() as u32;
        assert!(source < trial, "{promoted}");
        let source = lab.trial("dehb", source);
        assert_eq!(source["config"], promoted["config"]);
    }
    // A replay makes the same states.
    let said = lab.tune(&["replay", "dehb"]).exits(0);
    assert!(said.stdout.contains("equal"), "{said}");
}

#[test]
fn threads_change_nothing_and_neither_does_a_kill() {
    for options in ["", "continue = true"] {
        let lab = Lab::new();
        let experiment = dehb(options).top("slots = 4").trials(26);
        lab.run(&experiment, &["--threads", "1", "--name", "one"])
            .exits(0);
        lab.run(&experiment, &["--threads", "2", "--name", "two"])
            .exits(0);
        assert_eq!(lab.digest("one"), lab.digest("two"));
        let (whole, lines) = undisturbed(&lab, &experiment);
        let mut dice = Dice::of(&format!("dehb {options}"));
        for name in ["first", "second", "third"] {
            let victim = Victim::new(&lab, experiment.clone(), name, lines);
            victim.killed(&mut dice);
            victim.finish().must_equal(&whole);
        }
    }
}

#[test]
fn a_run_that_is_extended_goes_on_where_its_brackets_were() {
    let lab = Lab::new();
    lab.run(&dehb("").trials(11).named("short"), &[]).exits(0);
    lab.tune(&["resume", "short", "--trials", "17"]).exits(0);
    lab.run(&dehb("").named("whole"), &[]).exits(0);
    assert_eq!(lengths(&lab, "short"), lengths(&lab, "whole"));
}

#[test]
fn a_scheduler_that_decides_too_is_refused_before_the_run() {
    let lab = Lab::new();
    let both = dehb("").table("[scheduler]\nplugin = \"asha\"");
    lab.run(&both, &[]).exits(2).says(&[
        "`dehb` says itself how long a trial runs, and `asha` does so too",
        "scheduler = \"fifo\"",
    ]);
    // Without a `max_t` there are no budgets, and any scheduler will do.
    let experiment = Experiment::branin(4).table("[searcher]\nplugin = \"dehb\"");
    lab.run(&experiment, &[]).exits(0);
    let wrong = dehb("reduction_factor = 1\ncontinue = \"yes\"\neta = 3");
    lab.run(&wrong, &[])
        .exits(2)
        .says(&["reduction_factor", "continue", "eta"]);
    assert!(!lab.path("runs/dehb").exists());
}
