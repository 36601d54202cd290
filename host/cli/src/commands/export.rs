//! `export RUN --table DIR`: the curves of a finished run as a table, on which schedulers can be
//! compared and other experiments run in seconds.
//!
//! A row is a trial that has one configuration from its beginning to its end; everything else is left
//! out and counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;
use tune_core::{EnginePlan, Origin, RESERVED_METRICS, Trial, WALL_METRICS};
use tune_report::{ReportView, clean};
use tune_store::RunState;
use tune_table::{About, Curve, Entries, FORMAT, Mode, Row, Table};

use crate::args::ExportArgs;
use crate::failure::{Failure, Verdict};
use crate::history::History;
use crate::runs_dir::{self, quoted, resume_command};
use crate::{output, session};

/// Fuel that counts as a microsecond: a billion is 0.2 to 0.5 s of compute.
const FUEL_PER_MICROSECOND: u64 = 2_500;
/// The axis of every trial that has no other.
const ITERATION: &str = "training_iteration";

pub(crate) fn export(args: &ExportArgs) -> Result<Verdict, Failure> {
    let path = runs_dir::find(&args.runs.dir, &args.run)?;
    let dir = &args.table;
    if dir.exists() {
        return Err(Failure::usage(format!(
            "{} exists already\n  hint: name a directory that is not there yet, or remove it",
            dir.display()
        )));
    }
    let history = History::read(&path)?;
    if history.view.status != RunState::Finished.name() {
        return Err(Failure::usage(format!(
            "the run {} is {}: only a finished run has all its curves\n  hint: finish it by `{}`",
            history.view.name,
            history.view.status,
            resume_command(&path)
        )));
    }
    let export = Export::of(&history, args.metrics.as_deref())?;
    let table = export.table(&history, args, dir)?;
    let digits = args.digits.map(usize::from);
    write(dir, &table, digits)?;
    let bytes: usize = table.to_files(digits).iter().map(|f| f.1.len()).sum();
    if args.format.is_json() {
        output::json(&json!({
            "table": dir.display().to_string(),
            "configurations": table.catalogue().rows().len(),
            "steps": steps(&table),
            "metrics": table.catalogue().about().metrics,
            "bytes": bytes,
            "left_out": export.left_out,
            "metrics_left_out": export.metrics_left_out,
            "shorter_curves": export.shorter,
        }))?;
    } else {
        output::lines(export.lines(&table, dir, bytes))?;
    }
    Ok(Verdict::Done)
}

fn steps(table: &Table) -> usize {
    table.curves().iter().map(Curve::len).sum()
}

/// What of a run goes into a table.
struct Export {
    rows: Vec<(Row, Curve)>,
    metrics: Vec<String>,
    /// Trials that are no rows, by reason.
    left_out: BTreeMap<&'static str, usize>,
    /// Metrics that not every report has.
    metrics_left_out: Vec<String>,
    /// Rows that ended before the longest.
    shorter: usize,
}

impl Export {
    fn of(history: &History, wanted: Option<&[String]>) -> Result<Self, Failure> {
        let mut left_out: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut trials: Vec<(&Trial, &[ReportView])> = Vec::new();
        for (trial, view) in history.engine.trials().iter().zip(&history.view.trials) {
            match reason_against(trial) {
                Some(reason) => *left_out.entry(reason).or_default() += 1,
                None => trials.push((trial, &view.reports)),
            }
        }
        let (metrics, metrics_left_out) = metrics(history, &trials, wanted)?;
        let mut rows: Vec<(Row, Curve)> = Vec::new();
        let space = tune_core::records::Space::new(history.plan.space.clone())?;
        let mut seen = std::collections::BTreeSet::new();
        for (trial, reports) in trials {
            if !seen.insert(space.fingerprint(&trial.suggested)) {
                *left_out
                    .entry("repeat an earlier configuration")
                    .or_default() += 1;
                continue;
            }
            let row = Row {
                id: trial.id,
                config: trial.suggested.clone(),
            };
            rows.push((row, curve(&history.plan, trial, reports, &metrics)));
        }
        let longest = rows.iter().map(|(_, curve)| curve.len()).max().unwrap_or(0);
        let shorter = rows
            .iter()
            .filter(|(_, curve)| curve.len() < longest)
            .count();
        Ok(Self {
            rows,
            metrics,
            left_out,
            metrics_left_out,
            shorter,
        })
    }

    fn table(&self, history: &History, args: &ExportArgs, dir: &Path) -> Result<Table, Failure> {
        let plan = &history.plan;
        let objective = plan
            .objectives
            .first()
            .ok_or_else(|| Failure::usage("the run has no metric"))?;
        // The host fills the others in, on every run anew.
        let own_axis = self.metrics.contains(&plan.time_attr) || plan.time_attr == ITERATION;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let about = About {
            format: FORMAT,
            name: name.into_owned(),
            description: args.description.clone().unwrap_or_default(),
            source: format!(
                "tune-host {}, run {} of {} with seed {}, digest {}",
                env!("CARGO_PKG_VERSION"),
                history.view.name,
                plan.trainable,
                plan.seed,
                history.view.digest
            ),
            licence: args.licence.clone().unwrap_or_default(),
            metric: objective.metric.clone(),
            mode: if objective.maximize {
                Mode::Max
            } else {
                Mode::Min
            },
            time_attr: if own_axis {
                plan.time_attr.clone()
            } else {
                ITERATION.to_owned()
            },
            max_t: plan.max_t.filter(|_| own_axis),
            metrics: self.metrics.iter().map(Into::into).collect(),
            cost: cost_note(plan),
            space: Entries::default(),
        };
        Table::new(
            about,
            plan.space.clone(),
            plan.constants.clone(),
            self.rows.clone(),
        )
        .map_err(|reason| {
            Failure::usage(format!(
                "the run {} cannot be a table: {reason}\n  hint: {}",
                history.view.name,
                if self.rows.is_empty() {
                    "export a run with trials that reported and did not fail"
                } else {
                    "change that parameter in the experiment and run it again"
                }
            ))
        })
    }

