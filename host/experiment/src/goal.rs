//! What is optimised and along which axis: `metric`, `mode`, `objectives`, `constraints`,
//! `time_attr`, `max_t`.

use tune_core::{Metering, Order, RESERVED_METRICS, WALL_METRICS};
use tune_space::{Constraint, Objective};

use crate::{item::Item, log::Log};

/// Objectives at most: dominance says nothing any more when there are more.
const MAX_OBJECTIVES: usize = 16;
/// Constraints at most.
const MAX_CONSTRAINTS: usize = 64;
/// The axis if the file names none.
pub(crate) const DEFAULT_TIME_ATTR: &str = "training_iteration";

const MODES: [(&str, bool); 2] = [("max", true), ("min", false)];

/// What bears on whether a metric can be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The order of results.
    pub(crate) order: Order,
    /// The metering of the trainable.
    pub(crate) metering: Metering,
    /// Longest name of a metric.
    pub(crate) name_bytes: u32,
}

impl Rules {
    /// True if a rule, goal or axis may use the metric; else an error at `item`.
    pub(crate) fn allow(&self, item: &Item<'_>, metric: &str, role: &str, log: &mut Log) -> bool {
        if WALL_METRICS.contains(&metric) {
            let hint = if metric.starts_with("time") {
                "fuel_total measures the compute that a trial used and is the same on every machine"
            } else {
                "use a metric that the trainable reports, or training_iteration"
            };
            let why = match self.order {
                Order::Deterministic => {
                    "is measured by the clock of this machine, so it would not repeat under order = \"deterministic\""
                }
                Order::Arrival => "is for people only: no plugin or rule sees it",
            };
            item.error(format!("{role}: `{metric}` {why}"), hint, log);
            return false;
        }
        if metric.starts_with("fuel_")
            && RESERVED_METRICS.contains(&metric)
            && !self.metering.counts_fuel()
        {
            item.error(
                format!("{role}: `{metric}` needs fuel to be counted"),
                "set metering = \"fuel\" or \"full\"",
                log,
            );
            return false;
        }
        true
    }
}

/// The metrics to optimise, the one named `metric` first.
pub(crate) fn objectives(root: &Item<'_>, rules: Rules, log: &mut Log) -> Vec<Objective> {
    let metric = root.get("metric");
    let mode = root.get("mode");
    let name = metric.as_ref().and_then(|item| {
        let name = item.name(rules.name_bytes, log)?;
        rules.allow(item, &name, "metric", log).then_some(name)
    });
    let maximize = mode.as_ref().and_then(|item| item.word(&MODES, log));
    let Some(list) = root.get("objectives") else {
        if metric.is_none() {
            let hint = "name what the trainable reports, such as metric = \"accuracy\"";
            root.key_error("`metric` is missing", hint, log);
        }
        if mode.is_none() {
            let hint =
                "mode = \"max\" if more is better, as for accuracy; mode = \"min\" as for a loss";
            let at = metric.as_ref().unwrap_or(root);
            at.key_error("`mode` is missing", hint, log);
        }
        return name
            .zip(maximize)
            .map(|(metric, maximize)| Objective { metric, maximize })
            .into_iter()
            .collect();
    };
    let errors = log.count();
    let mut found: Vec<Objective> = Vec::new();
    for item in several(
        &list,
        MAX_OBJECTIVES,
        "{ metric = \"loss\", mode = \"min\" }",
        log,
    ) {
        item.only(&["metric", "mode"], log);
        let (Some(metric), Some(mode)) =
            (required(&item, "metric", log), required(&item, "mode", log))
        else {
            continue;
        };
        let name = metric.name(rules.name_bytes, log);
        let (Some(name), Some(maximize)) = (name, mode.word(&MODES, log)) else {
            continue;
        };
        if !rules.allow(&metric, &name, "objective", log) {
            continue;
        }
        if found.iter().any(|o| o.metric == name) {
            metric.error(format!("`{name}` is an objective twice"), "remove one", log);
            continue;
        }
        found.push(Objective {
            metric: name,
            maximize,
        });
    }
    if log.count() > errors {
        return found;
    }
    if let (Some(name), Some(item)) = (name, metric) {
        put_first(&mut found, &name, &item, log);
    }
    if let (Some(maximize), Some(first), Some(item)) = (maximize, found.first(), mode)
        && first.maximize != maximize
    {
        item.error(
            format!(
                "`mode` differs from the mode of the objective `{}`",
                first.metric
            ),
            "leave `mode` out: every objective has its own",
            log,
        );
    }
    found
}

fn put_first(objectives: &mut [Objective], name: &str, item: &Item<'_>, log: &mut Log) {
    match objectives.iter().position(|o| o.metric == name) {
        Some(place) => {
            if let Some(head) = objectives.get_mut(..=place) {
                head.rotate_right(1);
            }
        }
        None => item.error(
            format!("`metric` is \"{name}\", which is none of the objectives"),
            "name one of them, or leave `objectives` out",
            log,
        ),
    }
}

