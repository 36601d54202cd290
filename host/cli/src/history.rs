//! What happened in a run, put together from its handovers: the plain records that views show.
//!
//! There is one way from a handover to a report with the metrics of the wall clock, used for live
//! views, derived files and the reading of finished runs alike.

use std::path::Path;

use tune_core::records::{Ending, Metric, TrialId};
use tune_core::{Engine, EnginePlan, Entry, Handover, Ingredient, Origin, Phase, RowUsage, Trial};
use tune_report::{
    BestReport, Branch, ComparedRun, ParentView, ReportView, RunView, Scope, Source, TrialStatus,
    TrialView, UsageFold, best_trial,
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
                name: name.into(),
                value,
            }),
        );
        // Not the trial's present one: it may have taken over another state in this handover.
        let iteration = engine
            .trial(trial)
            .map_or(0, |t| t.iteration_at(t.reports()));
        Some((trial, ReportView { iteration, metrics }))
    }
}

/// The changes of a trial in mid-training, and the states that it took over.
fn branches(trial: &Trial) -> Vec<Branch> {
    trial
        .changes
        .iter()
        .map(|changed| {
            let at = trial
                .segments
                .binary_search_by_key(&changed.before_step, |s| s.from);
            let segment = at.ok().and_then(|i| trial.segments.get(i));
            Branch {
                reports: changed.before_step,
                source: segment.and_then(|segment| match segment.origin {
                    Origin::Clone(point) => Some(Source {
                        trial: point.trial,
                        reports: point.reports,
                        iteration: segment.iteration,
                        sequence: segment.sequence,
                    }),
                    Origin::Setup | Origin::Imported => None,
                }),
                config: changed.change.config.clone(),
            }
        })
        .collect()
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
    /// The state of the run after its last row.
    pub(crate) engine: Engine,
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
        let mut usage = UsageFold::default();
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
            usage.take(&entry, row.step_us, &RowUsage::from_bytes(&row.usage));
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
                first_config: trial.setup_config.clone(),
                first_iteration: trial.segments.first().map_or(0, |s| s.iteration),
                branches: branches(trial),
                status: match status_of(trial.phase) {
                    TrialStatus::Running if !is_running => TrialStatus::Interrupted,
                    status => status,
                },
                reports,
                failure: trial.failure.as_ref().map(|failed| failed.message.clone()),
                usage: usage.trial(trial.id),
            })
            .collect();
        let view = RunView {
            name: name_of(path),
            path: path.display().to_string(),
            parent: header.parent.as_ref().map(|parent| ParentView {
                run: parent.run.clone(),
                trial: parent.trial,
                iteration: parent.iteration,
            }),
            status: status.state.name().to_owned(),
            reason: status.reason.clone(),
            objective: plan.objectives.first().cloned(),
            trials,
            handovers: rows.len() as u64,
            digest: tune_core::hex(rows.last().map_or(engine.digest(), |row| &row.digest)),
            limits: plan.limits.clone(),
            searcher_limits: plan.searcher_limits().clone(),
            scheduler_limits: plan.scheduler_limits().clone(),
            searcher: usage.searcher,
            scheduler: usage.scheduler,
        };
        Ok(Self {
            header,
            plan,
            total: engine.plan().trials,
            rows,
            view,
            engine,
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

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::records::{
        Action, Config, Creation, Domain, Failure as GuestFailure, FailureKind, Next, Objective,
        Observation, Outcome, Parameter, Proposal, RealRange, Report, Suggestion, TrialState, Turn,
    };
    use tune_core::{
        Deciders, Event, Failed, Limits, Metering, Order, OwnLimits, RetrySeed, StepEnd, Stop,
    };

    /// Suggests the same configuration for ever; every trial runs to its end.
    #[derive(Default)]
    struct Plain(Vec<TrialId>);

    impl Deciders for Plain {
        fn seed_with(&mut self, _: &[Observation]) -> Result<(), Stop> {
            Ok(())
        }
        fn suggest(
            &mut self,
            _: TrialId,
            _: &Config,
        ) -> Result<Result<Suggestion, GuestFailure>, Stop> {
            let mut config = Config::new();
            config.insert("x", 0.5);
            Ok(Ok(Suggestion::Configure(Proposal {
                config,
                ..Proposal::default()
            })))
        }
        fn observe(&mut self, _: TrialId, _: &Report, _: TrialState) -> Result<(), Stop> {
            Ok(())
        }
        fn complete(&mut self, _: TrialId, _: &Outcome) -> Result<(), Stop> {
            Ok(())
        }
        fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
            Ok(None)
        }
        fn on_add(&mut self, trial: TrialId, _: &Config) -> Result<Vec<Action>, Stop> {
            self.0.push(trial);
            Ok(Vec::new())
        }
        fn on_result(&mut self, _: TrialId, _: &Report) -> Result<Vec<Action>, Stop> {
            Ok(Vec::new())
        }
        fn on_complete(&mut self, _: TrialId, _: Option<&Report>) -> Result<Vec<Action>, Stop> {
            Ok(Vec::new())
        }
        fn on_error(&mut self, _: TrialId, _: FailureKind, _: bool) -> Result<Vec<Action>, Stop> {
            Ok(Vec::new())
        }
        fn on_remove(&mut self, _: TrialId) -> Result<Vec<Action>, Stop> {
            Ok(Vec::new())
        }
        fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
            let next = match creation {
                _ if !self.0.is_empty() => Next::Run(self.0.remove(0)),
                Creation::Possible => Next::Create,
                Creation::Waiting => Next::Idle,
                Creation::Closed => Next::Done,
            };
            Ok(Turn {
                actions: Vec::new(),
                next,
            })
        }
        fn describe(&mut self) -> Result<String, Stop> {
            Ok(String::new())
        }
    }

    fn plan() -> EnginePlan {
        EnginePlan {
            seed: 1,
            slots: 2,
            trials: Some(2),
            objectives: vec![Objective {
                metric: "loss".to_owned(),
                maximize: false,
            }],
            constraints: Vec::new(),
            time_attr: "training_iteration".to_owned(),
            max_t: Some(3.0),
            space: vec![Parameter {
                name: "x".to_owned(),
                domain: Domain::Real(RealRange {
                    low: 0.0,
                    high: 0.1 + 0.2 + 1.0,
                    log: false,
                    step: None,
                }),
                conditions: Vec::new(),
            }],
            constants: Config::new(),
            derived: Vec::new(),
            points_to_evaluate: Vec::new(),
            stop: Vec::new(),
            order: Order::Deterministic,
            metering: Metering::Fuel,
            virtual_cost: false,
            gpu: None,
            max_failures: 0,
            retry_seed: RetrySeed::Same,
            limits: Limits::default(),
            own_limits: OwnLimits::default(),
            trainable: "t".to_owned(),
            searcher: ("s".to_owned(), "{}".to_owned()),
            scheduler: ("f".to_owned(), "{}".to_owned()),
            strict: false,
            clones: false,
            imported: None,
            lineage: None,
            known: Vec::new(),
            plateaus: tune_core::Plateaus::default(),
        }
    }

    /// Trial 0 reports twice and goes on; trial 1 fails in its first step.
    fn rows(plan: &EnginePlan) -> Vec<Row> {
        let mut engine = Engine::new(plan.clone(), start_digest(plan, &[]).unwrap()).unwrap();
        let mut rows = Vec::new();
        let mut plain = Plain::default();
        let mut hand_over = |engine: &mut Engine, event: Event| {
            let handover = engine.apply(event, &mut plain).unwrap();
            rows.push(Row {
                sequence: handover.sequence,
                tick: handover.tick,
                trial: handover.entry.event.trial(),
                kind: handover.entry.event.kind().to_owned(),
                body: postcard::to_allocvec(&handover.entry).unwrap(),
                wall_ms: 5_000,
                step_us: 250_000,
                log_end: 0,
                usage: Vec::new(),
                digest: handover.digest,
            });
        };
        hand_over(&mut engine, Event::Opened);
        let good = |loss| Ok(Report::default().with("loss", loss));
        let bad = Err(Failed {
            kind: FailureKind::Trap,
            message: "boom\n  hint: look".to_owned(),
        });
        let arrive = |engine: &mut Engine, trial, result, fuel| {
            let end = StepEnd {
                result,
                fuel,
                memory_bytes: 0,
            };
            assert!(engine.arrived(trial, end));
        };
        arrive(&mut engine, 0, good(2.0), 10);
        arrive(&mut engine, 1, bad, 1);
        for _ in 0..2 {
            let event = engine.next_result().unwrap();
            hand_over(&mut engine, event);
        }
        arrive(&mut engine, 0, good(1.0), 10);
        let event = engine.next_result().unwrap();
        hand_over(&mut engine, event);
        rows
    }

    fn folded(state: RunState) -> History {
        let plan = plan();
        let header = Header {
            plan: serde_json::to_string(&plan).unwrap(),
            ..Header::default()
        };
        let status = RunStatus {
            state,
            ..RunStatus::running()
        };
        History::fold(Path::new("runs/r"), header, &status, rows(&plan)).unwrap()
    }

    #[test]
    fn a_plan_comes_back_from_its_json_as_it_was() {
        let plan = plan();
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<EnginePlan>(&text).unwrap(), plan);
    }

    #[test]
    fn trials_run_only_in_a_run_that_runs() {
        let status = |state| folded(state).view.trial(0).unwrap().status;
        assert_eq!(status(RunState::Running), TrialStatus::Running);
        assert_eq!(status(RunState::Stopped), TrialStatus::Interrupted);
        assert_eq!(status(RunState::Interrupted), TrialStatus::Interrupted);
    }

    #[test]
    fn a_run_is_read_from_its_journal_with_the_times_of_the_wall_clock() {
        let history = folded(RunState::Stopped);
        let [trial, failed] = history.view.trials.as_slice() else {
            panic!("{:?}", history.view.trials);
        };
        let metrics = |name: &str| -> Vec<f64> {
            let values = trial.reports.iter().map(|report| report.get(name));
            values.map(Option::unwrap).collect()
        };
        assert_eq!(metrics("loss"), [2.0, 1.0]);
        assert_eq!(metrics("time_this_iter_s"), [0.25, 0.25]);
        assert_eq!(metrics("time_total_s"), [0.25, 0.5]);
        assert_eq!(metrics("timestamp"), [5.0, 5.0]);
        assert_eq!(failed.status, TrialStatus::Failed(FailureKind::Trap));
        assert_eq!(failed.failure.as_deref(), Some("boom\n  hint: look"));
        assert_eq!(history.total, Some(2));
        let best = history.best(Scope::All).unwrap();
        assert_eq!((best.trial, best.iteration, best.value), (0, 2, 1.0));
        let last = history.rows.last().unwrap();
        assert_eq!(history.view.digest, tune_core::hex(&last.digest));
    }

    #[test]
    fn a_damaged_row_is_named() {
        let plan = plan();
        let header = Header {
            plan: serde_json::to_string(&plan).unwrap(),
            ..Header::default()
        };
        let mut rows = rows(&plan);
        rows[2].body.truncate(3);
        let error = History::fold(Path::new("runs/r"), header, &RunStatus::running(), rows);
        let message = error.unwrap_err().message();
        assert!(message.contains("runs/r is damaged: row 2"), "{message}");
    }
}
