//! One handover, in its fixed order: validate, stop rules, the scheduler's call, its actions in
//! list order, `observe`, `complete`s in the order of the actions, then free slots are filled.
//!
//! Here: what the event itself does. Actions and free slots have modules of their own.

use std::collections::VecDeque;

use tune_space::{Action, Change, Config, Ending, FailureKind, Report, TrialId, TrialState};

use crate::actions::target;
use crate::admit::{admit, ends};
use crate::deciders::Recorder;
use crate::trial::{Phase, StepRecord, fingerprint};
use crate::{Answer, Deciders, Effect, Engine, Event, Failed, Note, RetrySeed, StepEnd, Stop};

/// Handovers between two calls of `describe`.
const DESCRIBE_EVERY: u64 = 64;
/// Earlier results in one call of `seed-with`: the contract's bound.
const KNOWN_A_CALL: usize = 1_000;

/// What came out of a handover.
#[derive(Default)]
pub(crate) struct Turned {
    pub(crate) answers: Vec<Answer>,
    pub(crate) report: Option<Report>,
    pub(crate) created: Vec<(TrialId, Config)>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) notes: Vec<Note>,
}

/// A handover in progress.
pub(crate) struct Turnover<'a> {
    pub(crate) engine: &'a mut Engine,
    pub(crate) calls: Recorder<'a>,
    pub(crate) out: Turned,
    /// Actions that are still to be carried out.
    pub(crate) queue: VecDeque<Action>,
    /// Actions so far.
    pub(crate) taken: usize,
    /// Trials that ended, in the order in which the searcher hears of it.
    pub(crate) completes: Vec<(TrialId, Ending)>,
    /// The bound that met the rule `regret`.
    pub(crate) regret: Option<f64>,
    /// The trial whose step is handed over: it is at rest, though it counts as running.
    pub(crate) current: Option<TrialId>,
}

impl<'a> Turnover<'a> {
    pub(crate) fn new(engine: &'a mut Engine, deciders: &'a mut dyn Deciders) -> Self {
        Self {
            engine,
            calls: Recorder::new(deciders),
            out: Turned::default(),
            queue: VecDeque::new(),
            taken: 0,
            completes: Vec::new(),
            regret: None,
            current: None,
        }
    }

    pub(crate) fn run(mut self, event: &Event) -> Result<Turned, Stop> {
        let sequence = self.engine.sequence();
        if (sequence == 0) != matches!(event, Event::Opened) {
            return Err(Stop::damaged(format!(
                "row {sequence} is `{}`: a run is opened once, first of all",
                event.kind()
            )));
        }
        match event {
            Event::Opened => self.tell_known()?,
            Event::StepEnded { trial, end } => self.step_ended(*trial, end)?,
            Event::StopTrial { trial } => {
                self.user_stops(*trial)?;
                self.settle()?;
            }
            Event::Extended { trials } => {
                self.engine.plan.trials = Some(*trials);
                self.engine.finished = false;
                self.engine.closed = false;
            }
            Event::TimeBudgetSpent => self.stop_everything()?,
            Event::Changed { .. } => return Ok(self.out),
        }
        self.fill_slots()?;
        let describe = sequence % DESCRIBE_EVERY == DESCRIBE_EVERY - 1;
        if describe || self.engine.finished {
            self.engine.description = self.calls.describe()?;
        }
        self.out.answers = self.calls.answers;
        Ok(self.out)
    }

    fn tell_known(&mut self) -> Result<(), Stop> {
        for known in self.engine.plan.known.chunks(KNOWN_A_CALL) {
            self.calls.seed_with(known)?;
        }
        Ok(())
    }

    // --- a step ended -------------------------------------------------------------------------

    fn step_ended(&mut self, id: TrialId, end: &StepEnd) -> Result<(), Stop> {
        let start = self.engine.flight.remove(id).ok_or_else(|| {
            Stop::damaged(format!("a step of trial {id} ended that was not in flight"))
        })?;
        self.current = Some(id);
        let tick = start.saturating_add(self.engine.cost.of(end));
        self.engine.now = self.engine.now.max(tick);
        let tick = self.engine.now;
        let Some(trial) = self.engine.trial(id) else {
            return Err(Stop::damaged(format!("no trial {id}")));
        };
        let admitted = match &end.result {
            Ok(report) => admit(
                &self.engine.plan,
                trial,
                report,
                end.fuel,
                tick,
                end.memory_bytes,
            )
            .map(|full| (report, full)),
            Err(failed) => Err(failed.clone()),
        };
        match admitted {
            Ok((reported, full)) => self.report(id, start, end.fuel, fingerprint(reported), full),
            Err(failed) => self.failure(id, failed),
        }
    }

