//! Which row stands for a configuration, and which curve that is.

use tune_space::{Config, Value};
use tune_table::{Match, NoRow, Reader, crossing};

use crate::{CURVES, Memory, table};

fn config(pairs: &[(&str, Value)]) -> Config {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn sgd(lr: f64, momentum: f64) -> Config {
    config(&[
        ("lr", lr.into()),
        ("kind", "sgd".into()),
        ("momentum", momentum.into()),
        ("batch", 32_i64.into()),
    ])
}

#[test]
fn the_row_with_the_same_values_is_found_exactly_and_as_the_nearest() {
    let table = table();
    for (index, row) in table.catalogue().rows().iter().enumerate() {
        for how in [Match::Exact, Match::Nearest] {
            assert_eq!(table.catalogue().find(&row.config, how), Ok(index));
        }
    }
}

#[test]
fn the_nearest_row_has_the_same_alternative_and_the_nearest_numbers() {
    let table = table();
    let find = |config: &Config| table.catalogue().find(config, Match::Nearest).unwrap();
    assert_eq!(find(&sgd(0.1, 0.0)), 0);
    // Nearer in its learning rate to row 2, but that is of another kind, without momentum.
    assert_eq!(find(&sgd(0.011, 0.8)), 0);
    let third = config(&[("lr", 0.012.into()), ("kind", 3_i64.into())]);
    assert_eq!(find(&third), 2);
    let exact = table.catalogue().find(&third, Match::Exact);
    assert!(matches!(exact, Err(NoRow::NotRecorded(_))), "{exact:?}");
}

#[test]
fn the_experiment_may_say_how_rows_are_looked_up() {
    let table = table();
    let mut config = sgd(0.1, 0.0);
    config.insert("lookup", "exact");
    let found = table.catalogue().find(&config, Match::Nearest);
    assert!(matches!(found, Err(NoRow::NotRecorded(_))), "{found:?}");
    config.insert("lookup", "near");
    let found = table.catalogue().find(&config, Match::Nearest).unwrap_err();
    assert!(
        found.to_string().contains("\"nearest\" or \"exact\""),
        "{found}"
    );
}

#[test]
fn configurations_that_no_row_can_stand_for_are_refused_with_the_reason() {
    let table = table();
    let why = |config: &Config| {
        let error = table.catalogue().find(config, Match::Nearest).unwrap_err();
        error.to_string()
    };
    let with = |name: &str, value: Value| {
        let mut config = sgd(0.1, 0.9);
        config.insert(name, value);
        config
    };
    assert!(why(&with("layers", 2_i64.into())).contains("has lr, kind, momentum"));
    assert!(why(&with("batch", 64_i64.into())).contains("batch = 32, not 64"));
    assert!(why(&with("lr", 7.0.into())).contains("`lr` is 7.0"));
    assert!(why(&with("lr", 1_i64.into())).contains("`lr` is 1"));
    let mut missing = sgd(0.1, 0.9);
    missing.remove("momentum");
    assert!(why(&missing).contains("`momentum` is missing"));
}

#[test]
fn reports_follow_the_curve_and_the_last_one_is_finished() {
    let table = table();
    let report = table.report(1, 1).unwrap();
    assert_eq!(report.get("loss"), Some(0.7));
    assert_eq!((report.cost, report.finished), (Some(2_000_000), false));
    let last = table.report(1, 2).unwrap();
    assert_eq!((last.get("accuracy"), last.finished), (Some(0.75), true));
    assert_eq!(
        table.report(1, 3),
        Some(last),
        "past the end it is the last"
    );
    assert_eq!(table.report(2, 1).unwrap().get("loss"), Some(f64::INFINITY));
    assert!(table.report(0, 3).unwrap().get("loss").unwrap().is_nan());
    assert_eq!(table.report(9, 1), None);
}

#[test]
fn every_single_curve_is_found_and_most_of_the_file_is_not_read() {
    let table = crossing(300, 40);
    let [_, _, (_, text)] = table.to_files(None);
    for (row, curve) in table.catalogue().rows().iter().zip(table.curves()) {
        let mut source = Memory {
            bytes: text.as_bytes(),
            read: 0,
        };
        let found = Reader::new(table.catalogue(), &mut source).curve(row.id);
        assert_eq!(found.as_ref(), Ok(curve));
        assert!(source.read < text.len() as u64 / 2, "{} bytes", source.read);
    }
}

#[test]
fn single_curves_are_found_in_files_of_other_line_ends_and_without_a_last_one() {
    let table = table();
    let windows = format!("\u{feff}{}", CURVES.replace('\n', "\r\n"));
    let spaced = CURVES.replace('\n', "\n\n");
    for text in [windows.as_str(), CURVES.trim_end(), &spaced] {
        for (row, curve) in table.catalogue().rows().iter().zip(table.curves()) {
            let mut source = Memory {
                bytes: text.as_bytes(),
                read: 0,
            };
            let found = Reader::new(table.catalogue(), &mut source)
                .curve(row.id)
                .unwrap();
            assert_eq!(format!("{found:?}"), format!("{curve:?}"), "{text:?}");
        }
    }
    for id in [1, 3, 4, 6, u32::MAX] {
        let mut source = Memory {
            bytes: CURVES.as_bytes(),
            read: 0,
        };
        let missing = Reader::new(table.catalogue(), &mut source).curve(id);
        assert!(
            missing
                .unwrap_err()
                .to_string()
                .contains("no rows of configuration")
        );
    }
}

#[test]
fn the_family_crosses_the_best_after_one_step_is_not_among_the_best_at_the_end() {
    let table = crossing(400, 81);
    let at = |row: usize, t: usize| table.objective(row).nth(t - 1).unwrap();
    let mut early: Vec<usize> = (0..400).collect();
    early.sort_by(|a, b| at(*a, 1).total_cmp(&at(*b, 1)));
    let mut late: Vec<usize> = (0..400).collect();
    late.sort_by(|a, b| at(*a, 81).total_cmp(&at(*b, 81)));
    let place = late.iter().position(|row| *row == early[0]).unwrap();
    assert!(
        place > 40,
        "the first after one step comes in as number {place}"
    );
    // But early results say something, or nobody could stop early: of the best twenty some are in
    // the first quarter after one step.
    let kept = late
        .iter()
        .take(20)
        .filter(|row| early.iter().take(100).any(|e| e == *row));
    assert!((4..16).contains(&kept.count()));
    let same = crossing(400, 81);
    assert_eq!(same.to_files(None), table.to_files(None));
}
