//! Domains in words, for messages.

use std::fmt::{Display, Formatter, Result};

use crate::{Domain, Value};

/// Alternatives that are listed; more are counted.
const LISTED: usize = 8;

impl Display for Domain {
    /// "a real number from 0.1 to 1.0 in steps of 0.1".
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Real(r) => {
                write!(f, "a real number from {:?} to {:?}", r.low, r.high)?;
                step(f, r.step)
            }
            Self::Whole(r) => {
                write!(f, "a whole number from {} to {}", r.low, r.high)?;
                step(f, r.step)
            }
            Self::Gaussian(g) => {
                f.write_str("a real number")?;
                step(f, g.step)
            }
            Self::Choice(values) | Self::Ordered(values) => {
                f.write_str("one of ")?;
                list(f, values)
            }
        }
    }
}

fn step(f: &mut Formatter<'_>, step: Option<impl Display>) -> Result {
    match step {
        Some(step) => write!(f, " in steps of {step}"),
        None => Ok(()),
    }
}

fn list(f: &mut Formatter<'_>, values: &[Value]) -> Result {
    for (i, value) in values.iter().take(LISTED).enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        match value {
            Value::Text(text) => write!(f, "{comma}\"{text}\"")?,
            other => write!(f, "{comma}{other}")?,
        }
    }
    match values.len().checked_sub(LISTED) {
        Some(more) if more > 0 => write!(f, " and {more} more"),
        _ => Ok(()),
    }
}
