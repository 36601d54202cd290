//! `[space]`: what is tuned. Nested tables become dotted names; every leaf is a sampler, a constant
//! or a computed value.

mod conditions;
mod derived;
mod order;
mod range;
mod sampler;
mod values;

use std::collections::BTreeMap;

use tune_core::{Derived, Limits};
use tune_space::{Config, Domain, Parameter, Value};

use crate::{
    item::{Item, check_name},
    log::Log,
    tree::Kind,
};

pub(crate) use sampler::{SAMPLERS, Shape};
pub(crate) use values::{describe, fit, text_fits};

/// The search space of a plan.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// What is suggested, parents before children.
    pub(crate) parameters: Vec<Parameter>,
    /// Added to every configuration.
    pub(crate) constants: Config,
    /// Computed in this order.
    pub(crate) derived: Vec<Derived>,
    /// Parameters that can never be active, because a constant does not allow it.
    pub(crate) never: Vec<String>,
}

/// A leaf of `[space]` before names are resolved.
pub(crate) struct Leaf<'a> {
    /// Dotted name.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) item: Item<'a>,
    /// What it is.
    pub(crate) what: What<'a>,
}

/// What a leaf is.
pub(crate) enum What<'a> {
    /// Suggested; its domain, and its `when`.
    Sampler(Domain, Option<Item<'a>>),
    /// The same in every configuration.
    Constant(Value),
    /// An expression and where it stands.
    Derived(&'a str, Item<'a>),
}

/// The leaves by name, with the suggestion for a misspelled one.
pub(crate) struct Leaves<'a> {
    /// In the order of the file.
    pub(crate) all: Vec<Leaf<'a>>,
    places: BTreeMap<String, usize>,
}

impl<'a> Leaves<'a> {
    /// The place of a leaf.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// A leaf by name.
    pub(crate) fn get(&self, name: &str) -> Option<&Leaf<'a>> {
        self.all.get(self.place(name)?)
    }

    /// What was probably meant by a name that is none: the hint of an error.
    pub(crate) fn hint(&self, name: &str, log: &Log) -> String {
        let names = || self.all.iter().map(|leaf| leaf.name.as_str());
        let tail = format!(".{name}");
        match names()
            .find(|full| full.ends_with(&tail))
            .or_else(|| log.nearest(name, names()))
        {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a name is written in full, with the tables around it: model.lr".to_owned(),
        }
    }

    fn add(&mut self, leaf: Leaf<'a>, log: &mut Log) {
        if self.places.contains_key(&leaf.name) {
            let what = format!("`{}` stands in the space twice", leaf.name);
            leaf.item.key_error(what, "remove one of them", log);
            return;
        }
        self.places.insert(leaf.name.clone(), self.all.len());
        self.all.push(leaf);
    }
}

/// Reads `[space]`.
pub(crate) fn read(root: &Item<'_>, limits: &Limits, log: &mut Log) -> Read {
    let Some(table) = root.get("space") else {
        let hint = "add [space] and a line for every parameter: lr = { loguniform = [1e-4, 1.0] }";
        root.key_error("`[space]` is missing: there is nothing to tune", hint, log);
        return Read::default();
    };
    if !table.is_table("write [space] and one parameter a line", log) {
        return Read::default();
    }
    let mut leaves = Leaves {
        all: Vec::new(),
        places: BTreeMap::new(),
    };
    for (key, item) in table.entries() {
        leaf(key, item, limits, &mut leaves, log);
    }
    if leaves.all.len() > limits.parameters as usize {
        table.key_error(
            format!("[space] has {} entries", leaves.all.len()),
            format!(
                "at most {} are allowed (limits.parameters)",
                limits.parameters
            ),
            log,
        );
        return Read::default();
    }
    let errors = log.count();
    let conditions = conditions::read(&leaves, log);
    let derived = derived::read(&leaves, log);
    if log.count() > errors {
        return Read::default();
    }
    let (parameters, never) = conditions::parameters(&leaves, conditions, log);
    let constants = leaves
        .all
        .iter()
        .filter_map(|leaf| match &leaf.what {
            What::Constant(value) => Some((leaf.name.clone(), value.clone())),
            _ => None,
        })
        .collect();
    Read {
        parameters,
        constants,
        derived,
        never,
    }
}

