//! JSON as the same tree as TOML. `serde_json` reads it and hands out every value as a piece of the
//! text, which tells where the value begins; no scanner of our own.

use std::fmt;

use serde::{
    Deserialize,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    log::Log,
    tree::{Entry, Kind, MAX_ELEMENTS, MAX_KEY_BYTES, MAX_NESTING, Node, fits, too_deep},
};

/// The file's top level; none if its syntax is wrong.
pub(crate) fn read(text: &str, log: &mut Log) -> Option<Node> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let line_start: usize = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        log.error(
            line_start + error.column().saturating_sub(1),
            "",
            format!("JSON syntax: {what}"),
            "a file that begins with `{` is read as JSON, any other as TOML",
        );
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let reader = Reader { text };
    let node = reader.node(raw, 0, log)?;
    if !matches!(node.kind, Kind::Table(_)) {
        let what = format!("the file is {}", node.kind.describe());
        log.error(node.at, "", what, "an experiment is a JSON object");
        return None;
    }
    Some(node)
}

struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn node(&self, raw: &'a RawValue, depth: usize, log: &mut Log) -> Option<Node> {
        let piece = raw.get();
        let at = (piece.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if piece.starts_with(['{', '[']) && depth > MAX_NESTING {
            too_deep(at, log);
            return None;
        }
        let kind = if piece.starts_with('{') {
            let pairs: Pairs<'a> = self.piece(piece, at, log)?;
            let mut entries: Vec<Entry> = Vec::with_capacity(pairs.0.len());
            let mut keys = std::collections::BTreeSet::new();
            for (key, value) in pairs.0 {
                let node = self.node(value, depth + 1, log)?;
                let key_at = self.key_before(node.at);
                if !fits(key.len(), MAX_KEY_BYTES, "bytes in a key", key_at, log) {
                    return None;
                }
                if !keys.insert(key.clone()) {
                    let what = format!("the key `{key}` stands twice in one object");
                    log.error(key_at, &key, what, "remove one of them");
                    return None;
                }
                entries.push(Entry {
                    key,
                    at: key_at,
                    node,
                });
            }
            Kind::Table(entries)
        } else if piece.starts_with('[') {
            let list: Elements<'a> = self.piece(piece, at, log)?;
            if !fits(list.0.len(), MAX_ELEMENTS, "elements in a list", at, log) {
                return None;
            }
            let mut nodes = Vec::with_capacity(list.0.len());
            for element in list.0 {
                nodes.push(self.node(element, depth + 1, log)?);
            }
            Kind::List(nodes)
        } else {
            match self.piece::<serde_json::Value>(piece, at, log)? {
                serde_json::Value::Bool(flag) => Kind::Flag(flag),
                serde_json::Value::String(text) => Kind::Text(text),
                serde_json::Value::Number(number) => number
                    .as_i128()
                    .map(Kind::Whole)
                    .or_else(|| number.as_f64().map(Kind::Real))?,
                _ => Kind::Null,
            }
        };
        Some(Node { at, kind })
    }

    fn piece<T: Deserialize<'a>>(&self, piece: &'a str, at: usize, log: &mut Log) -> Option<T> {
        serde_json::from_str(piece)
            .map_err(|error| {
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or_default();
                log.error(at, "", format!("JSON: {what}"), "");
            })
            .ok()
    }

    /// The opening quote of the key whose value begins at a byte. The text is valid, so a colon, a
    /// closing quote and, after only escaped quotes, the opening one stand before it.
    fn key_before(&self, value_at: usize) -> usize {
        let before = self.text.get(..value_at).unwrap_or_default();
        let before = before.trim_end().trim_end_matches(':').trim_end();
        let inside = before.strip_suffix('"').unwrap_or(before);
        inside
            .rmatch_indices('"')
            .map(|(at, _)| at)
            .find(|at| {
                let head = inside.get(..*at).unwrap_or_default();
                let backslashes = head.len() - head.trim_end_matches('\\').len();
                backslashes % 2 == 0
            })
            .unwrap_or(value_at)
    }
}

/// The members of an object, repeated keys included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The elements of an array.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Collect)
    }
}
