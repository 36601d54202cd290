//! The samplers, under Ray's names and with Ray's bounds, as domains of the contract.
//!
//! `randint` and `lograndint` leave their upper end out and so do the `q` forms with q = 1; the
//! other `q` forms include it. Bounds of real `q` forms must be multiples of q; those of whole ones
//! are moved inwards to multiples.

use tune_core::Limits;
use tune_space::{Domain, GaussianSpread, RealRange, Value, WholeRange};

use super::text_fits;
use crate::{item::Item, log::Log, tree::Kind};

/// A sampler: its name and its arguments, for messages and the schema.
pub(crate) struct Sampler {
    /// Its key.
    pub(crate) name: &'static str,
    /// How its value is written.
    pub(crate) form: &'static str,
    /// One line for the schema.
    pub(crate) doc: &'static str,
    shape: Shape,
}

/// What a sampler's arguments mean.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Real bounds.
    Real {
        /// In the logarithm.
        log: bool,
        /// With a step.
        step: bool,
    },
    /// Whole bounds.
    Whole {
        /// In the logarithm.
        log: bool,
        /// With a step.
        step: bool,
    },
    /// Mean and standard deviation.
    Normal {
        /// With a step.
        step: bool,
    },
    /// Alternatives.
    Values {
        /// With an order, crossed by `grid`.
        ordered: bool,
    },
}

impl Sampler {
    /// What its arguments mean.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }
}

/// Every sampler; `grid_search` is Ray's other name of `grid`.
pub(crate) const SAMPLERS: [Sampler; 13] = [
    Sampler {
        name: "uniform",
        form: "[low, high]",
        doc: "A real number from low to high.",
        shape: Shape::Real {
            log: false,
            step: false,
        },
    },
    Sampler {
        name: "quniform",
        form: "[low, high, q]",
        doc: "A multiple of q from low to high, both included; low and high must be multiples of q.",
        shape: Shape::Real {
            log: false,
            step: true,
        },
    },
    Sampler {
        name: "loguniform",
        form: "[low, high]",
        doc: "A real number from low to high, uniform in its logarithm; low > 0.",
        shape: Shape::Real {
            log: true,
            step: false,
        },
    },
    Sampler {
        name: "qloguniform",
        form: "[low, high, q]",
        doc: "A multiple of q from low to high, both included, uniform in its logarithm; low > 0, low and high must be multiples of q.",
        shape: Shape::Real {
            log: true,
            step: true,
        },
    },
    Sampler {
        name: "randn",
        form: "[mean, sd]",
        doc: "A normally distributed real number; [] means [0, 1].",
        shape: Shape::Normal { step: false },
    },
    Sampler {
        name: "qrandn",
        form: "[mean, sd, q]",
        doc: "A normally distributed real number, rounded to a multiple of q.",
        shape: Shape::Normal { step: true },
    },
    Sampler {
        name: "randint",
        form: "[low, high]",
        doc: "A whole number from low to high - 1.",
        shape: Shape::Whole {
            log: false,
            step: false,
        },
    },
    Sampler {
        name: "qrandint",
        form: "[low, high, q]",
        doc: "A whole multiple of q from low to high, both included; without q or with q = 1 high is left out.",
        shape: Shape::Whole {
            log: false,
            step: true,
        },
    },
    Sampler {
        name: "lograndint",
        form: "[low, high]",
        doc: "A whole number from low to high - 1, uniform in its logarithm; low >= 1.",
        shape: Shape::Whole {
            log: true,
            step: false,
        },
    },
    Sampler {
        name: "qlograndint",
        form: "[low, high, q]",
        doc: "A whole multiple of q from low to high, both included, uniform in its logarithm; low >= 1; without q or with q = 1 high is left out.",
        shape: Shape::Whole {
            log: true,
            step: true,
        },
    },
    Sampler {
        name: "choice",
        form: "[a, b, ..]",
        doc: "One of the values, which have no order.",
        shape: Shape::Values { ordered: false },
    },
    Sampler {
        name: "grid",
        form: "[a, b, ..]",
        doc: "Every one of the values: crossed under the searchers `random` and `grid`, an ordered choice under others.",
        shape: Shape::Values { ordered: true },
    },
    Sampler {
        name: "grid_search",
        form: "[a, b, ..]",
        doc: "Ray's name of `grid`.",
        shape: Shape::Values { ordered: true },
    },
];

/// Bounds are multiples of q if they are off by no more than rounding.
const ROUNDING: f64 = 1e-9;

