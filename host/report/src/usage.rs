//! Usage beside limits: how near each trial, the searcher and the scheduler came to what they may use.

use serde_json::{Map, Value, json};
use tune_core::{CallUsage, Limits, Usage};

use crate::style::Style;
use crate::table::{Column, Table};
use crate::{RunView, TrialView, short, size};

/// The most that a trial used, over all its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrialUse {
    /// Fuel of a step, a failed one included.
    pub step_fuel: u64,
    /// Fuel of all steps that count.
    pub fuel: u64,
    /// Wall time of a step in microseconds.
    pub step_us: u64,
    /// Wall time of all steps in microseconds.
    pub us: u64,
    /// Metrics in a report.
    pub metrics: u64,
    /// Bytes in the name of a metric.
    pub name_bytes: u64,
    /// What the runtime measured.
    pub instance: Usage,
}

/// The most that a searcher or scheduler used, over all its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeciderUse {
    /// What the runtime measured.
    pub call: CallUsage,
    /// Values in a configuration.
    pub parameters: u64,
    /// Bytes in the name of a parameter.
    pub name_bytes: u64,
    /// Bytes of a text value.
    pub text_bytes: u64,
    /// Names and values of a configuration.
    pub suggestion_bytes: u64,
    /// Actions in an answer.
    pub actions: u64,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Plain,
    Bytes,
    Micros,
}

/// One limit, what was used of it and what may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitUse {
    /// Its name in `[limits]`.
    pub name: &'static str,
    used: u64,
    limit: u64,
    unit: Unit,
}

impl LimitUse {
    /// Used by allowed: above 1, it was over the limit or asked for more.
    #[must_use]
    pub fn share(&self) -> f64 {
        match (self.used, self.limit) {
            (0, _) => 0.0,
            (_, 0) => f64::INFINITY,
            (used, limit) => used as f64 / limit as f64,
        }
    }

    fn text(&self, number: u64) -> String {
        match self.unit {
            Unit::Plain => short(number as f64),
            Unit::Bytes => size(number),
            Unit::Micros => format!("{} s", short(number as f64 / 1e6)),
        }
    }

    fn json(&self) -> Value {
        match self.unit {
            Unit::Plain | Unit::Bytes => json!({ "used": self.used, "limit": self.limit }),
            Unit::Micros => json!({
                "used": self.used as f64 / 1e6,
                "limit": self.limit as f64 / 1e6,
            }),
        }
    }
}

/// A share for people: never "0 %" of what was used, never "100 %" of what was not used up.
fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        p if p.is_infinite() => "over".to_owned(),
        p if p < 100.0 => format!("{:.1} %", p.min(99.9)),
        p if p > 100.0 => format!("over, {p:.0} %"),
        _ => "100 %".to_owned(),
    }
}

fn micros(limit: std::time::Duration) -> u64 {
    u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)
}

const fn of(name: &'static str, unit: Unit, used: u64, limit: u64) -> LimitUse {
    LimitUse {
        name,
        used,
        limit,
        unit,
    }
}

/// What every instance is bound by.
fn of_instance(limits: &Limits, usage: &Usage) -> [LimitUse; 5] {
    use Unit::{Bytes, Plain};
    [
        of("memory", Bytes, usage.memory_bytes, limits.memory_bytes),
        of(
            "table_elements",
            Plain,
            usage.table_elements,
            limits.table_elements,
        ),
        of(
            "handles",
            Plain,
            usage.handles.into(),
            limits.handles.into(),
        ),
        of(
            "random_bytes",
            Bytes,
            usage.random_bytes,
            limits.random_bytes,
        ),
        of("log_bytes", Bytes, usage.log_bytes, limits.log_bytes),
    ]
}

