//! Snapshots of shipped searchers and schedulers: they answer as if nothing had happened.

use tune_core::records::{
    Config, Creation, Domain, Ending, Objective, Observation, Outcome, Parameter, RealRange,
    Report, Setup, Suggestion, TrialState,
};
use tune_core::{Limits, Metering};
use tune_runtime::{Plugin, SchedulerInstance, SearcherInstance};

use crate::load;

fn shipped(name: &str) -> Plugin {
    let found = tune_embedded::all().iter().find(|p| p.name == name);
    load(found.unwrap().bytes, Metering::Fuel).unwrap()
}

fn setup() -> Setup {
    let real = |name: &str| Parameter {
        name: name.to_owned(),
        domain: Domain::Real(RealRange {
            low: 0.0,
            high: 1.0,
            log: false,
            step: None,
        }),
        conditions: Vec::new(),
    };
    Setup {
        space: vec![real("x"), real("y")],
        objectives: vec![Objective {
            metric: "loss".to_owned(),
            maximize: false,
        }],
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: Some(9.0),
        trials: Some(100),
        slots: 4,
        seed: 5,
        options: String::new(),
    }
}

fn report(loss: f64) -> Report {
    let mut report = Report::default();
    for (name, value) in [("loss", loss), ("training_iteration", 1.0)] {
        report.metrics.push(tune_core::records::Metric {
            name: name.into(),
            value,
        });
    }
    report
}

fn suggest(searcher: &mut SearcherInstance, trials: std::ops::Range<u32>) -> Vec<Config> {
    let mut configs = Vec::new();
    for trial in trials {
        let suggestion = searcher.suggest(trial, &Config::new()).unwrap().unwrap();
        let proposal = match suggestion {
            Suggestion::Configure(proposal) => Some(proposal),
            Suggestion::Wait | Suggestion::Exhausted => None,
        };
        let proposal = proposal.unwrap();
        let x = proposal.config.get("x").unwrap();
        let loss = format!("{x:?}").len() as f64 + f64::from(trial % 3);
        searcher
            .observe(trial, &report(loss), TrialState::Ended)
            .unwrap();
        let outcome = Outcome {
            ending: Ending::Finished,
            last: Some(report(loss)),
        };
        searcher.complete(trial, &outcome).unwrap();
        configs.push(proposal.config);
    }
    configs
}

#[test]
fn a_searcher_goes_on_from_a_snapshot() {
    let (plugin, setup, limits) = (shipped("tpe"), setup(), Limits::default());
    let mut searcher = plugin.searcher(&setup, &limits).unwrap();
    let known = Observation {
        config: suggest(&mut searcher, 0..1).remove(0),
        last: Some(report(1.0)),
        ending: Ending::Finished,
    };
    searcher.seed_with(&[known]).unwrap();
    suggest(&mut searcher, 1..30);
    let snapshot = searcher.snapshot().unwrap();
    let expected = suggest(&mut searcher, 30..50);
    let mut restored = plugin.restore_searcher(&snapshot, &setup, &limits).unwrap();
    assert_eq!(suggest(&mut restored, 30..50), expected);
    assert_eq!(
        restored.snapshot().unwrap().state_hash().unwrap(),
        searcher.snapshot().unwrap().state_hash().unwrap()
    );
}

fn decide(scheduler: &mut SchedulerInstance, trials: std::ops::Range<u32>) -> Vec<String> {
    let mut answers = Vec::new();
    for trial in trials {
        answers.push(format!(
            "{:?}",
            scheduler.on_add(trial, &Config::new()).unwrap()
        ));
        let loss = f64::from(trial * 7919 % 101);
        answers.push(format!(
            "{:?}",
            scheduler.on_result(trial, &report(loss)).unwrap()
        ));
        answers.push(format!(
            "{:?}",
            scheduler.next_to_run(Creation::Possible).unwrap()
        ));
    }
    answers.push(scheduler.describe().unwrap());
    answers
}

#[test]
fn a_scheduler_goes_on_from_a_snapshot() {
    let (plugin, setup, limits) = (shipped("asha"), setup(), Limits::default());
    let mut scheduler = plugin.scheduler(&setup, &limits).unwrap();
    decide(&mut scheduler, 0..30);
    let snapshot = scheduler.snapshot().unwrap();
    let expected = decide(&mut scheduler, 30..60);
    let mut restored = plugin
        .restore_scheduler(&snapshot, &setup, &limits)
        .unwrap();
    assert_eq!(decide(&mut restored, 30..60), expected);
}

#[test]
fn a_state_of_another_plugin_is_refused_by_name() {
    let (setup, limits) = (setup(), Limits::default());
    let snapshot = shipped("tpe")
        .searcher(&setup, &limits)
        .unwrap()
        .snapshot()
        .unwrap();
    let error = shipped("random").restore_searcher(&snapshot, &setup, &limits);
    let fault = error.err().unwrap();
    assert!(fault.message.contains("another file"), "{fault}");
    let error = shipped("asha").restore_searcher(&snapshot, &setup, &limits);
    assert!(error.err().unwrap().message.contains("is a scheduler"));
}
