//! `{ derived = "batch * 2" }`: checking what an expression reads, and the order of computing.

use tune_core::{DeriveError, Derived, validate};
use tune_space::{Domain, Value};

use super::{Leaf, Leaves, What, order};
use crate::log::Log;

/// The derived values, each after those that it reads.
pub(crate) fn read(leaves: &Leaves<'_>, log: &mut Log) -> Vec<Derived> {
    let errors = log.count();
    let mut found: Vec<Derived> = Vec::new();
    let mut places: Vec<usize> = Vec::new();
    let mut reads: Vec<Vec<String>> = Vec::new();
    for (place, leaf) in leaves.all.iter().enumerate() {
        let What::Derived(expression, item) = &leaf.what else {
            continue;
        };
        let derived = Derived {
            name: leaf.name.clone(),
            expression: (*expression).to_owned(),
        };
        // In a plain string the expression begins behind the quote.
        let start = item.node.at + 1;
        match validate(&derived, |name| leaves.place(name).is_some()) {
            Ok(names) => {
                for name in &names {
                    if let Some(text) = leaves.get(name).and_then(not_numeric) {
                        item.error(
                            format!("`{}` reads `{name}`, which can be {text}", leaf.name),
                            "an expression computes with numbers only",
                            log,
                        );
                    }
                }
                places.push(place);
                found.push(derived);
                reads.push(names);
            }
            Err(DeriveError::Unknown { at, reads, .. }) => {
                let what = format!("`{}` reads `{reads}`, which is not in [space]", leaf.name);
                let hint = leaves.hint(&reads, log);
                log.error(start + at, &item.path, what, hint);
            }
            Err(DeriveError::Syntax { at, problem, .. }) => {
                let hint = "write numbers, names and + - * / % ^ ( ), such as \"batch * 2 + 1\"";
                let what = format!("the expression of `{}`: {problem}", leaf.name);
                log.error(start + at, &item.path, what, hint);
            }
            Err(other) => item.error(other.to_string(), "", log),
        }
    }
    let parents: Vec<Vec<usize>> = reads
        .iter()
        .map(|names| {
            names
                .iter()
                .filter_map(|name| places.iter().position(|p| Some(*p) == leaves.place(name)))
                .collect()
        })
        .collect();
    match order::sort(&parents) {
        Ok(sorted) if log.count() == errors => sorted
            .into_iter()
            .filter_map(|i| found.get(i).cloned())
            .collect(),
        Ok(_) => Vec::new(),
        Err(circles) => {
            for circle in circles {
                let names: Vec<&str> = circle
                    .iter()
                    .chain(circle.first())
                    .filter_map(|i| Some(found.get(*i)?.name.as_str()))
                    .collect();
                let leaf = circle
                    .first()
                    .and_then(|i| leaves.all.get(*places.get(*i)?));
                if let Some(leaf) = leaf {
                    leaf.item.error(
                        format!("computed in a circle: {}", names.join(" reads ")),
                        "write one of them without the others",
                        log,
                    );
                }
            }
            Vec::new()
        }
    }
}

/// A value of the leaf that is no number.
fn not_numeric(leaf: &Leaf<'_>) -> Option<String> {
    let text = |value: &Value| value.as_f64().is_none().then(|| value.to_string());
    match &leaf.what {
        What::Sampler(Domain::Choice(values) | Domain::Ordered(values), _) => {
            values.iter().find_map(text)
        }
        What::Constant(value) => text(value),
        _ => None,
    }
}