    fn report(
        &mut self,
        id: TrialId,
        start: u64,
        fuel: u64,
        fingerprint: u64,
        report: Report,
    ) -> Result<(), Stop> {
        let budget = self.engine.trial(id).and_then(|t| t.budget);
        let ends = ends(&self.engine.plan, budget, &report);
        let axis = report.get(&self.engine.plan.time_attr);
        let trial = self.engine.trial_mut(id)?;
        trial.iteration = trial.iteration.saturating_add(1);
        trial.axis = axis;
        trial.fuel_total = trial.fuel_total.saturating_add(fuel);
        trial.own_fuel = trial.own_fuel.saturating_add(fuel);
        trial.history.push(StepRecord {
            start,
            fingerprint,
            own_fuel: trial.own_fuel,
        });
        trial.last = Some(report.clone());
        let pause_requested = trial.pause_requested;
        let quiet = trial
            .quiet_until
            .zip(axis)
            .is_some_and(|(until, now)| now < until);
        let over = self.trial_plateau(id, &report)? || ends;
        let run_over = self.note_value(id, &report)?;
        if over {
            let spent = budget.is_some_and(|budget| axis.is_some_and(|axis| axis >= budget));
            if spent && self.engine.plan.clones {
                self.keep(id)?;
            }
            self.end(id, Ending::Finished)?;
            let actions = self.calls.on_complete(id, Some(&report))?;
            self.carry_out(actions)?;
        } else {
            if !quiet {
                let actions = self.calls.on_result(id, &report)?;
                self.carry_out(actions)?;
            }
            if pause_requested && self.engine.trial_mut(id)?.phase == Phase::Running {
                self.pause(id)?;
            }
        }
        let state = match self.engine.trial_mut(id)?.phase {
            Phase::Pending | Phase::Running => TrialState::Running,
            Phase::Paused => TrialState::Paused,
            Phase::Ended(_) => TrialState::Ended,
        };
        self.calls.observe(id, &report, state)?;
        self.out.report = Some(report);
        self.tell_completes()?;
        if run_over {
            self.out.notes.push(Note::EndedByRule(
                "the best trials do not get better any more: `experiment_plateau` ends the run"
                    .to_owned(),
            ));
            self.stop_everything()?;
        }
        self.settle()?;
        if self.engine.trial_mut(id)?.phase == Phase::Running {
            self.start(id)?;
        }
        Ok(())
    }

    /// `trial_plateau` is met by this report.
    fn trial_plateau(&mut self, id: TrialId, report: &Report) -> Result<bool, Stop> {
        let Some(rule) = self.engine.plan.plateaus.trial.clone() else {
            return Ok(false);
        };
        let trial = self.engine.trial_mut(id)?;
        let reports = trial.reports();
        Ok(rule.met(&mut trial.recent, report, reports))
    }

    /// Notes the value of the first objective; true if `experiment_plateau` is met by it.
    fn note_value(&mut self, id: TrialId, report: &Report) -> Result<bool, Stop> {
        let Some(objective) = self.engine.plan.objectives.first() else {
            return Ok(false);
        };
        let maximize = objective.maximize;
        let Some(value) = report.get(&objective.metric) else {
            return Ok(false);
        };
        self.engine.note_value(id, value)?;
        let rule = self.engine.plan.plateaus.experiment.as_ref();
        let top = &mut self.engine.top;
        Ok(rule.is_some_and(|rule| rule.met(top, id, value, maximize)))
    }

    fn failure(&mut self, id: TrialId, failed: Failed) -> Result<(), Stop> {
        let fresh = self.engine.plan.retry_seed == RetrySeed::Fresh;
        let max_failures = self.engine.plan.max_failures;
        let trial = self.engine.trial_mut(id)?;
        trial.failures += 1;
        let will_retry =
            trial.failures <= max_failures && (fresh || !failed.kind.is_reproducible());
        if !will_retry {
            trial.failure = Some(failed.clone());
            self.end(id, Ending::Failed(failed.kind))?;
            self.out.notes.push(Note::Failed(id, failed.clone()));
        }
        let mut actions = self.calls.on_error(id, failed.kind, will_retry)?;
        if will_retry {
            // Information only: of what concerns the trial itself, nothing but `stop` counts.
            actions.retain(|action| match action {
                Action::Stop(_) => true,
                other => target(other) != id,
            });
        }
        self.carry_out(actions)?;
        self.tell_completes()?;
        self.settle()?;
        if self.engine.trial_mut(id)?.phase == Phase::Running {
            self.retry(id, fresh && failed.kind.is_reproducible())?;
            self.out.notes.push(Note::Retried(id, failed));
        }
        Ok(())
    }

    /// The same step again; with another seed if asked.
    fn retry(&mut self, id: TrialId, fresh: bool) -> Result<(), Stop> {
        if fresh {
            let seed = self.engine.next_seed(id)?;
            let trial = self.engine.trial_mut(id)?;
            if trial.awaits_setup() {
                trial.setup_seed = seed;
            } else {
                trial.set_change(Change {
                    config: trial.config.clone(),
                    seed,
                    workers: 1,
                });
            }
        }
        self.out.effects.push(Effect::Rebuild(id));
        self.start(id)
    }

    pub(crate) fn start(&mut self, id: TrialId) -> Result<(), Stop> {
        let tick = self.engine.now;
        self.engine.set_phase(id, Phase::Running)?;
        self.engine.flight.start(id, tick);
        self.out.effects.push(Effect::Start { trial: id, tick });
        Ok(())
    }

    // --- what the user and the clock do -------------------------------------------------------

    fn user_stops(&mut self, id: TrialId) -> Result<(), Stop> {
        let Some(trial) = self.engine.trial(id) else {
            return Err(Stop::damaged(format!("no trial {id}")));
        };
        let (phase, last) = (trial.phase, trial.last.clone());
        if matches!(phase, Phase::Ended(_)) {
            return Ok(());
        }
        self.end(id, Ending::Stopped)?;
        let actions = if phase == Phase::Running {
            self.calls.on_complete(id, last.as_ref())?
        } else {
            self.calls.on_remove(id)?
        };
        self.carry_out(actions)?;
        self.tell_completes()
    }

    pub(crate) fn stop_everything(&mut self) -> Result<(), Stop> {
        self.engine.closed = true;
        let live: Vec<_> = self
            .engine
            .trials
            .iter()
            .filter(|t| !t.is_ended())
            .map(|t| t.id)
            .collect();
        for id in live {
            self.user_stops(id)?;
        }
        Ok(())
    }
}

/// What the failure of a step is called when the host itself is at fault.
#[must_use]
pub fn host_bug(message: impl Into<String>) -> Failed {
    Failed {
        kind: FailureKind::HostBug,
        message: message.into(),
    }
}
