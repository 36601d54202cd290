//! What came out, as text for people and as JSON.

use serde_json::{Value, json};
use tune_report::{Column, Table};
use tune_study::Comparison;

use super::standings::{Pairing, Role, Study};
use crate::output::Page;

/// Tables for people.
pub(super) fn lines(study: &Study<'_>, page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in &study.batches {
        for group in study.groups() {
            let name = group.name();
            lines.push(format!(
                "{name}, {batch} at once: mean log10 regret after so many trials, +- standard deviation over seeds"
            ));
            let mut columns = vec![Column::text("searcher", 0)];
            for mark in &study.marks {
                columns.push(Column::number(mark.to_string(), 0));
                columns.push(Column::number("+-", 1));
            }
            columns.push(Column::number("s a run", 2));
            let mut table = Table::new(columns);
            for standing in study.standings(group, *batch) {
                let mut row = vec![standing.searcher.to_owned()];
                for (mean, deviation) in standing.at {
                    row.push(format!("{mean:.3}"));
                    row.push(format!("{deviation:.2}"));
                }
                row.push(format!("{:.2}", standing.seconds));
                table.rows.push(row);
            }
            lines.extend(table.render(page.width, page.color));
            lines.push(String::new());
        }
        let pairings = study.pairings(*batch);
        if !pairings.is_empty() {
            lines.extend(beside(study, pairings, *batch, page));
            lines.push(String::new());
        }
    }
    lines
}

fn beside(study: &Study<'_>, pairings: Vec<Pairing>, batch: u32, page: Page) -> Vec<String> {
    let mut lines = vec![format!(
        "ours less theirs, {batch} at once: mean difference of log10 regret over pairs of problem and seed, \
         below 0 is better"
    )];
    let mut columns = vec![
        Column::text("ours", 0),
        Column::text("theirs", 0),
        Column::text("group", 0),
        Column::number("pairs", 2),
    ];
    let last = study.marks.last().copied();
    for mark in &study.marks {
        columns.push(Column::number(format!("at {mark}"), 0));
        if Some(*mark) == last {
            columns.push(Column::number("95 %", 1));
            columns.push(Column::number("p (Holm)", 2));
        }
        columns.push(Column::text("", 0));
    }
    let mut table = Table::new(columns);
    for pairing in pairings {
        let pairs = pairing.at.iter().flatten().map(|c| c.pairs).max();
        let mut row = vec![
            pairing.ours,
            pairing.peer,
            pairing.group,
            pairs.unwrap_or(0).to_string(),
        ];
        for (mark, at) in study.marks.iter().zip(&pairing.at) {
            row.push(at.map_or_else(String::new, |c| format!("{:+.3}", c.mean)));
            if Some(*mark) == last {
                row.push(at.map_or_else(String::new, |c| {
                    format!("{:+.2} .. {:+.2}", c.interval.0, c.interval.1)
                }));
                row.push(at.map_or_else(String::new, |c| probability(c.probability)));
            }
            row.push(at.map_or("-", |c| c.verdict.name()).to_owned());
        }
        table.rows.push(row);
    }
    lines.extend(table.render(page.width, page.color));
    lines
}

fn probability(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// The same for programs.
pub(super) fn json(study: &Study<'_>) -> Value {
    let batches = study.batches.iter().map(|batch| {
        let groups = study.groups().into_iter().map(|group| {
            let searchers = study.standings(group, *batch).into_iter().map(|standing| {
                let at = study.marks.iter().zip(standing.at);
                let at = at.map(|(trials, (mean, deviation))| {
                    json!({"trials": trials, "mean": mean, "deviation": deviation})
                });
                json!({
                    "searcher": standing.searcher,
                    "ours": standing.role != Role::Peer,
                    "seconds": standing.seconds,
                    "at": at.collect::<Vec<_>>(),
                })
            });
            json!({"group": group.name(), "searchers": searchers.collect::<Vec<_>>()})
        });
        let pairings = study.pairings(*batch).into_iter().map(|pairing| {
            let at = study.marks.iter().zip(&pairing.at);
            let at = at.filter_map(|(trials, c)| Some(compared(*trials, c.as_ref()?)));
            json!({
                "ours": pairing.ours, "theirs": pairing.peer, "group": pairing.group,
                "at": at.collect::<Vec<_>>(),
            })
        });
        json!({
            "batch": batch,
            "log10_regret": groups.collect::<Vec<_>>(),
            "comparisons": pairings.collect::<Vec<_>>(),
        })
    });
    json!({"peers": study.versions, "results": batches.collect::<Vec<_>>()})
}

fn compared(trials: u32, c: &Comparison) -> Value {
    json!({
        "trials": trials,
        "pairs": c.pairs,
        "mean": c.mean,
        "low": c.interval.0,
        "high": c.interval.1,
        "p": c.probability,
        "verdict": c.verdict.name(),
    })
}
