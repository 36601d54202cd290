//! Values and configurations.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

/// Places made before the first entry is seen: no more than a large space has, whatever is announced.
const MOST_AT_ONCE: usize = 1_024;

/// One value of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A real number; never NaN or infinite in a valid configuration.
    Number(f64),
    /// Text.
    Text(String),
    /// JSON text: a list or table that stands as a constant or a choice.
    Structured(String),
}

impl Value {
    /// The value as a real number: integers are converted, everything else is `None`.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(x) => Some(*x),
            Self::Integer(i) => Some(*i as f64),
            _ => None,
        }
    }

    /// The value as JSON. Numbers that JSON cannot hold become null.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Boolean(b) => (*b).into(),
            Self::Integer(i) => (*i).into(),
            Self::Number(x) => (*x).into(),
            Self::Text(t) => t.as_str().into(),
            Self::Structured(json) => {
                serde_json::from_str(json).unwrap_or_else(|_| json.as_str().into())
            }
        }
    }

    /// JSON as a value: integers stay integers, lists and tables become [`Value::Structured`].
    /// Null has no counterpart.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        Some(match json {
            serde_json::Value::Null => return None,
            serde_json::Value::Bool(b) => Self::Boolean(*b),
            serde_json::Value::Number(n) => match n.as_i64() {
                Some(i) => Self::Integer(i),
                None => Self::Number(n.as_f64()?),
            },
            serde_json::Value::String(s) => Self::Text(s.clone()),
            structured => Self::Structured(structured.to_string()),
        })
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(b) => write!(f, "{b}"),
            Self::Integer(i) => write!(f, "{i}"),
            // Debug prints the shortest text that reads back as the same number, with a point or
            // exponent, so that 1.0 and 1 stay distinct.
            Self::Number(x) => write!(f, "{x:?}"),
            Self::Text(t) | Self::Structured(t) => f.write_str(t),
        }
    }
}

impl From<bool> for Value {
    fn from(x: bool) -> Self {
        Self::Boolean(x)
    }
}
impl From<i64> for Value {
    fn from(x: i64) -> Self {
        Self::Integer(x)
    }
}
impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}
impl From<&str> for Value {
    fn from(x: &str) -> Self {
        Self::Text(x.to_owned())
    }
}

/// Dotted names to values, active parameters only, sorted by name.
///
/// A sorted list, not a tree: configurations are small, and are copied, compared and gone through far
/// more often than changed. Copies share it until one of them is changed. Written and read as the map
/// that it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub struct Config(Arc<Vec<(String, Value)>>);

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl From<BTreeMap<String, Value>> for Config {
    fn from(map: BTreeMap<String, Value>) -> Self {
        Self(Arc::new(map.into_iter().collect()))
    }
}

impl Config {
    /// An empty configuration.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of these entries, which are sorted by name and have no name twice.
    pub(crate) fn sorted(entries: Vec<(String, Value)>) -> Self {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
        Self(Arc::new(entries))
    }

    /// Of these entries, in any order.
    ///
    /// # Errors
    /// The name that stands twice; of several the first in the order of names.
    pub fn distinct(mut entries: Vec<(String, Value)>) -> Result<Self, String> {
        let is_sorted = entries.is_sorted_by(|a, b| a.0 < b.0);
        if !is_sorted {
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let mut neighbours = entries.iter().zip(entries.iter().skip(1));
            if let Some((twice, _)) = neighbours.find(|(a, b)| a.0 == b.0) {
                return Err(twice.0.clone());
            }
        }
        Ok(Self::sorted(entries))
    }

    /// The value of a parameter, if it is active.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let place = place(&self.0, name).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Bytes of all names and values: a text counts its length, every other value 8.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        let bytes = self.0.iter().map(|(name, value)| {
            let value = match value {
                Value::Text(text) | Value::Structured(text) => text.len() as u64,
                Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => 8,
            };
            (name.len() as u64).saturating_add(value)
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// Sets a parameter and returns what it was before.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        put(Arc::make_mut(&mut self.0), name.into(), value.into())
    }

    /// Removes a parameter.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = place(&self.0, name).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(place).1)
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The number of active parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No parameter is active.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nested JSON: `a.b = 1` becomes `{"a": {"b": 1}}`. A name that is both a value and a table
    /// keeps its dotted form.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut root = serde_json::Map::new();
        for (name, value) in self.iter() {
            if !nest(&mut root, name, value) {
                root.insert(name.to_owned(), value.to_json());
            }
        }
        root.into()
    }
}

