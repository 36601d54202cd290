//! Everything that is wrong with a table, one mistake at a time.

use proptest::prelude::*;
use tune_table::{Reader, Table};

use crate::{ABOUT, CONFIGURATIONS, CURVES, Memory};

/// The message about a table in which this text of one file was replaced.
fn message(file: usize, from: &str, to: &str) -> String {
    let mut files = [ABOUT, CONFIGURATIONS, CURVES].map(str::to_owned);
    assert!(files[file].contains(from), "{from} is not there");
    files[file] = files[file].replacen(from, to, 1);
    let [about, configurations, curves] = &files;
    match Table::parse(
        about.as_bytes(),
        configurations.as_bytes(),
        curves.as_bytes(),
    ) {
        Ok(_) => panic!("{to} was accepted"),
        Err(error) => error.to_string(),
    }
}

fn check(cases: &[(usize, &str, &str, &str, &str)]) {
    for (file, from, to, place, what) in cases {
        let message = message(*file, from, to);
        assert!(message.starts_with(&format!("{place}: ")), "{message}");
        assert!(message.contains(what), "{message}");
        assert!(message.contains("\n  hint: "), "{message}");
    }
}

#[test]
fn rows_that_are_missing_ragged_twice_or_no_numbers_are_named_with_their_place() {
    check(&[
        (
            2,
            "0,2,1500000,0.8,0.6\n",
            "",
            "curves.csv:3:1",
            "step 2 of configuration 0 is missing",
        ),
        (
            2,
            "0,1,1500000,0.9,0.5\n",
            "",
            "curves.csv:2:1",
            "step 1 of configuration 0 is missing",
        ),
        (
            2,
            "0,2,",
            "0,1,",
            "curves.csv:3:1",
            "step 1 of configuration 0 stands in the file twice",
        ),
        (
            2,
            "0.8,0.6",
            "0.8",
            "curves.csv:3:16",
            "a row of 4 cells, but the header has 5",
        ),
        (
            2,
            "0.8,0.6",
            "0.8,0.6,7",
            "curves.csv:3:21",
            "a row of 6 cells",
        ),
        (
            2,
            "0.8,0.6",
            "much,0.6",
            "curves.csv:3:13",
            "`much` is no number",
        ),
        (2, "0.8,0.6", ",0.6", "curves.csv:3:13", "an empty cell"),
        (
            2,
            "0,2,1500000",
            "0,2,1.5",
            "curves.csv:3:5",
            "`1.5` is no whole number",
        ),
        (
            2,
            "0,2,1500000",
            "0,2,0",
            "curves.csv:3:5",
            "`0` is no whole number",
        ),
        (
            2,
            "0,2,1500000",
            "0,2,-3",
            "curves.csv:3:5",
            "`-3` is no whole number",
        ),
        (
            2,
            "0,2,1500000",
            "x,2,1500000",
            "curves.csv:3:1",
            "`x` is no whole number",
        ),
        (
            2,
            "5,1,10,inf,0\n",
            "",
            "curves.csv:7:1",
            "configuration 5 has no curve",
        ),
        (
            2,
            "5,1,10",
            "6,1,10",
            "curves.csv:7:1",
            "configuration 5 has no curve",
        ),
        (
            2,
            "2,1,2000000,0.7,0.5\n2,2,2000000,0.5,0.75\n",
            "",
            "curves.csv:5:1",
            "configuration 2 has no curve",
        ),
        (
            2,
            "5,1,10,inf,0",
            "5,1,10,inf,0\n9,1,1,1,1",
            "curves.csv:8:1",
            "configuration 9 is not in configurations.csv",
        ),
        (
            2,
            "5,1,10,inf,0",
            "5,1,10,inf,0\n0,4,1,1,1",
            "curves.csv:8:1",
            "configuration 0 comes after configuration 5",
        ),
        (
            2,
            "id,t,cost,loss",
            "id,t,loss",
            "curves.csv:1:6",
            "column 3 is `loss`, expected `cost`",
        ),
        (
            2,
            ",accuracy\n",
            "\n",
            "curves.csv:1:15",
            "the column `accuracy` is missing",
        ),
        (
            2,
            ",accuracy\n",
            ",accuracy,more\n",
            "curves.csv:1:25",
            "the column `more` is not announced",
        ),
        (2, CURVES, "", "curves.csv:1:1", "the file is empty"),
        (
            2,
            "0,2,1500000,0.8",
            "0,2,1500000,\"0.8",
            "curves.csv:3:13",
            "a quote that is not closed",
        ),
    ]);
}

