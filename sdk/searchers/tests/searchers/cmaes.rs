//! `cmaes` as the host calls it: quality on numbers, grids and choices, and awkward histories.

use std::collections::BTreeMap;

use tune_plugin::{
    Condition, Config, Ending, FailureKind, Observation, Outcome, Parameter, Report, Searcher,
    Space, Stream, Suggestion, TrialState, Value,
};
use tune_searchers::Cmaes;

use crate::lab::{self, ask, choice, finished, number, real, reals, sphere, whole};

fn start(space: &[Parameter], seed: u64, options: &str) -> Cmaes {
    lab::start(space, seed, options)
}

fn minimum(
    space: &[Parameter],
    options: &str,
    run: (u64, u32, usize),
    loss: impl Fn(&Config) -> f64,
) -> f64 {
    lab::minimum::<Cmaes>(space, options, run, loss)
}

#[test]
fn smooth_functions_are_minimised_sequentially_and_in_parallel() {
    for slots in [1, 8] {
        for seed in 0..3 {
            let best = minimum(&reals(5), "{}", (seed, 500, slots), sphere);
            assert!(best < 1e-3, "{slots} slots, seed {seed}: {best}");
        }
    }
}

#[test]
fn a_model_of_the_results_saves_trials_one_at_a_time_and_in_parallel() {
    let mut mixed = reals(4);
    mixed.push(choice("k", &["a", "b", "c"]));
    let loss = |c: &Config| {
        let tilted = number(c, "x0") - 3.0 * number(c, "x1") + 2.6;
        let wrong = c.get("k").is_some_and(|k| *k != Value::from("b"));
        sphere(c) + tilted * tilted + f64::from(u8::from(wrong))
    };
    for (space, slots) in [(reals(4), 1), (reals(4), 8), (mixed.clone(), 1), (mixed, 8)] {
        let decades = |options: &str| {
            let runs = (0..6).map(|seed| minimum(&space, options, (seed, 120, slots), loss));
            runs.map(|best| libm::log10(best.max(1e-8))).sum::<f64>() / 6.0
        };
        let (with, without) = (decades("{}"), decades(r#"{"surrogate":false}"#));
        let gain = if slots == 1 { 2.0 } else { 0.5 };
        assert!(
            with < without - gain,
            "{slots} slots: {with} with, {without} without"
        );
    }
}

#[test]
fn a_minimum_at_the_edge_of_a_region_that_fails_is_found() {
    // Where the values point to, every trial fails.
    let loss = |c: &Config| match number(c, "x0") {
        x0 if x0 < 3.0 => f64::NAN,
        _ => sphere(c),
    };
    // At 3 in one parameter, and as good as it can be in the others.
    let hits =
        (0..12).filter(|seed| minimum(&reals(3), "{}", (*seed, 300, 1), loss) < 1.2 * 1.7 * 1.7);
    assert!(hits.count() >= 8);
}

#[test]
fn a_bound_that_holds_the_minimum_is_reached() {
    let edge = |c: &Config| number(c, "x0") + number(c, "x1");
    let best = minimum(&reals(2), "{}", (1, 300, 1), edge);
    assert!(best < -9.99, "{best}");
}

#[test]
fn whole_numbers_are_found_because_their_neighbours_stay_within_reach() {
    let mut space = reals(2);
    space.extend([whole("a", 0, 30), whole("b", 0, 30), whole("c", 0, 1)]);
    let loss = |c: &Config| {
        let away = |name, to: f64| (number(c, name) - to).powi(2);
        let real = (number(c, "x0") - 1.0).powi(2) + (number(c, "x1") - 1.0).powi(2);
        away("a", 22.0) + away("b", 3.0) + 10.0 * (1.0 - number(c, "c")) + real
    };
    let found = |options: &str| {
        let hits = (0..10).filter(|seed| minimum(&space, options, (*seed, 400, 4), loss) < 0.1);
        hits.count()
    };
    let (with, without) = (found("{}"), found(r#"{"with_margin":false}"#));
    assert!(
        with >= 8 && with >= without,
        "{with} with margin, {without} without"
    );
}

#[test]
fn choices_are_learned_beside_numbers() {
    let mut space = reals(3);
    let names = ["a", "b", "c", "d", "e"];
    space.extend([choice("k", &names), choice("l", &names)]);
    let loss = |c: &Config| {
        let wrong = |name, best| f64::from(u8::from(c.get(name) != Some(&Value::from(best))));
        sphere(c) + 5.0 * wrong("k", "d") + 5.0 * wrong("l", "b")
    };
    let hits = (0..10).filter(|seed| minimum(&space, "{}", (*seed, 400, 4), loss) < 0.1);
    assert!(hits.count() >= 8);
    // And choices alone, which are a small discrete space: all of it is tried, then the end.
    let only = [choice("k", &names), choice("l", &names)];
    let mut cmaes = start(&only, 1, "{}");
    let mut trials = 0;
    while ask(&mut cmaes, trials).is_some() {
        cmaes.complete(trials, &finished(f64::from(trials % 7)));
        trials += 1;
    }
    assert_eq!(trials, 25);
}

#[test]
fn many_local_minima_are_left_by_restarts() {
    let rastrigin = |c: &Config| {
        let term = |x: f64| 10.0 + x * x - 10.0 * libm::cos(std::f64::consts::TAU * x);
        c.iter()
            .filter_map(|(_, v)| v.as_f64())
            .map(term)
            .sum::<f64>()
    };
    let mean = |strategy: &str| {
        let options = format!(r#"{{"restart_strategy":"{strategy}"}}"#);
        let best = (0..6).map(|seed| minimum(&reals(3), &options, (seed, 4_000, 1), rastrigin));
        best.sum::<f64>() / 6.0
    };
    let (none, ipop, bipop) = (mean("none"), mean("ipop"), mean("bipop"));
    assert!(
        ipop < 0.5 * none && bipop < 0.8 * none,
        "{none} {ipop} {bipop}"
    );
}

#[test]
fn five_hundred_dimensions_are_handled_by_variances_alone() {
    let best = minimum(&reals(500), "{}", (1, 400, 8), sphere);
    let first = minimum(&reals(500), "{}", (1, 20, 8), sphere);
    assert!(best < first, "{best} {first}");
}

#[test]
fn failures_values_that_are_no_number_and_constants_do_no_harm() {
    let mut cmaes = start(&reals(3), 5, "{}");
    for trial in 0..300 {
        assert!(ask(&mut cmaes, trial).is_some());
        let outcome = match trial % 4 {
            0 => finished(f64::NAN),
            1 => finished(f64::INFINITY),
            2 => Outcome {
                ending: Ending::Failed(FailureKind::Trap),
                last: None,
            },
            _ => finished(7.0),
        };
        cmaes.complete(trial, &outcome);
    }
    // Unknown trials, a trial told twice, and one that paused before.
    cmaes.complete(9_999, &finished(1.0));
    cmaes.complete(3, &finished(1.0));
    ask(&mut cmaes, 400);
    let report = Report::default()
        .with("loss", 3.0)
        .with("training_iteration", 2.0);
    cmaes.observe(400, &report, TrialState::Paused);
    cmaes.complete(400, &finished(2.0));
    assert!(ask(&mut cmaes, 401).is_some());
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
    assert!(minimum(&space, "{}", (2, 400, 4), loss) < 0.1);
}

#[test]
fn earlier_results_shape_the_first_distribution() {
    let mut stream = Stream::new(8);
    let space = Space::new(reals(4)).unwrap();
    let known: Vec<Observation> = (0..200)
        .map(|_| {
            let config = space.sample(&mut stream, &Config::new()).unwrap();
            let outcome = finished(sphere(&config));
            Observation {
                config,
                last: outcome.last,
                ending: outcome.ending,
            }
        })
        .collect();
    let mean_of_first = |known: &[Observation]| {
        let mut cmaes = start(&reals(4), 1, "{}");
        cmaes.seed_with(known);
        (0..30)
            .map(|trial| sphere(&ask(&mut cmaes, trial).unwrap()))
            .sum::<f64>()
            / 30.0
    };
    let (cold, warm) = (mean_of_first(&[]), mean_of_first(&known));
    assert!(warm < cold, "{warm} {cold}");
}

#[test]
fn pinned_values_stay_and_are_learned_from() {
    let mut cmaes = start(&reals(3), 1, "{}");
    let pinned: Config = [("x1".to_owned(), Value::Number(4.5))]
        .into_iter()
        .collect();
    for trial in 0..60 {
        let Suggestion::Configure(proposal) = cmaes.suggest(trial, &pinned).unwrap() else {
            panic!("it suggests")
        };
        assert_eq!(number(&proposal.config, "x1"), 4.5);
        cmaes.complete(trial, &finished(sphere(&proposal.config)));
    }
}

#[test]
fn the_same_results_give_the_same_suggestions() {
    let run = || {
        let mut cmaes = start(
            &reals(3),
            11,
            r#"{"restart_strategy":"bipop","lr_adapt":true}"#,
        );
        let mut all = BTreeMap::new();
        for trial in 0..200 {
            let config = ask(&mut cmaes, trial).unwrap();
            cmaes.complete(trial, &finished(sphere(&config)));
            all.insert(trial, format!("{config:?}"));
        }
        all
    };
    assert_eq!(run(), run());
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let refused = lab::try_start::<Cmaes>(&reals(2), 1, r#"{"popsize":1}"#).unwrap_err();
    assert!(refused.contains("popsize"), "{refused}");
}
