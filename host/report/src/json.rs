//! The JSON forms of the views, for `--format json`. Stable: keys are added, never changed or
//! removed. Numbers that JSON does not have (NaN, infinities) are null.

use serde_json::{Map, Value, json};
use tune_core::records::{Config, Metric, Objective};
use tune_store::RunSummary;

use crate::best::{BestReport, Scope, best_of_trial, best_trial};
use crate::lineage::{CloneView, Stretch, ValueChange, clones, lineage};
use crate::usage::{decider_limits, trial_limits, usage_json};
use crate::{Comparison, ReportView, RunView, TrialStatus, TrialView};

/// `{"name", "path", "parent", "status", "reason", "metric", "mode", "digest", "handovers",
/// "counts", "best", "trials", "clones"}`; `parent` is null or `{"run", "trial", "iteration"}`, what
/// the run is a fork of; `best` as of [`best_json`], each trial as of [`trial_json`] without reports,
/// each clone `{"sequence", "trial", "at", "source", "iteration", "changes"}`; a change is `{"name",
/// "before", "after"}`; `"granted"`: a list of what the trainable was granted, such as `"artifact"` or
/// `"data digits"`; and `"usage"`: `{"searcher", "scheduler"}`, each as of [`usage_json`].
#[must_use]
pub fn run_json(run: &RunView, granted: &[String]) -> Value {
    let counts = run.counts();
    let objective = run.objective.as_ref();
    json!({
        "name": run.name,
        "path": run.path,
        "parent": run.parent.as_ref().map(|parent| json!({
            "run": parent.run,
            "trial": parent.trial,
            "iteration": parent.iteration,
        })),
        "status": run.status,
        "reason": run.reason,
        "metric": objective.map(|o| &o.metric),
        "mode": objective.map(mode),
        "digest": run.digest,
        "handovers": run.handovers,
        "counts": {
            "pending": counts.pending,
            "running": counts.running,
            "paused": counts.paused,
            "finished": counts.finished,
            "stopped": counts.stopped,
            "failed": counts.failed,
            "interrupted": counts.interrupted,
        },
        "best": best_json(run, Scope::All),
        "granted": granted,
        "trials": run
            .trials
            .iter()
            .map(|trial| trial_json(run, trial, false))
            .collect::<Vec<_>>(),
        "clones": clones(run).iter().map(clone_json).collect::<Vec<_>>(),
        "usage": {
            "searcher": usage_json(&decider_limits(&run.searcher_limits, &run.searcher)),
            "scheduler": usage_json(&decider_limits(&run.scheduler_limits, &run.scheduler)),
        },
    })
}

fn clone_json(clone: &CloneView) -> Value {
    json!({
        "sequence": clone.sequence,
        "trial": clone.trial,
        "at": clone.at,
        "source": clone.source,
        "iteration": clone.iteration,
        "changes": changes_json(&clone.changes),
    })
}

fn changes_json(changes: &[ValueChange]) -> Value {
    let value = |value: &Option<tune_core::records::Value>| value.as_ref().map(|v| v.to_json());
    changes
        .iter()
        .map(|change| {
            json!({
                "name": change.name,
                "before": value(&change.before),
                "after": value(&change.after),
            })
        })
        .collect()
}

/// `{"trial", "iteration", "value", "metric", "mode", "config", "metrics"}`, or null if there is no
/// best trial. `config` is the one that led to the best report, `metrics` are that report's.
#[must_use]
pub fn best_json(run: &RunView, scope: Scope) -> Value {
    let Some(objective) = &run.objective else {
        return Value::Null;
    };
    let best = best_trial(&run.trials, objective, scope);
    let found = best.and_then(|best| Some((best, run.trial(best.trial)?)));
    found.map_or(Value::Null, |(best, trial)| {
        let index = usize::try_from(best.reports).unwrap_or(0).checked_sub(1);
        let report = index.and_then(|i| trial.reports.get(i));
        json!({
            "trial": best.trial,
            "iteration": best.iteration,
            "value": best.value,
            "metric": objective.metric,
            "mode": mode(objective),
            "config": config_json(trial.config_at(best.reports)),
            "metrics": report.map(|r| metrics_json(&r.metrics)),
        })
    })
}

