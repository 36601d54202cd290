//! `gp` as the host calls it: quality on numbers, grids and choices, and awkward histories.

use tune_plugin::{
    Condition, Config, Ending, FailureKind, Objective, Observation, Outcome, Parameter, Report,
    Searcher, Setup, Space, Stream, Suggestion, Value, parse_options,
};
use tune_searchers::GpSearch;

use crate::lab::{self, ask, choice, finished, number, real, reals, sphere, whole};

fn start(space: &[Parameter], seed: u64, options: &str) -> GpSearch {
    lab::start(space, seed, options)
}

fn minimum(
    space: &[Parameter],
    options: &str,
    run: (u64, u32, usize),
    loss: impl Fn(&Config) -> f64,
) -> f64 {
    lab::minimum::<GpSearch>(space, options, run, loss)
}

fn branin(config: &Config) -> f64 {
    // On [-5, 5] twice: x from -5 to 10, y from 0 to 15.
    let (x, y) = (
        1.5 * number(config, "x0") + 2.5,
        1.5 * number(config, "x1") + 7.5,
    );
    let pi = std::f64::consts::PI;
    let a = y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0;
    a * a + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * libm::cos(x) + 10.0 - 0.397_887
}

#[test]
fn a_function_with_three_minima_is_solved_in_forty_trials() {
    for slots in [1, 4] {
        for seed in 0..4 {
            let best = minimum(&reals(2), "{}", (seed, 40, slots), branin);
            assert!(best < 0.2, "{slots} slots, seed {seed}: {best}");
        }
    }
}

#[test]
fn six_dimensions_are_solved_in_eighty_trials() {
    for seed in 0..2 {
        let best = minimum(&reals(6), "{}", (seed, 80, 1), sphere);
        assert!(best < 0.05, "seed {seed}: {best}");
    }
}

#[test]
fn a_metric_that_spans_many_orders_of_magnitude_is_no_obstacle() {
    let steep = |c: &Config| libm::exp(2.0 * sphere(c)) - 1.0;
    for seed in 0..3 {
        let best = minimum(&reals(3), "{}", (seed, 60, 1), steep);
        assert!(best < 0.2, "seed {seed}: {best}");
    }
}

#[test]
fn whole_numbers_and_choices_are_searched_together_with_real_ones() {
    let mut space = reals(2);
    space.extend([
        whole("a", 0, 40),
        whole("b", 1, 3),
        choice("k", &["a", "b", "c", "d"]),
    ]);
    let loss = |c: &Config| {
        let away = |name, to: f64| (number(c, name) - to).powi(2);
        let wrong = f64::from(u8::from(c.get("k") != Some(&Value::from("c"))));
        let real = away("x0", 1.0) + away("x1", 1.0);
        0.05 * away("a", 33.0) + away("b", 3.0) + 4.0 * wrong + real
    };
    for seed in 0..3 {
        let best = minimum(&space, "{}", (seed, 70, 2), loss);
        assert!(best < 0.1, "seed {seed}: {best}");
    }
}

#[test]
fn a_discrete_space_is_suggested_whole_and_then_exhausted() {
    let space = [whole("a", 0, 4), choice("k", &["a", "b", "c"])];
    let mut gp = start(&space, 1, "{}");
    let mut trials = 0;
    while let Some(config) = ask(&mut gp, trials) {
        gp.complete(trials, &finished(number(&config, "a")));
        trials += 1;
    }
    assert_eq!(trials, 15);
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
    assert!(minimum(&space, "{}", (2, 50, 2), loss) < 0.05);
}

/// A parameter of a branch.
fn of(branch: &str, name: &str) -> Parameter {
    let mut child = real(name);
    child.conditions.push(Condition {
        parent: "k".to_owned(),
        among: vec![Value::from(branch)],
    });
    child
}

