//! Importances of runs whose answer is known: worked out by hand, or by Optuna.

use serde_json::json;
use tune_core::records::{
    Condition, Domain, FailureKind, GaussianSpread, Metric, Parameter, RealRange, Stream, Value,
    WholeRange,
};

use super::density::Grid;
use super::*;
use crate::{DeciderUse, ReportView, TrialUse, TrialView};

fn real(low: f64, high: f64, log: bool, step: Option<f64>) -> Domain {
    let range = RealRange {
        low,
        high,
        log,
        step,
    };
    Domain::Real(range)
}

fn whole(low: i64, high: i64, log: bool, step: Option<i64>) -> Domain {
    let range = WholeRange {
        low,
        high,
        log,
        step,
    };
    Domain::Whole(range)
}

fn choice(values: &[&str]) -> Domain {
    Domain::Choice(values.iter().map(|v| Value::from(*v)).collect())
}

fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn child(name: &str, domain: Domain, parent: &str, value: &str) -> Parameter {
    let condition = Condition {
        parent: parent.to_owned(),
        among: vec![Value::from(value)],
    };
    Parameter {
        conditions: vec![condition],
        ..parameter(name, domain)
    }
}

fn space(parameters: &[Parameter]) -> Space {
    Space::new(parameters.to_vec()).unwrap()
}

fn trial(id: u32, config: Config, value: f64) -> TrialView {
    let metric = Metric {
        name: "loss".into(),
        value,
    };
    TrialView {
        id,
        first_config: config.clone(),
        config,
        first_iteration: 0,
        branches: Vec::new(),
        status: TrialStatus::Finished,
        reports: vec![ReportView {
            iteration: 1,
            metrics: vec![metric],
        }],
        failure: None,
        usage: TrialUse::default(),
    }
}

fn run(trials: impl IntoIterator<Item = (Config, f64)>) -> RunView {
    let trials = (0..).zip(trials);
    RunView {
        name: "toy".to_owned(),
        path: "runs/toy".to_owned(),
        parent: None,
        status: "finished".to_owned(),
        reason: String::new(),
        objective: Some(Objective {
            metric: "loss".to_owned(),
            maximize: false,
        }),
        trials: trials.map(|(id, (c, v))| trial(id, c, v)).collect(),
        handovers: 0,
        digest: String::new(),
        limits: tune_core::Limits::default(),
        searcher_limits: tune_core::Limits::default(),
        scheduler_limits: tune_core::Limits::default(),
        searcher: DeciderUse::default(),
        scheduler: DeciderUse::default(),
    }
}

/// So many configurations drawn at random, with a value each.
fn drawn(space: &Space, n: usize, value: impl Fn(&Config) -> f64) -> RunView {
    let mut stream = Stream::new(1);
    run((0..n).map(|_| {
        let config = space.sample(&mut stream, &Config::new()).unwrap();
        let value = value(&config);
        (config, value)
    }))
}

fn number(config: &Config, name: &str) -> f64 {
    match config.get(name) {
        Some(Value::Number(x)) => *x,
        Some(Value::Integer(i)) => *i as f64,
        other => panic!("{name}: {other:?}"),
    }
}

/// Shares in the order of the space.
fn shares(run: &RunView, space: &Space, method: Method) -> Vec<f64> {
    let found = importances(run, space, method, false).unwrap();
    let sum: f64 = found.importances.iter().map(|i| i.share).sum();
    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    let of = |p: &Parameter| found.importances.iter().find(|i| i.name == p.name);
    let all = space.parameters().iter();
    all.map(|p| of(p).unwrap().share).collect()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{found:?} {expected:?}");
    }
}