/// Bounds on metrics.
pub(crate) fn constraints(root: &Item<'_>, rules: Rules, log: &mut Log) -> Vec<Constraint> {
    let Some(list) = root.get("constraints") else {
        return Vec::new();
    };
    let mut found: Vec<Constraint> = Vec::new();
    let example = "{ metric = \"memory_bytes\", at_most = 3e6 }";
    for item in several(&list, MAX_CONSTRAINTS, example, log) {
        item.only(&["metric", "at_least", "at_most"], log);
        let Some(metric) = required(&item, "metric", log) else {
            continue;
        };
        let Some(name) = metric.name(rules.name_bytes, log) else {
            continue;
        };
        if !rules.allow(&metric, &name, "constraint", log) {
            continue;
        }
        let at_least = item.get("at_least").and_then(|i| i.number(log));
        let at_most = item.get("at_most").and_then(|i| i.number(log));
        if item.get("at_least").is_none() && item.get("at_most").is_none() {
            let hint = format!("add at_least or at_most: {example}");
            item.error(
                format!("the constraint on `{name}` has no bound"),
                hint,
                log,
            );
            continue;
        }
        if let (Some(low), Some(high)) = (at_least, at_most)
            && low > high
        {
            let what = format!("no value of `{name}` is at least {low} and at most {high}");
            item.error(what, "swap them", log);
            continue;
        }
        if found.iter().any(|c| c.metric == name) {
            let hint = "one constraint may have both at_least and at_most";
            metric.error(format!("`{name}` is constrained twice"), hint, log);
            continue;
        }
        found.push(Constraint {
            metric: name,
            at_least,
            at_most,
        });
    }
    found
}

/// The resource axis: its name, and where a trial ends on it.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// A reported or reserved metric.
    pub(crate) time_attr: String,
    /// The end of a trial.
    pub(crate) max_t: Option<f64>,
}

/// `time_attr` and `max_t`, which may stand in `[scheduler]` too, as in Ray.
pub(crate) fn axis(root: &Item<'_>, rules: Rules, log: &mut Log) -> Axis {
    let scheduler = root.get("scheduler");
    let inner = |key: &str| scheduler.as_ref().and_then(|s| s.get(key));
    let mut names: Vec<(Item<'_>, String)> = Vec::new();
    for item in [root.get("time_attr"), inner("time_attr")]
        .into_iter()
        .flatten()
    {
        if let Some(name) = item.name(rules.name_bytes, log)
            && rules.allow(&item, &name, "time_attr", log)
        {
            names.push((item, name));
        }
    }
    let mut ends: Vec<(Item<'_>, f64)> = Vec::new();
    for item in [root.get("max_t"), inner("max_t")].into_iter().flatten() {
        if let Some(end) = item.number(log) {
            if end > 0.0 {
                ends.push((item, end));
            } else {
                let what = format!("`{}` is {end}", item.path);
                item.error(what, "expected a number above 0", log);
            }
        }
    }
    if let [(_, outer), (item, within)] = names.as_slice()
        && outer != within
    {
        two_values(item, "time_attr", outer, log);
    }
    if let [(_, outer), (item, within)] = ends.as_slice()
        && outer != within
    {
        two_values(item, "max_t", &outer.to_string(), log);
    }
    Axis {
        time_attr: names
            .into_iter()
            .next()
            .map_or_else(|| DEFAULT_TIME_ATTR.to_owned(), |(_, name)| name),
        max_t: ends.first().map(|(_, end)| *end),
    }
}

fn two_values(item: &Item<'_>, key: &str, outer: &str, log: &mut Log) {
    item.error(
        format!(
            "`{}` differs from the experiment's `{key}`, which is {outer}",
            item.path
        ),
        format!("`{key}` belongs to the experiment: remove it from [scheduler]"),
        log,
    );
}

/// The tables of a list.
fn several<'a>(list: &Item<'a>, most: usize, example: &str, log: &mut Log) -> Vec<Item<'a>> {
    let hint = format!("write [{example}]");
    let Some(mut items) = list.list(&hint, log) else {
        return Vec::new();
    };
    if items.is_empty() || items.len() > most {
        let what = format!("`{}` has {} entries", list.path, items.len());
        list.error(what, format!("1 to {most}: {hint}"), log);
    }
    items.truncate(most);
    items.retain(|item| item.is_table(&hint, log));
    items
}

fn required<'a>(item: &Item<'a>, key: &str, log: &mut Log) -> Option<Item<'a>> {
    let found = item.get(key);
    if found.is_none() {
        item.error(
            format!("`{key}` is missing in `{}`", item.path),
            "add it",
            log,
        );
    }
    found
}