/// The domain of a table with a sampler; none with an error.
pub(crate) fn domain(
    table: &Item<'_>,
    name: &str,
    limits: &Limits,
    log: &mut Log,
) -> Option<Domain> {
    let sampler = SAMPLERS.iter().find(|sampler| sampler.name == name)?;
    let item = table.get(name)?;
    let example = format!("write {{ {name} = {} }}", sampler.form);
    let arguments = item.list(&example, log)?;
    let domain = match sampler.shape {
        Shape::Values { ordered } => {
            let values = values(&item, &arguments, limits, log)?;
            if ordered {
                Domain::Ordered(values)
            } else {
                Domain::Choice(values)
            }
        }
        Shape::Normal { step } => gaussian(&item, &arguments, step, &example, log)?,
        Shape::Real {
            log: log_scale,
            step,
        } => real(&item, &arguments, log_scale, step, &example, log)?,
        Shape::Whole {
            log: log_scale,
            step,
        } => whole(&item, &arguments, log_scale, step, &example, log)?,
    };
    match domain.validate() {
        Ok(()) => Some(domain),
        Err(error) => {
            item.error(format!("`{}`: {error}", table.path), example, log);
            None
        }
    }
}

/// The arguments, if there are as many as there should be.
fn count<'b, 'a>(
    item: &Item<'_>,
    arguments: &'b [Item<'a>],
    allowed: &[usize],
    example: &str,
    log: &mut Log,
) -> Option<&'b [Item<'a>]> {
    if allowed.contains(&arguments.len()) {
        return Some(arguments);
    }
    let what = format!("`{}` has {} numbers", item.path, arguments.len());
    item.error(what, example, log);
    None
}

