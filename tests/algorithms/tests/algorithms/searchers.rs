//! Every shipped searcher is held to the same rules. A searcher is one line at the end.

// The searcher of docs/writing-a-searcher.md, with its own tests.
#[path = "../../../../examples/climber/src/lib.rs"]
#[expect(unreachable_pub, reason = "the root of a crate of its own")]
mod climber;

use std::collections::BTreeSet;

use tune_algorithms::{MAX_T, Search, Told, setup};
use tune_plugin::{
    Condition, Config, Domain, Ending, Failure, GaussianSpread, NoOptions, Observation,
    OptionError, Outcome, Parameter, Proposal, RealRange, Report, Searcher, Setup, Space, Stream,
    Suggestion, TrialId, TrialState, Value, WholeRange, parse_options,
};

const KINDS: [Told; 6] = [
    Told::Bowl,
    Told::Constant,
    Told::NoNumber,
    Told::Infinite,
    Told::Failing,
    Told::Wild,
];

fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn real(name: &str, (low, high): (f64, f64), log: bool, step: Option<f64>) -> Parameter {
    let range = RealRange {
        low,
        high,
        log,
        step,
    };
    parameter(name, Domain::Real(range))
}

fn whole(name: &str, (low, high): (i64, i64), log: bool) -> Parameter {
    let step = None;
    let range = WholeRange {
        low,
        high,
        log,
        step,
    };
    parameter(name, Domain::Whole(range))
}

fn values(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| Value::from(*name)).collect()
}

fn when(mut child: Parameter, parent: &str, among: &[&str]) -> Parameter {
    let (parent, among) = (parent.to_owned(), values(among));
    child.conditions.push(Condition { parent, among });
    child
}

/// Every kind of parameter, and conditions on conditions.
fn everything() -> Vec<Parameter> {
    let spread = GaussianSpread {
        mean: 1.0,
        sd: 2.0,
        step: None,
    };
    vec![
        parameter("kind", Domain::Choice(values(&["a", "b", "c"]))),
        real("rate", (1e-6, 1.0), true, None),
        real("step", (-1.0, 1.0), false, Some(0.25)),
        whole("width", (1, 1_000), true),
        whole("huge", (i64::MIN, i64::MAX), false),
        parameter("spread", Domain::Gaussian(spread)),
        parameter(
            "order",
            Domain::Ordered(vec![Value::Integer(1), Value::Integer(9)]),
        ),
        parameter("fixed", Domain::Choice(values(&["only"]))),
        when(
            parameter("inner", Domain::Choice(values(&["x", "y"]))),
            "kind",
            &["a", "b"],
        ),
        when(real("deep", (0.0, 5.0), false, None), "inner", &["y"]),
        when(whole("leaf", (2, 6), false), "kind", &["c"]),
    ]
}

/// 12 configurations.
fn dozen() -> Vec<Parameter> {
    vec![
        whole("n", (1, 4), false),
        parameter("kind", Domain::Choice(values(&["a", "b", "c"]))),
    ]
}

/// 4 + 2 configurations.
fn branches() -> Vec<Parameter> {
    vec![
        parameter("kind", Domain::Choice(values(&["a", "b", "c"]))),
        when(whole("n", (1, 4), false), "kind", &["a"]),
    ]
}

fn reals(count: usize) -> Vec<Parameter> {
    let named = |i| real(&format!("x{i}"), (-5.0, 5.0), false, None);
    (0..count).map(named).collect()
}

fn begin<S: Searcher>(space: &[Parameter], seed: u64, options: &str, told: Told) -> Search<S> {
    Search::new(space, seed, options, told).unwrap()
}

fn stays_inside<S: Searcher>(options: &str) {
    for told in KINDS {
        for (space, slots) in [(everything(), 1), (everything(), 5), (reals(1), 3)] {
            let mut search = begin::<S>(&space, 1, options, told);
            search.go(24, slots).unwrap();
        }
    }
}

fn tiny_spaces<S: Searcher>(options: &str) {
    for space in [
        vec![],
        vec![parameter("fixed", Domain::Choice(values(&["only"])))],
        vec![whole("n", (3, 3), false)],
    ] {
        for told in KINDS {
            let mut search = begin::<S>(&space, 1, options, told);
            assert_eq!(search.go(20, 2).unwrap().len(), 1, "{space:?}");
        }
    }
}

