//! A value of the file with the path of its key: typed reading, with an error for what does not fit.

use std::ops::RangeInclusive;

use tune_space::Value;

use crate::{
    log::Log,
    tree::{Kind, Node},
};

/// A value and the path that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    /// Such as `data[0].path`; empty for the top level.
    pub(crate) path: String,
    /// Byte at which the key begins; of a list's element, the element.
    pub(crate) key_at: usize,
    /// The value.
    pub(crate) node: &'a Node,
}

impl<'a> Item<'a> {
    /// The top level of the file.
    pub(crate) fn root(node: &'a Node) -> Self {
        Self {
            path: String::new(),
            key_at: 0,
            node,
        }
    }

    /// Notes an error at the value.
    pub(crate) fn error(&self, message: impl Into<String>, hint: impl Into<String>, log: &mut Log) {
        log.error(self.node.at, &self.path, message, hint);
    }

    /// Notes an error at the key.
    pub(crate) fn key_error(
        &self,
        message: impl Into<String>,
        hint: impl Into<String>,
        log: &mut Log,
    ) {
        log.error(self.key_at, &self.path, message, hint);
    }

    /// Notes that the value has the wrong type.
    pub(crate) fn wrong(&self, expected: &str, hint: impl Into<String>, log: &mut Log) {
        let what = format!(
            "`{}` is {}, expected {expected}",
            self.path,
            self.node.kind.describe()
        );
        self.error(what, hint, log);
    }

    /// Notes that the key is understood but cannot be done yet.
    pub(crate) fn not_yet(&self, hint: &str, log: &mut Log) {
        self.key_error(format!("not in this version: `{}`", self.path), hint, log);
    }

    /// The entries of a table, or an empty iterator.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> + use<'a> {
        let path = self.path.clone();
        let entries = match &self.node.kind {
            Kind::Table(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(move |entry| {
            let item = Item {
                path: join(&path, &entry.key),
                key_at: entry.at,
                node: &entry.node,
            };
            (entry.key.as_str(), item)
        })
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<Item<'a>> {
        let Kind::Table(entries) = &self.node.kind else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        Some(Item {
            path: join(&self.path, key),
            key_at: entry.at,
            node: &entry.node,
        })
    }

    /// True if it is a table; else an error.
    pub(crate) fn is_table(&self, hint: &str, log: &mut Log) -> bool {
        let is = matches!(self.node.kind, Kind::Table(_));
        if !is {
            self.wrong("a table", hint, log);
        }
        is
    }

    /// An error for every key that is not known.
    pub(crate) fn only(&self, known: &[&str], log: &mut Log) {
        for (key, item) in self.entries() {
            if known.contains(&key) {
                continue;
            }
            let place = if self.path.is_empty() {
                "at the top level".to_owned()
            } else {
                format!("in `{}`", self.path)
            };
            let hint = match log.nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            item.key_error(format!("unknown key `{key}` {place}"), hint, log);
        }
    }

    /// The elements of a list; else an error.
    pub(crate) fn list(&self, hint: &str, log: &mut Log) -> Option<Vec<Item<'a>>> {
        let Kind::List(nodes) = &self.node.kind else {
            self.wrong("a list", hint, log);
            return None;
        };
        Some(
            nodes
                .iter()
                .enumerate()
                .map(|(i, node)| Item {
                    path: format!("{}[{i}]", self.path),
                    key_at: node.at,
                    node,
                })
                .collect(),
        )
    }

    /// A whole number in a range.
    pub(crate) fn whole(&self, range: RangeInclusive<i128>, log: &mut Log) -> Option<i128> {
        let (low, high) = (*range.start(), *range.end());
        let Kind::Whole(number) = self.node.kind else {
            let hint = match self.node.kind {
                Kind::Real(x) if x.fract() == 0.0 => format!("write {x:.0}, without a fraction"),
                _ => format!("a number from {} to {}", grouped(low), grouped(high)),
            };
            self.wrong("a whole number", hint, log);
            return None;
        };
        if !range.contains(&number) {
            self.error(
                format!("`{}` is {number}, out of range", self.path),
                format!("it may be {} to {}", grouped(low), grouped(high)),
                log,
            );
            return None;
        }
        Some(number)
    }

