//! `tpe` as the host calls it: quality against random draws, and every awkward history.

use std::collections::BTreeSet;

use tune_plugin::{
    Condition, Config, Domain, Ending, FailureKind, GaussianSpread, Observation, Outcome,
    Parameter, PluginOptions, RealRange, Report, Searcher, Setup, Space, Stream, Suggestion,
    TrialId, TrialState, Value, WholeRange, parse_options,
};
use tune_searchers::Tpe;

fn real(name: &str, low: f64, high: f64, log: bool) -> Parameter {
    parameter(
        name,
        Domain::Real(RealRange {
            low,
            high,
            log,
            step: None,
        }),
    )
}

fn whole(name: &str, low: i64, high: i64, log: bool) -> Parameter {
    parameter(
        name,
        Domain::Whole(WholeRange {
            low,
            high,
            log,
            step: None,
        }),
    )
}

fn choice(name: &str, values: &[&str]) -> Parameter {
    parameter(
        name,
        Domain::Choice(values.iter().map(|v| Value::from(*v)).collect()),
    )
}

fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn when(mut child: Parameter, parent: &str, among: &[&str]) -> Parameter {
    child.conditions.push(Condition {
        parent: parent.to_owned(),
        among: among.iter().map(|v| Value::from(*v)).collect(),
    });
    child
}

fn start(space: &[Parameter], seed: u64, options: &str) -> Tpe {
    crate::lab::start(space, seed, options)
}

fn ask(tpe: &mut Tpe, trial: TrialId) -> Option<Config> {
    match tpe.suggest(trial, &Config::new()).unwrap() {
        Suggestion::Configure(proposal) => Some(proposal.config),
        Suggestion::Exhausted => None,
        Suggestion::Wait => panic!("tpe never waits"),
    }
}

fn tell(tpe: &mut Tpe, trial: TrialId, loss: f64) {
    let report = Report::default()
        .with("loss", loss)
        .with("training_iteration", 1.0);
    tpe.observe(trial, &report, TrialState::Ended);
    let outcome = Outcome {
        ending: Ending::Finished,
        last: Some(report),
    };
    tpe.complete(trial, &outcome);
}

/// The best loss after so many trials, one at a time.
fn minimum(space: &[Parameter], seed: u64, trials: u32, loss: impl Fn(&Config) -> f64) -> f64 {
    let mut tpe = start(space, seed, "{}");
    let mut best = f64::INFINITY;
    for trial in 0..trials {
        let Some(config) = ask(&mut tpe, trial) else {
            break;
        };
        let value = loss(&config);
        best = best.min(value);
        tell(&mut tpe, trial, value);
    }
    best
}

fn random_minimum(
    space: &[Parameter],
    seed: u64,
    trials: u32,
    loss: impl Fn(&Config) -> f64,
) -> f64 {
    let space = Space::new(space.to_vec()).unwrap();
    let mut stream = Stream::new(seed);
    (0..trials)
        .map(|_| loss(&space.sample(&mut stream, &Config::new()).unwrap()))
        .fold(f64::INFINITY, f64::min)
}

fn number(config: &Config, name: &str) -> f64 {
    config.get(name).and_then(Value::as_f64).unwrap()
}

fn branin(c: &Config) -> f64 {
    let (x, y) = (number(c, "x"), number(c, "y"));
    let pi = std::f64::consts::PI;
    let a = y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0;
    a * a + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * libm::cos(x) + 10.0 - 0.397_887
}

/// Mean over seeds of the logarithm of the best loss, of tpe and of random draws.
fn compare(space: &[Parameter], trials: u32, loss: fn(&Config) -> f64) -> (f64, f64) {
    let seeds = 12;
    let mean = |minimum: &dyn Fn(u64) -> f64| {
        let log = |seed| libm::log10(minimum(seed).max(1e-9));
        (0..seeds).map(log).sum::<f64>() / seeds as f64
    };
    (
        mean(&|seed| minimum(space, seed, trials, loss)),
        mean(&|seed| random_minimum(space, seed, trials, loss)),
    )
}

#[test]
fn it_beats_random_draws_clearly_on_branin() {
    let space = [real("x", -5.0, 10.0, false), real("y", 0.0, 15.0, false)];
    let (tpe, random) = compare(&space, 100, branin);
    assert!(tpe < random - 0.8, "{tpe} against {random}");
}

