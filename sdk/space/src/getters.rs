//! Typed reading of a configuration, with errors that name the parameter, what it holds and what
//! was expected. Here, beside [`Config`], so that trainables and the host say the same things.
//! Never invents a value: a default stands where the caller wrote it.

use serde::de::DeserializeOwned;

use crate::{Config, Failure, Value};

/// Largest whole number below which every `f64` that is whole is exact.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A type that a parameter can be read as.
pub trait FromValue: Sized {
    /// What is expected, for messages: "a number".
    const EXPECTED: &'static str;

    /// The value, if it is of this type.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a finite number";

    fn from_value(value: &Value) -> Option<Self> {
        value.as_f64().filter(|x| x.is_finite())
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";

    /// A real number that is whole, as a quantised range gives it, counts.
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(i) => Some(*i),
            Value::Number(x) if x.trunc() == *x && x.abs() <= MAX_EXACT => Some(*x as i64),
            _ => None,
        }
    }
}

impl FromValue for usize {
    const EXPECTED: &'static str = "a whole number from 0";

    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Boolean(b) => Some(*b),
            _ => None,
        }
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(t) => Some(t.clone()),
            _ => None,
        }
    }
}

impl Config {
    /// A parameter as any readable type.
    ///
    /// # Errors
    /// [`Failure::BadConfig`] if it is missing (names those that are there) or of another type.
    pub fn read<T: FromValue>(&self, name: &str) -> Result<T, Failure> {
        let Some(value) = self.get(name) else {
            let known: Vec<&str> = self.iter().map(|(name, _)| name).collect();
            return Err(Failure::BadConfig(format!(
                "parameter `{name}` is missing: expected {}; the configuration holds {}",
                T::EXPECTED,
                if known.is_empty() {
                    "no parameters".to_owned()
                } else {
                    known.join(", ")
                }
            )));
        };
        T::from_value(value).ok_or_else(|| {
            Failure::BadConfig(format!(
                "parameter `{name}` is {}: expected {}",
                shown(value),
                T::EXPECTED
            ))
        })
    }

    /// A parameter as any readable type, or `default` if it is not active.
    ///
    /// # Errors
    /// [`Failure::BadConfig`] if it is of another type.
    pub fn read_or<T: FromValue>(&self, name: &str, default: T) -> Result<T, Failure> {
        match self.get(name) {
            Some(_) => self.read(name),
            None => Ok(default),
        }
    }

    /// A parameter as a finite real number; whole numbers are converted.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn f64(&self, name: &str) -> Result<f64, Failure> {
        self.read(name)
    }

    /// A parameter as a whole number; real numbers that are whole count.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn i64(&self, name: &str) -> Result<i64, Failure> {
        self.read(name)
    }

    /// A parameter as a whole number from 0.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn usize(&self, name: &str) -> Result<usize, Failure> {
        self.read(name)
    }

    /// A parameter as true or false.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn bool(&self, name: &str) -> Result<bool, Failure> {
        self.read(name)
    }

    /// A parameter as text.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn text(&self, name: &str) -> Result<String, Failure> {
        self.read(name)
    }

    /// The whole configuration as a struct: `net.depth` is field `depth` of field `net`.
    ///
    /// # Errors
    /// [`Failure::BadConfig`] with the dotted name at which the configuration does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_path_to_error::deserialize(self.to_json()).map_err(|error| {
            let path = error.path().to_string();
            let message = error.into_inner();
            Failure::BadConfig(if path == "." {
                message.to_string()
            } else {
                format!("parameter `{path}`: {message}")
            })
        })
    }
}

/// Type and value, for messages. Cut at 60 characters: a constant can be a whole table.
fn shown(value: &Value) -> String {
    let kind = match value {
        Value::Boolean(_) => "the truth value",
        Value::Integer(_) => "the whole number",
        Value::Number(_) => "the number",
        Value::Text(_) => "the text",
        Value::Structured(_) => "the structure",
    };
    let text: String = value.to_string().chars().take(60).collect();
    format!("{kind} `{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let mut config = Config::new();
        config.insert("lr", 0.5);
        config.insert("batch", 32.0);
        config.insert("net.depth", 3_i64);
        config.insert("optimizer", "sgd");
        config.insert("nesterov", true);
        config
    }

    #[test]
    fn each_type_is_read_and_whole_real_numbers_count_as_whole() {
        let c = config();
        assert_eq!(c.f64("lr"), Ok(0.5));
        assert_eq!(c.f64("net.depth"), Ok(3.0));
        assert_eq!(c.usize("batch"), Ok(32));
        assert_eq!(c.i64("net.depth"), Ok(3));
        assert_eq!(c.text("optimizer").as_deref(), Ok("sgd"));
        assert_eq!(c.bool("nesterov"), Ok(true));
        assert_eq!(c.read_or("momentum", 0.9), Ok(0.9));
    }

    #[test]
    fn an_error_names_the_parameter_its_value_what_was_expected_and_what_is_there() {
        let c = config();
        let missing = c.f64("learning_rate").unwrap_err();
        for part in ["learning_rate", "a finite number", "lr", "net.depth"] {
            assert!(missing.message().contains(part), "{missing}");
        }
        let wrong = c.usize("lr").unwrap_err();
        for part in ["lr", "0.5", "whole number from 0"] {
            assert!(wrong.message().contains(part), "{wrong}");
        }
        assert!(c.read_or("optimizer", 1.0).is_err());
    }

    #[test]
    fn a_struct_is_read_from_dotted_names_and_the_error_holds_the_path() {
        #[derive(Debug, serde::Deserialize)]
        struct Net {
            depth: u32,
        }
        #[derive(Debug, serde::Deserialize)]
        struct All {
            lr: f64,
            net: Net,
        }
        let mut c = config();
        let all: All = c.parse().unwrap();
        assert_eq!((all.lr, all.net.depth), (0.5, 3));
        c.insert("net.depth", "deep");
        let error = c.parse::<All>().unwrap_err();
        assert!(error.message().contains("net.depth"), "{error}");
    }
}
