//! Who was cloned from whom: the changes of trials in mid-training, as a table of a whole run and as
//! the way that led to the state of one trial.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use tune_core::records::{Config, Value};

use crate::style::Style;
use crate::table::{Column, Table};
use crate::text::{clean, cut};
use crate::trials::short_value;
use crate::{RunView, TrialView};

/// Clones in the table of a run at most: the newest are shown, a trial shows all of its own.
const MAX_CLONES: usize = 20;

/// A value of a configuration before and after; none where the parameter is not active.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueChange {
    /// The parameter.
    pub name: String,
    /// Its value before.
    pub before: Option<Value>,
    /// Its value from here on.
    pub after: Option<Value>,
}

/// What is different between two configurations, by name.
#[must_use]
pub fn value_changes(before: &Config, after: &Config) -> Vec<ValueChange> {
    let mut names: Vec<&str> = before.iter().chain(after.iter()).map(|(n, _)| n).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(name) != after.get(name))
        .map(|name| ValueChange {
            name: name.to_owned(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

/// A trial took over a state of another one.
#[derive(Clone, Debug, PartialEq)]
pub struct CloneView {
    /// The handover that decided it.
    pub sequence: u64,
    /// Which trial goes on from there.
    pub trial: u32,
    /// Its own iteration until then.
    pub at: u64,
    /// Whose state it took over.
    pub source: u32,
    /// The iteration of that state.
    pub iteration: u64,
    /// What is different from the configuration that led to the state.
    pub changes: Vec<ValueChange>,
}

/// All clones of a run in the order in which they were decided.
#[must_use]
pub fn clones(run: &RunView) -> Vec<CloneView> {
    let mut all: Vec<CloneView> = run
        .trials
        .iter()
        .flat_map(|trial| {
            trial.branches.iter().filter_map(move |branch| {
                let source = branch.source?;
                let config = run.trial(source.trial)?.config_at(source.reports);
                Some(CloneView {
                    sequence: source.sequence,
                    trial: trial.id,
                    at: trial.iteration_of(branch.reports),
                    source: source.trial,
                    iteration: source.iteration,
                    changes: value_changes(config, &branch.config),
                })
            })
        })
        .collect();
    all.sort_by_key(|clone| (clone.sequence, clone.trial));
    all
}

/// A part of the way that led to a state: steps of one trial with one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// Whose steps.
    pub trial: u32,
    /// The iteration that it goes on from.
    pub from: u64,
    /// The iteration that it ends with.
    pub to: u64,
    /// What is different from the stretch before; of the first one, nothing.
    pub changes: Vec<ValueChange>,
}

/// The way that led to the present state of a trial, from the first step on: its own steps, and
/// those of the trials that it was cloned from.
#[must_use]
pub fn lineage(run: &RunView, trial: &TrialView) -> Vec<Stretch> {
    let parts = parts(run, trial);
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut before: Option<&Config> = None;
    for (trial, begin, end) in parts {
        let inner = trial.branches.iter().map(|branch| branch.reports);
        let inner = inner.filter(|&at| begin < at && at < end);
        let mut bounds: Vec<u64> = [begin].into_iter().chain(inner).collect();
        bounds.push(end);
        for (&from, &to) in bounds.iter().zip(bounds.iter().skip(1)) {
            let config = trial.config_from(from);
            let iteration = trial.iteration_from(from);
            stretches.push(Stretch {
                trial: trial.id,
                from: iteration,
                to: iteration + (to - from),
                changes: before.map_or_else(Vec::new, |before| value_changes(before, config)),
            });
            before = Some(config);
        }
    }
    stretches
}

/// The trials behind a state, the earliest first, each with its own reports before and at the end of
/// its part.
fn parts<'a>(run: &'a RunView, trial: &'a TrialView) -> Vec<(&'a TrialView, u64, u64)> {
    let mut parts = Vec::new();
    let (mut at, mut end) = (trial, trial.reports.len() as u64);
    // One that was not stepped from yet is the present state.
    let mut branch = at.branches.iter().rfind(|b| b.source.is_some());
    let mut decided = u64::MAX;
    loop {
        let begin = branch.map_or(0, |b| b.reports);
        parts.push((at, begin, end));
        let source = branch.and_then(|b| b.source);
        // A source was there earlier: nothing that is written in a file makes this go in circles.
        let Some(source) = source.filter(|s| s.sequence < decided) else {
            break;
        };
        let Some(donor) = run.trial(source.trial) else {
            break;
        };
        (at, end, decided) = (donor, source.reports, source.sequence);
        branch = at
            .branches
            .iter()
            .rfind(|b| b.source.is_some() && b.reports < end);
    }
    parts.reverse();
    parts
}

/// The clones of a run as a table, the newest last; nothing if there are none.
#[must_use]
pub fn clones_table(clones: &[CloneView], width: usize, color: bool) -> Vec<String> {
    let hidden = clones.len().saturating_sub(MAX_CLONES);
    let shown = clones.get(hidden..).unwrap_or_default();
    if shown.is_empty() {
        return Vec::new();
    }
    let rows = shown.iter().map(|clone| {
        let cells = [clone.trial, clone.source].map(|id| id.to_string());
        let [trial, source] = cells;
        let numbers = vec![
            clone.sequence.to_string(),
            trial,
            clone.at.to_string(),
            source,
            clone.iteration.to_string(),
        ];
        (numbers, clone.changes.as_slice())
    });
    let columns = vec![
        Column::number("handover", 0),
        Column::number("trial", 0),
        Column::number("at", 0),
        Column::number("from", 0),
        Column::number("at", 0),
    ];
    let mut lines = vec![format!("clones: {}", clones.len())];
    if hidden > 0 {
        let note = format!("the last {MAX_CLONES}; `show RUN TRIAL` has all of a trial");
        lines.push(Style::Dim.paint(&cut(&note, width), color));
    }
    lines.extend(table(columns, rows).render(width, color));
    lines
}

/// The way to a state as a table; nothing if it is one trial with one configuration.
#[must_use]
pub fn lineage_table(stretches: &[Stretch], width: usize, color: bool) -> Vec<String> {
    if stretches.len() < 2 {
        return Vec::new();
    }
    let rows = stretches.iter().map(|stretch| {
        let numbers = vec![
            stretch.from.to_string(),
            stretch.to.to_string(),
            stretch.trial.to_string(),
        ];
        (numbers, stretch.changes.as_slice())
    });
    let columns = vec![
        Column::number("from", 0),
        Column::number("to", 0),
        Column::number("trial", 0),
    ];
    let mut lines = vec!["lineage".to_owned()];
    lines.extend(table(columns, rows).render(width, color));
    lines
}

/// Numbers, and a column for each parameter that changes anywhere: those that change most often
/// first.
fn table<'a>(
    columns: Vec<Column>,
    rows: impl Iterator<Item = (Vec<String>, &'a [ValueChange])>,
) -> Table {
    let rows: Vec<_> = rows.collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in rows.iter().flat_map(|(_, changes)| *changes) {
        *counts.entry(&change.name).or_default() += 1;
    }
    let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
    names.sort_by_key(|(_, count)| Reverse(*count));
    let mut table = Table::new(columns);
    for (rank, (name, _)) in (1..).zip(&names) {
        table.columns.push(Column::number(*name, rank));
    }
    for (mut cells, changes) in rows {
        cells.extend(names.iter().map(|(name, _)| {
            let change = changes.iter().find(|change| change.name == *name);
            change.map(change_text).unwrap_or_default()
        }));
        table.rows.push(cells);
    }
    table
}

/// A change as tables show it: `0.1 → 0.12`.
fn change_text(change: &ValueChange) -> String {
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), short_value);
    format!("{} → {}", text(&change.before), text(&change.after))
}

