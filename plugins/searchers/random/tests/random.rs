//! `random` as the host calls it.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use tune_plugin::{
    Condition, Config, Domain, Ending, Observation, Parameter, RealRange, Searcher, Setup, Space,
    Suggestion, Value, WholeRange, parse_options,
};
use tune_searcher_random::Random;

fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn real(name: &str) -> Parameter {
    parameter(
        name,
        Domain::Real(RealRange {
            low: 0.0,
            high: 1.0,
            log: false,
            step: None,
        }),
    )
}

fn whole(name: &str, low: i64, high: i64) -> Parameter {
    parameter(
        name,
        Domain::Whole(WholeRange {
            low,
            high,
            log: false,
            step: None,
        }),
    )
}

fn grid(name: &str, values: &[i64]) -> Parameter {
    let values = values.iter().map(|v| Value::Integer(*v)).collect();
    parameter(name, Domain::Ordered(values))
}

fn start(space: &[Parameter], seed: u64, options: &str) -> Random {
    let setup = Setup {
        space: space.to_vec(),
        objectives: Vec::new(),
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 8,
        seed,
        options: options.to_owned(),
    };
    Random::init(&setup, parse_options(options).unwrap()).unwrap()
}

fn ask(random: &mut Random, pinned: &Config) -> Option<Config> {
    match random.suggest(0, pinned).unwrap() {
        Suggestion::Configure(proposal) => Some(proposal.config),
        Suggestion::Exhausted => None,
        Suggestion::Wait => panic!("random never waits"),
    }
}

fn pinned(name: &str, value: i64) -> Config {
    [(name.to_owned(), Value::Integer(value))]
        .into_iter()
        .collect()
}

#[test]
fn draws_repeat_with_the_seed_and_belong_to_the_space() {
    let space = [real("x"), whole("n", 1, 100)];
    let checked = Space::new(space.to_vec()).unwrap();
    let draw = |seed| {
        let mut random = start(&space, seed, "{}");
        (0..50)
            .map(|_| ask(&mut random, &Config::new()).unwrap())
            .collect::<Vec<_>>()
    };
    let first = draw(1);
    assert!(first.iter().all(|c| checked.check(c) == Ok(())));
    assert_eq!(first, draw(1));
    assert_ne!(first, draw(2));
}

#[test]
fn grid_parameters_are_crossed_the_first_name_fastest_and_the_others_drawn_afresh() {
    let space = [real("x"), grid("b", &[1, 2]), grid("a", &[10, 20, 30])];
    let mut random = start(&space, 1, "{}");
    let mut cells = Vec::new();
    let mut drawn = BTreeSet::new();
    for _ in 0..12 {
        let config = ask(&mut random, &Config::new()).unwrap();
        drawn.insert(config.get("x").unwrap().to_string());
        cells.push((
            config.get("a").unwrap().as_f64().unwrap() as i64,
            config.get("b").unwrap().as_f64().unwrap() as i64,
        ));
    }
    let pass = [(10, 1), (20, 1), (30, 1), (10, 2), (20, 2), (30, 2)];
    assert_eq!(cells, [pass, pass].concat());
    assert_eq!(drawn.len(), 12);
}

#[test]
fn points_that_pin_a_grid_parameter_use_up_no_cell() {
    let space = [real("x"), grid("a", &[1, 2, 3])];
    let mut random = start(&space, 1, "{}");
    let a = |config: Option<Config>| config.unwrap().get("a").cloned();
    assert_eq!(a(ask(&mut random, &pinned("a", 3))), Some(3_i64.into()));
    assert_eq!(a(ask(&mut random, &Config::new())), Some(1_i64.into()));
    assert_eq!(a(ask(&mut random, &pinned("a", 3))), Some(3_i64.into()));
    assert_eq!(a(ask(&mut random, &Config::new())), Some(2_i64.into()));
}

#[test]
fn a_discrete_space_is_used_up_without_repetition_and_known_results_count() {
    let mut branch = whole("m", 1, 3);
    branch.conditions.push(Condition {
        parent: "n".to_owned(),
        among: vec![2_i64.into()],
    });
    let space = [whole("n", 1, 40), branch];
    let mut random = start(&space, 9, "{}");
    random.seed_with(&[Observation {
        config: pinned("n", 1),
        last: None,
        ending: Ending::Finished,
    }]);
    let mut seen = BTreeSet::new();
    while let Some(config) = ask(&mut random, &Config::new()) {
        assert!(seen.insert(config.to_string()), "{config} came twice");
    }
    // 39 without n = 1, and n = 2 three times.
    assert_eq!(seen.len(), 39 - 1 + 3);
    // A pinned point is a wish, used up or not.
    assert_eq!(ask(&mut random, &pinned("n", 5)), Some(pinned("n", 5)));
}

#[test]
fn without_unique_draws_go_on_with_repetitions() {
    let mut random = start(&[whole("n", 1, 2)], 9, r#"{"unique": false}"#);
    let mut counts = BTreeMap::new();
    for _ in 0..1_000 {
        let config = ask(&mut random, &Config::new()).unwrap();
        *counts.entry(config.to_string()).or_insert(0) += 1;
    }
    assert!(
        counts.values().all(|c| (440..560).contains(c)),
        "{counts:?}"
    );
}

#[test]
fn a_child_that_is_pinned_makes_its_parent_take_a_value_that_activates_it() {
    let mut child = whole("m", 1, 3);
    child.conditions.push(Condition {
        parent: "n".to_owned(),
        among: vec![7_i64.into()],
    });
    let mut random = start(&[whole("n", 1, 1_000), child], 2, "{}");
    let config = ask(&mut random, &pinned("m", 2)).unwrap();
    assert_eq!(config.to_string(), "m=2 n=7");
    let failure = random.suggest(0, &pinned("m", 4)).unwrap_err();
    assert!(failure.message().contains("`m` is 4"), "{failure}");
}
