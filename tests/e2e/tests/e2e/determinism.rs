//! The same file and seed give the same decisions, whatever the machine does meanwhile.

use crate::{experiment::Experiment, lab::Lab};

#[test]
fn two_runs_of_a_file_are_equal_with_one_thread_and_with_two() {
    let lab = Lab::new();
    let experiment = Experiment::digits(10);
    lab.run(&experiment, &["--threads", "1", "--name", "one"])
        .exits(0);
    lab.run(&experiment, &["--threads", "2", "--name", "two"])
        .exits(0);
    assert_eq!(lab.digest("one"), lab.digest("two"));
    let said = lab.tune(&["compare", "one", "two"]).exits(0);
    assert!(said.stdout.contains("equal"), "{said}");
    let json = lab
        .tune(&["compare", "one", "two", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(json["equal"], true);
}

#[test]
fn another_seed_differs_and_compare_names_the_first_row() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(6), &["--name", "seven"])
        .exits(0);
    lab.run(&Experiment::branin(6).top("seed = 8"), &["--name", "eight"])
        .exits(0);
    let said = lab.tune(&["compare", "seven", "eight"]);
    assert!(
        said.stdout.contains("differs") && said.stdout.contains("row 0"),
        "{said}"
    );
    assert!(said.stdout.contains("seed: 7, 8"), "the reason: {said}");
    let json = lab
        .tune(&["compare", "seven", "eight", "--format", "json"])
        .json();
    assert_eq!(json["equal"], false);
    assert_eq!(json["runs"][1]["difference"]["sequence"], 0);
}

#[test]
fn names_threads_and_outputs_change_no_decision() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(6), &["--name", "plain"])
        .exits(0);
    let other = Experiment::branin(6)
        .top("outputs = [\"json\"]\ntime_budget = \"1 h\"")
        .table("[resources]\nthreads = 3");
    lab.run(&other, &["--name", "other"]).exits(0);
    assert_eq!(lab.digest("plain"), lab.digest("other"));
    assert!(!lab.path("runs/other/trials/000000/progress.csv").exists());
    assert!(lab.path("runs/other/trials/000000/result.json").exists());
}

#[test]
fn slots_are_part_of_the_plan() {
    let lab = Lab::new();
    let experiment = Experiment::digits(6).top("max_t = 3");
    lab.run(&experiment, &["--name", "four"]).exits(0);
    lab.run(&experiment.top("slots = 2"), &["--name", "two"])
        .exits(0);
    assert_ne!(lab.digest("four"), lab.digest("two"));
}

/// Epochs come by the wall clock, in the midst of whatever the guest does then: also where the host
/// hands it what it has read, and takes fuel for that.
#[test]
fn fuel_is_the_same_with_epochs_and_without() {
    let lab = Lab::new();
    let fuel = |metering: &str| -> Vec<_> {
        let experiment = Experiment::digits(12)
            .named(metering)
            .top(&format!("metering = {metering:?}"));
        lab.run(&experiment, &[]).exits(0);
        let shown = lab.show(metering);
        let trials = shown["trials"].as_array().unwrap().iter();
        let fuel = trials.map(|trial| trial["last"]["fuel_total"].as_f64().unwrap());
        fuel.collect()
    };
    let alone = fuel("fuel");
    assert_eq!(alone.len(), 12);
    for _ in 0..2 {
        assert_eq!(fuel("full"), alone);
        std::fs::remove_dir_all(lab.path("runs/full")).unwrap();
    }
}
