//! Comparing runs: whether they decided the same, and the first row where they did not.

use serde_json::Value;
use tune_store::Row;

use crate::best::BestReport;
use crate::short;
use crate::style::Style;
use crate::table::{Column, Table};
use crate::text::{clean, cut};

/// More would not help whoever looks for the reason.
const MAX_PLAN_DIFFERENCES: usize = 10;

/// A run to be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedRun {
    /// Its name.
    pub name: String,
    /// Its plan, as JSON.
    pub plan: String,
    /// Its journal.
    pub rows: Vec<Row>,
    /// Its number of trials.
    pub trials: usize,
    /// Its best report.
    pub best: Option<BestReport>,
}

impl ComparedRun {
    /// The decision digest after its last row, in hexadecimal digits; empty without rows.
    #[must_use]
    pub fn digest(&self) -> String {
        let last = self.rows.last();
        last.map(|row| tune_core::hex(&row.digest))
            .unwrap_or_default()
    }
}

/// Where a run leaves the path of the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstDifference {
    /// The first row whose digests differ, or that only one of them has.
    pub sequence: u64,
    /// What the first run did there.
    pub first: String,
    /// What this run did there.
    pub this: String,
    /// Where the plans differ, if they do: then all rows do.
    pub plan: Vec<String>,
}

/// Runs side by side; the first is what the others are compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The runs.
    pub runs: Vec<ComparedRun>,
    /// For each, where it differs from the first; none if it decided the same.
    pub differences: Vec<Option<FirstDifference>>,
}

impl Comparison {
    /// Compares.
    #[must_use]
    pub fn of(runs: Vec<ComparedRun>) -> Self {
        let differences = match runs.first() {
            None => Vec::new(),
            Some(first) => runs
                .iter()
                .map(|run| first_difference(first, run))
                .collect(),
        };
        Self { runs, differences }
    }

    /// All runs decided the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.iter().all(Option::is_none)
    }

    /// For people.
    #[must_use]
    pub fn render(&self, width: usize, color: bool) -> Vec<String> {
        let mut table = Table::new(vec![
            Column::text("run", 0),
            Column::number("trials", 2),
            Column::number("handovers", 1),
            Column::number("best", 1),
            Column::text("digest", 1),
        ]);
        for run in &self.runs {
            table.rows.push(vec![
                run.name.clone(),
                run.trials.to_string(),
                run.rows.len().to_string(),
                run.best.map(|b| short(b.value)).unwrap_or_default(),
                run.digest().chars().take(16).collect(),
            ]);
        }
        let mut lines = table.render(width, color);
        lines.push(String::new());
        if self.is_equal() {
            let text = "equal: the same decisions on the same results";
            lines.push(Style::Green.paint(text, color));
        }
        let first = self.runs.first().map_or("", |run| &run.name);
        for (run, difference) in self.runs.iter().zip(&self.differences) {
            let Some(difference) = difference else {
                continue;
            };
            let text = format!(
                "{} differs from {} first at row {}:",
                clean(&run.name),
                clean(first),
                difference.sequence
            );
            lines.push(Style::Yellow.paint(&cut(&text, width), color));
            for (name, did) in [(first, &difference.first), (&run.name, &difference.this)] {
                let text = format!("  {}: {}", clean(name), clean(did));
                lines.push(cut(&text, width).into_owned());
            }
            for place in &difference.plan {
                let text = format!("  plan: {}", clean(place));
                lines.push(cut(&text, width).into_owned());
            }
        }
        lines
    }
}

fn first_difference(first: &ComparedRun, this: &ComparedRun) -> Option<FirstDifference> {
    let mut pairs = first.rows.iter().zip(&this.rows);
    let sequence = match pairs.position(|(a, b)| a.digest != b.digest) {
        Some(index) => index,
        None if first.rows.len() == this.rows.len() => return None,
        None => first.rows.len().min(this.rows.len()),
    };
    Some(FirstDifference {
        sequence: sequence as u64,
        first: describe(first.rows.get(sequence)),
        this: describe(this.rows.get(sequence)),
        plan: if sequence == 0 {
            plan_differences(&first.plan, &this.plan)
        } else {
            Vec::new()
        },
    })
}