#[test]
fn a_branch_that_was_found_first_is_left_for_a_better_one() {
    let space = [
        choice("k", &["a", "b"]),
        of("a", "x"),
        of("b", "y"),
        of("b", "z"),
    ];
    // Any trial of the first branch is better than nearly all of the second one, which has the least value.
    let loss = |c: &Config| match c.get("x") {
        Some(x) => 1.0 + 0.1 * (x.as_f64().unwrap() - 2.0).powi(2),
        None => 10.0 * (number(c, "y") - 1.0).powi(2) + 5.0 * (number(c, "z") + 3.0).powi(2),
    };
    for slots in [1, 8] {
        for seed in 0..4 {
            let best = minimum(&space, "{}", (seed, 100, slots), loss);
            assert!(best < 0.1, "{slots} slots, seed {seed}: {best}");
        }
    }
}

#[test]
fn a_branch_where_all_trials_fail_gets_few_of_them() {
    let space = [
        choice("k", &["a", "b"]),
        of("a", "x"),
        of("b", "y"),
        of("b", "z"),
    ];
    let mut gp = start(&space, 2, "{}");
    let mut failed = 0;
    for trial in 0..80 {
        let config = ask(&mut gp, trial).unwrap();
        let outcome = match config.get("x") {
            Some(x) => finished((x.as_f64().unwrap() - 2.0).powi(2)),
            None => {
                failed += usize::from(trial >= 20);
                Outcome {
                    ending: Ending::Failed(FailureKind::Trap),
                    last: None,
                }
            }
        };
        gp.complete(trial, &outcome);
    }
    assert!(failed <= 3, "{failed} of 60");
}

#[test]
fn trials_that_run_at_once_are_apart() {
    let mut crowded = 0;
    for seed in 0..4 {
        let mut gp = start(&reals(2), seed, "{}");
        for trial in 0..11 {
            let config = ask(&mut gp, trial).unwrap();
            gp.complete(trial, &finished(branin(&config)));
        }
        let at = |c: &Config| (number(c, "x0"), number(c, "x1"));
        let running: Vec<_> = (11..19).map(|t| at(&ask(&mut gp, t).unwrap())).collect();
        for (i, a) in running.iter().enumerate() {
            let off = |b: &(f64, f64)| libm::hypot(a.0 - b.0, a.1 - b.1);
            crowded += usize::from(running.iter().take(i).any(|b| off(b) < 0.5));
        }
    }
    assert!(crowded <= 9, "{crowded} of 28");
}

#[test]
fn failures_values_that_are_no_number_and_constants_do_no_harm() {
    let mut gp = start(&reals(3), 5, "{}");
    for trial in 0..40 {
        assert!(ask(&mut gp, trial).is_some());
        let outcome = match trial % 4 {
            0 => finished(f64::NAN),
            1 => finished(f64::INFINITY),
            2 => Outcome {
                ending: Ending::Failed(FailureKind::Trap),
                last: None,
            },
            _ => finished(7.0),
        };
        gp.complete(trial, &outcome);
    }
    gp.complete(9_999, &finished(1.0));
    gp.complete(3, &finished(1e300));
    gp.complete(7, &finished(-1e300));
    assert!(ask(&mut gp, 41).is_some());
}

#[test]
fn failures_keep_it_away() {
    // Half of the space fails, and the best of the rest is at the border.
    let mut gp = start(&reals(2), 3, "{}");
    let mut failed = 0;
    for trial in 0..50 {
        let config = ask(&mut gp, trial).unwrap();
        let outcome = if number(&config, "x0") > 0.0 {
            failed += usize::from(trial >= 20);
            Outcome {
                ending: Ending::Failed(FailureKind::Trap),
                last: None,
            }
        } else {
            finished(-number(&config, "x0") + number(&config, "x1").powi(2))
        };
        gp.complete(trial, &outcome);
    }
    assert!(failed < 20, "{failed} of 30");
}

