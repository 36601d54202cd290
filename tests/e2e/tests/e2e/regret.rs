//! The stop rule `regret`: the run ends when the searcher says that no result can be much better.

use crate::{
    crash::{Victim, undisturbed},
    dice::Dice,
    experiment::Experiment,
    lab::Lab,
};

/// Branin's values lie between 0.4 and 300.
fn experiment() -> Experiment {
    Experiment::branin(80)
        .table("[searcher]\nplugin = \"gp\"")
        .table("[stop]\nregret = 2.0")
}

#[test]
fn a_run_ends_once_no_result_can_be_much_better_and_says_so() {
    let lab = Lab::new();
    let run = lab.run(&experiment(), &[]).exits(0).says(&[
        "no result can be better than the best by more than",
        "`regret` ends the run",
    ]);
    let trials = lab.show("branin")["trials"].as_array().unwrap().len();
    assert!((10..80).contains(&trials), "{trials} trials: {run}");
}

#[test]
fn it_ends_at_the_same_trial_after_a_kill() {
    let lab = Lab::new();
    let (whole, lines) = undisturbed(&lab, &experiment());
    let mut dice = Dice::of("regret");
    let victim = Victim::new(&lab, experiment(), "killed", lines);
    victim.killed(&mut dice);
    victim.finish().must_equal(&whole);
}

#[test]
fn a_searcher_that_cannot_bound_it_is_refused_before_the_run() {
    let lab = Lab::new();
    let tpe = experiment().table("[searcher]\nplugin = \"tpe\"");
    lab.run(&tpe, &[]).exits(2).says(&[
        "`tpe` does not say how much better a result could be",
        "searcher = \"gp\"",
    ]);
    assert!(!lab.path("runs").exists());
}
