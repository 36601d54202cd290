//! What the engine asked of a scheduler in a run, to ask it of another one.
//!
//! Two forms of one scheduler, or one at two times, are compared on the same calls, which a run gave
//! and nobody made up. It keeps what a scheduler is asked; searchers have no part in it.

use tune_core::{Answer, Deciders, Engine, EnginePlan, Event, Stop, plan_digest};
use tune_space::{
    Action, Config, Creation, Failure, FailureKind, Observation, Outcome, Report, Suggestion,
    TrialId, TrialState, Turn,
};

use crate::{Curves, Simulation};

/// One call of a scheduler.
#[derive(Clone, Debug)]
pub enum Call {
    /// `on-add`.
    Add(TrialId, Config),
    /// `on-result`.
    Result(TrialId, Report),
    /// `on-complete`.
    Complete(TrialId, Option<Report>),
    /// `on-error`.
    Error(TrialId, FailureKind, bool),
    /// `on-remove`.
    Remove(TrialId),
    /// `next-to-run`.
    Next(Creation),
}

impl Call {
    /// Makes the call.
    ///
    /// # Errors
    /// The scheduler failed.
    pub fn make(&self, deciders: &mut dyn Deciders) -> Result<Answer, Stop> {
        let actions = match self {
            Self::Next(creation) => return Ok(Answer::Turn(deciders.next_to_run(*creation)?)),
            Self::Add(trial, config) => deciders.on_add(*trial, config)?,
            Self::Result(trial, report) => deciders.on_result(*trial, report)?,
            Self::Complete(trial, last) => deciders.on_complete(*trial, last.as_ref())?,
            Self::Error(trial, kind, retry) => deciders.on_error(*trial, *kind, *retry)?,
            Self::Remove(trial) => deciders.on_remove(*trial)?,
        };
        Ok(Answer::Actions(actions))
    }
}

/// All calls of a scheduler from its start on, and what it answered to each.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// In the order of a run.
    pub calls: Vec<(Call, Answer)>,
    results: usize,
    told: usize,
}

impl Tape {
    /// Simulates a run until so many results were handed over, or until it is over.
    ///
    /// # Errors
    /// Why the run cannot go on.
    pub fn record(
        plan: EnginePlan,
        deciders: &mut dyn Deciders,
        curves: &mut dyn Curves,
        results: usize,
    ) -> Result<Self, Stop> {
        let digest = plan_digest(&plan, &[]);
        let mut simulation = Simulation::new(Engine::new(plan, digest)?);
        let mut recorder = Recorder {
            deciders,
            tape: Self::default(),
        };
        let mut next = Some(Event::Opened);
        while let Some(event) = next
            && recorder.tape.results < results
        {
            simulation.hand_over(event, &mut recorder, curves)?;
            next = simulation.next_result();
        }
        Ok(recorder.tape)
    }

    /// Results of the run, those included that the scheduler did not want to hear.
    #[must_use]
    pub fn results(&self) -> usize {
        self.results
    }

    /// Results among the calls.
    #[must_use]
    pub fn told(&self) -> usize {
        self.told
    }
}

/// Passes calls on and keeps them.
struct Recorder<'a> {
    deciders: &'a mut dyn Deciders,
    tape: Tape,
}

impl Recorder<'_> {
    fn keep(&mut self, call: Call, actions: &[Action]) {
        self.tape.told += usize::from(matches!(call, Call::Result(..) | Call::Complete(..)));
        let answer = Answer::Actions(actions.to_vec());
        self.tape.calls.push((call, answer));
    }
}

impl Deciders for Recorder<'_> {
    fn seed_with(&mut self, known: &[Observation]) -> Result<(), Stop> {
        self.deciders.seed_with(known)
    }

    fn suggest(
        &mut self,
        trial: TrialId,
        pinned: &Config,
    ) -> Result<Result<Suggestion, Failure>, Stop> {
        self.deciders.suggest(trial, pinned)
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) -> Result<(), Stop> {
        self.tape.results += 1;
        self.deciders.observe(trial, report, state)
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) -> Result<(), Stop> {
        self.deciders.complete(trial, outcome)
    }

    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        self.deciders.regret_bound()
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) -> Result<Vec<Action>, Stop> {
        let actions = self.deciders.on_add(trial, config)?;
        self.keep(Call::Add(trial, config.clone()), &actions);
        Ok(actions)
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Result<Vec<Action>, Stop> {
        let actions = self.deciders.on_result(trial, report)?;
        self.keep(Call::Result(trial, report.clone()), &actions);
        Ok(actions)
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Result<Vec<Action>, Stop> {
        let actions = self.deciders.on_complete(trial, last)?;
        self.keep(Call::Complete(trial, last.cloned()), &actions);
        Ok(actions)
    }

    fn on_error(
        &mut self,
        trial: TrialId,
        kind: FailureKind,
        will_retry: bool,
    ) -> Result<Vec<Action>, Stop> {
        let actions = self.deciders.on_error(trial, kind, will_retry)?;
        self.keep(Call::Error(trial, kind, will_retry), &actions);
        Ok(actions)
    }

    fn on_remove(&mut self, trial: TrialId) -> Result<Vec<Action>, Stop> {
        let actions = self.deciders.on_remove(trial)?;
        self.keep(Call::Remove(trial), &actions);
        Ok(actions)
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        let turn = self.deciders.next_to_run(creation)?;
        let answer = Answer::Turn(turn.clone());
        self.tape.calls.push((Call::Next(creation), answer));
        Ok(turn)
    }

    fn describe(&mut self) -> Result<String, Stop> {
        self.deciders.describe()
    }
}