#[test]
fn it_finds_most_of_the_best_combination_of_whole_numbers() {
    let space: Vec<Parameter> = (0..5)
        .map(|i| whole(&format!("n{i}"), 1, 10, false))
        .collect();
    fn loss(c: &Config) -> f64 {
        let n: Vec<f64> = (0..5).map(|i| number(c, &format!("n{i}"))).collect();
        let own: f64 = n
            .iter()
            .zip([3.0, 4.0, 5.0, 6.0, 7.0])
            .map(|(n, best)| (n - best) * (n - best))
            .sum();
        let together = (n[2] - n[3] + 1.0).powi(2);
        0.1 + own + 0.5 * (n[0] * n[1] - 12.0).abs() + together
    }
    let (tpe, random) = compare(&space, 100, loss);
    // Optuna 5 over 80 seeds: -0.53.
    assert!(tpe < -0.3 && random > 0.8, "{tpe} against {random}");
}

#[test]
fn it_beats_random_draws_clearly_where_types_scales_and_branches_mix() {
    let space = [
        choice("optimizer", &["sgd", "adam", "lion"]),
        real("lr", 1e-5, 1.0, true),
        whole("units", 8, 512, true),
        when(real("momentum", 0.0, 0.99, false), "optimizer", &["sgd"]),
        when(whole("layers", 1, 6, false), "optimizer", &["sgd", "adam"]),
    ];
    fn loss(c: &Config) -> f64 {
        let lr = libm::log10(number(c, "lr")) + 2.5;
        let units = libm::log2(number(c, "units")) - 7.0;
        let branch = match c.get("optimizer") {
            Some(Value::Text(name)) if name == "sgd" => {
                let (m, l) = (number(c, "momentum") - 0.8, number(c, "layers") - 4.0);
                4.0 * m * m + 0.1 * l * l
            }
            Some(Value::Text(name)) if name == "adam" => 0.3,
            _ => 1.0,
        };
        0.01 + lr * lr + 0.2 * units * units + branch
    }
    let (tpe, random) = compare(&space, 100, loss);
    assert!(tpe < random - 0.25, "{tpe} against {random}");
}