/// `{"id", "status", "failure_kind", "failure", "config", "iterations", "best", "last", "usage"}` and, when
/// asked for, `"reports"`: a list of `{"iteration", "metrics"}`, and `"lineage"`: the way that led to
/// the present state, a list of `{"trial", "from", "to", "changes"}`. `best` is `{"iteration", "value"}`
/// or null, `last` the metrics of the last report or null.
#[must_use]
pub fn trial_json(run: &RunView, trial: &TrialView, reports: bool) -> Value {
    let objective = run.objective.as_ref();
    let best = objective.and_then(|o| best_of_trial(trial, o, Scope::All));
    let mut value = json!({
        "id": trial.id,
        "status": trial.status.name(),
        "failure_kind": match trial.status {
            TrialStatus::Failed(kind) => Some(kind.name()),
            _ => None,
        },
        "failure": trial.failure,
        "config": config_json(&trial.config),
        "iterations": trial.reports.last().map_or(0, |r| r.iteration),
        "best": best.map(|BestReport { iteration, value, .. }| {
            json!({ "iteration": iteration, "value": value })
        }),
        "last": trial.reports.last().map(|r| metrics_json(&r.metrics)),
        "usage": usage_json(&trial_limits(&run.limits, &trial.usage)),
    });
    if reports && let Some(object) = value.as_object_mut() {
        object.insert(
            "reports".to_owned(),
            trial.reports.iter().map(report_json).collect(),
        );
        let stretches = lineage(run, trial);
        object.insert(
            "lineage".to_owned(),
            stretches.iter().map(stretch_json).collect(),
        );
    }
    value
}

fn stretch_json(stretch: &Stretch) -> Value {
    json!({
        "trial": stretch.trial,
        "from": stretch.from,
        "to": stretch.to,
        "changes": changes_json(&stretch.changes),
    })
}

fn report_json(report: &ReportView) -> Value {
    json!({ "iteration": report.iteration, "metrics": metrics_json(&report.metrics) })
}

/// A list of `{"name", "path", "status", "reason", "digest", "created_ms", "handovers",
/// "summary"}`.
#[must_use]
pub fn runs_json(runs: &[RunSummary]) -> Value {
    runs.iter()
        .map(|run| {
            json!({
                "name": run.name,
                "path": run.path.to_string_lossy(),
                "status": run.status.state.name(),
                "reason": run.status.reason,
                "digest": run.status.digest,
                "created_ms": run.header.created_ms,
                "handovers": run.rows,
                "summary": run.status.summary,
            })
        })
        .collect()
}

/// `{"equal", "runs"}`; each run is `{"name", "digest", "handovers", "trials", "best",
/// "difference"}`, where `difference` is null or `{"sequence", "first", "this", "plan"}`.
#[must_use]
pub fn comparison_json(comparison: &Comparison) -> Value {
    let runs: Vec<Value> = comparison
        .runs
        .iter()
        .zip(&comparison.differences)
        .map(|(run, difference)| {
            json!({
                "name": run.name,
                "digest": run.digest(),
                "handovers": run.rows.len(),
                "trials": run.trials,
                "best": run.best.map(|b| {
                    json!({ "trial": b.trial, "iteration": b.iteration, "value": b.value })
                }),
                "difference": difference.as_ref().map(|d| {
                    json!({
                        "sequence": d.sequence,
                        "first": d.first,
                        "this": d.this,
                        "plan": d.plan,
                    })
                }),
            })
        })
        .collect();
    json!({ "equal": comparison.is_equal(), "runs": runs })
}

pub(crate) fn mode(objective: &Objective) -> &'static str {
    if objective.maximize { "max" } else { "min" }
}

/// Dotted names to values, sorted by name.
pub(crate) fn config_json(config: &Config) -> Value {
    config.to_json()
}

fn metrics_json(metrics: &[Metric]) -> Value {
    metrics
        .iter()
        .map(|m| (m.name.to_string(), metric_json(m.value)))
        .collect::<Map<_, _>>()
        .into()
}

/// A number as JSON text; whole ones without a fraction, so that iterations look like iterations.
pub(crate) fn json_number(value: f64) -> String {
    if value.is_finite() {
        crate::number::exact(value)
    } else {
        "null".to_owned()
    }
}

fn metric_json(value: f64) -> Value {
    serde_json::from_str(&json_number(value)).unwrap_or(Value::Null)
}
