//! Values and domains: what fits, and what a domain is in words.

use tune_core::Limits;
use tune_space::{Domain, Value};

use crate::{item::Item, log::Log};

/// True if a text value may pass into a plugin; else an error.
pub(crate) fn text_fits(item: &Item<'_>, value: &Value, limits: &Limits, log: &mut Log) -> bool {
    let (Value::Text(text) | Value::Structured(text)) = value else {
        return true;
    };
    let fits = text.len() <= limits.text_bytes as usize;
    if !fits {
        item.error(
            format!("a text of {} bytes", text.len()),
            format!(
                "at most {} are allowed (limits.text_bytes)",
                limits.text_bytes
            ),
            log,
        );
    }
    fits
}

/// A value of the file as the domain would write it: `1` in a real range is 1.0, a list of choices
/// is searched for the same value and then for an equal number. None if the domain does not hold it.
pub(crate) fn fit(domain: &Domain, value: &Value) -> Option<Value> {
    if domain.contains(value) {
        return Some(value.clone());
    }
    let number = value.as_f64()?;
    match domain {
        Domain::Real(_) | Domain::Gaussian(_) => {
            let value = Value::Number(number);
            domain.contains(&value).then_some(value)
        }
        Domain::Choice(values) | Domain::Ordered(values) => {
            values.iter().find(|v| v.as_f64() == Some(number)).cloned()
        }
        Domain::Whole(_) => None,
    }
}

/// A domain in words: `a real number from 0 to 1`, `one of sgd, adam`.
pub(crate) fn describe(domain: &Domain) -> String {
    let log = |log: bool| if log { " (log)" } else { "" };
    match domain {
        Domain::Real(r) => {
            let step = r
                .step
                .map_or(String::new(), |s| format!(" in steps of {s}"));
            format!(
                "a real number from {} to {}{step}{}",
                r.low,
                r.high,
                log(r.log)
            )
        }
        Domain::Whole(r) => {
            let step = r
                .step
                .map_or(String::new(), |s| format!(" in steps of {s}"));
            format!(
                "a whole number from {} to {}{step}{}",
                r.low,
                r.high,
                log(r.log)
            )
        }
        Domain::Gaussian(g) => {
            let step = g
                .step
                .map_or(String::new(), |s| format!(" in steps of {s}"));
            format!("a real number{step}")
        }
        Domain::Choice(values) | Domain::Ordered(values) => {
            // As many as fit a line.
            const SHOWN: usize = 8;
            let mut names: Vec<String> = values.iter().take(SHOWN).map(Value::to_string).collect();
            if values.len() > SHOWN {
                names.push("..".to_owned());
            }
            format!("one of {}", names.join(", "))
        }
    }
}
