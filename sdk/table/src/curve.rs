//! One recorded curve: what a configuration reported step by step, and what each step cost.

use tune_space::{Metric, Name, Report};

use crate::{
    TableError,
    error::shown,
    lines::{Cell, Line},
};

/// Steps of one curve at most.
const MAX_STEPS: u64 = 10_000_000;

/// What one configuration reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    costs: Vec<u64>,
    /// Step by step, the metrics in the order of the table.
    values: Vec<f64>,
}

/// One step of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step<'a> {
    /// Microseconds that the step took, at least 1.
    pub cost: u64,
    /// The metrics in the order of the table; any may be NaN or infinite.
    pub values: &'a [f64],
}

impl Curve {
    /// Appends a step. A cost of 0 counts as 1.
    pub fn push(&mut self, cost: u64, values: &[f64]) {
        self.costs.push(cost.max(1));
        self.values.extend_from_slice(values);
    }

    /// Number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.costs.len()
    }

    /// Nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.costs.is_empty()
    }

    /// A step, counted from 1.
    #[must_use]
    pub fn step(&self, t: u64) -> Option<Step<'_>> {
        let index = usize::try_from(t).ok()?.checked_sub(1)?;
        let cost = *self.costs.get(index)?;
        let width = self.values.len() / self.costs.len();
        let values = self.values.get(index * width..(index + 1) * width)?;
        Some(Step { cost, values })
    }

    /// Microseconds of all steps.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.costs.iter().fold(0, |sum, c| sum.saturating_add(*c))
    }

    /// What a trial reports at a step, counted from 1: past the end the last step again. The report
    /// of the last step is finished. None of an empty curve.
    #[must_use]
    pub fn report(&self, metrics: &[Name], t: u64) -> Option<Report> {
        let last = self.costs.len() as u64;
        let step = self.step(t.min(last))?;
        let named = metrics.iter().cloned().zip(step.values);
        Some(Report {
            metrics: named
                .map(|(name, value)| Metric {
                    name,
                    value: *value,
                })
                .collect(),
            finished: t >= last,
            cost: Some(step.cost),
        })
    }
}

/// A row of `curves.csv`.
pub(crate) struct StepRow {
    pub(crate) id: u32,
    pub(crate) t: u64,
    pub(crate) cost: u64,
    pub(crate) values: Vec<f64>,
}

pub(crate) fn columns(metrics: &[Name]) -> Vec<&str> {
    let fixed = ["id", "t", "cost"];
    fixed
        .into_iter()
        .chain(metrics.iter().map(Name::as_str))
        .collect()
}

/// Reads a row of `curves.csv` with so many metrics.
pub(crate) fn step_row(line: &Line<'_>, metrics: usize) -> Result<StepRow, TableError> {
    let cells = line.row(3 + metrics)?;
    let mut cells = cells.iter();
    let mut next = |what: &str| {
        cells
            .next()
            .ok_or_else(|| line.error(1, format!("{what} is missing"), "give every row all cells"))
    };
    let id = id(line, next("the id")?)?;
    let t = whole(
        line,
        next("t")?,
        1..=MAX_STEPS,
        "t, the number of the step,",
    )?;
    let cost = whole(
        line,
        next("the cost")?,
        1..=u64::MAX,
        "the cost in microseconds",
    )?;
    let mut values = Vec::with_capacity(metrics);
    for cell in cells {
        values.push(number(line, cell)?);
    }
    Ok(StepRow {
        id,
        t,
        cost,
        values,
    })
}

pub(crate) fn id(line: &Line<'_>, cell: &Cell<'_>) -> Result<u32, TableError> {
    let range = 0..=u64::from(u32::MAX);
    let id = whole(line, cell, range, "the id of a configuration")?;
    Ok(u32::try_from(id).unwrap_or(u32::MAX))
}

fn whole(
    line: &Line<'_>,
    cell: &Cell<'_>,
    range: std::ops::RangeInclusive<u64>,
    what: &str,
) -> Result<u64, TableError> {
    match cell.text.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(line.error(
            cell.column,
            format!("`{}` is no whole number", shown(&cell.text)),
            format!(
                "{what} is a whole number from {} to {}",
                range.start(),
                range.end()
            ),
        )),
    }
}

/// Any number, NaN and infinities included.
pub(crate) fn number(line: &Line<'_>, cell: &Cell<'_>) -> Result<f64, TableError> {
    cell.text.trim().parse().map_err(|_| {
        let what = if cell.text.trim().is_empty() {
            "an empty cell where a number is expected".to_owned()
        } else {
            format!("`{}` is no number", shown(&cell.text))
        };
        let hint = "write a number such as 0.25 or 1e-3; a value that is none is written NaN, inf \
                    or -inf";
        line.error(cell.column, what, hint)
    })
}

/// Checks that a row follows the row before it: by id, each from t = 1 on without a gap.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    last: Option<(u32, u64)>,
}

impl Sequence {
    /// True if a new configuration begins.
    pub(crate) fn follow(&mut self, line: &Line<'_>, row: &StepRow) -> Result<bool, TableError> {
        let (id, t) = (row.id, row.t);
        let error = |message: String, hint: &str| Err(line.error(1, message, hint));
        let expected = match self.last {
            Some((last, steps)) if last == id => steps + 1,
            Some((last, _)) if id < last => {
                return error(
                    format!("configuration {id} comes after configuration {last}"),
                    "sort the rows by id and then by t; all steps of a configuration stand together",
                );
            }
            _ => 1,
        };
        if t < expected {
            return error(
                format!("step {t} of configuration {id} stands in the file twice, or out of order"),
                "remove the duplicate row, and sort the rows by id and then by t",
            );
        }
        if t > expected {
            return error(
                format!("step {expected} of configuration {id} is missing: this row is step {t}"),
                "every configuration has its steps 1, 2, 3 and so on; add the row or end the curve \
                 before it",
            );
        }
        self.last = Some((id, t));
        Ok(t == 1)
    }
}

/// A number as it is written, with so many significant digits at most.
pub(crate) fn write_number(to: &mut String, value: f64, digits: Option<usize>) {
    let rounded = digits.filter(|_| value.is_finite()).and_then(|digits| {
        let places = digits.saturating_sub(1).min(30);
        format!("{value:.places$e}").parse::<f64>().ok()
    });
    // The shortest text that reads back as the same number.
    to.push_str(&format!("{:?}", rounded.unwrap_or(value)));
}
