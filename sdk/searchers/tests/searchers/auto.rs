//! `auto` as the host calls it: what it chooses, and that nothing is lost when another takes over.

use std::collections::BTreeSet;

use tune_plugin::{
    Config, Domain, Ending, FailureKind, Observation, Outcome, Parameter, RealRange, Report,
    Searcher, Setup, Space, Stream, Suggestion, TrialId, TrialState, WholeRange, log,
    parse_options,
};
use tune_searchers::{Auto, Cmaes, GpSearch};

use crate::lab::minimum;

fn real(name: &str) -> Parameter {
    let (low, high, log, step) = (-5.0, 5.0, false, None);
    let domain = Domain::Real(RealRange {
        low,
        high,
        log,
        step,
    });
    parameter(name, domain)
}

fn whole(name: &str, high: i64) -> Parameter {
    let (low, log, step) = (1, false, None);
    let domain = Domain::Whole(WholeRange {
        low,
        high,
        log,
        step,
    });
    parameter(name, domain)
}

fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn setup(space: &[Parameter], trials: u32) -> Setup {
    Setup {
        trials: Some(trials),
        ..crate::lab::setup(space, 3, "{}")
    }
}

fn start(space: &[Parameter], trials: u32) -> Auto {
    let _ = log::native::take();
    Auto::init(&setup(space, trials), parse_options("{}").unwrap()).unwrap()
}

fn ask(auto: &mut Auto, trial: TrialId) -> Option<Config> {
    match auto.suggest(trial, &Config::new()).unwrap() {
        Suggestion::Configure(proposal) => Some(proposal.config),
        Suggestion::Exhausted => None,
        Suggestion::Wait => panic!("it never waits"),
    }
}

fn report(loss: f64) -> Report {
    Report::default()
        .with("loss", loss)
        .with("training_iteration", 1.0)
}

fn finished(loss: f64) -> Outcome {
    Outcome {
        ending: Ending::Finished,
        last: Some(report(loss)),
    }
}

fn distance(config: &Config) -> f64 {
    let off = |(_, value): (&str, &tune_plugin::Value)| value.as_f64().unwrap_or(0.0) - 2.0;
    config.iter().map(off).map(|x| x * x).sum()
}

fn said() -> Vec<String> {
    log::native::take()
        .into_iter()
        .map(|(_, line)| line)
        .collect()
}

#[test]
fn it_says_at_once_what_it_will_do_and_again_when_another_takes_over() {
    let mut auto = start(&[real("x"), real("y")], 40);
    assert_eq!(
        said(),
        [
            "sobol, from 10 results on gp and cmaes in turns: 40 trials, few enough to model them all"
        ]
    );
    for trial in 0..12 {
        let config = ask(&mut auto, trial).unwrap();
        auto.complete(trial, &finished(distance(&config)));
    }
    assert_eq!(
        said(),
        ["gp and cmaes in turns from here on: 10 results are known"]
    );
}

/// Begins with so many results of random configurations.
fn start_with(known: u32, trials: u32) -> Auto {
    let mut auto = start(&[real("x"), real("y")], trials);
    let mut stream = Stream::new(1);
    let mut anywhere = || 10.0 * stream.unit() - 5.0;
    let known: Vec<Observation> = (0..known)
        .map(|_| {
            let named = ["x", "y"].map(|name| (name.to_owned(), anywhere().into()));
            let config: Config = named.into_iter().collect();
            Observation {
                last: Some(report(distance(&config))),
                config,
                ending: Ending::Finished,
            }
        })
        .collect();
    auto.seed_with(&known);
    auto
}

#[test]
fn a_third_one_joins_late_and_nothing_that_is_known_is_lost() {
    let mut auto = start_with(245, 600);
    let mut best = f64::INFINITY;
    for trial in 0..60 {
        let loss = distance(&ask(&mut auto, trial).unwrap());
        best = best.min(loss);
        auto.complete(trial, &finished(loss));
    }
    assert!(best < 1e-3, "{best}");
    assert_eq!(
        said()[1..],
        [
            "gp and cmaes in turns from here on: 245 results are known",
            "in turns with cmaes from here on: 250 results are known",
        ]
    );
}

#[test]
fn cmaes_goes_on_where_the_others_have_found_the_minimum() {
    let mut auto = start_with(990, 1_600);
    let mut best = f64::INFINITY;
    for trial in 0..110 {
        let config = ask(&mut auto, trial).unwrap();
        let loss = distance(&config);
        // Its first distribution is not the middle of the space with a sixth of its width. Later it has
        // converged and begins anew elsewhere.
        assert!(
            !(10..60).contains(&trial) || loss < 8.0,
            "trial {trial}: {loss}"
        );
        best = best.min(loss);
        auto.complete(trial, &finished(loss));
    }
    assert!(best < 0.01, "{best}");
    assert_eq!(
        said()[1..],
        [
            "gp and cmaes in turns from here on: 990 results are known",
            "in turns with cmaes from here on: 990 results are known",
            "cmaes from here on: 1000 results are known",
        ]
    );
}