#[test]
fn configurations_that_are_twice_unsorted_or_outside_the_space_are_named_with_their_place() {
    check(&[
        (
            1,
            "2,0.01",
            "0,0.01",
            "configurations.csv:3:1",
            "configuration 0 stands in the file twice",
        ),
        (
            1,
            "5,0.5",
            "1,0.5",
            "configurations.csv:4:1",
            "configuration 1 comes after 2",
        ),
        (
            1,
            "5,0.5,3,",
            "5,0.1,sgd,0.9",
            "configurations.csv:4:1",
            "the same values as configuration 0",
        ),
        (1, "2,0.01", "2,7", "configurations.csv:3:3", "`lr` is `7`"),
        (
            1,
            "2,0.01",
            "2,NaN",
            "configurations.csv:3:3",
            "`lr` is `NaN`",
        ),
        (
            1,
            "2,0.01",
            "2,",
            "configurations.csv:3:3",
            "`lr` is empty, but active",
        ),
        (
            1,
            "sgd,0.9",
            "sdg,0.9",
            "configurations.csv:2:7",
            "`kind` is `sdg`",
        ),
        (
            1,
            "\"adam, or so\",",
            "\"adam, or so\",0.5",
            "configurations.csv:3:22",
            "not active here",
        ),
        (
            1,
            "\"adam, or so\",",
            "\"adam, or so\"x,",
            "configurations.csv:3:21",
            "text after a closing quote",
        ),
        (
            1,
            "sgd,0.9",
            "sgd",
            "configurations.csv:2:10",
            "a row of 3 cells",
        ),
        (
            1,
            "id,lr",
            "lr,id",
            "configurations.csv:1:1",
            "column 1 is `lr`, expected `id`",
        ),
        (
            1,
            "0,0.1,sgd,0.9\n2,0.01,\"adam, or so\",\n5,0.5,3,\n",
            "",
            "configurations.csv:2:1",
            "no rows",
        ),
    ]);
}

#[test]
fn what_is_wrong_in_table_json_is_named_with_its_place() {
    check(&[
        (
            0,
            "\"format\": 1",
            "\"format\": 2",
            "table.json:2:3",
            "format 2",
        ),
        (
            0,
            "\"mode\": \"min\"",
            "\"mode\": \"low\"",
            "table.json:5:15",
            "unknown variant `low`",
        ),
        (
            0,
            "\"metric\": \"loss\"",
            "\"metric\": \"los\"",
            "table.json:4:3",
            "`los` is not among the metrics",
        ),
        (
            0,
            "[\"loss\", \"accuracy\"]",
            "[]",
            "table.json:7:3",
            "0 metrics",
        ),
        (
            0,
            "[\"loss\", \"accuracy\"]",
            "[\"loss\", \"loss\"]",
            "table.json:7:3",
            "no name for another metric",
        ),
        (
            0,
            "\"max_t\": 3",
            "\"max_t\": 0",
            "table.json:6:3",
            "max_t is not above 0",
        ),
        (
            0,
            "\"max_t\"",
            "\"maxt\"",
            "table.json:6:8",
            "unknown field `maxt`",
        ),
        (
            0,
            "\"loguniform\"",
            "\"loguni\"",
            "table.json:9:5",
            "`loguni` is no sampler",
        ),
        (
            0,
            "[0.001, 1.0]",
            "[0.001]",
            "table.json:9:5",
            "`lr`: 1 numbers",
        ),
        (0, "[0.001, 1.0]", "[0, 1.0]", "table.json:9:5", "above 0"),
        (
            0,
            "[0, 0.99], \"when\": { \"kind\"",
            "[0, 0.99], \"when\": { \"sort\"",
            "table.json:11:5",
            "`sort` is no parameter",
        ),
        (
            0,
            "[\"sgd\"] }",
            "[\"sdg\"] }",
            "table.json:11:5",
            "`kind` never has such a value",
        ),
        (
            0,
            "\"batch\": 32",
            "\"batch\": null",
            "table.json:12:5",
            "`batch` is null",
        ),
        (
            0,
            "\"batch\": 32",
            "\"lr\": 32",
            "table.json:13:3",
            "`lr` stands in the space twice",
        ),
        (
            0,
            "\"batch\": 32",
            "\"batch\": {}",
            "table.json:12:5",
            "not exactly one sampler",
        ),
        (
            0,
            "\"adam, or so\", 3]",
            "\"3\", 3]",
            "table.json:10:5",
            "two of its values are written the same",
        ),
        (
            0,
            "\"adam, or so\", 3]",
            "\"\", 3]",
            "table.json:10:5",
            "an empty text",
        ),
        (
            0,
            "{\n  \"format\"",
            "[\n  \"format\"",
            "table.json:2:10",
            "expected",
        ),
    ]);
}

proptest! {
    #[test]
    fn damaged_files_never_panic_and_a_single_curve_is_no_worse_than_the_whole(
        file in 0_usize..3,
        at: prop::sample::Index,
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        cut in 0_usize..20,
        id in 0_u32..7,
    ) {
        let mut files = [ABOUT, CONFIGURATIONS, CURVES].map(|text| text.as_bytes().to_vec());
        let start = at.index(files[file].len());
        let end = (start + cut).min(files[file].len());
        files[file].splice(start..end, bytes);
        let [about, configurations, curves] = &files;
        match Table::parse(about, configurations, curves) {
            Ok(table) => {
                let mut source = Memory { bytes: curves, read: 0 };
                let curve = Reader::new(table.catalogue(), &mut source).curve(id);
                let row = table.catalogue().rows().iter().position(|row| row.id == id);
                match row {
                    Some(row) => prop_assert_eq!(
                        format!("{:?}", curve.unwrap()),
                        format!("{:?}", table.curves()[row])
                    ),
                    None => prop_assert!(curve.is_err()),
                }
            }
            Err(error) => prop_assert!(error.line > 0 && error.column > 0 && !error.hint.is_empty()),
        }
    }
}
