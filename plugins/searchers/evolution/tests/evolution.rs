//! `evolution` as the host calls it: quality on numbers, grids and choices, and awkward histories.

#![cfg(test)]

use tune_plugin::{
    Condition, Config, Domain, Ending, FailureKind, Objective, Observation, Outcome, Parameter,
    RealRange, Report, Searcher, Setup, Space, Suggestion, TrialId, TrialState, Value, WholeRange,
    parse_options,
};
use tune_searcher_evolution::Evolution;

fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn real(name: &str) -> Parameter {
    let (low, high, log, step) = (-5.0, 5.0, false, None);
    parameter(
        name,
        Domain::Real(RealRange {
            low,
            high,
            log,
            step,
        }),
    )
}

fn whole(name: &str, low: i64, high: i64) -> Parameter {
    let (log, step) = (false, None);
    parameter(
        name,
        Domain::Whole(WholeRange {
            low,
            high,
            log,
            step,
        }),
    )
}

fn choice(name: &str, values: &[&str]) -> Parameter {
    let values = values.iter().map(|v| Value::from(*v)).collect();
    parameter(name, Domain::Choice(values))
}

fn try_start(space: &[Parameter], seed: u64, options: &str) -> Result<Evolution, String> {
    let setup = Setup {
        space: space.to_vec(),
        objectives: vec![Objective {
            metric: "loss".to_owned(),
            maximize: false,
        }],
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 8,
        seed,
        options: options.to_owned(),
    };
    Evolution::init(&setup, parse_options(options).unwrap()).map_err(|e| format!("{e:?}"))
}

fn start(space: &[Parameter], seed: u64, options: &str) -> Evolution {
    try_start(space, seed, options).unwrap()
}

fn ask(evolution: &mut Evolution, trial: TrialId) -> Option<Config> {
    match evolution.suggest(trial, &Config::new()).unwrap() {
        Suggestion::Configure(proposal) => Some(proposal.config),
        Suggestion::Exhausted => None,
        Suggestion::Wait => panic!("evolution never waits"),
    }
}

fn finished(loss: f64) -> Outcome {
    Outcome {
        ending: Ending::Finished,
        last: Some(
            Report::default()
                .with("loss", loss)
                .with("training_iteration", 1.0),
        ),
    }
}

/// The best loss after so many trials, `slots` at a time: a new one begins when the oldest ends.
fn minimum(
    space: &[Parameter],
    options: &str,
    (seed, trials, slots): (u64, u32, usize),
    loss: impl Fn(&Config) -> f64,
) -> f64 {
    let mut evolution = start(space, seed, options);
    let checked = Space::new(space.to_vec()).unwrap();
    let mut running = std::collections::VecDeque::new();
    let mut best = f64::INFINITY;
    for trial in 0..trials {
        if running.len() == slots {
            let (trial, loss) = running.pop_front().unwrap();
            evolution.complete(trial, &finished(loss));
        }
        let Some(config) = ask(&mut evolution, trial) else {
            break;
        };
        checked.check(&config).unwrap();
        let value = loss(&config);
        best = best.min(value);
        running.push_back((trial, value));
    }
    best
}

fn number(config: &Config, name: &str) -> f64 {
    config.get(name).and_then(Value::as_f64).unwrap()
}

fn sphere(config: &Config) -> f64 {
    let numbers = config.iter().filter_map(|(_, value)| value.as_f64());
    numbers.map(|x| (x - 1.3) * (x - 1.3)).sum()
}

fn reals(n: usize) -> Vec<Parameter> {
    (0..n).map(|i| real(&format!("x{i}"))).collect()
}

#[test]
fn it_gets_better_than_its_random_start_sequentially_and_in_parallel() {
    for slots in [1, 8] {
        for seed in 0..3 {
            let start = minimum(&reals(5), "{}", (seed, 100, slots), sphere);
            let end = minimum(&reals(5), "{}", (seed, 1_500, slots), sphere);
            assert!(
                end < 0.02 * start,
                "{slots} slots, seed {seed}: {start} {end}"
            );
        }
    }
}

