//! From a configuration to the row that stands for it.

use std::collections::BTreeMap;

use tune_space::{Config, Domain, Space, SpaceError, Value};

/// Name of the constant in an experiment that says how rows are looked up, unless the table has a
/// parameter of that name.
pub(crate) const LOOKUP: &str = "lookup";

/// Which row stands for a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The nearest in the unit cube of the space; alternatives differ by 1, and so does a parameter
    /// that is active in one of the two only. The earlier row of equals. The default.
    Nearest,
    /// The one with the same values.
    Exact,
}

/// Why no row stands for a configuration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message says what each is")]
pub enum NoRow {
    #[error(
        "the table has no parameter `{name}`: it has {known}; remove the parameter from the experiment"
    )]
    Unknown { name: String, known: String },
    #[error("the table was recorded with {name} = {recorded}, not {given}: change the constant")]
    Constant {
        name: String,
        recorded: Value,
        given: Value,
    },
    #[error("{0}; give the experiment the space of the table")]
    Outside(#[from] SpaceError),
    #[error(
        "the table holds no configuration {0}: draw from its rows with `points_to_evaluate`, or set \
         `lookup = \"nearest\"` in [space]"
    )]
    NotRecorded(Config),
    #[error("`lookup` is {0}: write \"nearest\" or \"exact\"")]
    How(Value),
    #[error("the table has no rows")]
    Empty,
}

/// Rows by their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookup {
    /// Rows by the fingerprint of their configuration.
    exact: BTreeMap<Vec<u64>, usize>,
    /// Coordinates of all rows, row by row; NaN for an inactive parameter.
    cube: Vec<f64>,
}

impl Lookup {
    /// Adds the next row; the earlier row with the same values, if there is one.
    pub(crate) fn add(&mut self, space: &Space, row: usize, config: &Config) -> Option<usize> {
        let fingerprint = space.fingerprint(config);
        if let Some(earlier) = self.exact.get(&fingerprint) {
            return Some(*earlier);
        }
        self.exact.insert(fingerprint, row);
        self.cube.extend(coordinates(space, config));
        None
    }

    pub(crate) fn find(&self, space: &Space, config: &Config, how: Match) -> Result<usize, NoRow> {
        space.check(config)?;
        if let Some(row) = self.exact.get(&space.fingerprint(config)) {
            return Ok(*row);
        }
        if how == Match::Exact {
            return Err(NoRow::NotRecorded(config.clone()));
        }
        let point: Vec<f64> = coordinates(space, config).collect();
        let kinds: Vec<bool> = space
            .parameters()
            .iter()
            .map(|p| matches!(p.domain, Domain::Choice(_)))
            .collect();
        let mut nearest = None;
        for (row, other) in self.cube.chunks_exact(point.len().max(1)).enumerate() {
            let distance = distance(&kinds, &point, other);
            if nearest.is_none_or(|(_, least)| distance < least) {
                nearest = Some((row, distance));
            }
        }
        nearest.map(|(row, _)| row).ok_or(NoRow::Empty)
    }
}

fn coordinates(space: &Space, config: &Config) -> impl Iterator<Item = f64> {
    let encoded = space.encode(config).into_iter();
    encoded.map(|u| u.unwrap_or(f64::NAN))
}

/// Squared; `alternatives` says which coordinates have no order.
fn distance(alternatives: &[bool], a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (alternative, (a, b)) in alternatives.iter().zip(a.iter().zip(b)) {
        sum += match (a.is_nan(), b.is_nan()) {
            (true, true) => 0.0,
            (false, false) if *alternative => f64::from(u8::from(a != b)),
            (false, false) => (a - b) * (a - b),
            _ => 1.0,
        };
    }
    sum
}