fn describe(row: Option<&Row>) -> String {
    match row {
        None => "has no such row".to_owned(),
        Some(row) => match row.trial {
            Some(trial) => format!("{} of trial {trial} at tick {}", row.kind, row.tick),
            None => format!("{} at tick {}", row.kind, row.tick),
        },
    }
}

/// Where two plans (JSON) differ, as "path: this, that", at most ten.
#[must_use]
pub fn plan_differences(first: &str, this: &str) -> Vec<String> {
    let parse = |text| serde_json::from_str(text).unwrap_or(Value::Null);
    let mut found = Vec::new();
    walk("", &parse(first), &parse(this), &mut found);
    found
}

fn walk(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    if a == b || found.len() >= MAX_PLAN_DIFFERENCES {
        return;
    }
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let inner = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let get = |map: &serde_json::Map<_, _>| map.get(key).cloned().unwrap_or_default();
                walk(&inner, &get(left), &get(right), found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (x, y)) in left.iter().zip(right).enumerate() {
                walk(&format!("{path}[{index}]"), x, y, found);
            }
        }
        _ => found.push(format!("{path}: {a}, {b}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, plan: &str, digests: &[u8]) -> ComparedRun {
        ComparedRun {
            name: name.to_owned(),
            plan: plan.to_owned(),
            rows: (0..)
                .zip(digests)
                .map(|(sequence, &digest)| Row {
                    sequence,
                    tick: sequence * 10,
                    trial: Some(u32::from(digest)),
                    kind: "report".to_owned(),
                    body: Vec::new(),
                    wall_ms: 0,
                    step_us: 0,
                    log_end: 0,
                    usage: Vec::new(),
                    digest: [digest; 32],
                })
                .collect(),
            trials: 3,
            best: None,
        }
    }

    #[test]
    fn equal_digests_are_equal_runs() {
        let comparison = Comparison::of(vec![run("a", "{}", &[1, 2]), run("b", "{}", &[1, 2])]);
        assert!(comparison.is_equal());
        let lines = comparison.render(80, false);
        assert!(lines.last().unwrap().starts_with("equal"), "{lines:?}");
        assert!(Comparison::of(Vec::new()).is_equal());
    }

    #[test]
    fn the_first_row_that_differs_is_named() {
        let comparison = Comparison::of(vec![
            run("a", "{}", &[1, 2, 3, 4]),
            run("b", "{}", &[1, 2, 5, 6]),
            run("c", "{}", &[1, 2]),
        ]);
        let [None, Some(b), Some(c)] = comparison.differences.as_slice() else {
            panic!("{comparison:?}");
        };
        assert_eq!((b.sequence, c.sequence), (2, 2));
        assert_eq!(b.this, "report of trial 5 at tick 20");
        assert_eq!(c.this, "has no such row");
        let text = comparison.render(80, false).join("\n");
        assert!(text.contains("b differs from a first at row 2:"), "{text}");
    }

    #[test]
    fn plans_that_differ_say_where() {
        let a = r#"{"seed":7,"limits":{"fuel":1},"space":[1,2]}"#;
        let b = r#"{"seed":8,"limits":{"fuel":1,"memory":2},"space":[1,3]}"#;
        assert_eq!(
            plan_differences(a, b),
            ["limits.memory: null, 2", "seed: 7, 8", "space[1]: 2, 3"]
        );
        let comparison = Comparison::of(vec![run("a", a, &[1]), run("b", b, &[2])]);
        assert_eq!(comparison.differences[1].as_ref().unwrap().plan.len(), 3);
    }
}
