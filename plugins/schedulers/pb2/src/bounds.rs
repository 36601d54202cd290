//! `hyperparam_bounds`: which parameters change, and within which part of their range.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use tune_plugin::{Domain, OptionError, Parameter, schedule::refused};

/// The option by name.
pub(crate) const OPTION: &str = "hyperparam_bounds";
/// Depth of tables that are read: as names of parameters nest.
const MAX_DEPTH: usize = 16;

/// Narrows the domains that the option bounds, and lists the parameters that it names.
///
/// # Errors
/// Every entry that is wrong, with what would be right.
pub(crate) fn narrow(
    space: &mut [Parameter],
    bounds: &Map<String, Json>,
) -> Result<Vec<String>, Vec<OptionError>> {
    let mut flat = BTreeMap::new();
    let mut errors = Vec::new();
    flatten("", bounds, 0, &mut flat, &mut errors);
    for (name, ends) in &flat {
        // A name that is not in the space is told by whoever takes the list.
        if let Some(parameter) = space.iter_mut().find(|p| p.name == *name)
            && let Err(message) = narrow_one(&mut parameter.domain, ends)
        {
            errors.push(refused(
                &format!("{OPTION}.{name}"),
                message,
                format!(
                    "write {name} = [low, high], within {}, or {name} = [] for all of it",
                    parameter.domain
                ),
            ));
        }
    }
    if errors.is_empty() {
        Ok(flat.into_keys().collect())
    } else {
        Err(errors)
    }
}

/// Tables in tables become dotted names.
fn flatten<'a>(
    prefix: &str,
    table: &'a Map<String, Json>,
    depth: usize,
    into: &mut BTreeMap<String, &'a [Json]>,
    errors: &mut Vec<OptionError>,
) {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        match value {
            Json::Array(ends) => {
                into.insert(name, ends);
            }
            Json::Object(inner) if depth < MAX_DEPTH => {
                flatten(&format!("{name}."), inner, depth + 1, into, errors);
            }
            _ => errors.push(refused(
                &format!("{OPTION}.{name}"),
                "expected a list of two numbers, or of none",
                format!("write {name} = [low, high], or {name} = [] for its whole range"),
            )),
        }
    }
}

fn narrow_one(domain: &mut Domain, ends: &[Json]) -> Result<(), String> {
    let (low, high) = match ends {
        [] => return Ok(()),
        [low, high] => (low, high),
        _ => return Err(format!("{} values: expected two, or none", ends.len())),
    };
    let (Some(low), Some(high)) = (low.as_f64(), high.as_f64()) else {
        return Err(format!("{low} and {high}: expected two numbers"));
    };
    if low > high {
        return Err(format!("{low} is above {high}"));
    }
    let mut narrowed = domain.clone();
    let within = match &mut narrowed {
        Domain::Real(range) => {
            let within = range.low <= low && high <= range.high;
            (range.low, range.high) = (low, high);
            within
        }
        Domain::Whole(range) => {
            let within = range.low as f64 <= low && high <= range.high as f64;
            // Inside the range, so inside i64.
            (range.low, range.high) = (low.ceil() as i64, high.floor() as i64);
            within
        }
        Domain::Gaussian(_) | Domain::Choice(_) | Domain::Ordered(_) => {
            return Err("it has no range".to_owned());
        }
    };
    if !within {
        return Err(format!("{low} to {high} is not within its range"));
    }
    narrowed.validate().map_err(|error| error.to_string())?;
    *domain = narrowed;
    Ok(())
}