#[test]
fn equal_seeds_give_equal_suggestions_and_others_give_others() {
    let space = [real("x", -5.0, 10.0, false), real("y", 0.0, 15.0, false)];
    let run = |seed| {
        let mut tpe = start(&space, seed, "{}");
        let mut all = Vec::new();
        for trial in 0..40 {
            let config = ask(&mut tpe, trial).unwrap();
            tell(&mut tpe, trial, branin(&config));
            all.push(config);
        }
        all
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn every_configuration_of_a_discrete_space_comes_once_and_then_it_is_exhausted() {
    let space = [
        choice("kind", &["a", "b"]),
        when(whole("n", 1, 20, false), "kind", &["a"]),
        when(choice("m", &["x", "y"]), "kind", &["b"]),
    ];
    let mut tpe = start(&space, 3, "{}");
    let mut seen = BTreeSet::new();
    for trial in 0..22 {
        let config = ask(&mut tpe, trial).unwrap();
        tell(&mut tpe, trial, f64::from(trial % 7));
        assert!(seen.insert(config.to_string()), "{config} came twice");
    }
    assert_eq!(ask(&mut tpe, 22), None);
    let mut again = start(&space, 3, r#"{"unique": false}"#);
    for trial in 0..60 {
        assert!(ask(&mut again, trial).is_some());
        tell(&mut again, trial, 0.0);
    }
}

#[test]
fn a_space_of_one_point_is_exhausted_after_it_and_an_empty_one_too() {
    let mut tpe = start(&[whole("n", 3, 3, false)], 0, "{}");
    assert_eq!(number(&ask(&mut tpe, 0).unwrap(), "n"), 3.0);
    assert_eq!(ask(&mut tpe, 1), None);
    let mut empty = start(&[], 0, "{}");
    assert_eq!(ask(&mut empty, 0), Some(Config::new()));
    assert_eq!(ask(&mut empty, 1), None);
}

#[test]
fn eight_at_once_as_many_are_drawn_at_random_as_one_at_a_time() {
    let space = [real("x", 0.0, 1.0, false)];
    // The eleventh is modelled if it is another one than a random search has.
    let is_modelled = |asked: TrialId, told: TrialId| {
        let mut searches = ["{}", r#"{"n_startup_trials": 1000}"#].map(|o| start(&space, 3, o));
        let next = searches.each_mut().map(|tpe| {
            for trial in 0..asked {
                ask(tpe, trial).unwrap();
            }
            for trial in 0..told {
                tell(tpe, trial, f64::from(trial));
            }
            ask(tpe, asked).unwrap()
        });
        next[0] != next[1]
    };
    assert!(is_modelled(10, 10) && is_modelled(10, 5) && is_modelled(16, 8));
    // Too few were asked for, or too few of them have a result.
    assert!(!is_modelled(9, 9) && !is_modelled(10, 4) && !is_modelled(64, 4));
}

#[test]
fn trials_that_are_all_nan_or_all_fail_leave_it_drawing() {
    let space = [real("x", 0.0, 1.0, false), choice("c", &["a", "b"])];
    for options in [
        "{}",
        r#"{"n_startup_trials": 0}"#,
        r#"{"on_error": "ignore"}"#,
    ] {
        let mut tpe = start(&space, 1, options);
        for trial in 0..60 {
            let config = ask(&mut tpe, trial).unwrap();
            assert!((0.0..=1.0).contains(&number(&config, "x")));
            if trial % 2 == 0 {
                tell(&mut tpe, trial, f64::NAN);
            } else {
                let outcome = Outcome {
                    ending: Ending::Failed(FailureKind::Trap),
                    last: None,
                };
                tpe.complete(trial, &outcome);
            }
        }
    }
}

#[test]
fn it_learns_to_avoid_a_region_that_fails() {
    // The loss falls towards a cliff, behind which everything fails.
    let failures = |options, seed| {
        let mut tpe = start(&[real("x", 0.0, 1.0, false)], seed, options);
        let mut failures = 0;
        for trial in 0..100 {
            let x = number(&ask(&mut tpe, trial).unwrap(), "x");
            if x < 0.5 {
                tell(&mut tpe, trial, 1.0 - x);
                continue;
            }
            failures += u32::from(trial >= 50);
            let outcome = Outcome {
                ending: Ending::Failed(FailureKind::OutOfFuel),
                last: None,
            };
            tpe.complete(trial, &outcome);
        }
        failures
    };
    let sum = |options| (0..4).map(|seed| failures(options, seed)).sum::<u32>();
    let (worst, ignored) = (sum("{}"), sum(r#"{"on_error": "ignore"}"#));
    assert!(3 * worst < 2 * ignored, "{worst} and {ignored} of 200");
}

#[test]
fn sixty_four_pending_trials_spread_out() {
    let space = [real("x", -5.0, 10.0, false), real("y", 0.0, 15.0, false)];
    let spread = |options| {
        let mut tpe = start(&space, 2, options);
        for trial in 0..30 {
            let config = ask(&mut tpe, trial).unwrap();
            tell(&mut tpe, trial, branin(&config));
        }
        let asked: Vec<(f64, f64)> = (30..94)
            .map(|trial| ask(&mut tpe, trial).unwrap())
            .map(|c| (number(&c, "x"), number(&c, "y")))
            .collect();
        // Mean distance to the nearest other one.
        let nearest = |(i, a): (usize, &(f64, f64))| {
            let others = asked.iter().enumerate().filter(|(j, _)| *j != i);
            others
                .map(|(_, b)| ((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt())
                .fold(f64::INFINITY, f64::min)
        };
        asked.iter().enumerate().map(nearest).sum::<f64>() / 64.0
    };
    let (liar, blind) = (spread("{}"), spread(r#"{"constant_liar": false}"#));
    assert!(liar > 1.1 * blind, "{liar} {blind}");
}

#[test]
fn pinned_values_are_kept_with_and_without_a_model_and_may_repeat() {
    let space = [
        choice("optimizer", &["sgd", "adam"]),
        whole("units", 1, 9, false),
        when(whole("momentum", 0, 9, false), "optimizer", &["sgd"]),
    ];
    let checked = Space::new(space.to_vec()).unwrap();
    let mut tpe = start(&space, 4, "{}");
    let pinned: Config = [("momentum".to_owned(), Value::Integer(7))]
        .into_iter()
        .collect();
    for trial in 0..40 {
        let Suggestion::Configure(proposal) = tpe.suggest(trial, &pinned).unwrap() else {
            panic!("a pinned point is always suggested");
        };
        assert_eq!(checked.check(&proposal.config), Ok(()));
        assert_eq!(number(&proposal.config, "momentum"), 7.0);
        tell(&mut tpe, trial, number(&proposal.config, "units"));
    }
    let wrong: Config = [("momentum".to_owned(), Value::Integer(70))]
        .into_iter()
        .collect();
    let failure = tpe.suggest(40, &wrong).unwrap_err();
    assert!(failure.message().contains("`momentum` is 70"), "{failure}");
}

#[test]
fn results_from_elsewhere_replace_the_random_start() {
    let space = [real("x", 0.0, 1.0, false)];
    let known: Vec<Observation> = (0..100)
        .map(|i| f64::from(i) / 100.0)
        .map(|x| Observation {
            config: [("x".to_owned(), Value::Number(x))].into_iter().collect(),
            last: Some(Report::default().with("loss", (x - 0.3) * (x - 0.3))),
            ending: Ending::Finished,
        })
        .collect();
    let mut tpe = start(&space, 0, "{}");
    tpe.seed_with(&known);
    for trial in 0..10 {
        let x = number(&ask(&mut tpe, trial).unwrap(), "x");
        assert!((x - 0.3).abs() < 0.2, "{x}");
    }
}

#[test]
fn stopped_trials_teach_by_how_far_they_came() {
    let space = [real("x", 0.0, 1.0, false)];
    let mut tpe = start(&space, 6, "{}");
    let mut late = Vec::new();
    for trial in 0..120 {
        let x = number(&ask(&mut tpe, trial).unwrap(), "x");
        // Like successive halving: the nearer to 0.7, the longer it ran, and losses of short runs
        // are the smaller ones.
        let resource = (10.0 * (1.0 - (x - 0.7).abs())).round();
        let report = Report::default()
            .with("loss", resource)
            .with("training_iteration", resource);
        tpe.observe(trial, &report, TrialState::Paused);
        if trial % 2 == 0 {
            let outcome = Outcome {
                ending: Ending::Stopped,
                last: Some(report),
            };
            tpe.complete(trial, &outcome);
        }
        if trial >= 60 {
            late.push((x - 0.7).abs());
        }
    }
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    assert!(mean < 0.15, "{mean}");
}

#[test]
fn ten_thousand_trials_of_every_kind_of_parameter_are_all_valid() {
    let space = vec![
        real("a", 1e-300, 1e300, true),
        real("b", -f64::MAX, f64::MAX, false),
        whole("c", i64::MIN, i64::MAX, false),
        whole("d", 1, i64::MAX, true),
        parameter(
            "e",
            Domain::Gaussian(GaussianSpread {
                mean: 5.0,
                sd: 2.0,
                step: Some(0.5),
            }),
        ),
        parameter(
            "f",
            Domain::Real(RealRange {
                low: 0.1,
                high: 1.0,
                log: true,
                step: Some(0.1),
            }),
        ),
        parameter("g", Domain::Ordered((0..9).map(Value::Integer).collect())),
        choice("h", &["x", "y", "z"]),
        when(real("i", 2.0, 2.0, false), "h", &["x"]),
    ];
    let checked = Space::new(space.clone()).unwrap();
    let mut tpe = start(&space, 8, r#"{"n_ei_candidates": 2}"#);
    for trial in 0..10_000 {
        // Fitting is what grows: most trials come in bulk.
        if trial % 100 >= 10 {
            tpe.seed_with(&[Observation {
                config: checked
                    .sample(&mut Stream::new(u64::from(trial)), &Config::new())
                    .unwrap(),
                last: Some(Report::default().with("loss", f64::from(trial % 91))),
                ending: Ending::Finished,
            }]);
            continue;
        }
        let config = ask(&mut tpe, trial).unwrap();
        assert_eq!(checked.check(&config), Ok(()), "{config}");
        tell(&mut tpe, trial, f64::from(trial % 97));
    }
}

#[test]
fn wrong_setups_are_refused_with_a_hint_and_the_schema_states_ranges() {
    let mut setup = Setup {
        space: vec![choice("c", &[])],
        objectives: Vec::new(),
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 1,
        seed: 0,
        options: String::new(),
    };
    let options = || parse_options("").unwrap();
    assert_eq!(Tpe::init(&setup, options()).unwrap_err()[0].key, "space");
    setup.space.clear();
    let errors = Tpe::init(&setup, options()).unwrap_err();
    assert!(errors[0].message.contains("one objective") && !errors[0].hint.is_empty());
    let schema = <Tpe as Searcher>::Options::SCHEMA;
    for part in [
        "n_startup_trials",
        "\"default\":24",
        "worst",
        "exclusiveMinimum",
    ] {
        assert!(schema.contains(part), "{schema}");
    }
}
