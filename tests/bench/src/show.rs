//! Tables, and numbers as they stand in them.

use std::time::Duration;

use tune_report::{Column, Table};

/// A table whose first column is text and whose others are numbers.
pub(crate) fn table(titles: &[&str]) -> Table {
    let columns = titles.iter().enumerate().map(|(i, title)| match i {
        0 => Column::text(*title, 0),
        _ => Column::number(*title, 0),
    });
    Table::new(columns.collect())
}

/// Prints a table.
pub(crate) fn print(table: &Table) {
    for line in table.render(usize::MAX, false) {
        println!("{line}");
    }
    println!();
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

pub(crate) fn kilobytes(bytes: u64) -> String {
    format!("{} kB", number(bytes as f64 / 1e3))
}

/// A rate or a count, with at most three digits after the point and thousands apart.
pub(crate) fn number(x: f64) -> String {
    if x < 100.0 {
        return tune_report::short(x);
    }
    let digits = format!("{x:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn ratio(x: f64) -> String {
    if x >= 100.0 {
        format!("{} x", number(x))
    } else {
        format!("{x:.2} x")
    }
}

/// The middle of an odd number of values.
pub(crate) fn median<T: Copy>(values: &[T], key: impl Fn(&T) -> f64) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| key(a).total_cmp(&key(b)));
    sorted.get(sorted.len() / 2).copied()
}
