//! One request: its fields by name and type, with errors that say what is wrong, where, and what to do.

use serde_json::{Map, Value};

use crate::protocol::MAX_LINE;
use crate::trouble::Trouble;

/// The largest id: JSON numbers are exact up to here in every language.
const MAX_ID: u64 = 1 << 53;

/// A request that is a JSON object with a command.
#[derive(Clone, Debug)]
pub struct Request {
    command: String,
    fields: Map<String, Value>,
}

impl Request {
    /// Reads a line, with or without its end.
    ///
    /// # Errors
    /// It is too long, no JSON object, or names no command.
    pub fn read(line: &[u8]) -> Result<Self, Trouble> {
        if line.len() > MAX_LINE {
            return Err(Trouble::bad(format!(
                "the line is longer than {MAX_LINE} bytes\n  hint: one request is one JSON object on \
                 one line"
            )));
        }
        let value: Value = serde_json::from_slice(line).map_err(|error| {
            Trouble::bad(format!(
                "the line is not JSON: {error}\n  hint: one request is one JSON object on one line; a \
                 number that is NaN or infinite is written null"
            ))
        })?;
        let Value::Object(fields) = value else {
            return Err(Trouble::bad(
                "the line is JSON, but no object\n  hint: write {\"cmd\": ...}",
            ));
        };
        let command = match fields.get("cmd") {
            Some(Value::String(command)) => command.clone(),
            Some(_) => return Err(Trouble::bad("`cmd` must be text, such as \"start\"")),
            None => {
                return Err(Trouble::bad(
                    "the request has no `cmd`\n  hint: {\"cmd\":\"start\", ...} comes first",
                ));
            }
        };
        Ok(Self { command, fields })
    }

    /// What is asked for.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// An unknown command.
    pub(crate) fn unknown(&self, commands: &[&str]) -> Trouble {
        Trouble::bad(format!(
            "there is no command `{}`\n  hint: there are {} and stop",
            cut(&self.command),
            commands.join(", ")
        ))
    }

    /// No field has another name than these.
    ///
    /// # Errors
    /// The first that has, and which was probably meant.
    pub fn only(&self, names: &[&str]) -> Result<(), Trouble> {
        let known = |name: &str| name == "cmd" || names.contains(&name);
        let Some(name) = self.fields.keys().find(|name| !known(name)) else {
            return Ok(());
        };
        // Below this, names share no more than a few letters.
        const ALIKE: f64 = 0.8;
        let near = names
            .iter()
            .map(|known| (strsim::jaro_winkler(name, known), known))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = match near {
            Some((_, near)) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "it takes none".to_owned(),
            None => format!("it takes {}", names.join(", ")),
        };
        Err(self.wrong(format_args!("has no field `{}`", cut(name)), &hint))
    }

    fn wrong(&self, what: std::fmt::Arguments<'_>, hint: &str) -> Trouble {
        Trouble::bad(format!("`{}` {what}\n  hint: {hint}", self.command))
    }

    /// A field, if it was given. Null counts as given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// A field that must be there; the hint says what it is.
    ///
    /// # Errors
    /// It is not there.
    pub fn required(&self, name: &str, hint: &str) -> Result<&Value, Trouble> {
        self.get(name)
            .ok_or_else(|| self.wrong(format_args!("needs the field `{name}`"), hint))
    }

    /// An id that the client chose.
    pub(crate) fn id(&self, name: &str) -> Result<u64, Trouble> {
        const HINT: &str = "a whole number from 0 to 2^53";
        let value = self.required(name, HINT)?;
        value
            .as_u64()
            .filter(|id| *id <= MAX_ID)
            .ok_or_else(|| self.wrong(format_args!("`{name}` is {}", shown(value)), HINT))
    }

    /// A whole number that may be left out.
    ///
    /// # Errors
    /// It is none, below the least, or too large.
    pub fn whole<T: TryFrom<u64>>(&self, name: &str, least: u64) -> Result<Option<T>, Trouble> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let number = value.as_u64().filter(|number| *number >= least);
        let number = number.and_then(|number| T::try_from(number).ok());
        let Some(number) = number else {
            let hint = format!("a whole number from {least} on");
            return Err(self.wrong(format_args!("`{name}` is {}", shown(value)), &hint));
        };
        Ok(Some(number))
    }

    /// A finite number.
    pub(crate) fn finite(&self, name: &str, hint: &str) -> Result<f64, Trouble> {
        let value = self.required(name, hint)?;
        value
            .as_f64()
            .filter(|number| number.is_finite())
            .ok_or_else(|| self.wrong(format_args!("`{name}` is {}", shown(value)), hint))
    }

    /// A finite number above 0 that may be left out.
    pub(crate) fn positive(&self, name: &str) -> Result<Option<f64>, Trouble> {
        if self.get(name).is_none() {
            return Ok(None);
        }
        const HINT: &str = "a number above 0";
        let number = self.finite(name, HINT)?;
        if number > 0.0 {
            Ok(Some(number))
        } else {
            Err(self.wrong(format_args!("`{name}` is {number}"), HINT))
        }
    }

    /// A result: a number, or null for one that is none (NaN).
    pub(crate) fn measured(&self, name: &str) -> Result<f64, Trouble> {
        const HINT: &str = "a number, or null for one that is NaN or infinite";
        match self.required(name, HINT)? {
            Value::Null => Ok(f64::NAN),
            value => value
                .as_f64()
                .filter(|number| number.is_finite())
                .ok_or_else(|| self.wrong(format_args!("`{name}` is {}", shown(value)), HINT)),
        }
    }

    /// `"minimize"` or `"maximize"`, or a list of them: whether each objective is to be maximised.
    pub(crate) fn directions(&self) -> Result<Vec<bool>, Trouble> {
        const HINT: &str = "\"minimize\" or \"maximize\", or a list of them for several objectives";
        /// More objectives than any searcher can tell apart.
        const MOST: usize = 16;
        let value = self.required("direction", HINT)?;
        let one = |value: &Value| match value.as_str() {
            Some("minimize") => Some(false),
            Some("maximize") => Some(true),
            _ => None,
        };
        let all: Option<Vec<bool>> = match value {
            Value::Array(list) if (1..=MOST).contains(&list.len()) => {
                list.iter().map(one).collect()
            }
            Value::Array(_) => None,
            value => one(value).map(|one| vec![one]),
        };
        all.ok_or_else(|| self.wrong(format_args!("`direction` is {}", shown(value)), HINT))
    }
}

/// A value of the client in a message.
pub(crate) fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

/// The beginning of a text of the client.
pub(crate) fn cut(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push_str("..");
    }
    short
}
