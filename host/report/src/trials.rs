//! The trials of a run as a table, and one trial in full.

use std::collections::BTreeMap;

use tune_core::records::{Config, Objective, Value};
use tune_core::{RESERVED_METRICS, WALL_METRICS};

use crate::best::{Scope, best_of_trial, best_trial};
use crate::lineage::{lineage, lineage_table};
use crate::style::Style;
use crate::table::{Column, Table};
use crate::text::{clean, cut};
use crate::usage::{trial_limits, usage_table};
use crate::{RunView, TrialView, short};

/// A value of a configuration as tables show it.
pub(crate) fn short_value(value: &Value) -> String {
    match value {
        Value::Number(x) => short(*x),
        other => other.to_string(),
    }
}

/// A configuration in one line.
pub(crate) fn config_line(config: &Config) -> String {
    config
        .iter()
        .map(|(name, value)| format!("{}={}", clean(name), clean(&short_value(value))))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The host's own metrics, on the axis of virtual time or for people.
pub(crate) fn is_host_metric(name: &str) -> bool {
    RESERVED_METRICS.contains(&name) || WALL_METRICS.contains(&name)
}

/// A table of trials: state, iteration, best value of the objective, the parameters that differ,
/// then what else the trainable reported last. The best trial of the run stands out.
#[must_use]
pub fn trials_table(
    run: &RunView,
    trials: &[&TrialView],
    width: usize,
    color: bool,
) -> Vec<String> {
    let objective = run.objective.as_ref();
    let configs: Vec<&Config> = trials.iter().map(|t| &t.config).collect();
    let parameters = parameters_by_interest(&configs);
    let metrics = other_metrics(trials, objective);
    let mut table = Table::new(vec![
        Column::number("trial", 0),
        Column::state("status"),
        Column::number("iter", 0),
    ]);
    if let Some(objective) = objective {
        table
            .columns
            .push(Column::number(objective.metric.as_str(), 0));
    }
    let names = parameters.iter().chain(&metrics);
    for (rank, name) in (1..).zip(names) {
        table.columns.push(Column::number(*name, rank));
    }
    let best = objective.and_then(|o| best_trial(&run.trials, o, Scope::All));
    for trial in trials {
        if best.is_some_and(|b| b.trial == trial.id) {
            table.marked = Some(table.rows.len());
        }
        let last = trial.reports.last();
        let mut row = vec![
            trial.id.to_string(),
            trial.status.to_string(),
            last.map_or_else(String::new, |r| r.iteration.to_string()),
        ];
        if let Some(objective) = objective {
            let value = best_of_trial(trial, objective, Scope::All).map(|b| short(b.value));
            row.push(value.unwrap_or_default());
        }
        row.extend(
            parameters
                .iter()
                .map(|name| trial.config.get(name).map(short_value).unwrap_or_default()),
        );
        row.extend(metrics.iter().map(|name| {
            let value = last.and_then(|r| r.get(name));
            value.map(short).unwrap_or_default()
        }));
        table.rows.push(row);
    }
    table.render(width, color)
}

/// All parameters, those that differ between trials first.
pub(crate) fn parameters_by_interest<'a>(configs: &[&'a Config]) -> Vec<&'a str> {
    let mut seen: BTreeMap<&str, (Option<&Value>, bool)> = BTreeMap::new();
    for (index, config) in configs.iter().enumerate() {
        for (name, value) in config.iter() {
            let (first, differs) = seen.entry(name).or_insert((Some(value), index > 0));
            *differs |= *first != Some(value);
        }
        for (name, (_, differs)) in &mut seen {
            *differs |= config.get(name).is_none();
        }
    }
    let (differ, same): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(_, (_, d))| *d);
    differ
        .into_iter()
        .chain(same)
        .map(|(name, _)| name)
        .collect()
}

