//! `[stop]`: thresholds that end a trial; which rules there are beside them.

use tune_core::{Plateaus, RESERVED_METRICS, StopRule};
use tune_space::Objective;

use crate::{
    goal::{Axis, Rules},
    item::{Item, check_name},
    log::Log,
    plateau,
};

/// Rules at most: each is looked at for every report.
const MAX_RULES: usize = 64;
const FORMS: &str = "write a number, { at_least = 0.9 } or { at_most = 0.1 }";

/// The rules of `[stop]`, thresholds in the order of the file.
pub(crate) fn read(
    root: &Item<'_>,
    objectives: &[Objective],
    axis: &Axis,
    rules: Rules,
    log: &mut Log,
) -> (Vec<StopRule>, Plateaus) {
    let mut found = Vec::new();
    let mut plateaus = Plateaus::default();
    let Some(table) = root.get("stop") else {
        return (found, plateaus);
    };
    if !table.is_table("write [stop] and one rule a line: accuracy = 0.99", log) {
        return (found, plateaus);
    }
    for (metric, item) in table.entries() {
        match metric {
            "trial_plateau" => {
                plateaus.trial = plateau::of_trial(&item, objectives, rules, log);
                continue;
            }
            "experiment_plateau" => {
                plateaus.experiment = plateau::of_experiment(&item, log);
                continue;
            }
            "regret" => {
                plateaus.regret = plateau::regret(&item, log);
                continue;
            }
            _ => {}
        }
        if !check_name(&item, item.key_at, metric, rules.name_bytes, log)
            || !rules.allow(&item, metric, "stop rule", log)
        {
            continue;
        }
        for (key, bound, at_least) in bounds(&item, metric, objectives, log) {
            let Some(threshold) = bound.number(log) else {
                continue;
            };
            if metric == axis.time_attr && (!at_least || axis.max_t.is_some_and(|t| threshold < t))
            {
                too_early(&bound, key, threshold, axis, log);
                continue;
            }
            found.push(StopRule {
                metric: metric.to_owned(),
                threshold,
                at_least,
            });
        }
    }
    if found.len() > MAX_RULES {
        let what = format!("{} stop rules", found.len());
        table.error(what, format!("at most {MAX_RULES} are allowed"), log);
    }
    (found, plateaus)
}

/// The thresholds of one metric with their direction: as written, else that of the objective, else
/// upwards.
fn bounds<'a>(
    item: &Item<'a>,
    metric: &str,
    objectives: &[Objective],
    log: &mut Log,
) -> Vec<(&'static str, Item<'a>, bool)> {
    if item.entries().next().is_none() {
        if !matches!(
            item.node.kind,
            crate::tree::Kind::Whole(_) | crate::tree::Kind::Real(_)
        ) {
            item.wrong("a threshold", FORMS, log);
            return Vec::new();
        }
        let at_least = RESERVED_METRICS.contains(&metric)
            || objectives
                .iter()
                .find(|o| o.metric == metric)
                .is_none_or(|o| o.maximize);
        return vec![("", item.clone(), at_least)];
    }
    item.only(&["at_least", "at_most"], log);
    [("at_least", true), ("at_most", false)]
        .into_iter()
        .filter_map(|(key, at_least)| Some((key, item.get(key)?, at_least)))
        .collect()
}

fn too_early(bound: &Item<'_>, key: &str, threshold: f64, axis: &Axis, log: &mut Log) {
    let name = &axis.time_attr;
    let (what, hint) = match axis.max_t {
        _ if key == "at_most" => (
            format!("`{name}` only grows: at most {threshold} ends a trial at once"),
            "use at_least, or max_t".to_owned(),
        ),
        Some(max_t) => (
            format!("`{name}` would end a trial at {threshold}, before max_t = {max_t}"),
            format!("schedulers plan up to max_t: set max_t = {threshold} and remove this rule"),
        ),
        None => return,
    };
    bound.error(what, hint, log);
}
