//! `table.json`: what a table is.

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tune_space::Name;

use crate::{ABOUT_FILE, MAX_ABOUT_BYTES, TableError, error::shown};

/// Version of the format.
pub const FORMAT: u32 = 1;
/// Metrics of a table at most: those of a report by default.
const MAX_METRICS: usize = 256;
/// Bytes of a name at most, as in the contract.
const MAX_NAME_BYTES: usize = 128;

/// Whether more of the metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Less is better.
    Min,
    /// More is better.
    Max,
}

/// What a table is, in the order in which it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// [`FORMAT`].
    pub format: u32,
    /// Short, for lists.
    pub name: String,
    /// What was trained.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where the curves come from: the command or the publication.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Of the data behind the curves and of the curves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// The metric that is optimised, one of `metrics`.
    pub metric: String,
    /// Its direction.
    pub mode: Mode,
    /// The metric that measures a trial's resource. By default `training_iteration`.
    #[serde(default = "default_axis")]
    pub time_attr: String,
    /// Where the recorded trials ended, in units of `time_attr`, if they had such an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_t: Option<f64>,
    /// Columns of `curves.csv` after `id`, `t` and `cost`.
    pub metrics: Vec<Name>,
    /// Where the costs come from, which are always microseconds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cost: String,
    /// The space as in an experiment file, parents before children.
    pub space: Entries,
}

fn default_axis() -> String {
    "training_iteration".to_owned()
}

/// Keys and values in the order of the file: the order of parameters is part of a space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries(pub Vec<(String, Json)>);

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries: Vec<(String, Json)> = Vec::new();
                let mut names = std::collections::BTreeSet::new();
                while let Some((key, value)) = map.next_entry::<String, Json>()? {
                    if !names.insert(key.clone()) {
                        let what = format!("`{}` stands in the space twice", shown(&key));
                        return Err(A::Error::custom(what));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Ordered)
    }
}

impl About {
    /// The names of metrics stand in every report.
    pub(crate) fn with_shared_names(mut self) -> Self {
        for name in &mut self.metrics {
            *name = Name::shared(name);
        }
        self
    }

    /// Reads and checks `table.json`, except for the space.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        if bytes.len() as u64 > MAX_ABOUT_BYTES {
            let what = format!("a file of {} bytes", bytes.len());
            let hint = format!("at most {MAX_ABOUT_BYTES} are allowed");
            return Err(TableError::new(ABOUT_FILE, (1, 1), what, hint));
        }
        let about: Self = serde_json::from_slice(bytes).map_err(|error| {
            let place = (error.line().max(1) as u64, error.column().max(1) as u64);
            // serde_json puts the place at the end of its message too.
            let text = error.to_string();
            let what = text
                .rsplit_once(" at line ")
                .map_or(text.as_str(), |(what, _)| what);
            TableError::new(ABOUT_FILE, place, shown_long(what), HINT)
        })?;
        let wrong = |key: &str, what: String, hint: &str| {
            Err(TableError::new(
                ABOUT_FILE,
                place_of(bytes, &[key]),
                what,
                hint,
            ))
        };
        if about.format != FORMAT {
            return wrong(
                "format",
                format!("format {}", about.format),
                "this version reads format 1: export the table again, or use another tune-host",
            );
        }
        if about.metrics.is_empty() || about.metrics.len() > MAX_METRICS {
            return wrong(
                "metrics",
                format!("{} metrics", about.metrics.len()),
                "name 1 to 256 metrics, the columns of curves.csv after id, t and cost",
            );
        }
        for (index, name) in about.metrics.iter().enumerate() {
            let twice = about.metrics.iter().take(index).any(|other| other == name);
            if twice || name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\n') {
                return wrong(
                    "metrics",
                    format!("`{}` is no name for another metric", shown(name)),
                    "every metric has a name of its own, 1 to 128 bytes on one line",
                );
            }
        }
        if about.metrics.iter().all(|name| *name != about.metric) {
            return wrong(
                "metric",
                format!("`{}` is not among the metrics", shown(&about.metric)),
                "name one of `metrics`",
            );
        }
        if about.max_t.is_some_and(|t| !t.is_finite() || t <= 0.0) {
            return wrong(
                "max_t",
                "max_t is not above 0".to_owned(),
                "give a number above 0, or leave it out",
            );
        }
        Ok(about)
    }

    /// As it stands in `table.json`.
    pub(crate) fn text(&self) -> String {
        // Nothing in it can fail to be written.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

const HINT: &str = "table.json is one object with format, name, metric, mode, metrics and space; \
                    docs/tables.md describes it";

fn shown_long(text: &str) -> String {
    const LONGEST: usize = 300;
    text.chars()
        .take(LONGEST)
        .filter(|c| !c.is_control())
        .collect()
}

/// Line and column of a key in the file, after the keys that lead to it; its beginning if the file
/// writes it in another way.
pub(crate) fn place_of(bytes: &[u8], path: &[&str]) -> (u64, u64) {
    let text = String::from_utf8_lossy(bytes);
    let mut at = 0;
    for key in path {
        let wanted = serde_json::to_string(key).unwrap_or_default();
        match text.get(at..).and_then(|rest| rest.find(&wanted)) {
            Some(found) => at += found,
            None => return (1, 1),
        }
    }
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() as u64 + 1;
    (line, column)
}
