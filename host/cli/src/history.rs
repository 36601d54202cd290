//! What happened in a run, put together from its handovers: the plain records that views show.
//!
//! There is one way from a handover to a report with the metrics of the wall clock, used for live
//! views, derived files and the reading of finished runs alike.

use std::path::Path;

use tune_core::records::{Ending, Metric, TrialId};
use tune_core::{Engine, EnginePlan, Entry, Handover, Ingredient, Phase};
use tune_report::{
    BestReport, ComparedRun, ReportView, RunView, Scope, TrialStatus, TrialView, best_trial,
};
use tune_runner::Wall;
use tune_store::{Header, PluginRecord, Row, RunReader, RunState, RunStatus};

use crate::failure::Failure;

/// Completes reports with the metrics of the wall clock, which are for people only.
#[derive(Debug, Default)]
pub(crate) struct WallClock {
    /// Time that each trial's steps took so far.
    spent_us: Vec<u64>,
}

impl WallClock {
    /// The report of a handover, if it has one, with `time_this_iter_s`, `time_total_s` and
    /// `timestamp` (Unix time in seconds).
    pub(crate) fn report(
        &mut self,
        engine: &Engine,
        handover: &Handover,
        wall: Wall,
    ) -> Option<(TrialId, ReportView)> {
        let trial = handover.entry.event.trial()?;
        let index = trial as usize;
        if self.spent_us.len() <= index {
            self.spent_us.resize(index + 1, 0);
        }
        let spent = self.spent_us.get_mut(index)?;
        *spent = spent.saturating_add(wall.step_us);
        let report = handover.report.as_ref()?;
        let seconds = |us: u64| us as f64 / 1e6;
        let mut metrics = report.metrics.clone();
        metrics.extend(
            [
                ("time_this_iter_s", seconds(wall.step_us)),
                ("time_total_s", seconds(*spent)),
                ("timestamp", (wall.timestamp_ms / 1000) as f64),
            ]
            .map(|(name, value)| Metric {
                name: name.to_owned(),
                value,
            }),
        );
        let iteration = engine.trial(trial).map_or(0, |t| t.iteration);
        Some((trial, ReportView { iteration, metrics }))
    }
}

/// Where a trial stands for people.
pub(crate) fn status_of(phase: Phase) -> TrialStatus {
    match phase {
        Phase::Pending => TrialStatus::Pending,
        Phase::Running => TrialStatus::Running,
        Phase::Paused => TrialStatus::Paused,
        Phase::Ended(Ending::Finished) => TrialStatus::Finished,
        Phase::Ended(Ending::Stopped) => TrialStatus::Stopped,
        Phase::Ended(Ending::Failed(kind)) => TrialStatus::Failed(kind),
    }
}

/// A run as its journal tells it.
#[derive(Debug)]
pub(crate) struct History {
    /// What it started from.
    pub(crate) header: Header,
    /// Its plan.
    pub(crate) plan: EnginePlan,
    /// Trials that there will be, extensions included; none: until the searcher has no more.
    pub(crate) total: Option<u32>,
    /// Its journal.
    pub(crate) rows: Vec<Row>,
    /// What views show.
    pub(crate) view: RunView,
}

impl History {
    /// Reads a run, while it goes on too.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let reader = RunReader::open(path)?;
        // The state first: a run that ends meanwhile is then shown as running, not the other way.
        let status = reader.status()?;
        let (header, rows) = (reader.header()?, reader.rows()?);
        Self::fold(path, header, &status, rows)
    }

    /// Folds a journal, without a plugin.
    pub(crate) fn fold(
        path: &Path,
        header: Header,
        status: &RunStatus,
        rows: Vec<Row>,
    ) -> Result<Self, Failure> {
        let plan = plan_of(path, &header)?;
        let mut engine = Engine::new(plan.clone(), start_digest(&plan, &header.plugins)?)?;
        let mut clock = WallClock::default();
        let mut reports: Vec<Vec<ReportView>> = Vec::new();
        for row in &rows {
            let damaged = |what: String| {
                Failure::usage(format!(
                    "run {} is damaged: row {}: {what}",
                    path.display(),
                    row.sequence
                ))
            };
            let entry: Entry =
                postcard::from_bytes(&row.body).map_err(|e| damaged(e.to_string()))?;
            let handover = engine.fold(&entry).map_err(|e| damaged(e.to_string()))?;
            let wall = Wall {
                timestamp_ms: row.wall_ms,
                step_us: row.step_us,
            };
            reports.resize_with(engine.trials().len(), Vec::new);
            if let Some((trial, report)) = clock.report(&engine, &handover, wall)
                && let Some(of_trial) = reports.get_mut(trial as usize)
            {
                of_trial.push(report);
            }
        }
        let is_running = status.state == RunState::Running;
        let trials = engine
            .trials()
            .iter()
            .zip(reports)
            .map(|(trial, reports)| TrialView {
                id: trial.id,
                config: trial.config.clone(),
                status: match status_of(trial.phase) {
                    TrialStatus::Running if !is_running => TrialStatus::Interrupted,
                    status => status,
                },
                reports,
                failure: trial.failure.as_ref().map(|failed| failed.message.clone()),
            })
            .collect();
        let view = RunView {
            name: name_of(path),
            path: path.display().to_string(),
            status: status.state.name().to_owned(),
            reason: status.reason.clone(),
            objective: plan.objectives.first().cloned(),
            trials,
            handovers: rows.len() as u64,
            digest: tune_core::hex(rows.last().map_or(engine.digest(), |row| &row.digest)),
        };
        Ok(Self {
            header,
            plan,
            total: engine.plan().trials,
            rows,
            view,
        })
    }

    /// The best report over all reports of all trials.
    pub(crate) fn best(&self, scope: Scope) -> Option<BestReport> {
        best_trial(&self.view.trials, self.view.objective.as_ref()?, scope)
    }

    /// For comparing it with others.
    pub(crate) fn into_compared(self) -> ComparedRun {
        ComparedRun {
            best: self.best(Scope::All),
            name: self.view.name,
            plan: self.header.plan,
            trials: self.view.trials.len(),
            rows: self.rows,
        }
    }
}

/// The name of a run: that of its directory.
pub(crate) fn name_of(path: &Path) -> String {
    let absolute = path.canonicalize();
    let path = absolute.as_deref().unwrap_or(path);
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The plan that a run was begun with.
pub(crate) fn plan_of(path: &Path, header: &Header) -> Result<EnginePlan, Failure> {
    serde_json::from_str(&header.plan).map_err(|error| {
        Failure::usage(format!(
            "the plan of run {} cannot be read: {error}\n  hint: it was written by `{}`; use that \
             build",
            path.display(),
            header.build
        ))
    })
}

/// Where the digest of a run begins.
pub(crate) fn start_digest(
    plan: &EnginePlan,
    plugins: &[PluginRecord],
) -> Result<[u8; 32], Failure> {
    let ingredients = plugins
        .iter()
        .map(|plugin| {
            Ok(Ingredient {
                role: plugin.role.clone(),
                hash: *blake3::Hash::from_hex(&plugin.hash)
                    .map_err(|e| {
                        Failure::usage(format!("the recorded hash of `{}`: {e}", plugin.name))
                    })?
                    .as_bytes(),
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(tune_core::plan_digest(plan, &ingredients))
}