    /// A finite number.
    pub(crate) fn number(&self, log: &mut Log) -> Option<f64> {
        match self.node.kind {
            Kind::Whole(number) => Some(number as f64),
            Kind::Real(number) if number.is_finite() => Some(number),
            Kind::Real(number) => {
                let what = format!("`{}` is {number}", self.path);
                self.error(what, "expected a finite number", log);
                None
            }
            _ => {
                self.wrong("a number", "", log);
                None
            }
        }
    }

    /// Text.
    pub(crate) fn text(&self, hint: &str, log: &mut Log) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Text(text) => Some(text),
            _ => {
                self.wrong("text", hint, log);
                None
            }
        }
    }

    /// True or false.
    pub(crate) fn flag(&self, log: &mut Log) -> Option<bool> {
        match self.node.kind {
            Kind::Flag(flag) => Some(flag),
            _ => {
                self.wrong("true or false", "without quotes", log);
                None
            }
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&self, words: &[(&str, T)], log: &mut Log) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let list = format!("one of \"{}\"", names.join("\", \""));
        let text = self.text(&list, log)?;
        let found = words.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let hint = match log.nearest(text, names) {
                Some(near) => format!("did you mean \"{near}\"? It is {list}"),
                None => format!("it is {list}"),
            };
            self.error(format!("`{}` is \"{text}\"", self.path), hint, log);
        }
        found.map(|(_, value)| *value)
    }

    /// The name of a metric, a data set or the like.
    pub(crate) fn name(&self, max_bytes: u32, log: &mut Log) -> Option<String> {
        let text = self.text("a name", log)?;
        check_name(self, self.node.at, text, max_bytes, log).then(|| text.to_owned())
    }

    /// The value as one of a configuration; lists and tables become JSON. None with an error for
    /// null, dates, numbers that are not finite or do not fit 64 bits.
    pub(crate) fn value(&self, log: &mut Log) -> Option<Value> {
        Some(match &self.node.kind {
            Kind::List(_) | Kind::Table(_) => Value::Structured(self.json(log)?.to_string()),
            Kind::Flag(flag) => Value::Boolean(*flag),
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::Whole(number) => match i64::try_from(*number) {
                Ok(number) => Value::Integer(number),
                Err(_) => {
                    let what = format!("`{}` is {number}, which does not fit 64 bits", self.path);
                    self.error(what, "write it as a real number, such as 1e20", log);
                    return None;
                }
            },
            Kind::Real(_) => Value::Number(self.number(log)?),
            Kind::Null => {
                self.error(format!("`{}` is null", self.path), "leave the key out", log);
                return None;
            }
            Kind::Date => {
                self.wrong("a value", "write a date as text, in quotes", log);
                return None;
            }
        })
    }

    /// The value as JSON, with the errors of [`Self::value`].
    pub(crate) fn json(&self, log: &mut Log) -> Option<serde_json::Value> {
        Some(match &self.node.kind {
            Kind::List(_) => {
                let elements = self.list("", log)?;
                let json: Option<Vec<_>> = elements.iter().map(|e| e.json(log)).collect();
                json?.into()
            }
            Kind::Table(_) => {
                let mut object = serde_json::Map::new();
                for (key, item) in self.entries() {
                    object.insert(key.to_owned(), item.json(log)?);
                }
                object.into()
            }
            _ => self.value(log)?.to_json(),
        })
    }
}

/// True if a name is not empty, not too long and has no control characters; else an error at a byte.
pub(crate) fn check_name(
    item: &Item<'_>,
    at: usize,
    name: &str,
    max_bytes: u32,
    log: &mut Log,
) -> bool {
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > max_bytes as usize {
        format!("has {} bytes", name.len())
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        "contains white space or control characters".to_owned()
    } else {
        return true;
    };
    log.error(
        at,
        &item.path,
        format!("the name at `{}` {problem}", item.path),
        format!("a name has 1 to {max_bytes} bytes (limits.name_bytes) without spaces"),
    );
    false
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A number with its thousands apart: 1,000,000.
pub(crate) fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    if number < 0 {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