/// A change with its parameter, harmless to a terminal: `lr 0.1 → 0.12`.
#[must_use]
pub fn change_line(change: &ValueChange) -> String {
    format!("{} {}", clean(&change.name), clean(&change_text(change)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Branch, Source};
    use crate::{ReportView, TrialStatus, run_json, trial_json};

    fn config(lr: f64) -> Config {
        let mut config = Config::new();
        config.insert("batch", 32_i64);
        config.insert("lr", lr);
        config
    }

    fn trial(id: u32, iterations: &[u64], lr: f64, branches: Vec<Branch>) -> TrialView {
        let now = branches.last().map_or(config(lr), |b| b.config.clone());
        let reports = iterations.iter().map(|&iteration| ReportView {
            iteration,
            metrics: Vec::new(),
        });
        TrialView {
            id,
            config: now,
            first_config: config(lr),
            first_iteration: 0,
            branches,
            status: TrialStatus::Running,
            reports: reports.collect(),
            failure: None,
            usage: crate::TrialUse::default(),
        }
    }

    fn copy(reports: u64, lr: f64, source: (u32, u64, u64, u64)) -> Branch {
        let (trial, of_source, iteration, sequence) = source;
        Branch {
            reports,
            source: Some(Source {
                trial,
                reports: of_source,
                iteration,
                sequence,
            }),
            config: config(lr),
        }
    }

    /// 0 runs through; 1 copies 0 at its second report; 2 copies that copy; 0 is changed at 3 and
    /// then copies 2, and has not stepped since.
    fn run() -> RunView {
        let set = Branch {
            reports: 3,
            source: None,
            config: config(0.2),
        };
        let trials = vec![
            trial(0, &[1, 2, 3, 4], 0.1, vec![set, copy(4, 0.6, (2, 3, 5, 9))]),
            trial(1, &[1, 3, 4], 0.5, vec![copy(1, 0.12, (0, 2, 2, 4))]),
            trial(2, &[1, 4, 5], 0.7, vec![copy(1, 0.3, (1, 2, 3, 6))]),
        ];
        RunView {
            name: "toy".to_owned(),
            path: "runs/toy".to_owned(),
            parent: None,
            status: "running".to_owned(),
            reason: String::new(),
            objective: None,
            trials,
            handovers: 10,
            digest: String::new(),
            limits: tune_core::Limits::default(),
            searcher_limits: tune_core::Limits::default(),
            scheduler_limits: tune_core::Limits::default(),
            searcher: crate::DeciderUse::default(),
            scheduler: crate::DeciderUse::default(),
        }
    }

    #[test]
    fn clones_are_told_in_the_order_in_which_they_were_decided() {
        let run = run();
        assert_eq!(
            clones_table(&clones(&run), 80, false),
            [
                "clones: 3",
                "handover  trial  at  from  at          lr",
                "       4      1   1     0   2  0.1 → 0.12",
                "       6      2   1     1   3  0.12 → 0.3",
                "       9      0   4     2   5   0.3 → 0.6",
            ]
        );
    }

    #[test]
    fn a_lineage_goes_through_donors_to_the_first_step() {
        let run = run();
        let lines = |id: usize| lineage_table(&lineage(&run, &run.trials[id]), 80, false);
        assert_eq!(
            lines(2),
            [
                "lineage",
                "from  to  trial          lr",
                "   0   2      0",
                "   2   3      1  0.1 → 0.12",
                "   3   5      2  0.12 → 0.3",
            ]
        );
        // The present state of trial 0 is that of 2; its own steps are not behind it any more.
        assert_eq!(lines(0).last().unwrap(), "   5   5      0   0.3 → 0.6");
        assert_eq!(lines(0).len(), 6);
    }

    #[test]
    fn a_change_without_a_clone_is_a_stretch_too() {
        let mut run = run();
        run.trials[0].branches.pop();
        let stretches = lineage(&run, &run.trials[0]);
        let bounds: Vec<_> = stretches.iter().map(|s| (s.trial, s.from, s.to)).collect();
        assert_eq!(bounds, [(0, 0, 3), (0, 3, 4)]);
        assert_eq!(stretches[1].changes[0].after, Some(Value::Number(0.2)));
        assert!(lineage_table(&stretches[..1], 80, false).is_empty());
    }

    #[test]
    fn the_newest_clones_are_shown_and_the_number_of_all() {
        let all: Vec<CloneView> = (0..30)
            .map(|sequence| CloneView {
                sequence,
                trial: 1,
                at: 1,
                source: 0,
                iteration: 1,
                changes: Vec::new(),
            })
            .collect();
        let lines = clones_table(&all, 80, false);
        assert_eq!(lines[0], "clones: 30");
        assert_eq!(lines.len(), MAX_CLONES + 3);
        assert!(lines.last().unwrap().trim_start().starts_with("29"));
        assert!(clones_table(&[], 80, false).is_empty());
    }

    #[test]
    fn a_view_that_points_in_circles_has_an_end() {
        let mut run = run();
        run.trials[0].branches = vec![copy(0, 0.1, (1, 3, 4, 4))];
        assert!(lineage(&run, &run.trials[1]).len() < 10);
        run.trials[1].branches = vec![copy(1, 0.1, (77, 3, 4, 4))];
        assert_eq!(lineage(&run, &run.trials[1]).len(), 1);
        assert!(clones(&run).iter().all(|clone| clone.source != 77));
    }

    #[test]
    fn clones_and_lineages_are_in_the_json_forms() {
        let run = run();
        assert_eq!(
            run_json(&run, &[])["clones"][0],
            serde_json::json!({
                "sequence": 4, "trial": 1, "at": 1, "source": 0, "iteration": 2,
                "changes": [{ "name": "lr", "before": 0.1, "after": 0.12 }],
            })
        );
        let json = trial_json(&run, &run.trials[1], true);
        assert_eq!(
            json["lineage"],
            serde_json::json!([
                { "trial": 0, "from": 0, "to": 2, "changes": [] },
                { "trial": 1, "from": 2, "to": 4,
                  "changes": [{ "name": "lr", "before": 0.1, "after": 0.12 }] },
            ])
        );
        assert_eq!(trial_json(&run, &run.trials[1], false).get("lineage"), None);
    }

    #[test]
    fn parameters_that_come_and_go_are_changes() {
        let mut after = config(0.1);
        after.insert("momentum", 0.9);
        let changes = value_changes(&config(0.1), &after);
        assert_eq!(changes.len(), 1);
        assert_eq!(change_text(&changes[0]), "- → 0.9");
    }
}
