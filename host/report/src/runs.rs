//! The list of runs.

use tune_store::RunSummary;

use crate::short;
use crate::table::{Column, Table};

/// A table of runs, in the order given. `now_ms` is Unix time in milliseconds, for ages.
///
/// Best value and number of trials come from the summary that a run wrote when it stopped, under
/// the keys `trials`, `metric` and `best`.
#[must_use]
pub fn runs_table(runs: &[RunSummary], now_ms: u64, width: usize, color: bool) -> Vec<String> {
    let mut table = Table::new(vec![
        Column::text("run", 0),
        Column::state("status"),
        Column::number("trials", 1),
        Column::number("best", 2),
        Column::text("metric", 3),
        Column::text("created", 4),
        Column::number("handovers", 5),
        Column::text("why", 6),
    ]);
    for run in runs {
        let summary = &run.status.summary;
        let number = |key| {
            summary
                .get(key)
                .and_then(serde_json::Value::as_f64)
                .map(short)
        };
        let text = |key| summary.get(key).and_then(serde_json::Value::as_str);
        table.rows.push(vec![
            run.name.clone(),
            run.status.state.to_string(),
            number("trials").unwrap_or_default(),
            number("best").unwrap_or_default(),
            text("metric").unwrap_or_default().to_owned(),
            age(now_ms.saturating_sub(run.header.created_ms) / 1000),
            run.rows.to_string(),
            run.status.reason.clone(),
        ]);
    }
    table.render(width, color)
}

/// How long ago, in the largest unit that says it.
pub(crate) fn age(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..86_400 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_store::{Header, RunState, RunStatus};

    #[test]
    fn runs_show_where_they_stand() {
        let summary = serde_json::json!({ "trials": 100, "metric": "accuracy", "best": 0.975_83 });
        let run = RunSummary {
            name: "digits".to_owned(),
            path: "runs/digits".into(),
            header: Header {
                created_ms: 1_000,
                ..Header::default()
            },
            status: RunStatus {
                state: RunState::Stopped,
                reason: "Ctrl-C".to_owned(),
                summary: summary.as_object().unwrap().clone(),
                ..RunStatus::running()
            },
            rows: 1234,
        };
        assert_eq!(
            runs_table(&[run], 7_201_000, 80, false),
            [
                "run     status   trials    best  metric    created  handovers  why",
                "digits  stopped     100  0.9758  accuracy  2 h ago       1234  Ctrl-C",
            ]
        );
    }
}
