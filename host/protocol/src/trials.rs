//! The trials of a run under the ids that the client gave them, and what a scheduler wants done
//! with them: legal or not by the rules of the engine.

use std::collections::BTreeMap;

use tune_space::{Action, Report, TrialId};

use crate::trouble::Trouble;

/// The metric that an objective is called by.
pub(crate) const METRIC: &str = "value";
/// The resource that a trial has used: `t`, or `step`.
pub(crate) const TIME: &str = "training_iteration";
/// Impossible actions in a run before it is over, as in the engine.
const MAX_ILLEGAL: u32 = 100;
/// Actions that one answer may hold, as in the engine.
const MAX_ACTIONS: usize = 10_000;

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Created, not run yet.
    Pending,
    /// The client runs it.
    Running,
    /// It waits for the scheduler.
    Paused,
    /// It is over, for this reason.
    Ended(Over),
}

/// Why a trial is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// It reached `max_t`.
    AtMost,
    /// It came to its end by itself.
    Complete,
    /// The scheduler stopped it.
    Stopped,
    /// It failed.
    Failed,
}

impl Phase {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Pending => "has not been run yet",
            Self::Running => "is running",
            Self::Paused => "is paused",
            Self::Ended(Over::AtMost) => "has ended at `max_t`",
            Self::Ended(Over::Complete) => "has ended",
            Self::Ended(Over::Stopped) => "was stopped",
            Self::Ended(Over::Failed) => "has failed",
        }
    }
}

/// One trial.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    /// What the client calls it.
    pub(crate) name: u64,
    pub(crate) phase: Phase,
    /// Of the last result.
    pub(crate) t: Option<f64>,
    /// The last result.
    pub(crate) last: Option<Report>,
    /// Paused at its next result.
    pub(crate) pause_requested: bool,
    /// The scheduler hears of no result before this resource.
    quiet_until: Option<f64>,
}

/// All trials of a run. The plugins know them by their order of creation.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    list: Vec<Trial>,
    ids: BTreeMap<u64, TrialId>,
    running: usize,
    ended: usize,
    illegal: u32,
}

impl Trials {
    /// A new trial under a name that is free.
    pub(crate) fn add(&mut self, name: u64, phase: Phase) -> Result<TrialId, Trouble> {
        let id = self.next_id()?;
        self.ids.insert(name, id);
        self.running += usize::from(phase == Phase::Running);
        self.list.push(Trial {
            name,
            phase,
            t: None,
            last: None,
            pause_requested: false,
            quiet_until: None,
        });
        Ok(id)
    }

    /// The id of the trial that is added next.
    pub(crate) fn next_id(&self) -> Result<TrialId, Trouble> {
        TrialId::try_from(self.list.len())
            .map_err(|_| Trouble::Over("more trials than a run can hold".to_owned()))
    }

    pub(crate) fn id(&self, name: u64) -> Option<TrialId> {
        self.ids.get(&name).copied()
    }

    pub(crate) fn get(&self, id: TrialId) -> Option<&Trial> {
        self.list.get(id as usize)
    }