fn discrete_spaces<S: Searcher>(options: &str) {
    for (space, count) in [(dozen(), 12), (branches(), 6)] {
        let names = Space::new(space.clone()).unwrap();
        for told in KINDS {
            let mut search = begin::<S>(&space, 2, options, told);
            let asked = search.go(100, 3).unwrap();
            let budgets = search.budgets().iter().map(|b| b.unwrap_or(MAX_T));
            // With a smaller budget a configuration says less: that one does not count.
            let tries: Vec<_> = (asked.iter().map(|c| names.fingerprint(c)).zip(budgets))
                .map(|(config, budget)| (config, budget.to_bits()))
                .collect();
            let different: BTreeSet<_> = tries.iter().collect();
            assert_eq!(tries.len(), different.len(), "{told:?}");
            let whole = tries.iter().filter(|(_, b)| *b == MAX_T.to_bits());
            assert_eq!(whole.count(), count, "{told:?}");
            assert!(S::BUDGETS || tries.len() == count);
            // A point of the user's is tried again, however often the searcher has.
            let pinned: Config = [("kind".to_owned(), Value::from("a"))]
                .into_iter()
                .collect();
            assert!(search.ask(&pinned).unwrap().is_some());
        }
    }
}

fn sixty_four_at_once<S: Searcher>(options: &str) {
    let mut search = begin::<S>(&reals(4), 3, options, Told::Bowl);
    let asked = search.go(80, 64).unwrap();
    let different: BTreeSet<String> = asked.iter().map(|c| format!("{c:?}")).collect();
    assert!(different.len() > 60, "{}", different.len());
}

fn five_hundred_parameters<S: Searcher>(options: &str) {
    for told in [Told::Bowl, Told::Wild] {
        let mut search = begin::<S>(&reals(500), 4, options, told);
        assert_eq!(search.go(14, 2).unwrap().len(), 14);
    }
}

/// 10,000 trials one after another, eight at once. `loops`: the last of them that are really asked
/// for, where that takes long; the others are told as results from elsewhere.
fn ten_thousand_trials<S: Searcher>(options: &str, loops: usize) {
    let space = everything();
    let names = Space::new(space.clone()).unwrap();
    let mut search = begin::<S>(&space, 5, options, Told::Wild);
    let mut stream = Stream::new(8);
    let known: Vec<Observation> = (loops..10_000)
        .map(|trial| {
            let config = names.sample(&mut stream, &Config::new()).unwrap();
            let (outcome, _) = search.outcome(trial as TrialId, &config);
            let (last, ending) = (outcome.last, outcome.ending);
            Observation {
                config,
                last,
                ending,
            }
        })
        .collect();
    known
        .chunks(1_000)
        .for_each(|part| search.searcher.seed_with(part));
    assert_eq!(search.go(loops, 8).unwrap().len(), loops);
}

fn pinned_keys<S: Searcher>(options: &str) {
    let mut search = begin::<S>(&everything(), 6, options, Told::Wild);
    for turn in 0..24 {
        let pinned: Config = match turn % 3 {
            0 => Config::new(),
            1 => [("rate".to_owned(), Value::Number(0.125))]
                .into_iter()
                .collect(),
            // It needs two parents.
            _ => [("deep".to_owned(), Value::Number(2.5))]
                .into_iter()
                .collect(),
        };
        search.ask(&pinned).unwrap();
        search.tell();
    }
    let outside = [("rate".to_owned(), Value::Number(7.0))]
        .into_iter()
        .collect();
    assert!(search.ask(&outside).unwrap_err().contains("rate"));
    search.go(3, 1).unwrap();
}

fn strangers<S: Searcher>(options: &str) {
    let mut search = begin::<S>(&everything(), 7, options, Told::Bowl);
    let report = Report::default()
        .with("loss", 0.5)
        .with("training_iteration", 9.0);
    let outcome = Outcome {
        ending: Ending::Finished,
        last: Some(report.clone()),
    };
    // Results from elsewhere that do not belong to the space.
    let outside = |name: &str, value: Value| Observation {
        config: [(name.to_owned(), value)].into_iter().collect(),
        last: Some(report.clone()),
        ending: Ending::Finished,
    };
    search.searcher.seed_with(&[
        outside("rate", Value::Number(f64::NAN)),
        outside("rate", Value::Number(-1e300)),
        outside("kind", Value::from("z")),
        outside("unheard of", Value::Boolean(true)),
        outside("deep", Value::Text("text".to_owned())),
    ]);
    for _ in 0..6 {
        search.go(4, 2).unwrap();
        // Trials that nobody asked for, and some that ended long ago.
        for trial in [0, 1, 77, u32::MAX] {
            for state in [TrialState::Running, TrialState::Paused, TrialState::Ended] {
                search.searcher.observe(trial, &report, state);
            }
            search.searcher.complete(trial, &outcome);
            search.searcher.complete(trial, &outcome);
        }
    }
}

fn the_same_again<S: Searcher>(options: &str) {
    let run = |seed| {
        let mut search = begin::<S>(&everything(), seed, options, Told::Wild);
        search.go(30, 4).unwrap()
    };
    assert_eq!(run(11), run(11));
    // `grid` has nothing to draw.
    assert!(run(11) != run(12) || S::NAME == "grid");
}