    fn lines(&self, table: &Table, dir: &Path, bytes: usize) -> Vec<String> {
        let mut lines = vec![format!(
            "{}: {}, {} with {}; {} KB",
            dir.display(),
            session::plural(table.catalogue().rows().len(), "configuration"),
            session::plural(steps(table), "step"),
            self.metrics
                .iter()
                .map(|m| clean(m))
                .collect::<Vec<_>>()
                .join(", "),
            bytes.div_ceil(1000),
        )];
        for (reason, count) in &self.left_out {
            lines.push(format!(
                "left out: {} that {reason}",
                session::plural(*count, "trial")
            ));
        }
        if !self.metrics_left_out.is_empty() {
            let names: Vec<_> = self.metrics_left_out.iter().map(|m| clean(m)).collect();
            lines.push(format!(
                "left out: the metrics {}, which not every report has",
                names.join(", ")
            ));
        }
        if self.shorter > 0 {
            lines.push(format!(
                "{} than the longest, because their trials were stopped or ended: a trial on the table \
                 ends there too",
                match self.shorter {
                    1 => "1 curve is shorter".to_owned(),
                    count => format!("{count} curves are shorter"),
                }
            ));
        }
        lines.push(format!(
            "compare on it: tune-host bench schedulers --table {}",
            quoted(dir)
        ));
        lines
    }
}

/// Why a trial is no row.
fn reason_against(trial: &Trial) -> Option<&'static str> {
    let begun_here = trial.segments.iter().all(|s| s.origin == Origin::Setup);
    if trial.failure.is_some() {
        Some("failed")
    } else if trial.history.is_empty() {
        Some("never reported")
    } else if !begun_here {
        Some("took over the state of another trial")
    } else if trial
        .changes
        .iter()
        .any(|c| c.change.config != trial.setup_config)
    {
        Some("changed their configuration while they trained")
    } else {
        None
    }
}

/// The metrics of a table, those that are optimised on or asked for first, and those left out.
fn metrics(
    history: &History,
    trials: &[(&Trial, &[ReportView])],
    wanted: Option<&[String]>,
) -> Result<(Vec<String>, Vec<String>), Failure> {
    let filled_in = |name: &str| RESERVED_METRICS.contains(&name) || WALL_METRICS.contains(&name);
    let mut counts: Vec<(String, usize)> = Vec::new();
    let mut reports = 0;
    for report in trials.iter().flat_map(|(_, reports)| reports.iter()) {
        reports += 1;
        for metric in report.metrics.iter().filter(|m| !filled_in(&m.name)) {
            match counts.iter_mut().find(|(name, _)| metric.name == *name) {
                Some((_, count)) => *count += 1,
                None => counts.push((metric.name.to_string(), 1)),
            }
        }
    }
    let (always, sometimes): (Vec<_>, Vec<_>) =
        counts.into_iter().partition(|(_, count)| *count == reports);
    let names = |counts: Vec<(String, usize)>| counts.into_iter().map(|(name, _)| name);
    let (always, sometimes): (Vec<String>, Vec<String>) =
        (names(always).collect(), names(sometimes).collect());
    let Some(wanted) = wanted else {
        return Ok((always, sometimes));
    };
    let objective = history.plan.objectives.first().map(|o| o.metric.clone());
    let mut chosen: Vec<String> = Vec::new();
    for name in objective.iter().chain(wanted) {
        if !always.contains(name) && reports > 0 {
            return Err(Failure::usage(format!(
                "not every report has `{}`\n  hint: --metrics can name {}",
                clean(name),
                always
                    .iter()
                    .map(|m| clean(m))
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        if !chosen.contains(name) {
            chosen.push(name.clone());
        }
    }
    Ok((chosen, Vec::new()))
}

fn curve(plan: &EnginePlan, trial: &Trial, reports: &[ReportView], metrics: &[String]) -> Curve {
    let mut curve = Curve::default();
    for (report, step) in reports.iter().zip(&trial.history) {
        let values: Vec<f64> = metrics
            .iter()
            .map(|name| report.get(name).unwrap_or(f64::NAN))
            .collect();
        let ended = report.get("virtual_time").unwrap_or(0.0) as u64;
        let ticks = ended.saturating_sub(step.start);
        let cost = if plan.virtual_cost || !plan.metering.counts_fuel() {
            ticks
        } else {
            ticks.div_ceil(FUEL_PER_MICROSECOND)
        };
        curve.push(cost, &values);
    }
    curve
}

fn cost_note(plan: &EnginePlan) -> String {
    if plan.virtual_cost {
        "microseconds, as the trainable reported them".to_owned()
    } else if plan.metering.counts_fuel() {
        format!("microseconds of {FUEL_PER_MICROSECOND} units of fuel each")
    } else {
        "a second a step: the run had no metering".to_owned()
    }
}

/// All three files or nothing.
fn write(dir: &Path, table: &Table, digits: Option<usize>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot write {}: {error}\n  hint: --table names a new directory in one that is there",
            dir.display()
        ))
    };
    fs::create_dir(dir).map_err(failed)?;
    for (name, text) in table.to_files(digits) {
        if let Err(error) = fs::write(dir.join(name), text) {
            drop(fs::remove_dir_all(dir));
            return Err(failed(error));
        }
    }
    Ok(())
}
