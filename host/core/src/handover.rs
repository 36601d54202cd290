//! One handover, in its fixed order: validate, stop rules, the scheduler's call, its actions in
//! list order, `observe`, `complete`s in the order of the actions, then free slots are filled.

use std::collections::VecDeque;

use tune_space::{
    Action, Change, Config, Creation, Ending, FailureKind, Next, Outcome, Proposal, Report,
    Suggestion, TrialId, TrialState,
};

use crate::admit::{admit, ends};
use crate::deciders::Recorder;
use crate::trial::{Phase, StepRecord, Trial, fingerprint};
use crate::{
    Answer, Deciders, Effect, Engine, Event, Failed, Note, RetrySeed, StepEnd, Stop, seeds,
};

/// Actions in one handover, those that follow from others included.
const MAX_ACTIONS: usize = 10_000;
/// Impossible actions in a run before it stops.
const MAX_ILLEGAL: u32 = 100;
/// Bad suggestions in a row before the run stops.
const MAX_REJECTED: u32 = 3;
/// Calls of `next-to-run` a slot and handover.
const MAX_TURNS: u32 = 64;
/// Handovers between two calls of `describe`.
const DESCRIBE_EVERY: u64 = 64;

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
    engine: &'a mut Engine,
    calls: Recorder<'a>,
    out: Turned,
    /// Actions that are still to be carried out.
    queue: VecDeque<Action>,
    taken: usize,
    /// Trials that ended, in the order in which the searcher hears of it.
    completes: Vec<(TrialId, Ending)>,
    /// The trial whose report is handed over: `keep` is legal for it.
    current: Option<TrialId>,
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
            current: None,
        }
    }

    pub(crate) fn run(mut self, event: &Event) -> Result<Turned, Stop> {
        match event {
            Event::Opened => {
                if self.engine.sequence() != 0 {
                    return Err(Stop::damaged("the run is opened twice"));
                }
            }
            Event::StepEnded { trial, end } => self.step_ended(*trial, end)?,
            Event::StopTrial { trial } => self.user_stops(*trial)?,
            Event::Extended { trials } => {
                self.engine.plan.trials = Some(*trials);
                self.engine.finished = false;
                self.engine.closed = false;
            }
            Event::TimeBudgetSpent => self.stop_everything()?,
            Event::Changed { .. } => return Ok(self.out),
        }
        self.fill_slots()?;
        let describe = self.engine.sequence() % DESCRIBE_EVERY == DESCRIBE_EVERY - 1;
        if describe || self.engine.finished {
            self.engine.description = self.calls.describe()?;
        }
        self.out.answers = self.calls.answers;
        Ok(self.out)
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
        let over = ends(&self.engine.plan, budget, &report);
        let trial = self.engine.trial_mut(id)?;
        trial.iteration += 1;
        trial.fuel_total = trial.fuel_total.saturating_add(fuel);
        trial.own_fuel = trial.own_fuel.saturating_add(fuel);
        trial.history.push(StepRecord {
            start,
            fingerprint,
            own_fuel: trial.own_fuel,
        });
        trial.last = Some(report.clone());
        let pause_requested = trial.pause_requested;
        if let Some(objective) = self.engine.plan.objectives.first()
            && let Some(value) = report.get(&objective.metric)
        {
            self.engine.note_value(id, value)?;
        }
        if over {
            self.end(id, Ending::Finished)?;
            let actions = self.calls.on_complete(id, Some(&report))?;
            self.carry_out(actions)?;
        } else {
            let actions = self.calls.on_result(id, &report)?;
            self.carry_out(actions)?;
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
        if self.engine.trial_mut(id)?.phase == Phase::Running {
            self.start(id)?;
        }
        Ok(())
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
        if self.engine.trial_mut(id)?.phase == Phase::Running {
            self.retry(id, fresh && failed.kind.is_reproducible())?;
            self.out.notes.push(Note::Retried(id, failed));
        }
        Ok(())
    }

    /// The same step again; with another seed if asked.
    fn retry(&mut self, id: TrialId, fresh: bool) -> Result<(), Stop> {
        let run_seed = self.engine.plan.seed;
        let trial = self.engine.trial_mut(id)?;
        if fresh {
            trial.generation += 1;
            let seed = seeds::trial(run_seed, id, trial.generation);
            if trial.reports() == 0 {
                trial.setup_seed = seed;
            } else {
                let change = Change {
                    config: trial.config.clone(),
                    seed,
                    workers: 1,
                };
                trial.set_change(change);
            }
        }
        self.out.effects.push(Effect::Rebuild(id));
        self.start(id)
    }

    fn start(&mut self, id: TrialId) -> Result<(), Stop> {
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

    fn stop_everything(&mut self) -> Result<(), Stop> {
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

    // --- the scheduler's actions --------------------------------------------------------------

    fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), Stop> {
        self.queue.extend(actions);
        while let Some(action) = self.queue.pop_front() {
            self.taken += 1;
            if self.taken > MAX_ACTIONS {
                self.queue.clear();
                return self.illegal(format!(
                    "more than {MAX_ACTIONS} actions in one handover; the rest is dropped"
                ));
            }
            self.act(action)?;
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Stop> {
        let id = target(&action);
        let Some(trial) = self.engine.trial(id) else {
            return self.illegal(format!("{} of the unknown trial {id}", name(&action)));
        };
        let phase = trial.phase;
        if matches!(phase, Phase::Ended(_)) {
            return self.illegal(format!("{} of trial {id}, which has ended", name(&action)));
        }
        match action {
            Action::Stop(_) => self.end(id, Ending::Stopped),
            Action::Pause(_) if phase != Phase::Running => {
                self.illegal(format!("pause of trial {id}, which does not run"))
            }
            Action::Pause(_) if self.current == Some(id) => self.pause(id),
            Action::Pause(_) => {
                self.engine.trial_mut(id)?.pause_requested = true;
                Ok(())
            }
            Action::SetConfig(_, config) => self.set_config(id, phase, config),
            Action::Keep(_) | Action::Exploit(_) | Action::SetWorkers(..) => self.illegal(format!(
                "{} of trial {id}: this version of tune-host cannot do it yet",
                name(&action)
            )),
        }
    }

    fn set_config(&mut self, id: TrialId, phase: Phase, config: Config) -> Result<(), Stop> {
        if phase == Phase::Running && self.current != Some(id) {
            return self.illegal(format!("set-config of trial {id}, whose step is in flight"));
        }
        if let Err(error) = self.engine.space.check(&config) {
            return self.illegal(format!("set-config of trial {id}: {error}"));
        }
        let full = match self.engine.complete_config(&config) {
            Ok(full) => full,
            Err(error) => return self.illegal(format!("set-config of trial {id}: {error}")),
        };
        let run_seed = self.engine.plan.seed;
        let trial = self.engine.trial_mut(id)?;
        trial.suggested = config;
        trial.config = full.clone();
        if trial.reports() == 0 {
            trial.setup_config = full;
        } else {
            trial.generation += 1;
            let seed = seeds::trial(run_seed, id, trial.generation);
            trial.set_change(Change {
                config: full,
                seed,
                workers: 1,
            });
        }
        Ok(())
    }

    fn pause(&mut self, id: TrialId) -> Result<(), Stop> {
        self.engine.set_phase(id, Phase::Paused)?;
        self.out.effects.push(Effect::Park(id));
        self.out.notes.push(Note::Paused(id));
        Ok(())
    }

    fn end(&mut self, id: TrialId, ending: Ending) -> Result<(), Stop> {
        let in_flight = self.engine.flight.remove(id).is_some();
        self.engine.set_phase(id, Phase::Ended(ending))?;
        self.out.effects.push(if in_flight {
            Effect::Discard(id)
        } else {
            Effect::Release(id)
        });
        self.out.notes.push(Note::Ended(id, ending));
        self.completes.push((id, ending));
        Ok(())
    }

    fn tell_completes(&mut self) -> Result<(), Stop> {
        for (id, ending) in std::mem::take(&mut self.completes) {
            let outcome = Outcome {
                ending,
                last: self.engine.trial_mut(id)?.last.clone(),
            };
            self.calls.complete(id, &outcome)?;
        }
        Ok(())
    }

    fn illegal(&mut self, reason: String) -> Result<(), Stop> {
        self.engine.illegal_actions += 1;
        if self.engine.illegal_actions >= MAX_ILLEGAL {
            return Err(Stop::Illegal {
                scheduler: self.engine.plan.scheduler.0.clone(),
                count: self.engine.illegal_actions,
                reason,
            });
        }
        self.out.notes.push(Note::Dropped(reason));
        Ok(())
    }

    // --- free slots ---------------------------------------------------------------------------

    fn fill_slots(&mut self) -> Result<(), Stop> {
        if self.engine.finished {
            return Ok(());
        }
        let mut waiting = false;
        let mut last = Next::Idle;
        while self.engine.flight.len() < self.engine.plan.slots as usize {
            last = self.fill_slot(&mut waiting)?;
            if matches!(last, Next::Idle | Next::Done) {
                break;
            }
        }
        if self.engine.flight.len() > 0 {
            return Ok(());
        }
        let closed = self.engine.creation() == Creation::Closed;
        let all_ended = self.engine.waiting.is_empty();
        if closed && (last == Next::Done || all_ended) {
            self.engine.finished = true;
            return Ok(());
        }
        Err(Stop::Deadlock(self.deadlock(waiting)))
    }

    /// Nothing is in flight and nothing was chosen: why?
    fn deadlock(&self, waiting: bool) -> String {
        let counts = self.engine.counts;
        if waiting {
            format!(
                "the searcher `{}` says `wait` while nothing runs\n  hint: it may wait only for \
                 results of trials that run",
                self.engine.plan.searcher.0
            )
        } else {
            format!(
                "{} paused and {} pending, nothing runs, and the scheduler `{}` says idle\n  hint: \
                 it must run a waiting trial, create one, or say `done`",
                counts.paused, counts.pending, self.engine.plan.scheduler.0
            )
        }
    }

    /// Fills one free slot; `Run` if it is filled.
    fn fill_slot(&mut self, waiting: &mut bool) -> Result<Next, Stop> {
        for _ in 0..MAX_TURNS {
            let creation = match self.engine.creation() {
                Creation::Possible if *waiting => Creation::Waiting,
                creation => creation,
            };
            let turn = self.calls.next_to_run(creation)?;
            self.current = None;
            self.carry_out(turn.actions)?;
            self.tell_completes()?;
            match turn.next {
                Next::Run(id) => match self.engine.trial(id).map(|t| t.phase) {
                    Some(phase @ (Phase::Pending | Phase::Paused)) => {
                        if phase == Phase::Paused {
                            self.out.notes.push(Note::Resumed(id));
                        }
                        self.start(id)?;
                        return Ok(turn.next);
                    }
                    _ => self.illegal(format!("run of trial {id}, which is not waiting"))?,
                },
                Next::Create if creation == Creation::Possible => {
                    *waiting = !self.create()? && !self.engine.exhausted;
                }
                Next::Create => {
                    self.illegal("create, though no trial can be created".to_owned())?;
                }
                Next::Idle | Next::Done => return Ok(turn.next),
            }
        }
        Ok(Next::Idle)
    }

    /// Asks the searcher for a trial; false if there is none.
    fn create(&mut self) -> Result<bool, Stop> {
        let id = self.engine.trials.len() as TrialId;
        let pinned = self
            .engine
            .plan
            .points_to_evaluate
            .get(id as usize)
            .cloned()
            .unwrap_or_default();
        let mut reason = String::new();
        for _ in 0..MAX_REJECTED {
            match self.calls.suggest(id, &pinned)? {
                Ok(Suggestion::Configure(proposal)) => match self.consider(&proposal, &pinned) {
                    Ok(full) => {
                        self.add(id, proposal, full)?;
                        return Ok(true);
                    }
                    Err(why) => reason = why,
                },
                Ok(Suggestion::Wait) => return Ok(false),
                Ok(Suggestion::Exhausted) => {
                    self.engine.exhausted = true;
                    return Ok(false);
                }
                Err(failure) => reason = failure.to_string(),
            }
            self.out.notes.push(Note::Rejected(format!(
                "suggestion for trial {id}: {reason}"
            )));
        }
        Err(Stop::Rejected {
            searcher: self.engine.plan.searcher.0.clone(),
            count: MAX_REJECTED,
            trial: id,
            reason,
        })
    }

    /// The whole configuration of a proposal, or what is wrong with it.
    fn consider(&self, proposal: &Proposal, pinned: &Config) -> Result<Config, String> {
        self.engine
            .space
            .check(&proposal.config)
            .map_err(|e| e.to_string())?;
        for (name, value) in pinned.iter() {
            // A pinned parameter may be inactive under what the searcher chose for the rest.
            if let Some(given) = proposal.config.get(name)
                && given != value
            {
                return Err(format!(
                    "`{name}` is pinned to {value}, the searcher gave {given}"
                ));
            }
        }
        if let Some(budget) = proposal.budget {
            if self.engine.plan.scheduler.0 != "fifo" {
                return Err("a budget is legal only under the scheduler `fifo`".to_owned());
            }
            if budget.is_nan() {
                return Err("the budget is NaN".to_owned());
            }
        }
        if proposal.start_from.is_some() {
            return Err("start-from: this version of tune-host cannot do it yet".to_owned());
        }
        self.engine.complete_config(&proposal.config)
    }

    fn add(&mut self, id: TrialId, proposal: Proposal, full: Config) -> Result<(), Stop> {
        let seed = proposal
            .seed
            .unwrap_or_else(|| seeds::trial(self.engine.plan.seed, id, 0));
        let mut trial = Trial::new(
            id,
            proposal.config,
            full.clone(),
            seed,
            self.engine.sequence(),
        );
        trial.budget = proposal.budget;
        let suggested = trial.suggested.clone();
        self.engine.add_trial(trial);
        self.out.created.push((id, full));
        self.out.notes.push(Note::Created(id));
        let actions = self.calls.on_add(id, &suggested)?;
        self.carry_out(actions)?;
        self.tell_completes()
    }
}

/// The trial that an action is about.
fn target(action: &Action) -> TrialId {
    match action {
        Action::Pause(id)
        | Action::Stop(id)
        | Action::Keep(id)
        | Action::SetConfig(id, _)
        | Action::SetWorkers(id, _) => *id,
        Action::Exploit(exploit) => exploit.target,
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::Pause(_) => "pause",
        Action::Stop(_) => "stop",
        Action::Keep(_) => "keep",
        Action::Exploit(_) => "exploit",
        Action::SetConfig(..) => "set-config",
        Action::SetWorkers(..) => "set-workers",
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