    pub(crate) fn get_mut(&mut self, id: TrialId) -> Option<&mut Trial> {
        self.list.get_mut(id as usize)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn any_running(&self) -> bool {
        self.running > 0
    }

    pub(crate) fn all_ended(&self) -> bool {
        self.ended == self.list.len()
    }

    /// How many wait for the scheduler.
    pub(crate) fn waiting(&self) -> usize {
        self.list.len() - self.ended - self.running
    }

    pub(crate) fn set_phase(&mut self, id: TrialId, phase: Phase) {
        let Some(trial) = self.list.get_mut(id as usize) else {
            return;
        };
        let before = std::mem::replace(&mut trial.phase, phase);
        trial.pause_requested &= phase == Phase::Running;
        self.running -= usize::from(before == Phase::Running);
        self.running += usize::from(phase == Phase::Running);
        self.ended += usize::from(matches!(phase, Phase::Ended(_)))
            - usize::from(matches!(before, Phase::Ended(_)));
    }

    /// A trial that the client runs, by its name.
    pub(crate) fn running(&self, name: u64, what: &str) -> Result<TrialId, Trouble> {
        let Some((id, trial)) = self.id(name).and_then(|id| Some((id, self.get(id)?))) else {
            return Err(Trouble::bad(format!(
                "`{what}`: there is no trial {name}\n  hint: the trials of this run are those that \
                 replies told to run"
            )));
        };
        if trial.phase == Phase::Running {
            return Ok(id);
        }
        Err(Trouble::bad(format!(
            "`{what}`: trial {name} {}\n  hint: only a trial that a reply told to run has results",
            trial.phase.words()
        )))
    }

    /// The resource of a trial does not decrease.
    pub(crate) fn check_time(&self, id: TrialId, key: &str, t: f64) -> Result<(), Trouble> {
        match self.get(id).map(|trial| (trial.name, trial.t)) {
            Some((name, Some(before))) if t < before => Err(Trouble::bad(format!(
                "`{key}` of trial {name} went back from {before} to {t}\n  hint: it is the resource \
                 that the trial used so far, and must not decrease"
            ))),
            _ => Ok(()),
        }
    }

    /// Notes the newest result of a trial.
    pub(crate) fn note(&mut self, id: TrialId, t: f64, report: Report) {
        if let Some(trial) = self.get_mut(id) {
            trial.t = Some(t);
            trial.last = Some(report);
        }
    }

    /// Carries actions out as the engine does; `current` is the trial whose result is answered. The
    /// names of other trials that were stopped, in the order of the actions.
    pub(crate) fn carry_out(
        &mut self,
        actions: Vec<Action>,
        current: Option<TrialId>,
    ) -> Result<Vec<u64>, Trouble> {
        let mut stopped = Vec::new();
        if actions.len() > MAX_ACTIONS {
            self.illegal(format!("more than {MAX_ACTIONS} actions in one answer"))?;
        }
        for action in actions.into_iter().take(MAX_ACTIONS) {
            let (Action::Stop(id) | Action::Pause(id) | Action::QuietUntil(id, _)) = action else {
                self.illegal(format!(
                    "{action:?}: only stops and pauses can be carried out over this protocol"
                ))?;
                continue;
            };
            let Some((name, phase)) = self.get(id).map(|trial| (trial.name, trial.phase)) else {
                self.illegal(format!("an action on the unknown trial {id}"))?;
                continue;
            };
            match action {
                _ if matches!(phase, Phase::Ended(_)) => {
                    self.illegal(format!("an action on trial {name}, which has ended"))?;
                }
                Action::QuietUntil(_, until) if until.is_nan() => {
                    self.illegal(format!(
                        "trial {name} quiet until NaN, which is no resource"
                    ))?;
                }
                Action::QuietUntil(_, until) => self.be_quiet(id, until),
                Action::Pause(_) if phase != Phase::Running => {
                    self.illegal(format!("pause of trial {name}, which does not run"))?;
                }
                Action::Pause(_) if current == Some(id) => self.set_phase(id, Phase::Paused),
                Action::Pause(_) => self.request_pause(id),
                _ => {
                    self.set_phase(id, Phase::Ended(Over::Stopped));
                    if current != Some(id) {
                        stopped.push(name);
                    }
                }
            }
        }
        Ok(stopped)
    }

    fn be_quiet(&mut self, id: TrialId, until: f64) {
        if let Some(trial) = self.get_mut(id) {
            trial.quiet_until = Some(until);
        }
    }

    /// Whether the scheduler has said that this resource of the trial changes nothing.
    pub(crate) fn is_quiet(&self, id: TrialId, t: f64) -> bool {
        let until = self.get(id).and_then(|trial| trial.quiet_until);
        until.is_some_and(|until| t < until)
    }

    fn request_pause(&mut self, id: TrialId) {
        if let Some(trial) = self.get_mut(id) {
            trial.pause_requested = true;
        }
    }

    /// An action that is dropped and counted.
    pub(crate) fn illegal(&mut self, what: String) -> Result<(), Trouble> {
        self.illegal += 1;
        if self.illegal < MAX_ILLEGAL {
            return Ok(());
        }
        Err(Trouble::Over(format!(
            "the scheduler gave {} actions that cannot be carried out, the last one: {what}",
            self.illegal
        )))
    }
}