/// Every limit of a trial whose use is measured.
#[must_use]
pub fn trial_limits(limits: &Limits, used: &TrialUse) -> Vec<LimitUse> {
    use Unit::{Bytes, Micros, Plain};
    let mut all = vec![
        of("fuel_per_step", Plain, used.step_fuel, limits.fuel_per_step),
        of("fuel_per_trial", Plain, used.fuel, limits.fuel_per_trial),
        of(
            "wall_per_step",
            Micros,
            used.step_us,
            micros(limits.wall_per_step),
        ),
        of(
            "wall_per_trial",
            Micros,
            used.us,
            micros(limits.wall_per_trial),
        ),
    ];
    all.extend(of_instance(limits, &used.instance));
    all.extend([
        of("metrics", Plain, used.metrics, limits.metrics.into()),
        of(
            "name_bytes",
            Bytes,
            used.name_bytes,
            limits.name_bytes.into(),
        ),
        of(
            "artifact_bytes",
            Bytes,
            used.instance.artifact_bytes,
            limits.artifact_bytes,
        ),
        of(
            "artifact_count",
            Plain,
            used.instance.artifact_count.into(),
            limits.artifact_count.into(),
        ),
    ]);
    // Most trials use none: two lines of zeros would only be in the way.
    if used.instance.gpu_buffer_bytes > 0 {
        all.extend([
            of(
                "gpu_buffers",
                Bytes,
                used.instance.gpu_buffer_bytes,
                limits.gpu.buffer_bytes,
            ),
            of(
                "gpu_time_per_step",
                Micros,
                used.instance.gpu_busy_us,
                micros(limits.gpu.time_per_step),
            ),
        ]);
    }
    all
}

/// Every limit of a searcher or scheduler whose use is measured.
#[must_use]
pub fn decider_limits(limits: &Limits, used: &DeciderUse) -> Vec<LimitUse> {
    use Unit::{Bytes, Micros, Plain};
    let mut all = vec![
        of("fuel_per_call", Plain, used.call.fuel, limits.fuel_per_call),
        of(
            "wall_per_step",
            Micros,
            used.call.wall_us,
            micros(limits.wall_per_step),
        ),
    ];
    all.extend(of_instance(limits, &used.call.instance));
    all.extend([
        of(
            "parameters",
            Plain,
            used.parameters,
            limits.parameters.into(),
        ),
        of(
            "name_bytes",
            Bytes,
            used.name_bytes,
            limits.name_bytes.into(),
        ),
        of(
            "text_bytes",
            Bytes,
            used.text_bytes,
            limits.text_bytes.into(),
        ),
        of(
            "suggestion_bytes",
            Bytes,
            used.suggestion_bytes,
            limits.suggestion_bytes,
        ),
        of("actions", Plain, used.actions, limits.actions.into()),
    ]);
    all
}

/// The limit that was come nearest to; none if nothing was used.
fn nearest(uses: &[LimitUse]) -> Option<&LimitUse> {
    uses.iter()
        .filter(|u| u.used > 0)
        .max_by(|a, b| a.share().total_cmp(&b.share()))
}

/// A limit a line, those of which nothing was used left out.
#[must_use]
pub fn usage_table(uses: &[LimitUse], width: usize, color: bool) -> Vec<String> {
    let mut table = Table::new(vec![
        Column::text("limit", 0),
        Column::number("used", 0),
        Column::number("of", 0),
        Column::number("share", 0),
    ]);
    for used in uses.iter().filter(|u| u.used > 0) {
        table.rows.push(vec![
            used.name.to_owned(),
            used.text(used.used),
            used.text(used.limit),
            percent(used.share()),
        ]);
    }
    if table.rows.is_empty() {
        return Vec::new();
    }
    // What ended a trial stands out.
    table.marked = uses
        .iter()
        .filter(|u| u.used > 0)
        .position(|u| u.share() >= 1.0);
    table.render(width, color)
}