/// The numbers of `get_param_importances` of Optuna 5.0.0 for the same trials.
#[test]
fn ped_anova_gives_the_numbers_of_optuna() {
    let space = space(&[
        parameter("x", real(-5.0, 5.0, false, None)),
        parameter("lr", real(1e-3, 1.0, true, None)),
        parameter("units", whole(1, 200, false, None)),
        parameter("batch", whole(8, 512, true, None)),
        parameter("drop", real(0.0, 2.0, false, Some(0.25))),
        parameter("layers", whole(2, 10, false, Some(2))),
        parameter("opt", choice(&["adam", "sgd", "lion"])),
        child("momentum", real(0.0, 0.99, false, None), "opt", "sgd"),
    ]);
    let trial = |i: i64| {
        let r = |a: i64, m: i64| (i * a + i * i * 3) % m;
        let x = r(37, 101) as f64 / 10.0 - 5.0;
        let units = 1 + r(71, 200);
        let drop = r(5, 9) as f64 * 0.25;
        let opt = ["adam", "sgd", "lion"][usize::try_from(r(11, 3)).unwrap()];
        let momentum = r(13, 100) as f64 / 100.0;
        let mut config = Config::new();
        config.insert("x", x);
        config.insert("lr", 1.0 / (1 + r(53, 997)) as f64);
        config.insert("units", units);
        config.insert("batch", 8 + r(89, 505));
        config.insert("drop", drop);
        config.insert("layers", 2 + 2 * r(7, 5));
        config.insert("opt", opt);
        let mut loss = (x - 1.0) * (x - 1.0) + 3.0 * (drop - 0.5).abs() + units as f64 / 100.0;
        if opt == "sgd" {
            config.insert("momentum", momentum);
            loss += (momentum - 0.9).abs() * 4.0;
        } else {
            loss += 2.0;
        }
        (config, loss)
    };
    let optuna = [
        (
            60,
            false,
            [
                0.240_655_160_538_719,
                0.037_372_650_536_756_76,
                0.073_599_261_633_184_68,
                0.063_613_993_219_987_34,
                0.332_809_748_448_141_7,
                0.143_991_528_413_829_73,
                0.011_301_703_410_515_74,
                0.096_655_953_798_863_14,
            ],
        ),
        (
            60,
            true,
            [
                0.825_309_865_297_766_1,
                0.121_718_293_124_763_16,
                0.001_312_448_728_119_288_7,
                0.036_411_681_168_490_154,
                0.002_718_125_420_139_757,
                0.012_458_212_143_456_41,
                0.0,
                0.000_071_374_117_265_016_03,
            ],
        ),
        (
            25,
            false,
            [
                0.067_862_554_538_708_96,
                0.024_581_272_972_616_877,
                0.022_089_952_591_209_35,
                0.172_646_731_014_225_34,
                0.133_211_792_502_675_95,
                0.018_184_055_779_864_653,
                0.000_141_495_202_913_918_36,
                0.561_282_145_397_774_9,
            ],
        ),
        (
            25,
            true,
            [
                0.317_463_860_264_316_94,
                0.160_428_577_163_587_13,
                0.043_478_235_427_636_28,
                0.085_361_372_689_839_88,
                0.085_987_260_006_188_16,
                0.063_787_481_912_937_5,
                0.000_091_334_142_225_757_11,
                0.243_401_878_393_268_23,
            ],
        ),
    ];
    for (n, maximize, expected) in optuna {
        let mut run = run((0..n).map(trial));
        run.objective.as_mut().unwrap().maximize = maximize;
        near(&shares(&run, &space, Method::PedAnova), &expected, 1e-9);
    }
}