#[test]
fn choices_and_whole_numbers_are_changed_too() {
    let names = ["a", "b", "c", "d", "e"];
    let space = [
        choice("k", &names),
        choice("l", &names),
        whole("n", 0, 1_000),
    ];
    let loss = |c: &Config| {
        let wrong = |name, best| f64::from(u8::from(c.get(name) != Some(&Value::from(best))));
        (number(c, "n") - 700.0).abs() / 100.0 + 5.0 * wrong("k", "d") + 5.0 * wrong("l", "b")
    };
    let hits = (0..5).filter(|seed| minimum(&space, "{}", (*seed, 600, 4), loss) < 0.1);
    assert!(hits.count() >= 4);
}

#[test]
fn the_oldest_member_leaves_however_good_it_is() {
    // One lucky result is forgotten after a population of others.
    let mut evolution = start(&reals(1), 1, r#"{"population_size":5,"sample_size":5}"#);
    let lucky = ask(&mut evolution, 0).unwrap();
    evolution.complete(0, &finished(-1e9));
    for trial in 1..6 {
        ask(&mut evolution, trial);
        evolution.complete(trial, &finished(f64::from(trial)));
    }
    let far = (0..50).filter(|trial| {
        let child = ask(&mut evolution, 100 + trial).unwrap();
        (number(&child, "x0") - number(&lucky, "x0")).abs() > 3.0
    });
    assert!(far.count() > 0);
}

#[test]
fn a_discrete_space_is_suggested_whole_and_then_exhausted() {
    let mut evolution = start(
        &[choice("k", &["a", "b"]), whole("n", 1, 9)],
        1,
        r#"{"population_size":3}"#,
    );
    let mut trials = 0;
    while ask(&mut evolution, trials).is_some() {
        evolution.complete(trials, &finished(f64::from(trials % 5)));
        trials += 1;
    }
    assert_eq!(trials, 18);
}

#[test]
fn conditional_parameters_are_suggested_only_where_they_are_active() {
    let mut child = real("x");
    child.conditions.push(Condition {
        parent: "k".to_owned(),
        among: vec![Value::from("a")],
    });
    let space = [choice("k", &["a", "b"]), child, real("y")];
    let loss = |c: &Config| match c.get("x") {
        Some(x) => (x.as_f64().unwrap() - 2.0).powi(2) + number(c, "y").powi(2),
        None => 4.0 + number(c, "y").powi(2),
    };
    assert!(minimum(&space, "{}", (2, 600, 4), loss) < 0.1);
}

#[test]
fn failures_values_that_are_no_number_and_constants_do_no_harm() {
    let mut evolution = start(&reals(3), 5, r#"{"population_size":8}"#);
    for trial in 0..100 {
        assert!(ask(&mut evolution, trial).is_some());
        let outcome = match trial % 4 {
            0 => finished(f64::NAN),
            1 => finished(f64::INFINITY),
            2 => Outcome {
                ending: Ending::Failed(FailureKind::Trap),
                last: None,
            },
            _ => finished(7.0),
        };
        evolution.complete(trial, &outcome);
    }
    ask(&mut evolution, 400);
    let report = Report::default()
        .with("loss", 3.0)
        .with("training_iteration", 2.0);
    evolution.observe(400, &report, TrialState::Paused);
    evolution.complete(400, &finished(2.0));
    evolution.complete(9_999, &finished(2.0));
    assert!(ask(&mut evolution, 401).is_some());
}

#[test]
fn earlier_results_are_members_and_pinned_values_stay() {
    let known: Vec<Observation> = (0..5)
        .map(|i| Observation {
            config: [("x0".to_owned(), Value::Number(1.3))]
                .into_iter()
                .collect(),
            last: finished(f64::from(i)).last,
            ending: Ending::Finished,
        })
        .collect();
    let mut evolution = start(
        &reals(1),
        1,
        r#"{"population_size":5,"mutation_width":0.01}"#,
    );
    evolution.seed_with(&known);
    assert!((number(&ask(&mut evolution, 0).unwrap(), "x0") - 1.3).abs() < 1.0);
    let pinned: Config = [("x0".to_owned(), Value::Number(4.5))]
        .into_iter()
        .collect();
    let Suggestion::Configure(proposal) = evolution.suggest(1, &pinned).unwrap() else {
        panic!("it suggests")
    };
    assert_eq!(number(&proposal.config, "x0"), 4.5);
}
