//! The engine: the whole state of a run and what happens to it.

use std::collections::BTreeSet;

use tune_space::{Config, Creation, Ending, Space, TrialId};

use crate::flight::{Cost, Flight};
use crate::handover::Turnover;
use crate::plateau::Top;
use crate::trial::{Best, Phase, Trial};
use crate::{
    Counts, Deciders, EnginePlan, Entry, Event, Handover, Point, Recorded, StepEnd, Stop, seeds,
};

/// The state of a run.
#[derive(Debug)]
pub struct Engine {
    pub(crate) plan: EnginePlan,
    pub(crate) space: Space,
    pub(crate) trials: Vec<Trial>,
    pub(crate) flight: Flight,
    pub(crate) cost: Cost,
    pub(crate) now: u64,
    /// No result will come from the searcher any more.
    pub(crate) exhausted: bool,
    /// `time_budget` is used up, or a stop rule has ended the run.
    pub(crate) closed: bool,
    /// What `experiment_plateau` remembers.
    pub(crate) top: Top,
    pub(crate) finished: bool,
    pub(crate) illegal_actions: u32,
    pub(crate) description: String,
    pub(crate) counts: Counts,
    /// Pending and paused trials.
    pub(crate) waiting: BTreeSet<TrialId>,
    best: Option<TrialId>,
    sequence: u64,
    digest: [u8; 32],
}

impl Engine {
    /// A run that has not begun. `digest` is the start of its chain, see [`crate::plan_digest`].
    ///
    /// # Errors
    /// A plan whose space is not valid.
    pub fn new(plan: EnginePlan, digest: [u8; 32]) -> Result<Self, Stop> {
        let space = Space::new(plan.space.clone())
            .map_err(|e| Stop::Damaged(format!("the plan's space is not valid: {e}")))?;
        let cost = if plan.virtual_cost {
            Cost::Reported
        } else if plan.metering.counts_fuel() {
            Cost::Fuel
        } else {
            Cost::Fixed
        };
        Ok(Self {
            flight: Flight::new(plan.order, cost),
            plan,
            space,
            trials: Vec::new(),
            cost,
            now: 0,
            exhausted: false,
            closed: false,
            top: Top::default(),
            finished: false,
            illegal_actions: 0,
            description: String::new(),
            counts: Counts::default(),
            waiting: BTreeSet::new(),
            best: None,
            sequence: 0,
            digest,
        })
    }

    /// The plan, `trials` as extended.
    #[must_use]
    pub fn plan(&self) -> &EnginePlan {
        &self.plan
    }

    /// All trials, by id.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// One trial.
    #[must_use]
    pub fn trial(&self, id: TrialId) -> Option<&Trial> {
        self.trials.get(id as usize)
    }

    /// How many trials stand where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The trial with the best report by the first objective; failed ones are left out, the
    /// earlier of equals wins.
    #[must_use]
    pub fn best(&self) -> Option<&Trial> {
        self.best.and_then(|id| self.trial(id))
    }

    /// The number of handovers so far: the sequence of the next.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Virtual time of the last handover.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The decision digest up to here.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The run has come to its end; only an extension goes on from here.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// What the scheduler last said of itself.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Steps in flight: trial and the tick at which the step began.
    pub fn in_flight(&self) -> impl Iterator<Item = (TrialId, u64)> {
        self.flight.iter()
    }

    /// A running step has burned this much so far.
    pub fn progress(&mut self, trial: TrialId, burned: u64) {
        self.flight.progress(trial, burned);
    }

    /// A step ended physically; false if it was not in flight.
    pub fn arrived(&mut self, trial: TrialId, end: StepEnd) -> bool {
        self.flight.arrive(trial, end)
    }

    /// The result that counts next, to be given to [`Engine::apply`] at once.
    pub fn next_result(&mut self) -> Option<Event> {
        let (trial, end) = self.flight.take_ready()?;
        Some(Event::StepEnded { trial, end })
    }

    /// The running step that holds back the next result, and how much fuel it must have burned
    /// for the result to count.
    #[must_use]
    pub fn blocker(&self) -> Option<(TrialId, u64)> {
        self.flight.blocker()
    }

    /// Hands an event over: the one way in which the state of a run changes.
    ///
    /// # Errors
    /// The run cannot go on. The state is then not usable any more: fold the journal again.
    pub fn apply(&mut self, event: Event, deciders: &mut dyn Deciders) -> Result<Handover, Stop> {
        let turnover = Turnover::new(self, deciders);
        let outcome = turnover.run(&event)?;
        let sequence = self.sequence;
        self.digest = crate::digest::link(
            &self.digest,
            sequence,
            self.now,
            &event,
            outcome.report.as_ref(),
            &outcome.answers,
        );
        self.sequence += 1;
        Ok(Handover {
            sequence,
            tick: self.now,
            entry: Entry {
                event,
                answers: outcome.answers,
            },
            report: outcome.report,
            created: outcome.created,
            effects: outcome.effects,
            notes: outcome.notes,
            digest: self.digest,
        })
    }

    /// Folds one entry of a journal, without a plugin.
    ///
    /// # Errors
    /// The journal is damaged.
    pub fn fold(&mut self, entry: &Entry) -> Result<Handover, Stop> {
        let mut recorded = Recorded::new(&entry.answers);
        let handover = self.apply(entry.event.clone(), &mut recorded)?;
        if recorded.is_exhausted() {
            Ok(handover)
        } else {
            Err(Stop::damaged(format!(
                "row {} holds more answers than calls",
                handover.sequence
            )))
        }
    }

