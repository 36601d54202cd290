//! What is written is read again as the same table.

use proptest::prelude::*;
use tune_space::{
    Condition, Config, Domain, GaussianSpread, Parameter, RealRange, Space, Stream, Value,
    WholeRange,
};
use tune_table::{About, Curve, Mode, Row, Table};

use crate::table;

fn about(metrics: &[&str]) -> About {
    About {
        format: tune_table::FORMAT,
        name: "toy".to_owned(),
        description: "of \"tests\"\nin two lines".to_owned(),
        source: String::new(),
        licence: "CC0".to_owned(),
        metric: metrics[0].to_owned(),
        mode: Mode::Max,
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        metrics: metrics.iter().map(|m| (*m).into()).collect(),
        cost: String::new(),
        space: tune_table::Entries::default(),
    }
}

fn domain() -> impl Strategy<Value = Domain> {
    let texts = ["a", "b,c", "d\"e", "f g", "é", "1.5", "true"];
    prop_oneof![
        (0.0..5.0_f64, 0.1..5.0_f64, any::<bool>()).prop_map(|(low, width, log)| {
            let low = low + 0.001;
            Domain::Real(RealRange {
                low,
                high: low + width,
                log,
                step: None,
            })
        }),
        (0_i32..20, 1_i32..20, any::<bool>()).prop_map(|(low, width, log)| {
            let of = |k: i32| f64::from(k) * 0.1;
            Domain::Real(RealRange {
                low: of(low + 1),
                high: of(low + 1 + width),
                log,
                step: Some(0.1),
            })
        }),
        (1_i64..50, 0_i64..50, any::<bool>()).prop_map(|(low, width, log)| {
            Domain::Whole(WholeRange {
                low,
                high: low + width,
                log,
                step: None,
            })
        }),
        (1_i64..9, 1_i64..9, 2_i64..9).prop_map(|(low, width, step)| {
            Domain::Whole(WholeRange {
                low: low * step,
                high: (low + width) * step,
                log: false,
                step: Some(step),
            })
        }),
        (-5.0..5.0_f64, 0.1..3.0_f64, prop::option::of(Just(0.5)))
            .prop_map(|(mean, sd, step)| { Domain::Gaussian(GaussianSpread { mean, sd, step }) }),
        (1..=texts.len(), any::<bool>()).prop_map(move |(count, ordered)| {
            let values = texts[..count]
                .iter()
                .map(|t| Value::Text((*t).to_owned()))
                .collect();
            if ordered {
                Domain::Ordered(values)
            } else {
                Domain::Choice(values)
            }
        }),
        Just(Domain::Choice(vec![
            Value::Boolean(true),
            Value::Integer(1),
            Value::Number(1.0),
            Value::Structured("[1,2]".to_owned())
        ])),
    ]
}

/// Up to six parameters; every second depends on the first value of the first one, if that is a choice.
fn space() -> impl Strategy<Value = Vec<Parameter>> {
    prop::collection::vec(domain(), 1..6).prop_map(|domains| {
        let first = match &domains[0] {
            Domain::Choice(values) | Domain::Ordered(values) => values.first().cloned(),
            _ => None,
        };
        let parameter = |(index, domain): (usize, &Domain)| Parameter {
            name: format!("model.p,{index}"),
            domain: domain.clone(),
            conditions: match &first {
                Some(value) if index % 2 == 1 => vec![Condition {
                    parent: "model.p,0".to_owned(),
                    among: vec![value.clone()],
                }],
                _ => Vec::new(),
            },
        };
        domains.iter().enumerate().map(parameter).collect()
    })
}

fn rows(space: &Space, seed: u64, count: u32, metrics: usize) -> Vec<(Row, Curve)> {
    let mut stream = Stream::new(seed);
    let mut seen = std::collections::BTreeSet::new();
    let mut rows = Vec::new();
    for id in 0..count {
        let config = space.sample(&mut stream, &Config::new()).unwrap();
        if !seen.insert(space.fingerprint(&config)) {
            continue;
        }
        let mut curve = Curve::default();
        for _ in 0..=stream.below(5) {
            let values: Vec<f64> = (0..metrics)
                .map(|_| match stream.below(6) {
                    0 => f64::NAN,
                    1 => f64::NEG_INFINITY,
                    2 => 0.0,
                    _ => f64::from_bits(stream.u64()),
                })
                .collect();
            curve.push(stream.below(1_000_000), &values);
        }
        rows.push((Row { id: id * 3, config }, curve));
    }
    rows
}

