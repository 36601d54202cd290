//! The rules of `[stop]` with a memory: `trial_plateau`, `experiment_plateau` and `regret`.

use tune_core::{ExperimentPlateau, TrialPlateau};
use tune_space::Objective;

use crate::{goal::Rules, item::Item, log::Log, tree::Kind};

/// Results or trials that a rule compares at most: each is looked at for every report.
pub(crate) const MAX_COMPARED: u32 = 10_000;
/// Reports of grace or patience at most: as good as for ever.
pub(crate) const MAX_REPORTS: u32 = 1_000_000_000;
/// Defaults of Ray Tune.
pub(crate) const TRIAL_STD: f64 = 0.01;
pub(crate) const TRIAL_RESULTS: u32 = 4;
pub(crate) const TRIAL_GRACE: u32 = 4;
pub(crate) const EXPERIMENT_STD: f64 = 0.001;
pub(crate) const EXPERIMENT_TOP: u32 = 10;

/// `trial_plateau = true`, or a table of what differs from the defaults.
pub(crate) fn of_trial(
    item: &Item<'_>,
    objectives: &[Objective],
    rules: Rules,
    log: &mut Log,
) -> Option<TrialPlateau> {
    let keys = [
        "metric",
        "std",
        "num_results",
        "grace_period",
        "at_least",
        "at_most",
    ];
    if !is_on(item, &keys, log) {
        return None;
    }
    let metric = match item.get("metric") {
        Some(metric) => {
            let name = metric.name(rules.name_bytes, log)?;
            rules
                .allow(&metric, &name, "stop rule", log)
                .then_some(name)?
        }
        None => objectives.first()?.metric.clone(),
    };
    let bounds = (item.get("at_least"), item.get("at_most"));
    let threshold = match bounds {
        (Some(_), Some(both)) => {
            let hint = "a plateau counts at or above a bound, or at or below one: remove one";
            both.key_error("both `at_least` and `at_most`", hint, log);
            None
        }
        (Some(bound), None) => bound.number(log).map(|bound| (bound, true)),
        (None, Some(bound)) => bound.number(log).map(|bound| (bound, false)),
        (None, None) => None,
    };
    Some(TrialPlateau {
        metric,
        std: spread(item, TRIAL_STD, log),
        num_results: count(item, "num_results", 2..=MAX_COMPARED, TRIAL_RESULTS, log),
        grace_period: count(item, "grace_period", 0..=MAX_REPORTS, TRIAL_GRACE, log),
        threshold,
    })
}

/// `experiment_plateau = true`, or a table of what differs from the defaults.
pub(crate) fn of_experiment(item: &Item<'_>, log: &mut Log) -> Option<ExperimentPlateau> {
    is_on(item, &["std", "top", "patience"], log).then(|| ExperimentPlateau {
        std: spread(item, EXPERIMENT_STD, log),
        top: count(item, "top", 2..=MAX_COMPARED, EXPERIMENT_TOP, log),
        patience: count(item, "patience", 0..=MAX_REPORTS, 0, log),
    })
}

/// `regret = 0.01`: how much better a result may still be when the run ends.
pub(crate) fn regret(item: &Item<'_>, log: &mut Log) -> Option<f64> {
    let most = item.number(log)?;
    if most > 0.0 {
        return Some(most);
    }
    let hint = "how much better than the best a result may still be when the run ends, in units of \
                the metric: above 0, as 0.01";
    item.error(format!("`{}` is {most}", item.path), hint, log);
    None
}

/// The rule is there: a table, or true.
fn is_on(item: &Item<'_>, keys: &[&str], log: &mut Log) -> bool {
    match item.node.kind {
        Kind::Table(_) => {
            item.only(keys, log);
            true
        }
        Kind::Flag(on) => on,
        _ => {
            let hint = format!(
                "write true for the defaults, or a table of {}",
                keys.join(", ")
            );
            item.wrong("true or a table", hint, log);
            false
        }
    }
}

fn spread(item: &Item<'_>, default: f64, log: &mut Log) -> f64 {
    let Some(std) = item.get("std") else {
        return default;
    };
    match std.number(log) {
        Some(value) if value >= 0.0 => value,
        Some(value) => {
            let hint = "a standard deviation, in units of the metric: 0 or more";
            std.error(format!("`{}` is {value}", std.path), hint, log);
            default
        }
        None => default,
    }
}

fn count(
    item: &Item<'_>,
    key: &str,
    range: std::ops::RangeInclusive<u32>,
    default: u32,
    log: &mut Log,
) -> u32 {
    let wide = i128::from(*range.start())..=i128::from(*range.end());
    let given = item.get(key).and_then(|given| given.whole(wide, log));
    given
        .and_then(|given| u32::try_from(given).ok())
        .unwrap_or(default)
}