#[test]
fn in_turns_they_are_ahead_of_the_worse_one_whichever_that_is() {
    fn decades<S: Searcher>(space: &[Parameter], loss: impl Fn(&[f64]) -> f64) -> f64 {
        let loss = |c: &Config| {
            let names = space.iter().map(|p| p.name.as_str());
            let x: Vec<f64> = names.map(|name| c.f64(name).unwrap()).collect();
            loss(&x)
        };
        let best = |seed| minimum::<S>(space, "{}", (seed, 80, 1), loss);
        let logs = (0..6).map(|seed| libm::log10(best(seed).max(1e-8)));
        logs.sum::<f64>() / 6.0
    }
    fn all(space: &[Parameter], loss: impl Fn(&[f64]) -> f64 + Copy) -> [f64; 3] {
        [
            decades::<Auto>(space, loss),
            decades::<GpSearch>(space, loss),
            decades::<Cmaes>(space, loss),
        ]
    }
    // A tilted valley that is too narrow for the kernel of `gp`.
    let space = [real("x"), real("y"), real("z")];
    let [auto, gp, cmaes] = all(&space, |x| {
        let [x, y, z] = [x[0], x[1], x[2]].map(|x| x - 1.3);
        x * x + 1e4 * (y - x) * (y - x) + (z + y) * (z + y)
    });
    assert!(cmaes < gp - 2.0 && auto < gp - 2.0, "{auto} {gp} {cmaes}");
    // A wide basin in the way of `cmaes`, and the deeper one in a corner.
    let [auto, gp, cmaes] = all(&space[..2], |x| {
        let square = |x: f64| x * x;
        let wide = 1.0 + 0.05 * (square(x[0] - 2.0) + square(x[1] - 1.0));
        wide.min(square(x[0] + 4.0) + square(x[1] + 3.0))
    });
    assert!(
        gp < cmaes - 1.0 && auto < cmaes - 1.0,
        "{auto} {gp} {cmaes}"
    );
}

#[test]
fn no_configuration_comes_twice_whoever_suggests() {
    let space = [whole("a", 6), whole("b", 5)];
    let mut auto = start(&space, 100);
    let names = Space::new(space.to_vec()).unwrap();
    let mut seen = BTreeSet::new();
    // Four of them always run, so that each one that takes over finds running ones.
    let mut trial = 0;
    while let Some(config) = ask(&mut auto, trial) {
        assert!(seen.insert(names.fingerprint(&config)), "{config:?}");
        if let Some(ended) = trial.checked_sub(4) {
            auto.complete(ended, &finished(f64::from(ended)));
        }
        trial += 1;
    }
    assert_eq!(seen.len(), 30);
    assert_eq!(said().len(), 2);
}

#[test]
fn failures_and_values_that_are_no_number_are_no_results() {
    let mut auto = start(&[real("x")], 100);
    let failed = Outcome {
        ending: Ending::Failed(FailureKind::Trap),
        last: None,
    };
    for trial in 0..40 {
        ask(&mut auto, trial).unwrap();
        match trial % 2 {
            0 => auto.complete(trial, &failed),
            _ => auto.complete(trial, &finished(f64::NAN)),
        }
    }
    assert_eq!(said().len(), 1, "it still fills the space");
}

#[test]
fn paused_trials_are_results_once_and_earlier_runs_are_too() {
    let mut auto = start(&[real("x")], 100);
    for trial in 0..9 {
        ask(&mut auto, trial).unwrap();
        for _ in 0..3 {
            auto.observe(trial, &report(1.0), TrialState::Paused);
        }
    }
    ask(&mut auto, 9).unwrap();
    assert_eq!(said().len(), 1, "nine results");
    auto.complete(0, &finished(0.5));
    ask(&mut auto, 10).unwrap();
    assert_eq!(said().len(), 0, "still nine");
    auto.complete(9, &finished(0.5));
    ask(&mut auto, 11).unwrap();
    assert_eq!(
        said(),
        ["gp and cmaes in turns from here on: 10 results are known"]
    );

    let mut auto = start(&[real("x")], 100);
    let known = |i: i32| Observation {
        config: [("x".to_owned(), f64::from(i).into())]
            .into_iter()
            .collect(),
        last: Some(report(f64::from(i * i))),
        ending: Ending::Finished,
    };
    auto.seed_with(&(-5..5).map(known).collect::<Vec<_>>());
    for trial in 0..2 {
        let config = ask(&mut auto, trial).unwrap();
        let x = config.f64("x").unwrap();
        assert!(x.abs() < 2.5, "both models know them: {x}");
    }
}

#[test]
fn without_a_metric_it_fills_the_space() {
    let setup = Setup {
        objectives: Vec::new(),
        ..setup(&[real("x"), real("y")], 100)
    };
    let _ = log::native::take();
    let mut auto = Auto::init(&setup, parse_options("{}").unwrap()).unwrap();
    assert_eq!(said(), ["sobol: no metric to improve is named"]);
    for trial in 0..30 {
        ask(&mut auto, trial).unwrap();
        auto.complete(trial, &finished(1.0));
    }
    assert_eq!(said().len(), 0);
}
