//! `bohb` as the host calls it: quality on numbers, grids and choices, and awkward histories.

#![cfg(test)]

use tune_plugin::{
    Condition, Config, Domain, Ending, FailureKind, Objective, Observation, Outcome, Parameter,
    RealRange, Report, Searcher, Setup, Space, Suggestion, TrialId, TrialState, Value, WholeRange,
    parse_options,
};
use tune_searcher_bohb::Bohb;

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

fn try_start(space: &[Parameter], seed: u64, options: &str) -> Result<Bohb, String> {
    let setup = Setup {
        space: space.to_vec(),
        objectives: vec![Objective {
            metric: "loss".to_owned(),
            maximize: false,
        }],
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: Some(9.0),
        trials: None,
        slots: 8,
        seed,
        options: options.to_owned(),
    };
    Bohb::init(&setup, parse_options(options).unwrap()).map_err(|e| format!("{e:?}"))
}

fn start(space: &[Parameter], seed: u64, options: &str) -> Bohb {
    try_start(space, seed, options).unwrap()
}

fn ask(bohb: &mut Bohb, trial: TrialId) -> Option<Config> {
    match bohb.suggest(trial, &Config::new()).unwrap() {
        Suggestion::Configure(proposal) => Some(proposal.config),
        Suggestion::Exhausted => None,
        Suggestion::Wait => panic!("bohb never waits"),
    }
}

fn finished(loss: f64) -> Outcome {
    Outcome {
        ending: Ending::Finished,
        last: Some(
            Report::default()
                .with("loss", loss)
                .with("training_iteration", 9.0),
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
    let mut bohb = start(space, seed, options);
    let checked = Space::new(space.to_vec()).unwrap();
    let mut running = std::collections::VecDeque::new();
    let mut best = f64::INFINITY;
    for trial in 0..trials {
        if running.len() == slots {
            let (trial, loss) = running.pop_front().unwrap();
            bohb.complete(trial, &finished(loss));
        }
        let Some(config) = ask(&mut bohb, trial) else {
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

fn report(loss: f64, t: f64) -> Report {
    Report::default()
        .with("loss", loss)
        .with("training_iteration", t)
}

#[test]
fn it_gets_better_than_random_draws_and_conditions_and_choices_are_kept() {
    let mut child = real("x");
    child.conditions.push(Condition {
        parent: "k".to_owned(),
        among: vec![Value::from("a")],
    });
    let space = [
        choice("k", &["a", "b", "c"]),
        child,
        real("y"),
        whole("n", 0, 100),
    ];
    let loss = |c: &Config| {
        let x = c
            .get("x")
            .map_or(4.0, |x| (x.as_f64().unwrap() - 2.0).powi(2));
        x + number(c, "y").powi(2) + (number(c, "n") - 70.0).powi(2) / 100.0
    };
    let mean = |options: &str| {
        let best = (0..10).map(|seed| minimum(&space, options, (seed, 150, 4), loss));
        best.sum::<f64>() / 10.0
    };
    let (model, random) = (mean("{}"), mean(r#"{"random_fraction":1.0}"#));
    assert!(model < 0.8 * random, "{model} {random}");
}

#[test]
fn smooth_functions_are_minimised_and_narrower_densities_would_do_worse() {
    let mean = |options: &str| {
        let best = (0..10).map(|seed| minimum(&reals(3), options, (seed, 150, 1), sphere));
        best.sum::<f64>() / 10.0
    };
    let (default, narrow) = (mean("{}"), mean(r#"{"min_bandwidth":0.001}"#));
    assert!(default < 0.2 && default < narrow, "{default} {narrow}");
}

#[test]
fn the_largest_budget_with_enough_results_has_the_model() {
    // At budget 1 small values are good, at budget 9 large ones.
    let mut bohb = start(&reals(1), 3, r#"{"num_samples":200}"#);
    let mut trial = 0;
    let mut tell = |bohb: &mut Bohb, large: bool| {
        let x = number(&ask(bohb, trial).unwrap(), "x0");
        bohb.observe(trial, &report(x, 1.0), TrialState::Running);
        if large {
            bohb.observe(trial, &report(-x, 9.0), TrialState::Running);
            bohb.complete(trial, &finished(-x));
        }
        trial += 1;
        x
    };
    for _ in 0..40 {
        tell(&mut bohb, false);
    }
    let low = (0..20).map(|_| tell(&mut bohb, false)).sum::<f64>() / 20.0;
    assert!(low < -2.5, "{low}");
    for _ in 0..40 {
        tell(&mut bohb, true);
    }
    let high = (0..20).map(|_| tell(&mut bohb, true)).sum::<f64>() / 20.0;
    assert!(high > 2.5, "{high}");
}

#[test]
fn only_the_first_result_at_or_past_a_budget_counts() {
    let mut bohb = start(&reals(1), 1, "{}");
    ask(&mut bohb, 0);
    for (loss, t) in [
        (5.0, 2.0),
        (4.0, 3.0),
        (1.0, 4.0),
        (f64::NAN, 9.0),
        (0.0, 10.0),
    ] {
        bohb.observe(0, &report(loss, t), TrialState::Running);
    }
    let held = format!("{bohb:?}");
    // By budget 9, 3, 1.
    assert!(held.contains("losses: [inf, 4.0, 5.0]"), "{held}");
}

#[test]
fn a_discrete_space_is_suggested_whole_and_then_exhausted() {
    let mut bohb = start(&[choice("k", &["a", "b"]), whole("n", 1, 9)], 1, "{}");
    let mut trials = 0;
    while ask(&mut bohb, trials).is_some() {
        bohb.complete(trials, &finished(f64::from(trials % 5)));
        trials += 1;
    }
    assert_eq!(trials, 18);
}

#[test]
fn failures_values_that_are_no_number_and_constants_do_no_harm() {
    let mut bohb = start(&[real("x"), choice("k", &["a"]), whole("n", 1, 1)], 5, "{}");
    for trial in 0..100 {
        assert!(ask(&mut bohb, trial).is_some());
        let outcome = match trial % 4 {
            0 => finished(f64::NAN),
            1 => finished(f64::INFINITY),
            2 => Outcome {
                ending: Ending::Failed(FailureKind::Trap),
                last: None,
            },
            _ => finished(7.0),
        };
        bohb.complete(trial, &outcome);
    }
    bohb.complete(9_999, &finished(2.0));
    bohb.observe(9_999, &report(1.0, 1.0), TrialState::Paused);
    assert!(ask(&mut bohb, 401).is_some());
}

#[test]
fn earlier_results_have_a_model_and_pinned_values_stay() {
    let known: Vec<Observation> = (0..60)
        .map(|i| {
            let x = f64::from(i) / 6.0 - 5.0;
            Observation {
                config: [("x0".to_owned(), Value::Number(x))].into_iter().collect(),
                last: finished((x - 1.3).powi(2)).last,
                ending: Ending::Finished,
            }
        })
        .collect();
    let mut bohb = start(&reals(1), 1, r#"{"random_fraction":0.0}"#);
    bohb.seed_with(&known);
    let mean = (0..20)
        .map(|i| number(&ask(&mut bohb, i).unwrap(), "x0"))
        .sum::<f64>()
        / 20.0;
    assert!((mean - 1.3).abs() < 1.0, "{mean}");
    let pinned: Config = [("x0".to_owned(), Value::Number(4.5))]
        .into_iter()
        .collect();
    let Suggestion::Configure(proposal) = bohb.suggest(99, &pinned).unwrap() else {
        panic!("it suggests")
    };
    assert_eq!(number(&proposal.config, "x0"), 4.5);
}