fn metrics<S: Searcher>(options: &str) {
    for count in [0, 2] {
        let mut setup = setup(&reals(1), 1, options);
        let objective = setup.objectives.first().cloned();
        setup.objectives = objective.into_iter().cycle().take(count).collect();
        if let Err(errors) = S::init(&setup, parse_options(options).unwrap()) {
            let error = errors.first().unwrap();
            assert!(error.message.contains(S::NAME), "{error:?}");
            assert!(error.hint.contains("`random`"), "{error:?}");
        }
    }
}

/// Suggests what does not belong to the space.
struct Stray;

impl Searcher for Stray {
    const NAME: &'static str = "stray";
    const SUMMARY: &'static str = "Leaves the space";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self)
    }

    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Suggestion, Failure> {
        let config = [("x0".to_owned(), Value::Number(6.0))]
            .into_iter()
            .collect();
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }
}

#[test]
fn a_searcher_that_leaves_the_space_is_caught() {
    let mut search = begin::<Stray>(&reals(1), 1, "{}", Told::Bowl);
    assert!(search.go(1, 1).unwrap_err().contains("x0"));
}

/// The same rules for a searcher with these options.
macro_rules! conformance {
    ($module:ident, $searcher:ty, $options:expr) => {
        conformance!($module, $searcher, $options, 10_000);
    };
    // So many of 10,000 trials are asked for, by one whose suggestions take long.
    ($module:ident, $searcher:ty, $options:expr, $loops:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn suggestions_belong_to_the_space_whatever_trials_tell() {
                stays_inside::<$searcher>($options);
            }

            #[test]
            fn a_space_of_one_configuration_is_tried_once() {
                tiny_spaces::<$searcher>($options);
            }

            #[test]
            fn every_configuration_of_a_discrete_space_comes_once() {
                discrete_spaces::<$searcher>($options);
            }

            #[test]
            fn sixty_four_trials_at_once_differ() {
                sixty_four_at_once::<$searcher>($options);
            }

            #[test]
            fn five_hundred_parameters_are_suggested() {
                five_hundred_parameters::<$searcher>($options);
            }

            #[test]
            fn ten_thousand_trials_are_gone_through() {
                ten_thousand_trials::<$searcher>($options, $loops);
            }

            #[test]
            fn pinned_keys_stay_and_wrong_ones_are_named() {
                pinned_keys::<$searcher>($options);
            }

            #[test]
            fn results_of_strangers_twice_or_outside_the_space_do_no_harm() {
                strangers::<$searcher>($options);
            }

            #[test]
            fn equal_seeds_give_equal_suggestions() {
                the_same_again::<$searcher>($options);
            }

            #[test]
            fn metrics_that_it_cannot_use_are_refused_with_who_could() {
                metrics::<$searcher>($options);
            }
        }
    };
}

conformance!(random, tune_searcher_random::Random, "{}");
conformance!(grid, tune_searchers::Grid, r#"{"points": 3}"#);
conformance!(sobol, tune_searchers::SobolSearch, "{}");
conformance!(halton, tune_searcher_halton::HaltonSearch, "{}");
conformance!(
    tpe,
    tune_searchers::Tpe,
    r#"{"n_startup_trials": 4}"#,
    1_000
);
conformance!(
    tpe_one_by_one,
    tune_searchers::Tpe,
    r#"{"n_startup_trials": 0, "multivariate": false, "on_error": "ignore"}"#,
    200
);
conformance!(
    gp,
    tune_searchers::GpSearch,
    r#"{"n_startup_trials": 4}"#,
    6
);
conformance!(cmaes, tune_searchers::Cmaes, "{}");
conformance!(
    cmaes_bipop,
    tune_searchers::Cmaes,
    r#"{"popsize": 3, "restart_strategy": "bipop", "lr_adapt": true}"#
);
conformance!(dehb, tune_searchers::Dehb, "{}");
conformance!(
    dehb_of_one_budget,
    tune_searchers::Dehb,
    r#"{"grace_period": 9.0, "on_error": "ignore"}"#
);
conformance!(
    bohb,
    tune_searcher_bohb::Bohb,
    r#"{"min_points_in_model": 3}"#,
    40
);
conformance!(
    evolution,
    tune_searcher_evolution::Evolution,
    r#"{"population_size": 5, "sample_size": 2}"#
);
conformance!(auto, tune_searchers::Auto, "{}", 300);
conformance!(
    climber_of_the_guide,
    climber::Climber,
    r#"{"n_startup_trials": 5}"#
);

#[test]
fn the_guide_shows_the_searcher_as_it_is_compiled() {
    let guide = include_str!("../../../../docs/writing-a-searcher.md");
    let source = include_str!("../../../../examples/climber/src/lib.rs");
    assert!(guide.contains(source), "copy it into the guide");
}