/// One entry: a leaf, or a table of entries.
fn leaf<'a>(name: &str, item: Item<'a>, limits: &Limits, leaves: &mut Leaves<'a>, log: &mut Log) {
    let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    if name.contains(odd) || name.split('.').any(str::is_empty) {
        item.key_error(
            format!("`{name}` is no name of a parameter"),
            "a name has letters, digits, `_`, `-`, `/` and dots between its parts",
            log,
        );
        return;
    }
    if !check_name(&item, item.key_at, name, limits.name_bytes, log) {
        return;
    }
    let Kind::Table(entries) = &item.node.kind else {
        let Some(value) = item.value(log) else { return };
        constant(name, item, value, limits, leaves, log);
        return;
    };
    let leads = |key: &str| {
        item.get(key)
            .filter(|inner| !matches!(inner.node.kind, Kind::Table(_)))
    };
    let samplers: Vec<&str> = SAMPLERS
        .iter()
        .map(|sampler| sampler.name)
        .filter(|key| leads(key).is_some())
        .collect();
    match samplers.as_slice() {
        [] => {}
        [sampler] => {
            item.only(&[sampler, "when"], log);
            if let Some(domain) = sampler::domain(&item, sampler, limits, log) {
                let what = What::Sampler(domain, item.get("when"));
                leaves.add(
                    Leaf {
                        name: name.to_owned(),
                        item,
                        what,
                    },
                    log,
                );
            }
            return;
        }
        [first, second, ..] => {
            let what = format!("`{name}` has two samplers, {first} and {second}");
            item.key_error(what, "remove one", log);
            return;
        }
    }
    if let Some(inner) = leads("derived") {
        item.only(&["derived"], log);
        if let Some(text) = inner.text("write { derived = \"batch * 2\" }", log) {
            let what = What::Derived(text, inner);
            let name = name.to_owned();
            leaves.add(Leaf { name, item, what }, log);
        }
        return;
    }
    if entries.len() == 1
        && let Some(inner) = item.get("constant")
    {
        let Some(value) = inner.value(log) else {
            return;
        };
        constant(name, item, value, limits, leaves, log);
        return;
    }
    if looks_like_a_sampler(name, &item, log) {
        return;
    }
    for (key, inner) in item.entries() {
        leaf(&format!("{name}.{key}"), inner, limits, leaves, log);
    }
}

fn constant<'a>(
    name: &str,
    item: Item<'a>,
    value: Value,
    limits: &Limits,
    leaves: &mut Leaves<'a>,
    log: &mut Log,
) {
    if !text_fits(&item, &value, limits, log) {
        return;
    }
    let name = name.to_owned();
    let what = What::Constant(value);
    leaves.add(Leaf { name, item, what }, log);
}

/// A table that was meant as a sampler and would silently become a group of constants.
fn looks_like_a_sampler(name: &str, item: &Item<'_>, log: &mut Log) -> bool {
    let names = || SAMPLERS.iter().map(|sampler| sampler.name);
    let Kind::Table(entries) = &item.node.kind else {
        return false;
    };
    if entries.is_empty() {
        let hint = "write a sampler, such as { uniform = [0.0, 1.0] }, or remove the line";
        item.error(format!("`{name}` is an empty table"), hint, log);
        return true;
    }
    let others: Vec<_> = item.entries().filter(|(key, _)| *key != "when").collect();
    if let Some((_, when)) = item.entries().find(|(key, _)| *key == "when")
        && others
            .iter()
            .all(|(_, inner)| !matches!(inner.node.kind, Kind::Table(_)))
    {
        let near = others
            .iter()
            .find_map(|(key, _)| Some((key, log.nearest(key, names())?)));
        match near {
            Some((key, near)) => unknown_sampler(item, key, Some(near), log),
            None => when.key_error(
                format!("`{name}` has a condition but no sampler"),
                "write { uniform = [0.0, 1.0], when = { optimizer = [\"sgd\"] } }",
                log,
            ),
        }
        return true;
    }
    let has = |key: &str| others.iter().any(|(k, _)| *k == key);
    if (has("low") && has("high"))
        || (has("min") && has("max"))
        || has("values") && others.len() == 1
    {
        item.error(
            format!("`{name}` has no sampler"),
            "a range is { uniform = [low, high] } or { randint = [low, high] }, alternatives are { choice = [..] }",
            log,
        );
        return true;
    }
    if let [(key, inner)] = others.as_slice()
        && matches!(inner.node.kind, Kind::List(_))
        && let Some(near) = log.nearest(key, names())
    {
        unknown_sampler(item, key, Some(near), log);
        return true;
    }
    false
}

fn unknown_sampler(item: &Item<'_>, key: &str, near: Option<&str>, log: &mut Log) {
    let names: Vec<&str> = SAMPLERS.iter().map(|sampler| sampler.name).collect();
    let meant = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
    let at = item.get(key).unwrap_or_else(|| item.clone());
    at.key_error(
        format!("unknown sampler `{key}`"),
        format!("{meant}Samplers are {}", names.join(", ")),
        log,
    );
}