fn numbers(arguments: &[Item<'_>], log: &mut Log) -> Option<Vec<f64>> {
    let read: Vec<Option<f64>> = arguments.iter().map(|a| a.number(log)).collect();
    read.into_iter().collect()
}

fn real(
    item: &Item<'_>,
    arguments: &[Item<'_>],
    log_scale: bool,
    step: bool,
    example: &str,
    log: &mut Log,
) -> Option<Domain> {
    let arguments = count(item, arguments, &[2 + usize::from(step)], example, log)?;
    let read = numbers(arguments, log)?;
    let (low, high) = (*read.first()?, *read.get(1)?);
    let step = read.get(2).copied();
    let errors = log.count();
    if low > high {
        let hint = format!("swap them: [{high}, {low}]");
        item.error(
            format!("`{}`: low {low} is above high {high}", item.path),
            hint,
            log,
        );
    } else if low == high {
        let what = format!("`{}`: low and high are both {low}", item.path);
        item.error(
            what,
            format!("a constant is written without a sampler: {low}"),
            log,
        );
    }
    positive(item, low, low > 0.0, log_scale, log);
    if let Some(q) = step {
        if q <= 0.0 {
            item.error(
                format!("`{}`: q is {q}", item.path),
                "q must be above 0",
                log,
            );
        } else if low < high && q > high - low {
            wide(item, q, low, high, log);
        } else if low < high {
            for (bound, argument) in [low, high].iter().zip(arguments) {
                on_grid(argument, *bound, q, log);
            }
        }
    }
    (log.count() == errors).then_some(Domain::Real(RealRange {
        low,
        high,
        log: log_scale,
        step,
    }))
}

fn positive(
    item: &Item<'_>,
    low: impl std::fmt::Display,
    is: bool,
    log_scale: bool,
    log: &mut Log,
) {
    if log_scale && !is {
        item.error(
            format!("`{}`: a log range with low {low}", item.path),
            "low must be above 0: 0 has no logarithm; begin at a small number such as 1e-6, or leave the log out",
            log,
        );
    }
}

fn wide(
    item: &Item<'_>,
    q: impl std::fmt::Display,
    low: impl std::fmt::Display,
    high: impl std::fmt::Display,
    log: &mut Log,
) {
    item.error(
        format!(
            "`{}`: the step {q} is wider than the range {low} to {high}",
            item.path
        ),
        "make q smaller or the range wider",
        log,
    );
}

fn on_grid(argument: &Item<'_>, bound: f64, q: f64, log: &mut Log) {
    let steps = bound / q;
    if (steps - steps.round()).abs() <= ROUNDING * steps.abs().max(1.0) {
        return;
    }
    let (below, above) = (tidy(steps.floor() * q), tidy(steps.ceil() * q));
    argument.error(
        format!("`{}`: {bound} is no multiple of q = {q}", argument.path),
        format!("use {below} or {above}"),
        log,
    );
}

/// Without the dust of rounding: 0.30000000000000004 is shown as 0.3.
fn tidy(x: f64) -> f64 {
    format!("{x:.12e}").parse().unwrap_or(x)
}

fn whole(
    item: &Item<'_>,
    arguments: &[Item<'_>],
    log_scale: bool,
    step: bool,
    example: &str,
    log: &mut Log,
) -> Option<Domain> {
    let allowed: &[usize] = if step { &[2, 3] } else { &[2] };
    let arguments = count(item, arguments, allowed, example, log)?;
    let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
    let read: Vec<Option<i128>> = arguments
        .iter()
        .map(|a| a.whole(range.clone(), log))
        .collect();
    let read: Vec<i128> = read.into_iter().collect::<Option<_>>()?;
    let (low, end) = (*read.first()?, *read.get(1)?);
    let q = read.get(2).copied().unwrap_or(1);
    let errors = log.count();
    if q < 1 {
        item.error(
            format!("`{}`: q is {q}", item.path),
            "q must be at least 1",
            log,
        );
        return None;
    }
    // Ray's rule: only with a true step is the upper end itself a value.
    let high = if q == 1 { end - 1 } else { end };
    if low > end {
        let hint = format!("swap them: [{end}, {low}]");
        item.error(
            format!("`{}`: low {low} is above high {end}", item.path),
            hint,
            log,
        );
    } else if low > high {
        let what = format!(
            "`{}` is empty: high {end} itself is left out, as in Ray",
            item.path
        );
        item.error(
            what,
            format!(
                "for the single value write {low}; for {low} and {end} write [{low}, {}]",
                end + 1
            ),
            log,
        );
    } else if q > 1 && q > high - low {
        wide(item, q, low, high, log);
    }
    positive(item, low, low > 0, log_scale, log);
    let first = -(-low).div_euclid(q) * q;
    let last = high.div_euclid(q) * q;
    if log.count() == errors && first > last {
        let what = format!(
            "`{}`: no multiple of {q} lies from {low} to {high}",
            item.path
        );
        item.error(what, format!("use the bounds {last} and {first}"), log);
    }
    if log.count() != errors {
        return None;
    }
    Some(Domain::Whole(WholeRange {
        low: i64::try_from(first).ok()?,
        high: i64::try_from(last).ok()?,
        log: log_scale,
        step: (q > 1).then(|| i64::try_from(q)).and_then(Result::ok),
    }))
}

fn gaussian(
    item: &Item<'_>,
    arguments: &[Item<'_>],
    step: bool,
    example: &str,
    log: &mut Log,
) -> Option<Domain> {
    let allowed: &[usize] = if step { &[3] } else { &[0, 2] };
    let arguments = count(item, arguments, allowed, example, log)?;
    let read = numbers(arguments, log)?;
    // Ray's defaults.
    let (mean, sd) = match read.as_slice() {
        [mean, sd, ..] => (*mean, *sd),
        _ => (0.0, 1.0),
    };
    if sd <= 0.0 {
        let what = format!("`{}`: the standard deviation is {sd}", item.path);
        item.error(what, "it must be above 0", log);
        return None;
    }
    let step = read.get(2).copied();
    if let Some(q) = step
        && q <= 0.0
    {
        item.error(
            format!("`{}`: q is {q}", item.path),
            "q must be above 0",
            log,
        );
        return None;
    }
    Some(Domain::Gaussian(GaussianSpread { mean, sd, step }))
}

fn values(
    item: &Item<'_>,
    arguments: &[Item<'_>],
    limits: &Limits,
    log: &mut Log,
) -> Option<Vec<Value>> {
    if arguments.is_empty() {
        let hint = "name at least one value, or remove the line";
        item.error(format!("`{}` is empty", item.path), hint, log);
        return None;
    }
    let errors = log.count();
    let mut found: Vec<Value> = Vec::with_capacity(arguments.len());
    let mut seen = std::collections::BTreeSet::new();
    for argument in arguments {
        if let Kind::Table(entries) = &argument.node.kind
            && let Some(entry) = entries
                .iter()
                .find(|entry| SAMPLERS.iter().any(|s| s.name == entry.key))
        {
            let what = format!("`{}` holds the sampler `{}`", argument.path, entry.key);
            let hint = "a value cannot be drawn inside a choice: make it a parameter of its own with `when`";
            argument.error(what, hint, log);
            continue;
        }
        let Some(value) = argument.value(log) else {
            continue;
        };
        if !text_fits(argument, &value, limits, log) {
            continue;
        }
        // Debug keeps 1 and 1.0 apart, as comparing by index does; -0 equals 0.
        let key = match &value {
            Value::Number(x) => format!("{:?}", Value::Number(x + 0.0)),
            other => format!("{other:?}"),
        };
        if !seen.insert(key) {
            let what = format!(
                "`{}` is {value}, which stands in the list before",
                argument.path
            );
            argument.error(what, "remove one of them", log);
            continue;
        }
        found.push(value);
    }
    (log.count() == errors).then_some(found)
}
