//! The file as a tree in which every key and value knows its byte, the same for TOML and JSON.
//! Syntax ends here: nothing later sees which of the two it was.

use toml::de::{DeTable, DeValue};

use crate::{json, log::Log};

/// Deepest nesting of tables and lists, the top level not counted.
pub(crate) const MAX_NESTING: usize = 16;

/// Elements of one list at most: the alternatives of a choice.
pub(crate) const MAX_ELEMENTS: usize = 10_000;

/// Bytes of one key at most; a parameter's whole name has 128.
pub(crate) const MAX_KEY_BYTES: usize = 256;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Byte of the text.
    pub(crate) at: usize,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// JSON's null.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number, wide enough for i64 and u64.
    Whole(i128),
    /// Any other number; TOML can write NaN and infinities.
    Real(f64),
    /// Text.
    Text(String),
    /// TOML's date or time.
    Date,
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the file.
    Table(Vec<Entry>),
}

/// A key of a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Byte at which it begins.
    pub(crate) at: usize,
    /// Its value.
    pub(crate) node: Node,
}

impl Kind {
    /// The kind in words, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Whole(_) => "a whole number",
            Self::Real(_) => "a number with a fraction or exponent",
            Self::Text(_) => "text",
            Self::Date => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// The file's top level; none if its syntax is wrong.
pub(crate) fn read(text: &str, file_name: &str, log: &mut Log) -> Option<Node> {
    let is_json = file_name.to_ascii_lowercase().ends_with(".json")
        || text
            .trim_start_matches('\u{feff}')
            .trim_start()
            .starts_with('{');
    if is_json {
        return json::read(text, log);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        let hint = "see toml.io for the syntax; text stands in \"quotes\"";
        log.error(at, "", format!("TOML syntax: {}", error.message()), hint);
    }
    if !errors.is_empty() {
        return None;
    }
    table_of(table.get_ref(), 0, 0, log)
}

fn table_of(table: &DeTable<'_>, at: usize, depth: usize, log: &mut Log) -> Option<Node> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let at = key.span().start;
        if !fits(
            key.get_ref().len(),
            MAX_KEY_BYTES,
            "bytes in a key",
            at,
            log,
        ) {
            return None;
        }
        entries.push(Entry {
            key: key.get_ref().to_string(),
            at,
            node: value_of(value.get_ref(), value.span().start, depth + 1, log)?,
        });
    }
    entries.sort_by_key(|entry| entry.at);
    Some(Node {
        at,
        kind: Kind::Table(entries),
    })
}

fn value_of(value: &DeValue<'_>, at: usize, depth: usize, log: &mut Log) -> Option<Node> {
    let kind = match value {
        DeValue::Boolean(flag) => Kind::Flag(*flag),
        DeValue::Integer(whole) => match i128::from_str_radix(whole.as_str(), whole.radix()) {
            Ok(number) => Kind::Whole(number),
            Err(_) => {
                log.error(at, "", "the number is too large", "use at most 64 bits");
                return None;
            }
        },
        DeValue::Float(real) => match real.as_str().parse::<f64>() {
            Ok(number)
                if number.is_finite() || real.as_str().contains("inf") || number.is_nan() =>
            {
                Kind::Real(number)
            }
            _ => {
                log.error(at, "", "the number is too large", "use at most 1.7e308");
                return None;
            }
        },
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Datetime(_) => Kind::Date,
        DeValue::Array(_) | DeValue::Table(_) if depth > MAX_NESTING => {
            too_deep(at, log);
            return None;
        }
        DeValue::Array(list) => {
            if !fits(list.len(), MAX_ELEMENTS, "elements in a list", at, log) {
                return None;
            }
            let mut nodes = Vec::with_capacity(list.len());
            for node in list.iter() {
                nodes.push(value_of(node.get_ref(), node.span().start, depth + 1, log)?);
            }
            Kind::List(nodes)
        }
        DeValue::Table(table) => return table_of(table, at, depth, log),
    };
    Some(Node { at, kind })
}

/// Notes that the nesting is too deep.
pub(crate) fn too_deep(at: usize, log: &mut Log) {
    log.error(
        at,
        "",
        format!("tables and lists are nested deeper than {MAX_NESTING}"),
        "write it flatter, with dotted names",
    );
}

/// True if there are not too many; else an error.
pub(crate) fn fits(count: usize, most: usize, what: &str, at: usize, log: &mut Log) -> bool {
    if count > most {
        let hint = format!("at most {most} are allowed");
        log.error(at, "", format!("{count} {what}"), hint);
    }
    count <= most
}
