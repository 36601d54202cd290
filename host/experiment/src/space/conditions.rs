//! `when = { parent = [values] }`: resolving parents, their order, and conditions on constants.

use tune_space::{Condition, Domain, Parameter, Value};

use super::{Leaves, What, describe, fit, order};
use crate::{item::Item, log::Log, tree::Kind};

/// Conditions of one parameter at most.
const MAX_CONDITIONS: usize = 64;

/// The conditions of one parameter.
#[derive(Default)]
pub(crate) struct When {
    /// On parameters, with the place of the parent among the leaves.
    on: Vec<(usize, Condition)>,
    /// A constant has none of the values: never active.
    never: bool,
}

/// The conditions of every leaf, by its place.
pub(crate) fn read(leaves: &Leaves<'_>, log: &mut Log) -> Vec<When> {
    let mut all = Vec::with_capacity(leaves.all.len());
    for (place, leaf) in leaves.all.iter().enumerate() {
        let mut when = When::default();
        if let What::Sampler(_, Some(item)) = &leaf.what
            && item.is_table("write when = { optimizer = [\"sgd\"] }", log)
        {
            let mut given = Vec::new();
            flatten(item, "", leaves, &mut given);
            if given.is_empty() || given.len() > MAX_CONDITIONS {
                let what = format!("`{}` has {} conditions", item.path, given.len());
                item.error(what, format!("1 to {MAX_CONDITIONS} are allowed"), log);
                given.clear();
            }
            for (parent, values) in given {
                condition(place, &parent, &values, leaves, &mut when, log);
            }
        }
        all.push(when);
    }
    circles(leaves, &all, log);
    all
}

/// Dotted names of `when`; a table is only looked into while it names no leaf.
fn flatten<'a>(
    item: &Item<'a>,
    prefix: &str,
    leaves: &Leaves<'_>,
    found: &mut Vec<(String, Item<'a>)>,
) {
    for (key, inner) in item.entries() {
        let name = if prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{prefix}.{key}")
        };
        if matches!(inner.node.kind, Kind::Table(_)) && leaves.get(&name).is_none() {
            flatten(&inner, &name, leaves, found);
        } else {
            found.push((name, inner));
        }
    }
}

fn condition(
    child: usize,
    parent: &str,
    item: &Item<'_>,
    leaves: &Leaves<'_>,
    when: &mut When,
    log: &mut Log,
) {
    let Some(place) = leaves.place(parent) else {
        let what = format!("a condition on `{parent}`, which is no parameter");
        let hint = leaves.hint(parent, log);
        item.key_error(what, hint, log);
        return;
    };
    if place == child {
        let what = format!("`{parent}` depends on itself");
        item.key_error(what, "name another parameter, or remove the condition", log);
        return;
    }
    let values: Vec<Item<'_>> = match &item.node.kind {
        Kind::List(_) => item.list("", log).unwrap_or_default(),
        _ => vec![item.clone()],
    };
    if values.is_empty() {
        let what = format!(
            "`{}` is empty: the parameter would never be active",
            item.path
        );
        item.error(what, "name the values that make it active", log);
        return;
    }
    match leaves.all.get(place).map(|leaf| &leaf.what) {
        Some(What::Derived(..)) => {
            let what = format!("a condition on `{parent}`, which is computed");
            item.key_error(what, "name a parameter that it is computed from", log);
        }
        Some(What::Constant(constant)) => {
            let holds = values
                .iter()
                .filter_map(|v| v.value(log))
                .any(|v| equal(&v, constant));
            when.never |= !holds;
        }
        Some(What::Sampler(domain, _)) => {
            if let Some(among) = among(parent, domain, &values, log) {
                let parent = parent.to_owned();
                when.on.push((place, Condition { parent, among }));
            }
        }
        None => {}
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some() && a.as_f64() == b.as_f64()
}

/// The values as values of the parent's domain.
fn among(parent: &str, domain: &Domain, values: &[Item<'_>], log: &mut Log) -> Option<Vec<Value>> {
    let mut found: Vec<Value> = Vec::with_capacity(values.len());
    for item in values {
        if matches!(domain, Domain::Gaussian(_))
            || matches!(domain, Domain::Real(range) if range.step.is_none())
        {
            item.error(
                format!("a condition on `{parent}`, which is {}", describe(domain)),
                "only a choice, a grid or a range in steps has values to compare with",
                log,
            );
            return None;
        }
        let value = item.value(log)?;
        let Some(value) = fit(domain, &value) else {
            item.error(
                format!("`{parent}` is never {value}"),
                format!("it is {}", describe(domain)),
                log,
            );
            return None;
        };
        if !found.contains(&value) {
            found.push(value);
        }
    }
    Some(found)
}

fn parents(all: &[When]) -> Vec<Vec<usize>> {
    all.iter()
        .map(|when| when.on.iter().map(|(place, _)| *place).collect())
        .collect()
}

fn circles(leaves: &Leaves<'_>, all: &[When], log: &mut Log) {
    let Err(circles) = order::sort(&parents(all)) else {
        return;
    };
    for circle in circles {
        let names: Vec<&str> = circle
            .iter()
            .chain(circle.first())
            .filter_map(|place| Some(leaves.all.get(*place)?.name.as_str()))
            .collect();
        let first = circle.first().and_then(|place| leaves.all.get(*place));
        if let Some(leaf) = first {
            let item = leaf.item.get("when").unwrap_or_else(|| leaf.item.clone());
            item.key_error(
                format!("conditions in a circle: {}", names.join(" depends on ")),
                "remove one of these conditions: a parent cannot depend on its child",
                log,
            );
        }
    }
}

/// The parameters, parents first, and the names of those that can never be active.
pub(crate) fn parameters(
    leaves: &Leaves<'_>,
    all: Vec<When>,
    log: &mut Log,
) -> (Vec<Parameter>, Vec<String>) {
    let sorted = order::sort(&parents(&all)).unwrap_or_default();
    let mut parameters = Vec::new();
    let mut never: Vec<usize> = Vec::new();
    for place in sorted {
        let (Some(leaf), Some(when)) = (leaves.all.get(place), all.get(place)) else {
            continue;
        };
        let What::Sampler(domain, _) = &leaf.what else {
            continue;
        };
        if when.never || when.on.iter().any(|(parent, _)| never.contains(parent)) {
            never.push(place);
            continue;
        }
        parameters.push(Parameter {
            name: leaf.name.clone(),
            domain: domain.clone(),
            conditions: when.on.iter().map(|(_, c)| c.clone()).collect(),
        });
    }
    // Everything was checked above; this is what host and searchers check again.
    if let Err(error) = tune_space::Space::new(parameters.clone()) {
        log.error(0, "space", error.to_string(), "correct [space]");
    }
    let never = never
        .iter()
        .filter_map(|place| Some(leaves.all.get(*place)?.name.clone()))
        .collect();
    (parameters, never)
}
