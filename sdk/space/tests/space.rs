//! Domains and spaces from outside: what they hold, how they are drawn, and that no range, however
//! extreme, makes them panic.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tune_space::{
    Condition, Config, Domain, DomainError, GaussianSpread, Parameter, RealRange, Space,
    SpaceError, Stream, Used, Value, Walk, WholeRange,
};

fn real(low: f64, high: f64, log: bool, step: Option<f64>) -> Domain {
    Domain::Real(RealRange {
        low,
        high,
        log,
        step,
    })
}

fn whole(low: i64, high: i64, log: bool, step: Option<i64>) -> Domain {
    Domain::Whole(WholeRange {
        low,
        high,
        log,
        step,
    })
}

fn gaussian(mean: f64, sd: f64, step: Option<f64>) -> Domain {
    Domain::Gaussian(GaussianSpread { mean, sd, step })
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

fn child(name: &str, domain: Domain, parent: &str, among: &[&str]) -> Parameter {
    Parameter {
        conditions: vec![Condition {
            parent: parent.to_owned(),
            among: among.iter().map(|v| Value::from(*v)).collect(),
        }],
        ..parameter(name, domain)
    }
}

fn config(pairs: &[(&str, Value)]) -> Config {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect()
}

/// optimizer: sgd (momentum, and nesterov when it is high) or adam (two betas) or none.
fn branches() -> Space {
    let parameters = vec![
        parameter("optimizer", choice(&["sgd", "adam", "none"])),
        child("momentum", choice(&["low", "high"]), "optimizer", &["sgd"]),
        child("nesterov", choice(&["yes", "no"]), "momentum", &["high"]),
        child("beta", whole(1, 5, false, None), "optimizer", &["adam"]),
        child(
            "decay",
            real(0.0, 0.2, false, Some(0.1)),
            "optimizer",
            &["sgd", "adam"],
        ),
    ];
    Space::new(parameters).unwrap()
}

#[test]
fn each_wrong_domain_is_refused_with_its_reason() {
    let cases = [
        (real(f64::NAN, 1.0, false, None), "low is NaN"),
        (real(0.0, f64::INFINITY, false, None), "high is inf"),
        (real(2.0, 1.0, false, None), "swap"),
        (real(0.0, 1.0, true, None), "above 0"),
        (real(0.0, 1.0, false, Some(0.0)), "step is 0"),
        (real(0.0, 1.0, false, Some(f64::NAN)), "step is NaN"),
        (real(0.1, 0.9, false, Some(1.0)), "no multiple"),
        (real(0.0, 1e300, false, Some(1e-3)), "too small"),
        (whole(3, 2, false, None), "swap"),
        (whole(0, 2, true, None), "above 0"),
        (whole(0, 2, false, Some(-1)), "step is -1"),
        (whole(5, 9, false, Some(10)), "no multiple"),
        (gaussian(0.0, 0.0, None), "sd is 0"),
        (gaussian(f64::MAX, f64::MAX, None), "reach"),
        (Domain::Choice(Vec::new()), "empty"),
        (choice(&["a", "b", "a"]), "twice"),
        (Domain::Ordered(vec![0.0.into(), (-0.0).into()]), "twice"),
        (Domain::Ordered(vec![f64::NAN.into()]), "NaN"),
        (
            Domain::Ordered((0..70_000).map(Value::Integer).collect()),
            "65536",
        ),
    ];
    for (domain, reason) in cases {
        let error = domain.validate().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let distinct = Domain::Choice(vec![1_i64.into(), 1.0.into(), true.into(), "1".into()]);
    assert_eq!(distinct.validate(), Ok(()));
}

#[test]
fn only_values_of_the_right_type_inside_the_range_belong_to_a_domain() {
    let unit = real(0.0, 1.0, false, None);
    assert!(unit.contains(&0.0.into()) && unit.contains(&1.0.into()));
    assert!(!unit.contains(&1_i64.into()) && !unit.contains(&f64::NAN.into()));
    assert!(!unit.contains(&1.000_001.into()));
    let even = whole(1, 9, false, Some(2));
    assert!(even.contains(&2_i64.into()) && even.contains(&8_i64.into()));
    assert!(!even.contains(&3_i64.into()) && !even.contains(&10_i64.into()));
    assert!(!even.contains(&2.0.into()));
    let tenths = real(0.0, 0.3, false, Some(0.1));
    assert!(tenths.contains(&0.3.into()) && tenths.contains(&(3.0 * 0.1).into()));
    assert!(!tenths.contains(&0.25.into()));
    let ones = Domain::Choice(vec![1_i64.into(), 1.0.into()]);
    assert_eq!(ones.position(&1_i64.into()), Some(0));
    assert_eq!(ones.position(&1.0.into()), Some(1));
    assert!(!ones.contains(&true.into()));
}

#[test]
fn multiples_of_a_decimal_step_are_the_decimals_that_one_would_write() {
    let tenths = real(0.0, 0.7, false, Some(0.1));
    let values: Vec<Value> = (0..8).map(|i| tenths.nth(i).unwrap()).collect();
    let want = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
    assert_eq!(values, want.map(Value::from));
    assert_eq!(tenths.cardinality(), Some(8));
    let fine = real(-3e-4, 3e-4, false, Some(3e-4));
    assert_eq!(fine.cardinality(), Some(3));
    assert_eq!(fine.nth(0), Some((-3e-4).into()));
}

#[test]
fn the_nearest_value_is_inside_the_range_and_on_the_grid() {
    let at = |domain: &Domain, x: f64| domain.nearest(x);
    let number = |x: f64| Some(Value::Number(x));
    assert_eq!(at(&real(0.5, 2.0, true, None), 1.3), number(1.3));
    assert_eq!(at(&real(0.5, 2.0, true, None), 9.0), number(2.0));
    assert_eq!(
        at(&real(0.5, 2.0, true, None), f64::NEG_INFINITY),
        number(0.5)
    );
    let tenths = real(0.15, 0.55, false, Some(0.1));
    assert_eq!(at(&tenths, 0.26), number(0.3));
    assert_eq!(at(&tenths, 0.0), number(0.2));
    assert_eq!(at(&tenths, 1e300), number(0.5));
    let fours = whole(3, 22, false, Some(4));
    for (x, expected) in [
        (0.0, 4),
        (9.0, 8),
        (10.1, 12),
        (99.0, 20),
        (f64::INFINITY, 20),
    ] {
        assert_eq!(at(&fours, x), Some(Value::Integer(expected)));
    }
    let ends = whole(i64::MIN, i64::MAX, false, None);
    assert_eq!(at(&ends, f64::INFINITY), Some(Value::Integer(i64::MAX)));
    assert_eq!(at(&gaussian(0.0, 1.0, Some(0.5)), 1.2), number(1.0));
    assert_eq!(at(&gaussian(0.0, 1.0, None), f64::INFINITY), None);
    assert_eq!(at(&fours, f64::NAN), None);
    assert_eq!(at(&choice(&["a"]), 0.0), None);
}

/// Shares of 60,000 draws.
fn shares(domain: &Domain) -> BTreeMap<String, f64> {
    let mut stream = Stream::new(11);
    let mut counts = BTreeMap::new();
    for _ in 0..60_000 {
        *counts
            .entry(domain.sample(&mut stream).to_string())
            .or_insert(0.0) += 1.0 / 60_000.0;
    }
    counts
}

#[test]
fn whole_and_stepped_values_are_drawn_equally_often_and_both_ends_come() {
    for domain in [
        whole(-2, 1, false, None),
        whole(-7, 13, false, Some(5)),
        real(0.1, 0.4, false, Some(0.1)),
        choice(&["a", "b", "c", "d"]),
    ] {
        let shares = shares(&domain);
        assert_eq!(shares.len(), 4, "{shares:?}");
        assert!(
            shares.values().all(|s| (s - 0.25).abs() < 0.01),
            "{shares:?}"
        );
    }
}

#[test]
fn logarithmic_whole_numbers_come_as_the_floor_of_a_log_uniform_number() {
    // 1 to 7: k comes with probability ln((k + 1) / k) / ln 8.
    let shares = shares(&whole(1, 7, true, None));
    for k in 1..=7 {
        let want = ((f64::from(k) + 1.0) / f64::from(k)).log(8.0);
        assert!(
            (shares[&k.to_string()] - want).abs() < 0.01,
            "{k}: {shares:?}"
        );
    }
    // The same over multiples, as in Ray Tune's qlograndint.
    let shares = self::shares(&whole(10, 79, true, Some(10)));
    assert!((shares["10"] - 1.0 / 3.0).abs() < 0.01, "{shares:?}");
}

#[test]
fn gaussian_draws_have_the_mean_and_spread_and_stand_on_the_step() {
    let domain = gaussian(3.0, 2.0, Some(0.5));
    let mut stream = Stream::new(5);
    let draws: Vec<f64> = (0..40_000)
        .map(|_| domain.sample(&mut stream).as_f64().unwrap())
        .collect();
    let mean = draws.iter().sum::<f64>() / 40_000.0;
    let var = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
    assert!(
        (mean - 3.0).abs() < 0.05 && (var - 4.0).abs() < 0.1,
        "{mean} {var}"
    );
    assert!(draws.iter().all(|x| (x * 2.0).fract() == 0.0));
    assert!((domain.to_unit(&3.0.into()).unwrap() - 0.5).abs() < 1e-12);
}

fn any_domain() -> impl Strategy<Value = Domain> {
    let extremes = prop_oneof![
        Just(0.0),
        Just(1e-300),
        Just(1e300),
        Just(-1e308),
        Just(f64::MAX),
        -10.0..10.0,
        any::<f64>(),
    ];
    let numbers = (extremes.clone(), extremes.clone(), any::<bool>());
    let ends = prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        -9..9_i64,
        any::<i64>()
    ];
    prop_oneof![
        (numbers.clone(), proptest::option::of(extremes.clone()))
            .prop_map(|((low, high, log), step)| real(low, high, log, step)),
        (
            ends.clone(),
            ends.clone(),
            any::<bool>(),
            proptest::option::of(ends)
        )
            .prop_map(|(low, high, log, step)| whole(low, high, log, step)),
        (numbers, proptest::option::of(extremes))
            .prop_map(|((mean, sd, _), step)| gaussian(mean, sd, step)),
        (0..5_i64).prop_map(|n| Domain::Choice((0..n).map(Value::Integer).collect())),
    ]
}

/// Ranges of ordinary size, in which cells are wide enough to round-trip exactly.
fn ordinary_domain() -> impl Strategy<Value = Domain> {
    prop_oneof![
        (1..50_i64, 0..1000_i64, any::<bool>(), 1..7_i64).prop_map(|(low, more, log, step)| whole(
            low,
            low + step + more,
            log,
            Some(step)
        )),
        (1..50_u32, 1..1000_u32, any::<bool>(), 1..5_u32).prop_map(|(low, more, log, step)| {
            let (low, step) = (f64::from(low) / 10.0, f64::from(step) / 10.0);
            real(low, low + step * f64::from(more), log, Some(step))
        }),
        (1..9_i64).prop_map(|n| Domain::Ordered((0..n).map(Value::Integer).collect())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_domain_however_extreme_panics_and_valid_ones_hold_what_they_make(
        domain in any_domain(),
        u in prop_oneof![Just(0.0), Just(1.0), Just(f64::NAN), 0.0..1.0],
        x: f64,
        seed: u64,
    ) {
        let valid = domain.validate().is_ok();
        if let Some(near) = domain.nearest(x) {
            prop_assert!(!valid || domain.contains(&near), "{near} not in {domain}");
        }
        let made = [domain.from_unit(u), domain.sample(&mut Stream::new(seed))];
        for value in made {
            let unit = domain.to_unit(&value);
            let _ = (domain.cardinality(), domain.position(&value), domain.to_string());
            if valid && !u.is_nan() {
                prop_assert!(domain.contains(&value), "{value} not in {domain}");
                prop_assert!((0.0..=1.0).contains(&unit.unwrap()), "{unit:?}");
            }
        }
    }

    #[test]
    fn values_of_a_countable_domain_survive_the_unit_interval_and_their_position(
        domain in ordinary_domain(),
        pick: u64,
    ) {
        prop_assume!(domain.validate().is_ok());
        let count = domain.cardinality().unwrap();
        let position = pick % count;
        let value = domain.nth(position).unwrap();
        prop_assert_eq!(domain.position(&value), Some(position));
        prop_assert_eq!(domain.from_unit(domain.to_unit(&value).unwrap()), value.clone());
        prop_assert_eq!(domain.nth(count), None);
        // Cells tile the unit interval in order.
        let (_, end) = domain.cell(&value).unwrap();
        match domain.nth(position + 1) {
            Some(next) => prop_assert!((domain.cell(&next).unwrap().0 - end).abs() < 1e-12),
            None => prop_assert!((end - 1.0).abs() < 1e-12),
        }
    }

    #[test]
    fn real_numbers_survive_the_unit_interval(
        low in 1e-9..1e3_f64, factor in 1.0..1e6_f64, u in 0.0..1.0_f64, log: bool,
    ) {
        let domain = real(low, low * factor, log, None);
        let back = domain.to_unit(&domain.from_unit(u)).unwrap();
        let x = domain.from_unit(u).as_f64().unwrap();
        let again = domain.from_unit(back).as_f64().unwrap();
        prop_assert!((again - x).abs() <= 1e-12 * x);
    }

    #[test]
    fn configurations_are_built_as_they_are_resolved_and_give_their_values_back(seed: u64) {
        // Names out of order, and later conditions on them or none.
        let plain = ["k", "b", "x10", "x2", "a"].map(|name| parameter(name, choice(&["x", "y"])));
        for space in [branches(), Space::new(plain.to_vec()).unwrap()] {
            let mut stream = Stream::new(seed);
            let built = space.build(|_, p| p.domain.sample(&mut stream));
            let mut stream = Stream::new(seed);
            let resolved = space.resolve(|p, _| p.domain.sample(&mut stream));
            prop_assert_eq!(&built, &resolved);
            let mut config = built.clone();
            for name in ["0", "unknown", "zz"] {
                config.insert(name, 1_i64);
            }
            let known = space.parameters().iter().map(|p| built.get(&p.name));
            prop_assert_eq!(space.values(&config), known.collect::<Vec<_>>());
        }
    }

    #[test]
    fn drawn_configurations_belong_to_the_space_and_keep_what_is_pinned(seed: u64) {
        let space = branches();
        let mut stream = Stream::new(seed);
        let free = space.sample(&mut stream, &Config::new()).unwrap();
        prop_assert_eq!(space.check(&free), Ok(()));
        let pinned = config(&[("nesterov", "yes".into())]);
        let drawn = space.sample(&mut stream, &pinned).unwrap();
        prop_assert_eq!(space.check(&drawn), Ok(()));
        prop_assert_eq!(drawn.get("nesterov"), Some(&"yes".into()));
        prop_assert_eq!(drawn.get("momentum"), Some(&"high".into()));
        let point: Vec<f64> = space.encode(&free).into_iter().map(|u| u.unwrap_or(0.0)).collect();
        prop_assert_eq!(space.decode(&point), free);
    }
}

#[test]
fn a_space_with_a_wrong_name_parent_or_alternative_is_refused() {
    let a = || parameter("a", choice(&["x", "y"]));
    let error = |parameters| Space::new(parameters).unwrap_err();
    assert_eq!(error(vec![a(), a()]), SpaceError::Twice("a".into()));
    assert!(matches!(
        error(vec![parameter("", choice(&["x"]))]),
        SpaceError::BadName(_)
    ));
    let late = child("b", choice(&["x"]), "a", &["x"]);
    assert!(matches!(
        error(vec![late.clone(), a()]),
        SpaceError::Parent { .. }
    ));
    let own = child("b", choice(&["x"]), "b", &["x"]);
    assert!(matches!(error(vec![own]), SpaceError::Parent { .. }));
    let alien = child("b", choice(&["x"]), "a", &["z"]);
    assert!(matches!(
        error(vec![a(), alien]),
        SpaceError::Alternative { .. }
    ));
    let never = child("b", choice(&["x"]), "a", &[]);
    assert!(matches!(
        error(vec![a(), never]),
        SpaceError::NoAlternative { .. }
    ));
    let empty = error(vec![parameter("a", Domain::Choice(Vec::new()))]);
    assert_eq!(
        empty,
        SpaceError::Domain {
            name: "a".into(),
            error: DomainError::Empty
        }
    );
    assert!(empty.to_string().contains("`a`"));
    let many = (0..2_000).map(|i| parameter(&i.to_string(), choice(&["x"])));
    assert!(matches!(error(many.collect()), SpaceError::TooMany(2_000)));
}

#[test]
fn a_check_names_what_is_missing_extra_outside_or_inactive() {
    let space = branches();
    let good = config(&[
        ("optimizer", "sgd".into()),
        ("momentum", "low".into()),
        ("decay", 0.1.into()),
    ]);
    assert_eq!(space.check(&good), Ok(()));
    let changed = |name: &str, value: Option<Value>| {
        let mut c = good.clone();
        match value {
            Some(value) => drop(c.insert(name, value)),
            None => drop(c.remove(name)),
        }
        space.check(&c).unwrap_err()
    };
    assert_eq!(changed("decay", None), SpaceError::Missing("decay".into()));
    assert_eq!(
        changed("x", Some(1.0.into())),
        SpaceError::Unknown("x".into())
    );
    let inactive = changed("beta", Some(1_i64.into())).to_string();
    assert!(inactive.contains("`optimizer` is sgd"), "{inactive}");
    let outside = changed("decay", Some(0.05.into())).to_string();
    assert!(outside.contains("in steps of 0.1"), "{outside}");
}

#[test]
fn pinned_keys_that_cannot_hold_together_are_refused() {
    let space = branches();
    let check = |pairs: &[(&str, Value)]| space.check_partial(&config(pairs));
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[("beta", 3_i64.into())]), Ok(()));
    let clash = check(&[("beta", 3_i64.into()), ("optimizer", "sgd".into())]);
    assert!(
        matches!(clash, Err(SpaceError::Inactive { .. })),
        "{clash:?}"
    );
    // Both are free to choose, but no optimizer has both.
    let torn = check(&[("beta", 3_i64.into()), ("nesterov", "no".into())]);
    assert!(
        matches!(torn, Err(SpaceError::Contradiction { .. })),
        "{torn:?}"
    );
    assert!(matches!(
        check(&[("beta", 9_i64.into())]),
        Err(SpaceError::Outside { .. })
    ));
    assert!(matches!(
        check(&[("gamma", 9_i64.into())]),
        Err(SpaceError::Unknown(_))
    ));
}

#[test]
fn a_walk_visits_every_configuration_once_and_as_many_as_are_counted() {
    let space = branches();
    // none: 1; adam: 5 betas x 3 decays; sgd: 3 decays x (low + high x 2).
    assert_eq!(space.cardinality(), Some(1 + 15 + 9));
    let mut walk = Walk::new(space.clone(), 0).unwrap();
    let mut seen = BTreeSet::new();
    loop {
        let c = walk.config();
        assert_eq!(space.check(&c), Ok(()));
        assert!(seen.insert(space.fingerprint(&c)), "{c} came twice");
        let mut other = Walk::new(space.clone(), 0).unwrap();
        assert!(other.seek(&c) && other.config() == c);
        if !walk.advance() {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(
        seen.contains(&space.fingerprint(&walk.config())),
        "it starts again"
    );
}

#[test]
fn the_first_name_turns_fastest_in_a_walk() {
    let space = Space::new(vec![
        parameter("b", choice(&["x", "y"])),
        parameter("a", whole(1, 3, false, None)),
    ])
    .unwrap();
    let mut walk = Walk::new(space, 0).unwrap();
    let mut visited = vec![walk.config().to_string()];
    while walk.advance() {
        visited.push(walk.config().to_string());
    }
    assert_eq!(
        visited.join("; "),
        "a=1 b=x; a=2 b=x; a=3 b=x; a=1 b=y; a=2 b=y; a=3 b=y"
    );
}

#[test]
fn uncountable_parameters_are_walked_by_the_middles_of_equal_parts() {
    let space = Space::new(vec![
        parameter("x", real(0.0, 1.0, false, None)),
        parameter("z", gaussian(0.0, 1.0, Some(1.0))),
    ])
    .unwrap();
    assert_eq!(space.cardinality(), None);
    assert!(Walk::new(space.clone(), 0).is_none());
    let mut walk = Walk::new(space, 4).unwrap();
    let mut count = 1;
    assert_eq!(walk.config().get("x"), Some(&0.125.into()));
    while walk.advance() {
        count += 1;
    }
    // Quantiles -1.15, -0.32, 0.32, 1.15 round to -1, 0, 1.
    assert_eq!(count, 4 * 3);
}

#[test]
fn counting_gives_up_where_the_number_or_the_work_is_too_large() {
    let huge = parameter("a", whole(i64::MIN, i64::MAX, false, None));
    assert_eq!(Space::new(vec![huge]).unwrap().cardinality(), None);
    let wide: Vec<Parameter> = (0..64)
        .map(|i| parameter(&format!("p{i}"), choice(&["x", "y"])))
        .collect();
    assert_eq!(Space::new(wide).unwrap().cardinality(), None);
    assert_eq!(Space::new(Vec::new()).unwrap().cardinality(), Some(1));
}

#[test]
fn unused_configurations_are_found_to_the_last_one_and_within_what_is_pinned() {
    let space = branches();
    let mut used = Used::new(&space, 0);
    let adam = space.pin(&config(&[("optimizer", "adam".into())])).unwrap();
    let mut from = adam.sample(&mut Stream::new(1), &Config::new()).unwrap();
    for _ in 0..15 {
        from = used.unused_from(&adam, &from).unwrap();
        assert_eq!(from.get("optimizer"), Some(&"adam".into()));
        assert!(used.is_new(&from));
        used.record(&from);
    }
    assert_eq!(used.unused_from(&adam, &from), None);
    for _ in 0..10 {
        let other = used.unused_from(&space, &from).unwrap();
        used.record(&other);
    }
    assert_eq!(used.unused_from(&space, &from), None);
}
