//! `sobol` as the host calls it.

use tune_plugin::{
    Config, Domain, Parameter, RealRange, Searcher, Setup, Suggestion, Value, parse_options,
};
use tune_searchers::SobolSearch;

fn start(parameters: usize, seed: u64, options: &str) -> SobolSearch {
    let (low, high, log, step) = (0.0, 1.0, false, None);
    let parameter = |i| Parameter {
        name: format!("x{i}"),
        domain: Domain::Real(RealRange {
            low,
            high,
            log,
            step,
        }),
        conditions: Vec::new(),
    };
    let setup = Setup {
        space: (0..parameters).map(parameter).collect(),
        objectives: Vec::new(),
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 8,
        seed,
        options: options.to_owned(),
    };
    SobolSearch::init(&setup, parse_options(options).unwrap()).unwrap()
}

fn ask(searcher: &mut SobolSearch) -> Vec<f64> {
    match searcher.suggest(0, &Config::new()).unwrap() {
        Suggestion::Configure(proposal) => proposal
            .config
            .iter()
            .map(|(_, value)| match value {
                Value::Number(x) => *x,
                other => panic!("{other:?}"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn equal_seeds_give_equal_points_and_others_give_others() {
    let points = |seed| {
        let mut searcher = start(3, seed, "");
        (0..5).map(|_| ask(&mut searcher)).collect::<Vec<_>>()
    };
    assert_eq!(points(1), points(1));
    assert_ne!(points(1), points(2));
}

#[test]
fn without_scrambling_the_points_are_those_of_the_books() {
    let mut searcher = start(2, 1, r#"{"scramble":"none"}"#);
    let points: Vec<_> = (0..3).map(|_| ask(&mut searcher)).collect();
    assert_eq!(points, [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]);
}

#[test]
fn spaces_of_no_and_of_1024_parameters_are_filled() {
    assert!(ask(&mut start(0, 1, r#"{"unique":false}"#)).is_empty());
    assert_eq!(ask(&mut start(1_024, 1, "")).len(), 1_024);
}