    pub(crate) fn creation(&self) -> Creation {
        let reached = self
            .plan
            .trials
            .is_some_and(|limit| self.trials.len() >= limit as usize);
        if reached || self.exhausted || self.closed || self.trials.len() >= u32::MAX as usize {
            Creation::Closed
        } else {
            Creation::Possible
        }
    }

    /// The seed of a change of the trial: of its next generation, or as in the lineage that the
    /// plan repeats.
    pub(crate) fn seed_of_change(&mut self, id: TrialId) -> Result<u64, Stop> {
        let fresh = self.next_seed(id)?;
        let iteration = self.trial_mut(id)?.iteration;
        let lineage = self.plan.lineage.as_ref().filter(|_| id == 0);
        let repeated = lineage.and_then(|lineage| {
            let mut changes = lineage.changes.iter();
            changes.find(|(after, _)| *after == iteration)
        });
        Ok(repeated.map_or(fresh, |(_, seed)| *seed))
    }

    /// The seed of the trial's next generation, which begins.
    pub(crate) fn next_seed(&mut self, id: TrialId) -> Result<u64, Stop> {
        let run_seed = self.plan.seed;
        let trial = self.trial_mut(id)?;
        trial.generation = trial.generation.saturating_add(1);
        Ok(seeds::trial(run_seed, id, trial.generation))
    }

    /// States that copies may still be made of, and those that a trial took over and has not
    /// stepped from: what is worth having at hand.
    #[must_use]
    pub fn sources(&self) -> BTreeSet<Point> {
        let of = |trial: &Trial| {
            let kept = trial.kept.map(|kept| kept.point);
            let taken = trial.pending_clone().filter(|_| !trial.is_ended());
            kept.into_iter().chain(taken)
        };
        self.trials.iter().flat_map(of).collect()
    }

    pub(crate) fn trial_mut(&mut self, id: TrialId) -> Result<&mut Trial, Stop> {
        self.trials
            .get_mut(id as usize)
            .ok_or_else(|| Stop::damaged(format!("no trial {id}")))
    }

    pub(crate) fn set_phase(&mut self, id: TrialId, phase: Phase) -> Result<(), Stop> {
        let trial = self.trial_mut(id)?;
        let before = std::mem::replace(&mut trial.phase, phase);
        trial.pause_requested &= phase == Phase::Running;
        *self.counts.of(before) = self.counts.of(before).saturating_sub(1);
        *self.counts.of(phase) += 1;
        if matches!(phase, Phase::Pending | Phase::Paused) {
            self.waiting.insert(id);
        } else {
            self.waiting.remove(&id);
        }
        if matches!(phase, Phase::Ended(Ending::Failed(_))) && self.best == Some(id) {
            self.best = self.find_best();
        }
        Ok(())
    }

    pub(crate) fn add_trial(&mut self, trial: Trial) {
        self.waiting.insert(trial.id);
        self.counts.pending += 1;
        self.trials.push(trial);
    }

    /// Notes a report's value of the first objective.
    pub(crate) fn note_value(&mut self, id: TrialId, value: f64) -> Result<(), Stop> {
        let maximize = self.plan.objectives.first().is_some_and(|o| o.maximize);
        let trial = self.trial_mut(id)?;
        let (iteration, reports) = (trial.iteration, trial.reports());
        if trial
            .best
            .is_some_and(|best| !is_better(value, best.value, maximize))
        {
            return Ok(());
        }
        trial.best = Some(Best {
            value,
            iteration,
            reports,
        });
        let leader = self.best().and_then(|t| t.best.map(|b| (t.id, b.value)));
        let leads = leader.is_none_or(|(leader, best)| {
            is_better(value, best, maximize) || (id < leader && !is_better(best, value, maximize))
        });
        if leads {
            self.best = Some(id);
        }
        Ok(())
    }

    fn find_best(&self) -> Option<TrialId> {
        let maximize = self.plan.objectives.first().is_some_and(|o| o.maximize);
        let mut leader: Option<(TrialId, f64)> = None;
        for trial in &self.trials {
            if matches!(trial.phase, Phase::Ended(Ending::Failed(_))) {
                continue;
            }
            if let Some(best) = trial.best
                && leader.is_none_or(|(_, value)| is_better(best.value, value, maximize))
            {
                leader = Some((trial.id, best.value));
            }
        }
        leader.map(|(id, _)| id)
    }

    /// Constants and derived values added to what was suggested.
    pub(crate) fn complete_config(&self, suggested: &Config) -> Result<Config, String> {
        let mut config = suggested.clone();
        for (name, value) in self.plan.constants.iter() {
            config.insert(name, value.clone());
        }
        crate::derive::evaluate(&self.plan.derived, &mut config).map_err(|e| e.to_string())?;
        Ok(config)
    }
}

/// Strictly better; NaN is worse than everything.
#[must_use]
pub fn is_better(a: f64, b: f64, maximize: bool) -> bool {
    if b.is_nan() {
        !a.is_nan()
    } else if maximize {
        a > b
    } else {
        a < b
    }
}
