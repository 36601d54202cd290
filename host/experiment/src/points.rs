//! `points_to_evaluate`: configurations that are tried first, whole or in part.

use tune_core::Limits;
use tune_space::{Config, Space, Value};

use crate::{
    item::Item,
    log::Log,
    space::{self, describe, fit},
    tree::Kind,
};

/// Points at most: each narrows the whole space once to see that it is possible.
pub(crate) const MAX_POINTS: usize = 1_000;

/// The points in their order.
pub(crate) fn read(
    root: &Item<'_>,
    space: &space::Read,
    limits: &Limits,
    trials: Option<u32>,
    log: &mut Log,
) -> Vec<Config> {
    let Some(list) = root.get("points_to_evaluate") else {
        return Vec::new();
    };
    let hint = "write points_to_evaluate = [{ lr = 0.01, batch = 32 }]";
    let Some(items) = list.list(hint, log) else {
        return Vec::new();
    };
    if items.len() > MAX_POINTS {
        let what = format!("{} points to evaluate", items.len());
        list.error(what, format!("at most {MAX_POINTS} are allowed"), log);
        return Vec::new();
    }
    if let Some(trials) = trials
        && items.len() > trials as usize
    {
        list.error(
            format!(
                "{} points to evaluate, but only {trials} trials",
                items.len()
            ),
            "each point is a trial: raise `trials` or remove points",
            log,
        );
    }
    let Ok(whole) = Space::new(space.parameters.clone()) else {
        return Vec::new();
    };
    let mut points = Vec::with_capacity(items.len());
    for item in items {
        if !item.is_table(hint, log) {
            continue;
        }
        let errors = log.count();
        let mut point = Config::new();
        let mut places = Vec::new();
        let reader = Reader {
            whole: &whole,
            space,
            limits,
        };
        reader.table(&item, "", &mut point, &mut places, log);
        if log.count() > errors {
            continue;
        }
        if let Err(error) = whole.check_partial(&point) {
            // The name that the message begins with tells where it belongs.
            let text = error.to_string();
            let at = places
                .iter()
                .find(|(name, _)| text.contains(&format!("`{name}`")))
                .map_or(&item, |(_, at)| at);
            at.key_error(text, "every point must be a possible configuration", log);
            continue;
        }
        points.push(point);
    }
    points
}

struct Reader<'r> {
    whole: &'r Space,
    space: &'r space::Read,
    limits: &'r Limits,
}

impl Reader<'_> {
    /// Dotted names; a table is only looked into while it names no parameter.
    fn table<'a>(
        &self,
        table: &Item<'a>,
        prefix: &str,
        point: &mut Config,
        places: &mut Vec<(String, Item<'a>)>,
        log: &mut Log,
    ) {
        for (key, item) in table.entries() {
            let name = if prefix.is_empty() {
                key.to_owned()
            } else {
                format!("{prefix}.{key}")
            };
            let is_group = matches!(&item.node.kind, Kind::Table(entries) if !entries.is_empty())
                && self.whole.get(&name).is_none()
                && self.space.constants.get(&name).is_none();
            if is_group {
                self.table(&item, &name, point, places, log);
            } else if let Some(value) = self.value(&name, &item, log) {
                if point.insert(name.as_str(), value).is_some() {
                    let what = format!("`{name}` stands in the point twice");
                    item.key_error(what, "remove one of them", log);
                }
                places.push((name, item));
            }
        }
    }

    /// The value of a parameter, as its domain writes it. None for a constant that is repeated.
    fn value(&self, name: &str, item: &Item<'_>, log: &mut Log) -> Option<Value> {
        let value = item.value(log)?;
        if !space::text_fits(item, &value, self.limits, log) {
            return None;
        }
        if let Some(parameter) = self.whole.get(name) {
            let fitting = fit(&parameter.domain, &value);
            if fitting.is_none() {
                item.error(
                    format!("`{name} = {value}` is outside the space"),
                    format!("`{name}` is {}", describe(&parameter.domain)),
                    log,
                );
            }
            return fitting;
        }
        if let Some(constant) = self.space.constants.get(name) {
            if *constant != value {
                item.error(
                    format!("`{name}` is the constant {constant}, here it is {value}"),
                    "leave it out of the point, or make it a choice in [space]",
                    log,
                );
            }
            return None;
        }
        if self.space.derived.iter().any(|d| d.name == name) {
            item.key_error(
                format!("`{name}` is computed, it cannot be chosen"),
                "leave it out of the point",
                log,
            );
        } else if self.space.never.iter().any(|n| n == name) {
            item.key_error(
                format!("`{name}` is never active: a constant excludes it"),
                "leave it out of the point",
                log,
            );
        } else {
            let names = self.whole.parameters().iter().map(|p| p.name.as_str());
            let hint = match log.nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a point has only names of [space]".to_owned(),
            };
            item.key_error(format!("`{name}` is not in [space]"), hint, log);
        }
        None
    }
}