/// Where a name is among sorted entries, or belongs.
fn place(entries: &[(String, Value)], name: &str) -> Result<usize, usize> {
    // Names mostly come in their order.
    match entries.last() {
        Some((last, _)) if last.as_str() < name => Err(entries.len()),
        _ => entries.binary_search_by(|(known, _)| known.as_str().cmp(name)),
    }
}

/// Sets a name among sorted entries and returns what it was before.
fn put(entries: &mut Vec<(String, Value)>, name: String, value: Value) -> Option<Value> {
    match place(entries, &name) {
        Ok(place) => {
            let (_, known) = entries.get_mut(place)?;
            Some(std::mem::replace(known, value))
        }
        Err(place) => {
            entries.insert(place, (name, value));
            None
        }
    }
}

/// Puts `value` at the dotted path; false if a value stands in the way.
fn nest(root: &mut serde_json::Map<String, serde_json::Value>, name: &str, value: &Value) -> bool {
    let mut table = root;
    let mut rest = name;
    while let Some((head, tail)) = rest.split_once('.') {
        let entry = table
            .entry(head)
            .or_insert_with(|| serde_json::Map::new().into());
        let Some(inner) = entry.as_object_mut() else {
            return false;
        };
        table = inner;
        rest = tail;
    }
    if table.contains_key(rest) {
        return false;
    }
    table.insert(rest.to_owned(), value.to_json());
    true
}

impl FromIterator<(String, Value)> for Config {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(iter: I) -> Self {
        let iter = iter.into_iter();
        let most = iter.size_hint().0.min(MOST_AT_ONCE);
        let mut entries = Vec::with_capacity(most);
        for (name, value) in iter {
            put(&mut entries, name, value);
        }
        Self::sorted(entries)
    }
}

impl IntoIterator for Config {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}={value}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(names: &[&str]) -> Config {
        let values = names.iter().zip(0i64..);
        values.map(|(n, i)| ((*n).to_owned(), i.into())).collect()
    }

    fn names(config: &Config) -> Vec<&str> {
        config.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_in_order_however_they_came() {
        let mut config = config(&["lr", "a.b", "z", "a"]);
        assert_eq!(names(&config), ["a", "a.b", "lr", "z"]);
        assert_eq!(config.insert("m", 7.0), None);
        assert_eq!(names(&config), ["a", "a.b", "lr", "m", "z"]);
        assert_eq!(config.get("m"), Some(&Value::Number(7.0)));
        assert_eq!(config.get("n"), None);
    }

    #[test]
    fn a_name_stands_once_with_its_last_value() {
        let mut config = config(&["b", "a", "b"]);
        assert_eq!(config.len(), 2);
        assert_eq!(config.insert("b", true), Some(Value::Integer(2)));
        assert_eq!(config.remove("b"), Some(Value::Boolean(true)));
        assert_eq!(config.remove("b"), None);
        assert_eq!(names(&config), ["a"]);
    }

    #[test]
    fn entries_in_any_order_make_a_configuration_unless_a_name_stands_twice() {
        let entries = |names: &[&str]| -> Vec<(String, Value)> {
            let entry = |name: &&str| ((*name).to_owned(), Value::Boolean(true));
            names.iter().map(entry).collect()
        };
        for given in [&["a", "b", "c"], &["c", "a", "b"]] {
            assert_eq!(
                names(&Config::distinct(entries(given)).unwrap()),
                ["a", "b", "c"]
            );
        }
        assert_eq!(Config::distinct(Vec::new()), Ok(Config::new()));
        for given in [["a", "a", "b"], ["b", "a", "a"]] {
            assert_eq!(Config::distinct(entries(&given)), Err("a".to_owned()));
        }
    }

    #[test]
    fn a_copy_that_is_changed_leaves_the_others_as_they_were() {
        let first = config(&["a", "b"]);
        let (mut second, mut third) = (first.clone(), first.clone());
        second.insert("a", 7);
        third.remove("b");
        assert_eq!(first, config(&["a", "b"]));
        assert_eq!(second.get("a"), Some(&Value::Integer(7)));
        assert_eq!((names(&third), first == second), (vec!["a"], false));
    }

    #[test]
    fn it_is_written_and_read_as_a_map() {
        let config = config(&["b", "a"]);
        let map: BTreeMap<String, Value> = config.clone().into_iter().collect();
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(json, serde_json::to_string(&map).unwrap());
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
        let unordered = r#"{"b":{"Integer":0},"a":{"Integer":1},"a":{"Integer":1}}"#;
        assert_eq!(serde_json::from_str::<Config>(unordered).unwrap(), config);
    }
}
