//! Population based training: trials go on from the states of others, which nobody saved, with other
//! configurations, which act; and who comes from whom can be seen, and run again.

use serde_json::Value;

use crate::{
    experiment::Experiment,
    lab::{Lab, workspace},
};

/// Some tenths of a second; members of little rate fall behind.
pub(crate) fn population(options: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_DIARY)
        .named("pbt")
        .top("trials = 8\nmax_t = 12\nslots = 8")
        .space("rate = { loguniform = [0.01, 0.3] }\nwork = 200")
        .table("[grants]\nartifact = true")
        .table(&format!(
            "[scheduler]\nplugin = \"pbt\"\nperturbation_interval = 3\n{options}"
        ))
}

/// The lines of a trial's `result.json`: every report with the configuration that led to it.
fn results(lab: &Lab, run: &str, trial: usize) -> Vec<Value> {
    lab.read(&format!("runs/{run}/trials/{trial:06}/result.json"))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The reports on the way to the present state of a trial: its own, and those of the trials that it
/// comes from, up to where it left them.
fn way(lab: &Lab, run: &str, trial: u32) -> Vec<Value> {
    let lineage = lab.trial(run, trial)["lineage"].clone();
    let mut way = Vec::new();
    for stretch in lineage.as_array().unwrap() {
        let whose = stretch["trial"].as_u64().unwrap() as u32;
        let reports = lab.trial(run, whose)["reports"].clone();
        let (from, to) = (&stretch["from"], &stretch["to"]);
        for iteration in from.as_u64().unwrap() + 1..=to.as_u64().unwrap() {
            // A trial may have been at an iteration twice: the later time is the one that it left.
            let reports = reports.as_array().unwrap();
            let at = reports.iter().rev().find(|r| r["iteration"] == iteration);
            way.push(at.unwrap()["metrics"].clone());
        }
    }
    way
}

/// The trials of a run whose way begins with another trial.
fn clones(lab: &Lab, run: &str) -> Vec<u32> {
    let trials = 0..lab.statuses(run).len() as u32;
    let is_clone = |trial: &u32| lab.trial(run, *trial)["lineage"][0]["trial"] != *trial;
    trials.filter(is_clone).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn the_worst_go_on_from_the_best_whether_they_wait_for_each_other_or_not() {
    for options in ["", "synch = true"] {
        let lab = Lab::new();
        lab.run(&population(options), &[]).exits(0);
        assert_eq!(lab.show("pbt")["counts"]["finished"], 8);
        let clones = clones(&lab, "pbt");
        assert!(!clones.is_empty(), "nobody was cloned");
        for trial in clones {
            assert_eq!(way(&lab, "pbt", trial).len(), 12, "trial {trial}");
        }
    }
}

#[test]
fn a_clone_goes_on_after_the_iteration_of_its_donor_and_falls_by_its_new_rate() {
    let lab = Lab::new();
    lab.run(&population(""), &[]).exits(0);
    let mut changed = false;
    for trial in clones(&lab, "pbt") {
        let lineage = lab.trial("pbt", trial)["lineage"].clone();
        let own = lineage.as_array().unwrap();
        let begin = own.iter().position(|s| s["trial"] == trial);
        let Some(begin) = begin.filter(|begin| *begin > 0) else {
            continue;
        };
        let (donor, clone) = (&own[begin - 1], &own[begin]);
        assert_eq!(donor["to"], clone["from"]);
        let whose = donor["trial"].as_u64().unwrap() as usize;
        let reports = results(&lab, "pbt", whose);
        let kept = reports
            .iter()
            .rev()
            .find(|r| r["training_iteration"] == donor["to"]);
        let at = number(&clone["from"]) + 1.0;
        let reports = results(&lab, "pbt", trial as usize);
        let first = reports
            .iter()
            .rev()
            .find(|r| number(&r["training_iteration"]) == at);
        let (kept, first) = (kept.unwrap(), first.unwrap());
        changed |= kept["config"]["rate"] != first["config"]["rate"];
        let place = |result: &Value| number(&result["loss"]).sqrt();
        let expected = place(kept) * (1.0 - number(&first["config"]["rate"]));
        assert!((expected - place(first)).abs() < 0.006, "{kept}\n{first}");
    }
    assert!(changed, "no clone got another rate");
}

#[test]
fn a_training_loop_is_cloned_in_its_middle_and_learns_of_its_new_configuration() {
    let lab = Lab::new();
    let experiment = population("")
        .named("loops")
        .trainable(tune_test_artifacts::TRIAL_COROUTINE)
        .no_space()
        .space("rate = { uniform = [0.5, 2.0] }");
    lab.run(&experiment, &[]).exits(0);
    assert!(!clones(&lab, "loops").is_empty());
    for trial in 0..8 {
        for result in results(&lab, "loops", trial) {
            let round = (11.0 - number(&result["training_iteration"])).max(1.0);
            let rate = number(&result["config"]["rate"]);
            assert_eq!(number(&result["loss"]), round * rate, "{trial}: {result}");
        }
    }
}

#[test]
fn show_tells_who_comes_from_whom() {
    let lab = Lab::new();
    lab.run(&population(""), &[]).exits(0);
    let trial = clones(&lab, "pbt")[0];
    let lineage = lab.trial("pbt", trial)["lineage"].clone();
    let donor = &lineage[0]["trial"];
    let shown = lab.tune(&["show", "pbt", &trial.to_string()]).exits(0);
    let (_, table) = shown.stdout.split_once("lineage\n").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!((rows[0][0], rows[0][2]), ("0", donor.to_string().as_str()));
    assert!(rows[1].contains(&"→"), "a change of its rate: {shown}");
    let run = lab.tune(&["show", "pbt"]).exits(0).stdout;
    assert!(run.contains("clone"), "{run}");
}

#[test]
fn the_lineage_of_the_winner_is_run_again_report_by_report() {
    let lab = Lab::new();
    lab.run(&population(""), &[]).exits(0);
    let best = lab.show("pbt")["best"]["trial"].as_u64().unwrap();
    let clone = u64::from(clones(&lab, "pbt")[0]);
    for trial in [best, clone] {
        let again = population("")
            .named(&format!("again-{trial}"))
            .trials(1)
            .table(&format!(
                "[scheduler]\nplugin = \"pbt-replay\"\nlineage = {{ run = \"pbt\", trial = {trial} }}"
            ));
        lab.run(&again, &[]).exits(0);
        let again = way(&lab, &again.name, 0);
        let first = way(&lab, "pbt", trial as u32);
        assert_eq!(again.len(), first.len());
        for (again, first) in again.iter().zip(&first) {
            // All but what the clocks show: virtual time is that of the run.
            for metric in ["loss", "pages", "visits", "fuel_total", "memory_bytes"] {
                assert_eq!(again[metric], first[metric], "{metric} of trial {trial}");
            }
        }
    }
}

#[test]
fn a_parameter_that_cannot_change_is_refused_before_the_run() {
    let lab = Lab::new();
    let experiment = population("").space("extra = { uniform = [0.0, 1.0] }");
    lab.run(&experiment, &[])
        .exits(2)
        .says(&["extra", "trial-diary", "rate", "hint"]);
    assert!(!lab.path("runs").exists());
    // Named: those that it may change.
    let named = experiment.named("named").table(
        "[scheduler]\nplugin = \"pbt\"\nperturbation_interval = 3\nhyperparam_mutations = [\"rate\"]",
    );
    lab.run(&named, &[]).exits(0);
}

#[test]
fn a_searcher_that_learns_is_refused_before_the_run() {
    let lab = Lab::new();
    let experiment = population("").table("[searcher]\nplugin = \"tpe\"");
    lab.run(&experiment, &[])
        .exits(2)
        .says(&["tpe", "pbt", "random", "hint"]);
    assert!(!lab.path("runs").exists());
}

#[test]
fn more_members_than_slots_and_than_memory_take_turns() {
    let lab = Lab::new();
    // Room for two members of up to 4 MiB: the others wait on the disk.
    let tight = population("synch = true")
        .top("slots = 3")
        .table("[limits]\nmemory = \"4 MiB\"\nrun_memory = \"8 MiB\"");
    let roomy = population("synch = true")
        .top("slots = 3")
        .table("[limits]\nmemory = \"4 MiB\"");
    lab.run(&roomy, &["--name", "roomy"]).exits(0);
    lab.run(&tight, &["--name", "tight"]).exits(0);
    assert_eq!(lab.digest("tight"), lab.digest("roomy"));
    assert!(!clones(&lab, "tight").is_empty());
}

#[test]
fn the_experiment_that_is_shipped_is_accepted() {
    let lab = Lab::new();
    let file = workspace().join("examples/pbt.toml");
    let shorter = std::fs::read_to_string(file)
        .unwrap()
        .replace("max_t = 80", "max_t = 9")
        .replace(
            "../data/digits",
            workspace().join("data/digits").to_str().unwrap(),
        );
    lab.write("pbt.toml", shorter);
    lab.tune(&["run", "pbt.toml"]).exits(0);
    assert!(!clones(&lab, "pbt").is_empty());
    assert!(number(&lab.show("pbt")["best"]["value"]) > 0.8);
}