#[test]
fn densities_by_hand() {
    let grid = Grid::of(&choice(&["a", "b", "c"])).unwrap();
    // n = 4 on two alternatives: (((4 / 3 + count) / (1 + 3 / 3)) + 1 / 3) / 5.
    near(&grid.density(&[3, 1, 0]), &[0.5, 0.3, 0.2], 1e-12);
    let grid = Grid::of(&whole(0, 7, false, None)).unwrap();
    let density = grid.density(&[1; 8]);
    // Deviation of 0 to 7 is sqrt(6), smaller than 5 / 1.34: 1.059 * sqrt(6) * 8^-0.2 = 1.711.
    let cdf = |z: f64| tune_core::records::normal::cdf(z);
    let expected = |x: f64| {
        let share = |mean: f64, deviation: f64| {
            let at = |y: f64| cdf((y - mean) / deviation);
            (at(x + 0.5) - at(x - 0.5)) / (at(7.5) - at(-0.5))
        };
        let own: f64 = (0..8).map(|k| share(f64::from(k), 1.711_400)).sum();
        (own + share(3.5, 8.0)) / 9.0
    };
    let expected: Vec<f64> = (0..8).map(|x| expected(f64::from(x))).collect();
    near(&density, &expected, 1e-5);
    assert!((density.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn values_fall_on_the_places_of_their_domain() {
    let places = |domain: &Domain| Grid::of(domain).map(Grid::places);
    let text = |domain: &Domain, value: Value| Grid::of(domain).unwrap().place(domain, &value);
    let at = |domain: &Domain, x: f64| text(domain, Value::Number(x));

    let unit = real(0.0, 49.0, false, None);
    assert_eq!(places(&unit), Some(50));
    // In the middle the lower one; outside the end.
    let cases = [(3.5, 3), (3.51, 4), (-7.0, 0), (1e300, 49)];
    assert!(cases.iter().all(|(x, k)| at(&unit, *x) == Some(*k)));
    // 50 places for 99 numbers: odd ones are in the middle between two.
    let many = whole(0, 98, false, None);
    assert_eq!(text(&many, Value::Integer(97)), Some(48));
    assert_eq!(places(&whole(3, 12, false, Some(3))), Some(4));
    assert_eq!(
        text(&whole(3, 12, false, Some(3)), Value::Integer(9)),
        Some(2)
    );
    assert_eq!(places(&whole(1, 10, true, None)), Some(5));
    assert_eq!(places(&whole(i64::MIN, i64::MAX, false, None)), Some(50));
    let decades = real(1e-4, 1.0, true, None);
    assert_eq!((at(&decades, 1e-4), at(&decades, 1.0)), (Some(0), Some(49)));
    let wide = real(-1.7e308, 1.7e308, false, None);
    assert_eq!(
        (at(&wide, -1.7e308), at(&wide, 1.7e308)),
        (Some(0), Some(49))
    );
    let normal = Domain::Gaussian(GaussianSpread {
        mean: 5.0,
        sd: 2.0,
        step: None,
    });
    assert_eq!((at(&normal, -99.0), at(&normal, 99.0)), (Some(0), Some(49)));
    let ordered = Domain::Ordered(vec![Value::from("s"), Value::from("m"), Value::from("l")]);
    assert_eq!(text(&ordered, Value::from("l")), Some(2));
    assert_eq!(text(&choice(&["a", "b"]), Value::from("z")), None);
    for domain in [
        choice(&["a"]),
        real(1.0, 1.0, false, None),
        whole(4, 4, true, None),
    ] {
        assert_eq!(places(&domain), None, "{domain}");
    }
}

/// 20 trials, the best 2 have kind `a` and its child `p`: the divergence of 1/2, 1/2 and 2/3, 1/3 is
/// 1/9 for both, and the child is active in half of the trials: 1^2 / (1/2) of it.
#[test]
fn ped_anova_by_hand_with_a_conditional_parameter() {
    let space = space(&[
        parameter("kind", choice(&["a", "b"])),
        child("only", choice(&["p", "q"]), "kind", "a"),
    ]);
    let run = run((0..20).map(|i| {
        let mut config = Config::new();
        config.insert("kind", if i < 10 { "a" } else { "b" });
        if i < 10 {
            config.insert("only", if i < 5 { "p" } else { "q" });
        }
        (config, f64::from(i))
    }));
    let found = importances(&run, &space, Method::PedAnova, false).unwrap();
    let [first, second] = found.importances.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((first.name.as_str(), first.active), ("only", 10));
    assert_eq!((second.name.as_str(), second.active), ("kind", 20));
    near(&[first.share, second.share], &[2.0 / 3.0, 1.0 / 3.0], 1e-9);
    assert_eq!(found.top, Some(2));
}

#[test]
fn all_goes_to_the_only_parameter_that_matters() {
    let space = space(&[
        parameter("idle", real(0.0, 1.0, false, None)),
        parameter("x", real(0.0, 1.0, false, None)),
        parameter("kind", choice(&["a", "b", "c"])),
        parameter("only", whole(3, 3, false, None)),
    ]);
    let run = drawn(&space, 200, |c| (number(c, "x") - 0.3).abs());
    let found = shares(&run, &space, Method::Permutation);
    assert!(found[1] > 0.999 && found[3] == 0.0, "{found:?}");
    let found = shares(&run, &space, Method::PedAnova);
    assert!(found[1] > 0.8 && found[3] == 0.0, "{found:?}");
}

/// A linear term has a variance of coefficient^2 / 12, two alternatives that are 1 apart one of 1 / 4.
#[test]
fn permutation_finds_the_shares_of_an_additive_function() {
    let parameters = [
        parameter("x", real(0.0, 1.0, false, None)),
        parameter("y", real(1e-4, 1.0, true, None)),
        parameter("kind", choice(&["a", "b"])),
    ];
    let value = |c: &Config| {
        let y = 1.0 + libm::log10(number(c, "y")) / 4.0;
        let kind = f64::from(u8::from(c.get("kind") == Some(&Value::from("b"))));
        3.0 * number(c, "x") + y + 3.0_f64.sqrt() * kind
    };
    let space = space(&parameters);
    let run = drawn(&space, 150, value);
    // 9 / 12, 1 / 12 and 3 / 4.
    let expected = [9.0 / 19.0, 1.0 / 19.0, 9.0 / 19.0];
    near(&shares(&run, &space, Method::Permutation), &expected, 0.04);
    let found = importances(&run, &space, Method::Permutation, false).unwrap();
    assert!(found.explained.unwrap() > 0.99, "{found:?}");
}

#[test]
fn an_interaction_counts_for_all_that_take_part() {
    let space = space(&[
        parameter("x", real(-1.0, 1.0, false, None)),
        parameter("y", real(-1.0, 1.0, false, None)),
        parameter("idle", real(-1.0, 1.0, false, None)),
    ]);
    let run = drawn(&space, 150, |c| number(c, "x") * number(c, "y"));
    let found = shares(&run, &space, Method::Permutation);
    near(&found, &[0.5, 0.5, 0.0], 0.04);
}

/// `x` matters for `a` only; `b` is as good as its middle. Exchanged, `x` moves the value by 1 / 6 in
/// the mean square in half of the trials, `kind` by 1 / 12 in half of the exchanges.
#[test]
fn permutation_exchanges_children_with_their_parent() {
    let space = space(&[
        parameter("kind", choice(&["a", "b"])),
        child("x", real(0.0, 1.0, false, None), "kind", "a"),
        child("z", real(0.0, 1.0, false, None), "kind", "b"),
    ]);
    let run = drawn(&space, 200, |c| match c.get("x") {
        Some(Value::Number(x)) => *x,
        _ => 0.5,
    });
    let found = shares(&run, &space, Method::Permutation);
    near(&found, &[1.0 / 3.0, 2.0 / 3.0, 0.0], 0.06);
}

#[test]
fn how_bad_the_bad_ones_are_does_not_matter_to_ped_anova() {
    let space = space(&[
        parameter("x", real(0.0, 1.0, false, None)),
        parameter("y", real(0.0, 1.0, false, None)),
    ]);
    let value = |c: &Config| number(c, "x") + 0.3 * number(c, "y");
    let plain = shares(&drawn(&space, 100, value), &space, Method::PedAnova);
    let cubed = |c: &Config| {
        if value(c) > 0.5 {
            value(c) * 1e300
        } else {
            value(c)
        }
    };
    let far = drawn(&space, 100, cubed);
    assert_eq!(shares(&far, &space, Method::PedAnova), plain);
    // And the other way gives numbers too.
    shares(&far, &space, Method::Permutation);
}

#[test]
fn only_finished_trials_with_a_finite_value_count() {
    let space = space(&[parameter("x", real(0.0, 1.0, false, None))]);
    let mut run = drawn(&space, 30, |c| number(c, "x"));
    run.trials[0].status = TrialStatus::Failed(FailureKind::Trap);
    run.trials[1].status = TrialStatus::Stopped;
    run.trials[2].reports[0].metrics[0].value = f64::NAN;
    run.trials[3].reports[0].metrics[0].value = f64::NEG_INFINITY;
    run.trials[4].reports.clear();
    run.trials[5].status = TrialStatus::Running;
    let found = importances(&run, &space, Method::PedAnova, false).unwrap();
    assert_eq!((found.trials, found.left_out, found.top), (24, 5, Some(3)));
    assert_eq!(found.importances[0].share, 1.0);
}

/// Of 40 trials 36 were stopped at the first report, some with better values than those that finished:
/// they are none of the best four all the same.
#[test]
fn stopped_trials_rank_behind_those_that_came_further_if_they_count_at_all() {
    let space = space(&[parameter("kind", choice(&["a", "b"]))]);
    let mut run = run((0..40).map(|i| {
        let mut config = Config::new();
        config.insert("kind", if i % 10 == 0 { "a" } else { "b" });
        (config, f64::from(100 - i))
    }));
    for trial in &mut run.trials {
        if trial.id % 10 != 0 {
            trial.status = TrialStatus::Stopped;
        }
    }
    let why = importances(&run, &space, Method::PedAnova, false).unwrap_err();
    assert!(
        why.to_string().contains("the 36 that were stopped"),
        "{why}"
    );
    let found = importances(&run, &space, Method::PedAnova, true).unwrap();
    let counts = (found.trials, found.stopped, found.left_out, found.top);
    assert_eq!(counts, (40, 36, 0, Some(4)));
    let lines = importances_lines(&run, &found, 100, false);
    assert_eq!(
        lines[1],
        "4 finished trials, and 36 stopped ones that rank behind those that came further"
    );
    // A model would compare their values.
    let why = importances(&run, &space, Method::Permutation, true).unwrap_err();
    assert!(
        matches!(why, NoImportances::TooFew { trials: 4, .. }),
        "{why}"
    );
    let samples = samples(&run, run.objective.as_ref().unwrap(), true);
    let best = ped_anova::top(&samples);
    let best = (0..).zip(best).filter(|(_, is_top)| *is_top);
    assert_eq!(best.map(|(i, _)| i).collect::<Vec<u32>>(), [0, 10, 20, 30]);
}

#[test]
fn what_cannot_be_told_is_said_with_the_reason() {
    let x = space(&[parameter("x", real(0.0, 1.0, false, None))]);
    let why = |run: &RunView, space: &Space, method| {
        importances(run, space, method, false)
            .unwrap_err()
            .to_string()
    };
    for method in [Method::PedAnova, Method::Permutation] {
        let mut few = drawn(&x, 12, |c| number(c, "x"));
        few.trials[3].status = TrialStatus::Stopped;
        few.trials[4].status = TrialStatus::Failed(FailureKind::Reported);
        few.trials[5].status = TrialStatus::Stopped;
        assert_eq!(
            why(&few, &x, method),
            "9 of 12 trials count, with a finite `loss`: importances need at least 10; \
             `--importance=ped-anova --stopped` counts the 2 that were stopped, too"
        );
        few.trials.truncate(0);
        assert!(why(&few, &x, method).ends_with("at least 10"));
        let constant = drawn(&x, 20, |_| 7.0);
        assert!(why(&constant, &x, method).contains("all 20 trials that count have the same"));
        let single = space(&[parameter("x", whole(1, 1, false, None))]);
        let mut fixed = drawn(&single, 20, |_| 0.0);
        for trial in &mut fixed.trials {
            trial.reports[0].metrics[0].value = f64::from(trial.id);
        }
        assert!(why(&fixed, &single, method).contains("no parameter shows an effect on `loss`"));
        assert_eq!(
            importances(&fixed, &space(&[]), method, false),
            Err(NoImportances::NoParameters)
        );
        fixed.objective = None;
        assert_eq!(
            importances(&fixed, &single, method, false),
            Err(NoImportances::NoObjective)
        );
    }
    let mut ties = drawn(&x, 20, |_| 1.0);
    ties.trials[7].reports[0].metrics[0].value = 0.0;
    let why = why(&ties, &x, Method::PedAnova);
    assert!(why.contains("share the worst `loss`"), "{why}");
}

#[test]
fn many_trials_of_many_parameters_give_numbers() {
    let domains = [
        real(0.0, 1.0, false, None),
        real(1e-5, 1.0, true, None),
        whole(0, 1_000, false, None),
        choice(&["a", "b", "c"]),
    ];
    let parameters: Vec<Parameter> = (0..12)
        .map(|i| parameter(&format!("p{i}"), domains[i % domains.len()].clone()))
        .collect();
    let space = space(&parameters);
    let run = drawn(&space, 1_000, |c| number(c, "p0") + number(c, "p4"));
    for method in [Method::PedAnova, Method::Permutation] {
        let found = shares(&run, &space, method);
        assert!(found.iter().all(|share| *share >= 0.0), "{found:?}");
        assert!(found[0] + found[4] > 0.8, "{found:?}");
        assert_eq!(shares(&run, &space, method), found);
    }
}

#[test]
fn importances_as_people_and_programs_see_them() {
    let space = space(&[
        parameter("kind", choice(&["a", "b"])),
        child("only", choice(&["p", "q"]), "kind", "a"),
    ]);
    let mut run = run((0..20).map(|i| {
        let mut config = Config::new();
        config.insert("kind", if i < 10 { "a" } else { "b" });
        if i < 10 {
            config.insert("only", if i < 5 { "p" } else { "q" });
        }
        (config, f64::from(i))
    }));
    let mut stopped = trial(20, Config::new(), 0.0);
    stopped.status = TrialStatus::Stopped;
    run.trials.push(stopped);
    let found = importances(&run, &space, Method::PedAnova, false);
    assert_eq!(
        importances_lines(&run, found.as_ref().unwrap(), 100, false),
        [
            "toy · importance for loss, smaller is better",
            "20 finished trials (1 more were stopped, failed or have no finite value)",
            "PED-ANOVA: how differently values lie in the best 2 trials and in all",
            "",
            "parameter  importance  active in",
            "only           66.7 %         10  ████████████████████",
            "kind           33.3 %         20  ██████████",
            "",
            "few trials: from 50 on the numbers can be relied on",
            "`--stopped` counts the 1 that were stopped, too",
        ]
    );
    let json = importances_json(&run, Method::PedAnova, &found);
    assert_eq!(json["trials"], 20);
    assert_eq!(json["reason"], json!(null));
    assert_eq!(json["importances"][0]["name"], "only");
    assert_eq!(json["importances"][1]["active"], 20);
    run.trials.truncate(3);
    let none = importances(&run, &space, Method::Permutation, false);
    assert_eq!(
        importances_json(&run, Method::Permutation, &none),
        json!({
            "run": "toy", "metric": "loss", "mode": "min", "method": "permutation",
            "trials": null, "stopped": null, "left_out": null, "top": null, "explained": null, "importances": null,
            "reason": "3 of 3 trials count, with a finite `loss`: importances need at least 10",
        })
    );
}
