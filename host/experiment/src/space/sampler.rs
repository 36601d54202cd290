//! The samplers, under Ray's names and with Ray's bounds, as domains of the contract.
//!
//! `randint` and `lograndint` leave their upper end out and so do the `q` forms with q = 1; the
//! other `q` forms include it. Bounds of real `q` forms must be multiples of q; those of whole ones
//! are moved inwards to multiples.

use tune_core::Limits;
use tune_space::{Domain, Value};

use super::{range, text_fits};
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
        Shape::Normal { step } => range::gaussian(&item, &arguments, step, &example, log)?,
        Shape::Real {
            log: log_scale,
            step,
        } => range::real(&item, &arguments, log_scale, step, &example, log)?,
        Shape::Whole {
            log: log_scale,
            step,
        } => range::whole(&item, &arguments, log_scale, step, &example, log)?,
    };
    match domain.validate() {
        Ok(()) => Some(domain),
        Err(error) => {
            item.error(format!("`{}`: {error}", table.path), example, log);
            None
        }
    }
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
