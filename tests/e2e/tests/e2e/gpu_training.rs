//! Training on a device that computes: what is on it goes with every state, so a clone's next step is its donor's.

use serde_json::Value;

use crate::{
    experiment::Experiment,
    lab::{Lab, workspace},
};

/// Members of a population that train on the digits; none where there is nothing to compute on.
fn population(lab: &Lab, name: &str) -> Option<Experiment> {
    lab.has_gpu().then(|| {
        let data = workspace().join("data/digits");
        Experiment::of("gpu-mlp")
            .named(name)
            .trials(4)
            .top("metric = \"accuracy\"\nmode = \"max\"\nseed = 7\nslots = 4\nmax_t = 6")
            .space("hidden = 16\nlr = { loguniform = [1e-3, 1.0] }")
            .table(
                "[scheduler]\nplugin = \"pbt\"\nperturbation_interval = 2\nquantile_fraction = 0.5",
            )
            .table("[grants]\ngpu = true")
            .table(&format!("[[data]]\nname = \"digits\"\npath = {data:?}"))
    })
}

/// What a trial said in each iteration that it computed, but for the clock.
fn learned(trial: &Value) -> Vec<(u64, u64, u64)> {
    let bits = |report: &Value, name: &str| report["metrics"][name].as_f64().unwrap().to_bits();
    let reports = trial["reports"].as_array().unwrap().iter();
    reports
        .map(|report| {
            let iteration = report["iteration"].as_u64().unwrap();
            (iteration, bits(report, "loss"), bits(report, "accuracy"))
        })
        .collect()
}

#[test]
fn a_population_comes_out_the_same_whatever_the_threads_and_some_members_are_clones() {
    let lab = Lab::new();
    let Some(experiment) = population(&lab, "one") else {
        return;
    };
    lab.run(&experiment, &["--threads", "1"]).exits(0);
    lab.run(&experiment.named("two"), &["--threads", "2"])
        .exits(0);
    assert_eq!(lab.digest("one"), lab.digest("two"));
    let clones = (0..4).filter(|id| lab.trial("one", *id)["lineage"][0]["trial"] != *id);
    assert!(clones.count() > 0, "nobody was cloned");
}

#[test]
fn the_next_steps_of_a_clone_are_those_of_its_donor() {
    let lab = Lab::new();
    let Some(experiment) = population(&lab, "exp") else {
        return;
    };
    let experiment = experiment.table("[scheduler]\nplugin = \"fifo\"");
    lab.run(&experiment, &[]).exits(0);
    lab.tune(&["fork", "exp", "1@3"]).exits(0);
    let donor = learned(&lab.trial("exp", 1));
    let clone = learned(&lab.trial("exp-fork", 0));
    assert_eq!(clone, donor[3..]);
    assert_eq!(clone.len(), 3);
    // Other numbers on the device would be seen.
    assert_ne!(learned(&lab.trial("exp", 0)), donor);
}

#[test]
fn what_a_limit_of_gpu_time_ended_stays_ended_when_the_run_goes_on() {
    let lab = Lab::new();
    let Some(experiment) = population(&lab, "exp") else {
        return;
    };
    let experiment = experiment
        .trials(2)
        .top("max_t = 100_000")
        .table("[scheduler]\nplugin = \"fifo\"")
        .table("[limits]\ngpu_time_per_trial = \"100 ms\"");
    lab.run(&experiment, &[]).exits(1);
    let before = [lab.trial("exp", 0), lab.trial("exp", 1)];
    for trial in &before {
        assert_eq!(trial["failure_kind"], "deadline", "{trial}");
        let story = trial["failure"].as_str().unwrap();
        assert!(story.contains("gpu_time_per_trial"), "{story}");
    }
    lab.tune(&["resume", "exp", "--trials", "3"]).exits(1);
    assert_eq!([lab.trial("exp", 0), lab.trial("exp", 1)], before);
    assert_eq!(lab.trial("exp", 2)["failure_kind"], "deadline");
}
