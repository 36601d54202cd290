//! Which domains make sense, and why not.

use crate::{
    Domain, GaussianSpread, RealRange, Value, WholeRange,
    domain::multiples,
    lattice::{MAX_INDEX, Step},
};

/// Alternatives of a choice at most: each is held and compared one by one.
const MAX_CHOICES: usize = 65_536;
/// Standard deviations that must stay finite around a mean; draws stay within 8.3.
const SPREAD: f64 = 40.0;
/// Why a domain makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DomainError {
    /// A bound, mean or spread is NaN, infinite or too large to compute with.
    #[error("{what} is {value}: expected a finite number")]
    NotFinite {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: f64,
    },
    /// The range is empty.
    #[error("low {low} is above high {high}: swap them")]
    Reversed {
        /// The lower bound.
        low: String,
        /// The upper bound.
        high: String,
    },
    /// A logarithm of 0 or less.
    #[error("a log range must lie above 0: low is {low}")]
    LogRange {
        /// The lower bound.
        low: String,
    },
    /// The step is not above 0.
    #[error("step is {step}: expected a finite number above 0")]
    BadStep {
        /// The step.
        step: String,
    },
    /// No multiple of the step is inside.
    #[error("no multiple of step {step} lies between {low} and {high}")]
    NoMultiple {
        /// The step.
        step: String,
        /// The lower bound.
        low: String,
        /// The upper bound.
        high: String,
    },
    /// The step is so small that neighbouring values are not distinct numbers.
    #[error("step {step} is too small for a range up to {size}: leave it out or make it larger")]
    TooFine {
        /// The step.
        step: f64,
        /// The largest magnitude in the range.
        size: f64,
    },
    /// The standard deviation is not above 0.
    #[error("sd is {0}: expected a finite number above 0")]
    BadSpread(f64),
    /// No alternatives.
    #[error("the list of values is empty: give at least one")]
    Empty,
    /// Too many alternatives.
    #[error("{0} values in a list: at most 65536 are allowed")]
    TooMany(usize),
    /// An alternative stands there twice.
    #[error("value {0} stands in the list twice: values are told apart by their place")]
    Duplicate(Value),
}

impl Domain {
    /// Checks that the domain makes sense. All other methods expect that.
    ///
    /// # Errors
    /// What is wrong and what would be right.
    pub fn validate(&self) -> Result<(), DomainError> {
        match self {
            Self::Real(range) => validate_real(range),
            Self::Whole(range) => validate_whole(range),
            Self::Gaussian(spread) => validate_gaussian(spread),
            Self::Choice(values) | Self::Ordered(values) => validate_list(values),
        }
    }
}

fn finite(what: &'static str, value: f64) -> Result<(), DomainError> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(DomainError::NotFinite { what, value })
    }
}

fn real_step(step: Option<f64>, size: f64) -> Result<(), DomainError> {
    match step {
        Some(step) if !(step > 0.0 && step.is_finite()) => Err(DomainError::BadStep {
            step: step.to_string(),
        }),
        Some(step) if size / step >= MAX_INDEX => Err(DomainError::TooFine { step, size }),
        _ => Ok(()),
    }
}

fn range<T: PartialOrd + std::fmt::Debug + Default>(
    low: T,
    high: T,
    log: bool,
) -> Result<(), DomainError> {
    let text = |x: &T| format!("{x:?}");
    if low > high {
        return Err(DomainError::Reversed {
            low: text(&low),
            high: text(&high),
        });
    }
    if log && low <= T::default() {
        return Err(DomainError::LogRange { low: text(&low) });
    }
    Ok(())
}

fn validate_real(r: &RealRange) -> Result<(), DomainError> {
    finite("low", r.low)?;
    finite("high", r.high)?;
    range(r.low, r.high, r.log)?;
    real_step(r.step, r.low.abs().max(r.high.abs()))?;
    if let Some(step) = r.step
        && let Some((first, last)) = Step::new(step).inside(r.low, r.high)
        && first > last
    {
        return Err(DomainError::NoMultiple {
            step: step.to_string(),
            low: r.low.to_string(),
            high: r.high.to_string(),
        });
    }
    Ok(())
}

fn validate_whole(r: &WholeRange) -> Result<(), DomainError> {
    range(r.low, r.high, r.log)?;
    if let Some(step) = r.step {
        if step <= 0 {
            return Err(DomainError::BadStep {
                step: step.to_string(),
            });
        }
        let (first, last) = multiples(r);
        if first > last {
            return Err(DomainError::NoMultiple {
                step: step.to_string(),
                low: r.low.to_string(),
                high: r.high.to_string(),
            });
        }
    }
    Ok(())
}

fn validate_gaussian(g: &GaussianSpread) -> Result<(), DomainError> {
    finite("mean", g.mean)?;
    if !(g.sd > 0.0 && g.sd.is_finite()) {
        return Err(DomainError::BadSpread(g.sd));
    }
    let reach = g.mean.abs() + SPREAD * g.sd;
    finite("the reach of mean and sd", reach)?;
    real_step(g.step, reach)
}

fn validate_list(values: &[Value]) -> Result<(), DomainError> {
    if values.is_empty() {
        return Err(DomainError::Empty);
    }
    if values.len() > MAX_CHOICES {
        return Err(DomainError::TooMany(values.len()));
    }
    let mut seen = std::collections::BTreeSet::new();
    for value in values {
        let key = match value {
            Value::Number(x) => {
                finite("a value", *x)?;
                // Adding 0 makes -0 equal to 0, as comparing does.
                format!("Number({:?})", x + 0.0)
            }
            other => format!("{other:?}"),
        };
        if !seen.insert(key) {
            return Err(DomainError::Duplicate(value.clone()));
        }
    }
    Ok(())
}