#[test]
fn stopped_trials_teach_at_the_resource_that_they_reached() {
    let space = reals(2);
    let mut setup = Setup {
        space: space.clone(),
        objectives: vec![Objective {
            metric: "loss".to_owned(),
            maximize: false,
        }],
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: Some(81.0),
        trials: None,
        slots: 8,
        seed: 4,
        options: String::new(),
    };
    setup.seed = 9;
    let mut gp = GpSearch::init(&setup, parse_options("{}").unwrap()).unwrap();
    let mut best = f64::INFINITY;
    for trial in 0..60 {
        let config = ask(&mut gp, trial).unwrap();
        let full = sphere(&config);
        // Most trials are stopped early, where all values are worse.
        let is_stopped = trial % 4 != 0;
        let (t, loss) = if is_stopped {
            (3.0, full + 50.0)
        } else {
            (81.0, full)
        };
        if !is_stopped {
            best = best.min(full);
        }
        let report = Report::default()
            .with("loss", loss)
            .with("training_iteration", t);
        gp.complete(
            trial,
            &Outcome {
                ending: if is_stopped {
                    Ending::Stopped
                } else {
                    Ending::Finished
                },
                last: Some(report),
            },
        );
    }
    assert!(best < 0.1, "{best}");
}

#[test]
fn many_dimensions_many_pending_trials_and_one_point_spaces_are_handled() {
    let best = minimum(&reals(200), "{}", (1, 24, 1), sphere);
    assert!(best.is_finite());
    let mut gp = start(&reals(3), 2, "{}");
    for trial in 0..12 {
        ask(&mut gp, trial);
        gp.complete(trial, &finished(f64::from(trial)));
    }
    for trial in 12..40 {
        assert!(ask(&mut gp, trial).is_some());
    }
    let mut one = start(&[whole("a", 3, 3)], 1, "{}");
    assert!(ask(&mut one, 0).is_some());
    one.complete(0, &finished(1.0));
    assert!(ask(&mut one, 1).is_none());
}

#[test]
fn earlier_results_take_the_place_of_the_start() {
    let mut stream = Stream::new(8);
    let space = Space::new(reals(3)).unwrap();
    let known: Vec<Observation> = (0..60)
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
    let mut gp = start(&reals(3), 1, "{}");
    gp.seed_with(&known);
    assert!(sphere(&ask(&mut gp, 0).unwrap()) < 3.0);
}

#[test]
fn pinned_values_stay() {
    let mut gp = start(&reals(3), 1, "{}");
    let pinned: Config = [("x1".to_owned(), Value::Number(4.5))]
        .into_iter()
        .collect();
    for trial in 0..15 {
        let Suggestion::Configure(proposal) = gp.suggest(trial, &pinned).unwrap() else {
            panic!("it suggests")
        };
        assert_eq!(number(&proposal.config, "x1"), 4.5);
        gp.complete(trial, &finished(sphere(&proposal.config)));
    }
}

#[test]
fn the_bound_on_regret_holds_and_shrinks_and_changes_no_suggestion() {
    let mut held = 0;
    for seed in 0..5 {
        let mut gp = start(&reals(2), seed, "{}");
        let mut alone = start(&reals(2), seed, "{}");
        let (mut best, mut bounds) = (f64::INFINITY, Vec::new());
        for trial in 0..40 {
            let config = ask(&mut gp, trial).unwrap();
            assert_eq!(config, ask(&mut alone, trial).unwrap());
            let loss = sphere(&config);
            best = best.min(loss);
            gp.complete(trial, &finished(loss));
            alone.complete(trial, &finished(loss));
            match gp.regret_bound() {
                // The least loss is 0, so that the best one is the regret.
                Some(bound) => {
                    held += usize::from(bound >= best);
                    bounds.push(bound);
                }
                None => assert!(trial < 9, "there are results enough after {trial}"),
            }
        }
        assert_eq!(bounds.len(), 31);
        assert!(bounds[30] < 0.05 * bounds[0], "{bounds:?}");
    }
    // It may be wrong with a probability of a tenth.
    assert!(held >= 31 * 5 * 9 / 10, "{held} of {}", 31 * 5);
}