/// A trial a line, with the share of every limit that any of them used, the nearest first; then the
/// searcher and the scheduler.
#[must_use]
pub fn run_usage(run: &RunView, width: usize, color: bool) -> Vec<String> {
    let all: Vec<(&TrialView, Vec<LimitUse>)> = run
        .trials
        .iter()
        .map(|trial| (trial, trial_limits(&run.limits, &trial.usage)))
        .collect();
    let mut names: Vec<(&'static str, f64)> = Vec::new();
    for used in all.iter().flat_map(|(_, uses)| uses).filter(|u| u.used > 0) {
        match names.iter_mut().find(|(name, _)| *name == used.name) {
            Some((_, most)) => *most = most.max(used.share()),
            None => names.push((used.name, used.share())),
        }
    }
    names.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut table = Table::new(vec![
        Column::number("trial", 0),
        Column::state("status"),
        Column::text("nearest", 0),
    ]);
    let columns = (1..).zip(&names);
    table
        .columns
        .extend(columns.map(|(rank, (name, _))| Column::number(*name, rank)));
    for (trial, uses) in &all {
        let near = nearest(uses);
        let shares = names.iter().map(|(name, _)| {
            let used = uses.iter().find(|u| u.name == *name);
            used.map(|u| percent(u.share())).unwrap_or_default()
        });
        let head = [
            trial.id.to_string(),
            trial.status.to_string(),
            near.map(|u| u.name.to_owned()).unwrap_or_default(),
        ];
        table.rows.push(head.into_iter().chain(shares).collect());
    }
    let mut lines = table.render(width, color);
    for (role, limits, used) in deciders(run) {
        let of_role = usage_table(&decider_limits(limits, used), width, color);
        if !of_role.is_empty() {
            lines.push(String::new());
            lines.push(Style::Bold.paint(&format!("{role}, its largest call"), color));
            lines.extend(of_role);
        }
    }
    lines
}

/// Role, limits and use of the searcher and the scheduler.
fn deciders(run: &RunView) -> [(&'static str, &Limits, &DeciderUse); 2] {
    [
        ("searcher", &run.searcher_limits, &run.searcher),
        ("scheduler", &run.scheduler_limits, &run.scheduler),
    ]
}

/// Which limits the trials, the searcher and the scheduler came nearest to, in one line; none if
/// nothing is known.
#[must_use]
pub fn usage_line(run: &RunView) -> Option<String> {
    let trials = run.trials.iter().filter_map(|trial| {
        let uses = trial_limits(&run.limits, &trial.usage);
        nearest(&uses).map(|near| (trial.id, *near))
    });
    // The earlier of equals.
    let trial = trials.reduce(|most, next| {
        if next.1.share() > most.1.share() {
            next
        } else {
            most
        }
    });
    let mut parts: Vec<String> = trial
        .map(|(id, near)| format!("trial {id} {} {}", near.name, percent(near.share())))
        .into_iter()
        .collect();
    for (role, limits, used) in deciders(run) {
        if let Some(near) = nearest(&decider_limits(limits, used)) {
            parts.push(format!("{role} {} {}", near.name, percent(near.share())));
        }
    }
    (!parts.is_empty()).then(|| format!("nearest to limits: {}", parts.join("; ")))
}

/// `{NAME: {"used", "limit"}}`: seconds for wall times, bytes, fuel, or numbers of things.
#[must_use]
pub fn usage_json(uses: &[LimitUse]) -> Value {
    let entries: Map<String, Value> = uses
        .iter()
        .map(|used| (used.name.to_owned(), used.json()))
        .collect();
    entries.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_stands_beside_what_may_be() {
        let limits = Limits {
            memory_bytes: 1 << 20,
            fuel_per_step: 1_000_000,
            artifact_count: 0,
            ..Limits::default()
        };
        let used = TrialUse {
            step_fuel: 999_999,
            step_us: 1_500_000,
            instance: Usage {
                memory_bytes: 2 << 20,
                artifact_count: 1,
                ..Usage::default()
            },
            ..TrialUse::default()
        };
        let uses = trial_limits(&limits, &used);
        assert_eq!(
            usage_table(&uses, 80, false),
            [
                "limit              used       of        share",
                "fuel_per_step    999999  1000000       99.9 %",
                "wall_per_step     1.5 s    600 s        0.2 %",
                "memory          2.0 MiB  1.0 MiB  over, 200 %",
                "artifact_count        1        0         over",
            ]
        );
        assert_eq!(nearest(&uses).unwrap().name, "artifact_count");
        let json = usage_json(&uses);
        assert_eq!(json["wall_per_step"], json!({"used": 1.5, "limit": 600.0}));
        assert_eq!(json["memory"], json!({"used": 2 << 20, "limit": 1 << 20}));
        assert_eq!(json["handles"], json!({"used": 0, "limit": 1_000}));
        let nothing = trial_limits(&limits, &TrialUse::default());
        assert!(usage_table(&nothing, 80, false).is_empty());
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing_or_to_all() {
        for (share, text) in [
            (0.0, "0 %"),
            (1e-9, "<0.1 %"),
            (0.123_4, "12.3 %"),
            (0.999_99, "99.9 %"),
            (1.0, "100 %"),
            (2.0, "over, 200 %"),
            (f64::INFINITY, "over"),
        ] {
            assert_eq!(percent(share), text);
        }
    }
}