fn parse(table: &Table, digits: Option<usize>) -> Table {
    let [(_, about), (_, configurations), (_, curves)] = table.to_files(digits);
    Table::parse(
        about.as_bytes(),
        configurations.as_bytes(),
        curves.as_bytes(),
    )
    .unwrap()
}

#[test]
fn a_table_by_hand_is_written_as_it_was_read() {
    let table = table();
    assert_eq!(parse(&table, None).to_files(None), table.to_files(None));
    let constants = table.catalogue().constants();
    assert_eq!(constants.get("batch"), Some(&Value::Integer(32)));
    assert_eq!(table.catalogue().space().parameters().len(), 3);
}

proptest! {
    #[test]
    fn any_table_is_read_as_it_was_written_bit_for_bit(
        parameters in space(),
        seed: u64,
        count in 1_u32..20,
        metrics in 1_usize..4,
    ) {
        let names = ["loss", "a,\"b\"", "c"];
        let space = Space::new(parameters.clone()).unwrap();
        let rows = rows(&space, seed, count, metrics);
        let mut constants = Config::new();
        constants.insert("batch", 32_i64);
        constants.insert("shape", Value::Structured("{\"a\":[1]}".to_owned()));
        let table = Table::new(about(&names[..metrics]), parameters, constants.clone(), rows).unwrap();
        let again = parse(&table, None);
        prop_assert_eq!(again.catalogue().space(), &space);
        prop_assert_eq!(again.catalogue().constants(), &constants);
        prop_assert_eq!(again.catalogue().rows(), table.catalogue().rows());
        // NaNs keep no bits, as in reports.
        prop_assert_eq!(format!("{:?}", again.curves()), format!("{:?}", table.curves()));
        prop_assert_eq!(again.catalogue().about(), table.catalogue().about());
    }

    #[test]
    fn rounded_metrics_are_off_by_half_a_digit_at_most(seed: u64, digits in 1_usize..8) {
        let space = vec![Parameter {
            name: "x".to_owned(),
            domain: Domain::Real(RealRange { low: 0.0, high: 1.0, log: false, step: None }),
            conditions: Vec::new(),
        }];
        let rows = rows(&Space::new(space.clone()).unwrap(), seed, 5, 2);
        let table = Table::new(about(&["loss", "more"]), space, Config::new(), rows).unwrap();
        let again = parse(&table, Some(digits));
        for (exact, rounded) in table.curves().iter().zip(again.curves()) {
            for t in 1..=exact.len() as u64 {
                let (exact, rounded) = (exact.step(t).unwrap(), rounded.step(t).unwrap());
                prop_assert_eq!(exact.cost, rounded.cost);
                for (x, y) in exact.values.iter().zip(rounded.values) {
                    let near = (x - y).abs() <= x.abs() * 0.51 * 10_f64.powi(1 - digits as i32);
                    prop_assert!(near || x == y || (x.is_nan() && y.is_nan()) || !x.is_normal() || y.is_infinite(), "{} {}", x, y);
                }
            }
        }
    }
}

#[test]
fn rows_that_are_no_table_are_refused() {
    let space = table().catalogue().space().parameters().to_vec();
    let row = |id: u32| Row {
        id,
        config: table().catalogue().rows()[0].config.clone(),
    };
    let mut curve = Curve::default();
    curve.push(1, &[0.5]);
    let new = |rows: Vec<(Row, Curve)>| {
        Table::new(about(&["loss"]), space.clone(), Config::new(), rows).unwrap_err()
    };
    assert!(new(Vec::new()).contains("no rows"));
    assert!(new(vec![(row(3), Curve::default())]).contains("configuration 3 has no curve"));
    let unsorted = vec![(row(3), curve.clone()), (row(2), curve.clone())];
    assert!(new(unsorted).contains("configuration 2 comes after 3"));
    let empty = Row {
        id: 0,
        config: Config::new(),
    };
    assert!(new(vec![(empty, curve)]).contains("`lr` is missing"));
}
