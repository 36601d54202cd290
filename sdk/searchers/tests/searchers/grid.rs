//! `grid` as the host calls it.

use std::collections::BTreeSet;

use tune_plugin::{
    Condition, Config, Domain, Parameter, RealRange, Searcher, Setup, Suggestion, Value,
    WholeRange, parse_options,
};
use tune_searchers::Grid;

fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn real(name: &str, log: bool, step: Option<f64>) -> Parameter {
    parameter(
        name,
        Domain::Real(RealRange {
            low: 0.25,
            high: 1.0,
            log,
            step,
        }),
    )
}

fn choice(name: &str, values: &[&str]) -> Parameter {
    parameter(
        name,
        Domain::Choice(values.iter().map(|v| Value::from(*v)).collect()),
    )
}

fn start(space: &[Parameter], options: &str) -> Grid {
    let setup = Setup {
        space: space.to_vec(),
        objectives: Vec::new(),
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 8,
        seed: 0,
        options: options.to_owned(),
    };
    Grid::init(&setup, parse_options(options).unwrap()).unwrap()
}

fn ask(grid: &mut Grid, pinned: &Config) -> Option<Config> {
    match grid.suggest(0, pinned).unwrap() {
        Suggestion::Configure(proposal) => Some(proposal.config),
        Suggestion::Exhausted => None,
        Suggestion::Wait => panic!("grid never waits"),
    }
}

fn rest(grid: &mut Grid) -> Vec<String> {
    std::iter::from_fn(|| ask(grid, &Config::new()))
        .map(|c| c.to_string())
        .collect()
}

#[test]
fn every_kind_of_countable_parameter_is_crossed_the_first_name_fastest() {
    let levels = parameter("b", Domain::Ordered(vec![7_i64.into(), 9_i64.into()]));
    let mut grid = start(&[levels, real("a", false, Some(0.5))], "{}");
    assert_eq!(
        rest(&mut grid),
        ["a=0.5 b=7", "a=1.0 b=7", "a=0.5 b=9", "a=1.0 b=9"]
    );
    assert_eq!(ask(&mut grid, &Config::new()), None);
}

#[test]
fn real_parameters_are_tried_at_the_middles_of_equal_parts() {
    let mut grid = start(&[real("x", false, None)], r#"{"points": 3}"#);
    assert_eq!(rest(&mut grid), ["x=0.375", "x=0.625", "x=0.875"]);
    let mut logarithmic = start(&[real("x", true, None)], r#"{"points": 1}"#);
    assert_eq!(rest(&mut logarithmic), ["x=0.5"]);
    assert_eq!(rest(&mut start(&[real("x", true, None)], "{}")).len(), 10);
}

#[test]
fn inactive_parameters_make_no_duplicates() {
    let mut momentum = choice("momentum", &["low", "high"]);
    momentum.conditions.push(Condition {
        parent: "optimizer".to_owned(),
        among: vec!["sgd".into()],
    });
    let mut grid = start(&[choice("optimizer", &["adam", "sgd"]), momentum], "{}");
    assert_eq!(
        rest(&mut grid),
        [
            "optimizer=adam",
            "momentum=low optimizer=sgd",
            "momentum=high optimizer=sgd"
        ]
    );
}

#[test]
fn pinned_points_come_first_and_not_again_in_the_grid() {
    let space = [choice("a", &["x", "y"]), choice("b", &["x", "y"])];
    let mut grid = start(&space, "{}");
    let pinned: Config = [("b".to_owned(), Value::from("y"))].into_iter().collect();
    assert_eq!(ask(&mut grid, &pinned).unwrap().to_string(), "a=x b=y");
    assert_eq!(ask(&mut grid, &pinned).unwrap().to_string(), "a=y b=y");
    // All with this value were tried: it comes again, since it was asked for.
    assert_eq!(ask(&mut grid, &pinned).unwrap().to_string(), "a=x b=y");
    assert_eq!(rest(&mut grid), ["a=x b=x", "a=y b=x"]);
}

#[test]
fn a_grid_too_large_to_list_starts_at_once() {
    let wide: Vec<Parameter> = (0..200)
        .map(|i| {
            parameter(
                &format!("p{i:03}"),
                Domain::Whole(WholeRange {
                    low: 1,
                    high: i64::MAX,
                    log: false,
                    step: None,
                }),
            )
        })
        .collect();
    let mut grid = start(&wide, "{}");
    let some: BTreeSet<String> = (0..50)
        .map(|_| ask(&mut grid, &Config::new()).unwrap().to_string())
        .collect();
    assert_eq!(some.len(), 50);
}

#[test]
fn an_empty_space_has_one_configuration() {
    assert_eq!(rest(&mut start(&[], "{}")), [""]);
}
