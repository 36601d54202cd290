//! The threat table says nothing that no test shows, and no test of the suite is missing in it.

use std::{collections::BTreeSet, env, fs, process::Command};

use crate::lab::workspace;

/// The least number of routes; a row that disappears is noticed.
const ROWS: usize = 45;

/// The names of all tests of this binary.
pub(crate) fn tests() -> BTreeSet<String> {
    let listed = Command::new(env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    names
        .lines()
        .filter_map(|line| Some(line.strip_suffix(": test")?.to_owned()))
        .collect()
}

/// The rows of the threat table: the cells between the bars.
fn rows() -> Vec<Vec<String>> {
    let page = fs::read_to_string(workspace().join("docs/SECURITY.md")).unwrap();
    let (_, threats) = page.split_once("\n## Threats\n").unwrap();
    let threats = threats.split("\n## ").next().unwrap();
    let rows = threats.lines().filter(|line| line.starts_with("| "));
    rows.map(|line| {
        let cells = line.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    // Heads of tables name no test.
    .filter(|row: &Vec<String>| row.last().is_some_and(|last| last.contains("::")))
    .collect()
}

/// The tests that a cell names.
pub(crate) fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_row_names_tests_that_exist() {
    let (tests, rows) = (tests(), rows());
    assert!(rows.len() >= ROWS, "{} rows", rows.len());
    let mut routes = BTreeSet::new();
    for row in &rows {
        assert_eq!(
            row.len(),
            4,
            "route, what closes it, how it ends, tests: {row:?}"
        );
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        assert!(routes.insert(row[0].clone()), "{} stands twice", row[0]);
        for test in named(&row[3]) {
            assert!(tests.contains(test), "there is no test {test}");
        }
    }
}

#[test]
fn every_test_of_the_suite_stands_in_the_table() {
    let rows = rows();
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| named(&row[3])).collect();
    let missing: Vec<_> = tests()
        .into_iter()
        .filter(|test| test.starts_with("hostile::") && !test.contains("threats::"))
        .filter(|test| !named.contains(test.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in docs/SECURITY.md: {missing:#?}");
}

/// Tests of these guests that are not about one of their ways.
const NO_WAYS: [&str; 7] = [
    "while_four_devices_do_not_come_to_rest_no_more_are_given_out",
    "neighbours_compute_as_if_nobody_were_hostile",
    "places_outside_a_buffer_are_not_written_and_the_trial_goes_on",
    "work_without_end_is_ended_by_the_deadline_of_a_submission_a_step_and_a_trial",
    "neighbours_are_as_if_nobody_were_hostile",
    "nothing_is_left_beside_the_run",
    "the_same_searcher_when_it_is_good",
];

#[test]
fn every_way_of_the_guests_stands_in_the_table_as_run() {
    let page = fs::read_to_string(workspace().join("docs/threats.md")).unwrap();
    let mut ways = 0;
    for guest in [
        "hostile_trainable",
        "hostile_gpu",
        "hostile_searcher",
        "hostile_scheduler",
    ] {
        let (_, table) = page.split_once(&format!(": `{guest}`\n")).unwrap();
        let table = table.split("\n## ").next().unwrap();
        let prefix = format!("hostile::{guest}::");
        for test in tests() {
            let way = test.strip_prefix(&prefix);
            if let Some(way) = way.filter(|way| !NO_WAYS.contains(way)) {
                ways += 1;
                let row = format!("\n| `{way}` |");
                assert!(table.contains(&row), "{guest}: no row for {way}");
            }
        }
    }
    assert!(ways >= 90, "{ways} ways");
}
