//! The table of the live view: the eight trials that matter, and which those are.

use std::cmp::Reverse;

use tune_core::is_better;
use tune_core::records::{Config, Metric, Objective};

use crate::short;
use crate::table::{Column, Table};
use crate::text::{columns, cut};
use crate::trials::{is_host_metric, parameters_by_interest, short_value};
use crate::view::TrialStatus;

/// Trials in the table: with everything else they fit 24 lines.
const MAX_TRIALS: usize = 8;

/// Of these, so many are the best ones; the others are what runs now.
const BEST_TRIALS: usize = 4;

/// A trial of the table.
#[derive(Clone, Debug)]
pub struct LiveTrial<'a> {
    /// Which.
    pub id: u32,
    /// Where it stands.
    pub status: TrialStatus,
    /// Reports so far.
    pub iteration: u64,
    /// Best value of the objective.
    pub best: Option<f64>,
    /// Its configuration.
    pub config: &'a Config,
    /// Of the last report.
    pub metrics: &'a [Metric],
}

/// What the choice of trials to show needs to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which trial.
    pub id: u32,
    /// Where it stands.
    pub status: TrialStatus,
    /// Reports so far.
    pub iteration: u64,
    /// Best value of the objective.
    pub best: Option<f64>,
}

/// The eight trials that matter: the four best that did not fail, then what runs, the most advanced
/// first, then further good ones. In the order in which they are to be shown.
#[must_use]
pub fn trials_that_matter(
    candidates: impl IntoIterator<Item = Candidate>,
    maximize: bool,
) -> Vec<u32> {
    let mut by_value = Vec::new();
    let mut running = Vec::new();
    for candidate in candidates {
        if candidate.status == TrialStatus::Running {
            running.push(candidate);
        }
        if candidate.best.is_some() && !matches!(candidate.status, TrialStatus::Failed(_)) {
            by_value.push(candidate);
        }
    }
    by_value.sort_by(|a, b| {
        let value = |c: &Candidate| c.best.unwrap_or(f64::NAN);
        is_better(value(b), value(a), maximize)
            .cmp(&is_better(value(a), value(b), maximize))
            .then(a.id.cmp(&b.id))
    });
    running.sort_by_key(|c| (Reverse(c.iteration), c.id));
    let mut chosen: Vec<u32> = Vec::with_capacity(MAX_TRIALS);
    let best = by_value.iter().take(BEST_TRIALS);
    for candidate in best
        .chain(&running)
        .chain(by_value.iter().skip(BEST_TRIALS))
    {
        if chosen.len() < MAX_TRIALS && !chosen.contains(&candidate.id) {
            chosen.push(candidate.id);
        }
    }
    chosen
}

/// The lines of the table, with an empty one before it; none without trials.
pub(crate) fn trials(
    shown: &[LiveTrial<'_>],
    objective: Option<&Objective>,
    best_trial: Option<u32>,
    width: usize,
    color: bool,
) -> Vec<String> {
    if shown.is_empty() {
        return Vec::new();
    }
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
    let configs: Vec<_> = shown.iter().map(|trial| trial.config).collect();
    let parameters = parameters_by_interest(&configs);
    let mut metrics: Vec<&str> = Vec::new();
    for trial in shown {
        for metric in trial.metrics {
            let name = metric.name.as_str();
            let is_objective = objective.is_some_and(|o| o.metric == name);
            if !is_objective && !is_host_metric(name) && !metrics.contains(&name) {
                metrics.push(name);
            }
        }
    }
    // One other metric before the parameters: a loss beside an accuracy tells a lot.
    let first_metric = metrics.first().copied();
    let names = first_metric.iter().chain(&parameters);
    for (rank, name) in (1..).zip(names) {
        table.columns.push(Column::number(*name, rank));
    }
    for trial in shown {
        if best_trial == Some(trial.id) {
            table.marked = Some(table.rows.len());
        }
        // The kind of a failure would push the parameters off the screen.
        let mut row = vec![
            trial.id.to_string(),
            trial.status.name().to_owned(),
            trial.iteration.to_string(),
        ];
        if objective.is_some() {
            row.push(trial.best.map(short).unwrap_or_default());
        }
        row.extend(first_metric.iter().map(|name| {
            let metric = trial.metrics.iter().find(|m| m.name == *name);
            metric.map(|m| short(m.value)).unwrap_or_default()
        }));
        row.extend(
            parameters
                .iter()
                .map(|name| trial.config.get(name).map(short_value).unwrap_or_default()),
        );
        table.rows.push(row);
    }
    let (plain, _) = table.render_part(width, false);
    let lines = if plain.iter().any(|line| columns(line) > width) {
        // The columns that always stay are too wide for this terminal; escape sequences must not
        // be cut.
        plain
            .iter()
            .map(|line| cut(line, width).into_owned())
            .collect()
    } else {
        table.render_part(width, color).0
    };
    [String::new()].into_iter().chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::records::FailureKind;

    fn candidate(id: u32, status: TrialStatus, best: Option<f64>) -> Candidate {
        Candidate {
            id,
            status,
            iteration: u64::from(id % 3),
            best,
        }
    }

    #[test]
    fn the_best_and_the_running_trials_matter() {
        let mut all: Vec<Candidate> = (0..20)
            .map(|id| candidate(id, TrialStatus::Finished, Some(f64::from(id))))
            .collect();
        all[19].status = TrialStatus::Failed(FailureKind::Trap);
        all[18].best = Some(f64::NAN);
        all[17].status = TrialStatus::Running;
        all.extend((20..23).map(|id| candidate(id, TrialStatus::Running, None)));
        all.push(candidate(23, TrialStatus::Pending, None));
        // 20 has two reports so far, 21 none, 22 one.
        assert_eq!(
            trials_that_matter(all.clone(), true),
            [17, 16, 15, 14, 20, 22, 21, 13]
        );
        assert_eq!(trials_that_matter(all, false)[..4], [0, 1, 2, 3]);
    }
}
