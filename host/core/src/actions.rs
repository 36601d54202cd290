//! The scheduler's actions: which are legal for which trial, and what each does.
//!
//! An action that cannot be carried out is dropped, noted and counted; it must never stop the run
//! by itself nor touch the trial.

use tune_space::{Action, Change, Config, Ending, Exploit, Outcome, TrialId};

use crate::handover::Turnover;
use crate::trial::Phase;
use crate::{Deciders, Effect, Note, Origin, Stop};

/// Actions in one handover, those that follow from others included.
const MAX_ACTIONS: usize = 10_000;
/// Impossible actions in a run before it stops.
const MAX_ILLEGAL: u32 = 100;

impl Turnover<'_> {
    pub(crate) fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), Stop> {
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
        let (name, id) = (name(&action), target(&action));
        let Some(trial) = self.engine.trial(id) else {
            return self.illegal(format!(
                "{name} of the unknown trial {id}: name one that `on-add` told of"
            ));
        };
        let phase = trial.phase;
        if matches!(phase, Phase::Ended(_)) {
            return self.illegal(format!(
                "{name} of trial {id}, which has ended: forget a trial when `on-complete`, \
                 `on-error` or `on-remove` is called or it is stopped"
            ));
        }
        match action {
            Action::Stop(_) => self.end(id, Ending::Stopped),
            Action::Pause(_) if phase != Phase::Running => self.illegal(format!(
                "pause of trial {id}, which does not run: it waits until `next-to-run` names it"
            )),
            Action::Pause(_) if self.current == Some(id) => self.pause(id),
            Action::Pause(_) => {
                self.engine.trial_mut(id)?.pause_requested = true;
                Ok(())
            }
            Action::SetConfig(_, config) => self.set_config(id, config),
            Action::Keep(_) => self.keep_on_request(id),
            Action::Exploit(exploit) => self.exploit(exploit),
            Action::QuietUntil(_, until) if until.is_nan() => self.illegal(format!(
                "quiet-until of trial {id}: NaN is no resource; give a number that it can come to"
            )),
            Action::QuietUntil(_, until) => {
                self.engine.trial_mut(id)?.quiet_until = Some(until);
                Ok(())
            }
            Action::SetWorkers(..) => self.illegal(format!(
                "set-workers of trial {id}: this version of tune-host cannot do it yet, a trial \
                 has one worker"
            )),
        }
    }

    /// Why the state of a trial cannot be touched now: it is not at rest.
    fn in_flight(&self, name: &str, id: TrialId) -> Option<String> {
        let trial = self.engine.trial(id)?;
        (trial.phase == Phase::Running && self.current != Some(id)).then(|| {
            format!(
                "{name} of trial {id}, whose step is in flight: answer its own report with it, or \
                 pause the trial first"
            )
        })
    }

    /// Why states cannot be kept and copied in this run.
    fn cannot_clone(&self, name: &str, id: TrialId) -> Option<String> {
        (!self.engine.plan.clones).then(|| {
            format!(
                "{name} of trial {id}: the scheduler `{}` does not say in its manifest that it \
                 clones trials; set `clones`",
                self.engine.plan.scheduler.0
            )
        })
    }

    fn set_config(&mut self, id: TrialId, config: Config) -> Result<(), Stop> {
        if let Some(reason) = self.in_flight("set-config", id) {
            return self.illegal(reason);
        }
        match self.whole_config(&config) {
            Ok(full) => self.reconfigure(id, config, full),
            Err(error) => self.illegal(format!(
                "set-config of trial {id}: {error}; give every active parameter a value of its \
                 domain"
            )),
        }
    }

    fn keep_on_request(&mut self, id: TrialId) -> Result<(), Stop> {
        let blocked = self
            .cannot_clone("keep", id)
            .or_else(|| self.in_flight("keep", id));
        if let Some(reason) = blocked {
            return self.illegal(reason);
        }
        let trial = self.engine.trial_mut(id)?;
        if trial.phase == Phase::Pending && trial.pending_clone().is_none() {
            return self.illegal(format!(
                "keep of trial {id}, which has not run: keep it at one of its reports"
            ));
        }
        self.keep(id)?;
        self.out.notes.push(Note::Kept(id));
        Ok(())
    }

    /// The present state of the trial becomes the one that others are made a copy of.
    pub(crate) fn keep(&mut self, id: TrialId) -> Result<(), Stop> {
        let trial = self.engine.trial_mut(id)?;
        let present = trial.present();
        trial.kept = Some(present);
        self.out.effects.push(Effect::Keep {
            trial: id,
            point: present.point,
        });
        Ok(())
    }

    fn exploit(&mut self, exploit: Exploit) -> Result<(), Stop> {
        let Exploit {
            target: id,
            source,
            config,
        } = exploit;
        let blocked = self
            .cannot_clone("exploit", id)
            .or_else(|| self.in_flight("exploit", id));
        if let Some(reason) = blocked {
            return self.illegal(reason);
        }
        if source == id {
            return self.illegal(format!(
                "exploit of trial {id} from itself: to change its configuration alone, use \
                 set-config"
            ));
        }
        let Some(donor) = self.engine.trial(source) else {
            return self.illegal(format!(
                "exploit of trial {id} from the unknown trial {source}: name one that `on-add` \
                 told of"
            ));
        };
        let Some(state) = donor.source() else {
            return self.illegal(format!(
                "exploit of trial {id} from trial {source}, which was never kept or paused: keep \
                 it at one of its reports"
            ));
        };
        if state.point.trial == id {
            return self.illegal(format!(
                "exploit of trial {id} from trial {source}, whose kept state is {}, the target's \
                 own: exploit another trial",
                state.point
            ));
        }
        let full = match self.whole_config(&config) {
            Ok(full) => full,
            Err(error) => {
                return self.illegal(format!(
                    "exploit of trial {id} from trial {source}: {error}; give every active \
                     parameter a value of its domain"
                ));
            }
        };
        let sequence = self.engine.sequence();
        let trial = self.engine.trial_mut(id)?;
        trial.take_over(Origin::Clone(state.point), &state, sequence);
        if trial.phase == Phase::Paused {
            // What it rests on is its paused state.
            trial.kept = Some(trial.present());
        }
        self.cloned(id, &state);
        self.reconfigure(id, config, full)
    }

    /// Says that a trial goes on from another one's state.
    pub(crate) fn cloned(&mut self, target: TrialId, state: &crate::Kept) {
        self.out.effects.push(Effect::Clone {
            target,
            source: state.point,
        });
        self.out.notes.push(Note::Exploited {
            target,
            source: state.point,
            iteration: state.iteration,
        });
    }

    /// Another configuration from the trial's next step on: for `setup` if that comes first, else
    /// a change with the seed of the next generation, in the place of one not carried out yet.
    fn reconfigure(&mut self, id: TrialId, suggested: Config, full: Config) -> Result<(), Stop> {
        let awaits_setup = self.engine.trial_mut(id)?.awaits_setup();
        let seed = if awaits_setup {
            None
        } else {
            Some(self.engine.seed_of_change(id)?)
        };
        let trial = self.engine.trial_mut(id)?;
        trial.suggested = suggested;
        trial.config = full.clone();
        match seed {
            None => trial.setup_config = full,
            Some(seed) => trial.set_change(Change {
                config: full,
                seed,
                workers: 1,
            }),
        }
        Ok(())
    }

    /// The whole configuration, or what is wrong with what was suggested.
    pub(crate) fn whole_config(&self, suggested: &Config) -> Result<Config, String> {
        self.engine
            .space
            .check(suggested)
            .map_err(|e| e.to_string())?;
        self.engine.complete_config(suggested)
    }

    pub(crate) fn pause(&mut self, id: TrialId) -> Result<(), Stop> {
        self.engine.set_phase(id, Phase::Paused)?;
        if self.engine.plan.clones {
            self.keep(id)?;
        }
        self.out.effects.push(Effect::Park(id));
        self.out.notes.push(Note::Paused(id));
        Ok(())
    }

    pub(crate) fn end(&mut self, id: TrialId, ending: Ending) -> Result<(), Stop> {
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

    pub(crate) fn tell_completes(&mut self) -> Result<(), Stop> {
        for (id, ending) in std::mem::take(&mut self.completes) {
            let outcome = Outcome {
                ending,
                last: self.engine.trial_mut(id)?.last.clone(),
            };
            self.calls.complete(id, &outcome)?;
            self.ask_regret()?;
        }
        Ok(())
    }

    /// Asks how much better a result could be, if the plan stops by that and the run goes on.
    fn ask_regret(&mut self) -> Result<(), Stop> {
        if let Some(most) = self.engine.plan.plateaus.regret
            && !self.engine.closed
        {
            let bound = self.calls.regret_bound()?;
            self.regret = bound.filter(|bound| *bound <= most).or(self.regret);
        }
        Ok(())
    }

    /// Ends the run if the rule `regret` was met; true if it was.
    pub(crate) fn settle(&mut self) -> Result<bool, Stop> {
        let Some(bound) = self.regret.take().filter(|_| !self.engine.closed) else {
            return Ok(false);
        };
        self.out.notes.push(Note::EndedByRule(format!(
            "no result can be better than the best by more than {bound}, says the searcher: `regret` \
             ends the run"
        )));
        self.stop_everything()?;
        Ok(true)
    }

    pub(crate) fn illegal(&mut self, reason: String) -> Result<(), Stop> {
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
}

/// The trial that an action is about.
pub(crate) fn target(action: &Action) -> TrialId {
    match action {
        Action::Pause(id)
        | Action::Stop(id)
        | Action::Keep(id)
        | Action::SetConfig(id, _)
        | Action::SetWorkers(id, _)
        | Action::QuietUntil(id, _) => *id,
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
        Action::QuietUntil(..) => "quiet-until",
    }
}