/// What trainables reported beside the objective, in the order in which it came up.
fn other_metrics<'a>(trials: &[&'a TrialView], objective: Option<&Objective>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for report in trials.iter().filter_map(|t| t.reports.last()) {
        for metric in &report.metrics {
            let name = metric.name.as_str();
            let is_objective = objective.is_some_and(|o| o.metric == name);
            if !is_objective && !is_host_metric(name) && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// One trial in full: its configuration, why it failed, what its state came from, and all reports.
#[must_use]
pub fn trial_details(run: &RunView, trial: &TrialView, width: usize, color: bool) -> Vec<String> {
    let objective = run.objective.as_ref();
    let status = trial.status.to_string();
    let mut lines = vec![format!(
        "{} {}",
        Style::Bold.paint(&format!("trial {}", trial.id), color),
        Style::of_state(&status).paint(&status, color)
    )];
    let best = objective.and_then(|o| best_of_trial(trial, o, Scope::All).map(|b| (o, b)));
    if let Some((objective, best)) = best {
        let text = format!(
            "best {} {} in iteration {}",
            clean(&objective.metric),
            short(best.value),
            best.iteration
        );
        lines.push(cut(&text, width).into_owned());
    }
    for (name, value) in trial.config.iter() {
        // In full: whoever looks at one trial may want to copy it.
        let text = format!("  {} = {}", clean(name), clean(&value.to_string()));
        lines.push(cut(&text, width).into_owned());
    }
    if let Some(failure) = &trial.failure {
        lines.push(String::new());
        lines.extend(
            failure
                .lines()
                .map(|line| Style::Red.paint(&cut(&clean(line), width), color)),
        );
    }
    let used = usage_table(&trial_limits(&run.limits, &trial.usage), width, color);
    if !used.is_empty() {
        lines.push(String::new());
        lines.extend(used);
    }
    let way = lineage_table(&lineage(run, trial), width, color);
    if !way.is_empty() {
        lines.push(String::new());
        lines.extend(way);
    }
    if !trial.reports.is_empty() {
        lines.push(String::new());
        lines.extend(reports_table(trial, objective).render(width, color));
    }
    lines
}

fn reports_table(trial: &TrialView, objective: Option<&Objective>) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for report in &trial.reports {
        for metric in &report.metrics {
            if metric.name != "training_iteration" && !names.contains(&metric.name.as_str()) {
                names.push(&metric.name);
            }
        }
    }
    // The objective first, the host's own last; the sort is stable.
    names.sort_by_key(|&name| {
        (
            objective.is_none_or(|o| o.metric != name),
            is_host_metric(name),
        )
    });
    let mut table = Table::new(vec![Column::number("iter", 0)]);
    table.columns.extend(
        (1..)
            .zip(&names)
            .map(|(rank, &name)| Column::number(name, rank)),
    );
    let best = objective.and_then(|o| best_of_trial(trial, o, Scope::All));
    for (number, report) in (1..).zip(&trial.reports) {
        if best.is_some_and(|b| b.reports == number) {
            table.marked = Some(table.rows.len());
        }
        let values = names
            .iter()
            .map(|name| report.get(name).map(short).unwrap_or_default());
        table.rows.push(
            [report.iteration.to_string()]
                .into_iter()
                .chain(values)
                .collect(),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReportView, TrialStatus, run_json, trial_json};
    use tune_core::records::{FailureKind, Metric};

    fn run() -> RunView {
        let trial = |id: u32, lr: f64, status, accuracies: &[f64]| {
            let mut config = Config::new();
            config.insert("batch", 32_i64);
            config.insert("opt.lr", lr);
            if id == 1 {
                config.insert("opt.momentum", 0.9);
            }
            let reports = (1..)
                .zip(accuracies)
                .map(|(iteration, &accuracy)| ReportView {
                    iteration,
                    metrics: [
                        ("loss", 1.0 - accuracy),
                        ("accuracy", accuracy),
                        ("training_iteration", iteration as f64),
                    ]
                    .map(|(name, value)| Metric {
                        name: name.into(),
                        value,
                    })
                    .to_vec(),
                });
            TrialView {
                id,
                first_config: config.clone(),
                config,
                first_iteration: 0,
                branches: Vec::new(),
                status,
                reports: reports.collect(),
                failure: matches!(status, TrialStatus::Failed(_))
                    .then(|| "digits: step: trap\n  hint: look".to_owned()),
                usage: crate::TrialUse::default(),
            }
        };
        RunView {
            name: "digits".to_owned(),
            path: "runs/digits".to_owned(),
            parent: None,
            status: "finished".to_owned(),
            reason: String::new(),
            objective: Some(Objective {
                metric: "accuracy".to_owned(),
                maximize: true,
            }),
            trials: vec![
                trial(0, 0.012_345, TrialStatus::Finished, &[0.5, 0.75, 0.625]),
                trial(1, 0.1, TrialStatus::Failed(FailureKind::Trap), &[0.875]),
                trial(2, 1e-5, TrialStatus::Pending, &[]),
            ],
            handovers: 6,
            digest: "ab".repeat(32),
            limits: tune_core::Limits::default(),
            searcher_limits: tune_core::Limits::default(),
            scheduler_limits: tune_core::Limits::default(),
            searcher: crate::DeciderUse::default(),
            scheduler: crate::DeciderUse::default(),
        }
    }

    #[test]
    fn the_trials_of_a_run_as_a_table() {
        let run = run();
        let trials: Vec<&TrialView> = run.trials.iter().collect();
        assert_eq!(
            trials_table(&run, &trials, 80, false),
            [
                "trial  status         iter  accuracy   opt.lr  opt.momentum  batch   loss",
                "    0  finished          3      0.75  0.01235                   32  0.375",
                "    1  failed (trap)     1     0.875      0.1           0.9     32  0.125",
                "    2  pending                           1e-5                   32",
            ]
        );
        let painted = trials_table(&run, &trials, 80, true);
        assert!(
            painted[1].contains("\u{1b}[1m"),
            "trial 0 is best: {painted:?}"
        );
        assert!(!painted[2].contains("\u{1b}[1m"), "{painted:?}");
    }

    #[test]
    fn one_trial_in_full() {
        let run = run();
        let details = |id: usize| trial_details(&run, &run.trials[id], 80, false);
        assert_eq!(
            details(0),
            [
                "trial 0 finished",
                "best accuracy 0.75 in iteration 2",
                "  batch = 32",
                "  opt.lr = 0.012345",
                "",
                "iter  accuracy   loss",
                "   1       0.5    0.5",
                "   2      0.75   0.25",
                "   3     0.625  0.375",
            ]
        );
        let failed = details(1).join("\n");
        assert!(failed.starts_with("trial 1 failed (trap)"), "{failed}");
        assert!(
            failed.contains("\ndigits: step: trap\n  hint: look\n"),
            "{failed}"
        );
    }

    #[test]
    fn the_json_forms_of_runs_and_trials() {
        let run = run();
        let mut without_usage = trial_json(&run, &run.trials[1], true);
        let usage = without_usage.as_object_mut().unwrap().remove("usage");
        assert_eq!(
            usage.unwrap()["memory"],
            serde_json::json!({ "used": 0, "limit": 256 << 20 })
        );
        assert_eq!(
            without_usage,
            serde_json::json!({
                "id": 1,
                "status": "failed",
                "failure_kind": "trap",
                "failure": "digits: step: trap\n  hint: look",
                "config": { "batch": 32, "opt": { "lr": 0.1, "momentum": 0.9 } },
                "iterations": 1,
                "best": { "iteration": 1, "value": 0.875 },
                "last": { "accuracy": 0.875, "loss": 0.125, "training_iteration": 1 },
                "reports": [{
                    "iteration": 1,
                    "metrics": { "accuracy": 0.875, "loss": 0.125, "training_iteration": 1 },
                }],
                "lineage": [{ "trial": 1, "from": 0, "to": 1, "changes": [] }],
            })
        );
        let json = run_json(&run, &[]);
        assert_eq!(json["counts"]["failed"], 1);
        assert_eq!(json["mode"], "max");
        assert_eq!(
            json["best"],
            serde_json::json!({
                "trial": 0,
                "iteration": 2,
                "value": 0.75,
                "metric": "accuracy",
                "mode": "max",
                "config": { "batch": 32, "opt": { "lr": 0.012345 } },
                "metrics": { "accuracy": 0.75, "loss": 0.25, "training_iteration": 2 },
            })
        );
        assert_eq!(json["trials"][2]["last"], serde_json::Value::Null);
        assert_eq!(json["trials"][0].get("reports"), None);
    }
}
