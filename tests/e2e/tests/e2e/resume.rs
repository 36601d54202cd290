//! `resume`: extending a finished run, and what is refused because it would change its past.

use std::fs;

use crate::{experiment::Experiment, lab::Lab};

#[test]
fn a_finished_run_is_extended_and_its_trials_stay_as_they_were() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(5), &[]).exits(0);
    let before = lab.show("branin")["trials"].clone();
    lab.tune(&["resume", "branin", "--trials", "9"]).exits(0);
    let after = lab.show("branin");
    assert_eq!(after["status"], "finished");
    let after = after["trials"].as_array().unwrap();
    assert_eq!(after.len(), 9);
    assert_eq!(&after[..5], before.as_array().unwrap().as_slice());
    assert!(lab.path("runs/branin/trials/000008/result.json").exists());
    // Not fewer than there are.
    let refused = lab.tune(&["resume", "branin", "--trials", "3"]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains('9'), "{refused}");
    assert_eq!(lab.show("branin")["trials"].as_array().unwrap().len(), 9);
}

#[test]
fn a_finished_run_has_nothing_to_resume_and_says_how_to_extend_it() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(3), &[]).exits(0);
    let digest = lab.digest("branin");
    let said = lab.tune(&["resume", "branin"]);
    assert!(said.stderr.contains("--trials"), "{said}");
    assert_eq!(lab.digest("branin"), digest);
}

/// A run of a plugin and data that stand in the lab, extended after a change.
fn refused_after(change: impl Fn(&Lab)) -> crate::lab::Finished {
    let lab = Lab::new();
    fs::copy(tune_test_artifacts::TRIAL_DATA, lab.path("mine.wasm")).unwrap();
    lab.write("data/a.bin", [1, 2, 3]);
    let experiment =
        Experiment::of("./mine.wasm").table("[[data]]\nname = \"numbers\"\npath = \"data\"");
    lab.run(&experiment, &[]).exits(0);
    assert_eq!(lab.trial("exp", 0)["last"]["sum"], 6);
    change(&lab);
    let said = lab.tune(&["resume", "exp", "--trials", "8"]);
    assert_eq!(
        lab.show("exp")["trials"].as_array().unwrap().len(),
        4,
        "{said}"
    );
    said
}

#[test]
fn a_plugin_that_changed_is_refused() {
    let said = refused_after(|lab| {
        fs::copy(tune_test_artifacts::TRIAL_NOOP, lab.path("mine.wasm")).unwrap();
    });
    assert!(matches!(said.code, Some(2 | 3)), "{said}");
    said.says(&["mine", "changed", "hint"]);
}

#[test]
fn data_that_changed_are_refused() {
    let said = refused_after(|lab| {
        lab.write("data/a.bin", [1, 2, 4]);
    });
    said.exits(2).says(&["numbers", "changed", "hint"]);
}

#[test]
fn what_is_no_run_is_named() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(2), &[]).exits(0);
    for verb in ["resume", "show", "best"] {
        let said = lab.tune(&[verb, "brannin"]).exits(2);
        assert!(said.stderr.contains("brannin"), "{said}");
    }
}
