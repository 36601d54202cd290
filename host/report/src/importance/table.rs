//! Importances for people and for programs.

use serde_json::{Value, json};

use super::{Importances, Method, NoImportances, STABLE_TRIALS};
use crate::RunView;
use crate::style::Style;
use crate::table::{Column, Table};
use crate::text::{clean, cut};

/// Columns of a bar that stands for all.
const BAR: f64 = 30.0;
/// Eighths of a block, from one to seven.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// Below it the model does not know what the objective does.
const POORLY_EXPLAINED: f64 = 0.5;

/// What was measured on what, a table with the greatest first, and what to be careful about.
#[must_use]
pub fn importances_lines(
    run: &RunView,
    found: &Importances,
    width: usize,
    color: bool,
) -> Vec<String> {
    let better = match found.objective.maximize {
        true => "larger",
        false => "smaller",
    };
    let out = match found.left_out {
        0 => String::new(),
        n if found.stopped > 0 => format!(" ({n} more failed or have no finite value)"),
        n => format!(" ({n} more were stopped, failed or have no finite value)"),
    };
    let mut lines = vec![
        format!(
            "{} · importance for {}, {better} is better",
            clean(&run.name),
            clean(&found.objective.metric)
        ),
        match found.stopped {
            0 => format!("{} finished trials{out}", found.trials),
            n => format!(
                "{} finished trials, and {n} stopped ones that rank behind those that came further{out}",
                found.trials.saturating_sub(n)
            ),
        },
    ];
    match (found.top, found.explained) {
        (Some(top), _) => lines.push(format!(
            "PED-ANOVA: how differently values lie in the best {top} trials and in all"
        )),
        (_, Some(explained)) => lines.extend([
            "permutation: how much exchanged values change what a Gaussian process expects"
                .to_owned(),
            format!(
                "the process foretells {} of the variance",
                percent(explained.max(0.0))
            ),
        ]),
        _ => {}
    }
    lines.push(String::new());
    let some_inactive = found.importances.iter().any(|i| i.active < found.trials);
    let mut columns = vec![
        Column::text("parameter", 0),
        Column::number("importance", 0),
    ];
    if some_inactive {
        columns.push(Column::number("active in", 2));
    }
    columns.push(Column::text("", 1));
    let mut table = Table::new(columns);
    for importance in &found.importances {
        let mut row = vec![importance.name.clone(), percent(importance.share)];
        if some_inactive {
            row.push(importance.active.to_string());
        }
        row.push(bar(importance.share));
        table.rows.push(row);
    }
    lines.extend(table.render(width, color));
    let mut caution = Vec::new();
    if found.trials < STABLE_TRIALS {
        caution.push(format!(
            "few trials: from {STABLE_TRIALS} on the numbers can be relied on"
        ));
    }
    let stopped = run.counts().stopped;
    if found.method == Method::PedAnova && found.stopped == 0 && stopped > 0 {
        caution.push(format!(
            "`--stopped` counts the {stopped} that were stopped, too"
        ));
    }
    if found.explained.is_some_and(|e| e < POORLY_EXPLAINED) {
        caution.push("the model foretells little: take the numbers with care".to_owned());
    }
    if !caution.is_empty() {
        lines.push(String::new());
        let caution = caution.iter().map(|text| cut(text, width));
        lines.extend(caution.map(|text| Style::Dim.paint(&text, color)));
    }
    lines
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// As long as the share is great, to an eighth of a column.
fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * BAR * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    let rest = (eighths % 8).checked_sub(1);
    bar.extend(rest.and_then(|rest| EIGHTHS.get(rest)));
    bar
}

/// `{"run", "metric", "mode", "method", "trials", "stopped", "left_out", "top", "explained", "importances",
/// "reason"}`: each importance is `{"name", "importance", "active"}`. If there are none, `importances`
/// and all that was measured are null, and `reason` says why; else that is null.
#[must_use]
pub fn importances_json(
    run: &RunView,
    method: Method,
    found: &Result<Importances, NoImportances>,
) -> Value {
    let objective = run.objective.as_ref();
    let ok = found.as_ref().ok();
    let shares = |found: &Importances| -> Value {
        let each = found
            .importances
            .iter()
            .map(|i| json!({ "name": i.name, "importance": i.share, "active": i.active }));
        each.collect()
    };
    json!({
        "run": run.name,
        "metric": objective.map(|o| &o.metric),
        "mode": objective.map(crate::json::mode),
        "method": method.name(),
        "trials": ok.map(|f| f.trials),
        "stopped": ok.map(|f| f.stopped),
        "left_out": ok.map(|f| f.left_out),
        "top": ok.and_then(|f| f.top),
        "explained": ok.and_then(|f| f.explained),
        "importances": ok.map(shares),
        "reason": found.as_ref().err().map(ToString::to_string),
    })
}
