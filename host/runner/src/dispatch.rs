//! The coordinator's dealings with states: effects of a handover, steps that begin, errands that
//! come back, and room in memory.

use std::sync::Arc;
use std::time::Duration;

use tune_core::records::TrialId;
use tune_core::{Effect, Handover, Point};

use crate::RunError;
use crate::blueprint::{BadBase, BadState};
use crate::coordinator::Coordinator;
use crate::errand::{Capture, Captured, Errand, NOT_HANDED_OVER, Outcome, Ran, Unstored};
use crate::job::{Body, Job};
use crate::kept::Standing;
use crate::states::{States, Way};

impl Coordinator<'_> {
    pub(crate) fn carry_out(&mut self, handover: &Handover) -> Result<(), RunError> {
        for effect in &handover.effects {
            match *effect {
                Effect::Start { trial, tick } => {
                    if !self.shutdown.is_requested() {
                        self.dispatch(trial, tick)?;
                    }
                }
                Effect::Keep { trial, point } => self.keep(trial, point),
                Effect::Clone { target, source } => {
                    let from = self.states.upkeep.get(source.trial);
                    self.states.upkeep.took_over(target, from);
                    self.fetch(source);
                }
                // It rests in the pool since its step ended.
                Effect::Park(trial) => self.save_at_rest(trial),
                Effect::Discard(trial) => {
                    self.discard(trial);
                    self.forget(trial)?;
                }
                Effect::Release(trial) => {
                    if !self.save_at_release(trial) {
                        self.forget(trial)?;
                    }
                }
                Effect::Rebuild(trial) => self.rebuild(trial)?,
            }
        }
        self.make_room();
        Ok(())
    }

    /// The present state of a trial is one that others may begin with.
    fn keep(&mut self, trial: TrialId, point: Point) {
        if self.states.kept.is_sweep_due() {
            self.states.kept.sweep(&States::needed(&self.engine));
        }
        let at_rest = self.states.pool.state(trial).map(|(point, _)| point);
        if self.saving.captures && at_rest == Some(point) {
            let row = self.states.upkeep.get(trial).row;
            self.states.kept.want(point, trial, row);
        }
    }

    /// A state will be needed: it is captured now if the instance that has it is at rest.
    fn fetch(&mut self, point: Point) {
        let used = self.states.next_use();
        if let Standing::Wanted(owner) = self.states.kept.get(point, used) {
            let durable = None;
            self.send_capture(owner, Capture { point, durable });
            self.states.kept.drop_wanted(point);
        }
    }

    /// Lets a trial thread capture the state of an instance at rest.
    pub(crate) fn send_capture(&mut self, trial: TrialId, capture: Capture) {
        if let Some(rested) = self.states.pool.take(trial) {
            self.states.kept.begin(capture.point);
            self.states.leaves(trial);
            self.saving.sent();
            self.executor.send(Errand::Capture {
                trial,
                instance: rested.instance,
                control: rested.control,
                capture,
            });
        }
    }

    /// The trial has ended: nothing of it is needed any more.
    pub(crate) fn forget(&mut self, trial: TrialId) -> Result<(), RunError> {
        self.usage.forget(trial);
        self.states.undefer(trial);
        if let Some(instance) = self.states.forget(trial) {
            self.executor.clear(instance);
        }
        self.states.upkeep.forget(trial);
        if self.states.is_away(trial) {
            return Ok(()); // What is wanted of it is being captured.
        }
        self.owner_gone(trial)
    }

    /// A failed step is done again, by a new instance.
    fn rebuild(&mut self, trial: TrialId) -> Result<(), RunError> {
        if let Some(instance) = self.states.forget(trial) {
            self.executor.clear(instance);
        }
        if let Some(known) = self.engine.trial(trial) {
            // What the failed step left, if anything, is not what the next one will leave.
            self.states.vault.disown(Point {
                trial,
                reports: known.reports() + 1,
            });
        }
        self.owner_gone(trial)
    }

    /// What was to be captured from this instance will not be: those who wait find another way.
    pub(crate) fn owner_gone(&mut self, owner: TrialId) -> Result<(), RunError> {
        if self.states.kept.owner_gone(owner) {
            self.retry_deferred()?;
        }
        Ok(())
    }

    /// Gives a step to the trial threads, or sets it aside until its state can be had.
    pub(crate) fn dispatch(&mut self, id: TrialId, tick: u64) -> Result<(), RunError> {
        let at_rest = self.states.pool.state(id);
        if let Some(point) = self.engine.trial(id).map(|t| t.point())
            && at_rest.is_none_or(|(at, _)| at != point)
        {
            self.fetch(point);
        }
        let (body, control) = match self.states.way(&self.engine, id)? {
            Way::Live(instance, control) => (Body::Live(instance), control),
            Way::Build(blueprint, control) => (Body::Build(blueprint), control),
            Way::Later => {
                self.states.defer(id, tick);
                return Ok(());
            }
        };
        let capture = at_rest.and_then(|(point, bytes)| {
            let durable = match body {
                Body::Live(_) => self.wants_durable(id, point, bytes),
                Body::Build(_) => None,
            };
            let wanted = self.states.kept.begin(point);
            (wanted || durable.is_some()).then_some(Capture { point, durable })
        });
        let Some(trial) = self.engine.trial(id) else {
            return Ok(());
        };
        // Nothing burned of this step yet, whatever the last one burned.
        control.arm(Duration::MAX);
        self.running.insert(id, Arc::clone(&control));
        self.executor.push(Job {
            trial: id,
            tick,
            body,
            capture,
            change: trial.pending_change().map(|c| c.change.clone()),
            control,
            wall_used: self.states.upkeep.get(id).wall,
        });
        Ok(())
    }

    /// Steps that could not begin try again.
    fn retry_deferred(&mut self) -> Result<(), RunError> {
        for (trial, tick) in self.states.undefer_all() {
            self.dispatch(trial, tick)?;
        }
        Ok(())
    }

    /// A job that no thread has begun comes back.
    pub(crate) fn put_back(&mut self, job: Job) {
        if let Body::Live(instance) = job.body
            && let Some(trial) = self.engine.trial(job.trial)
        {
            let point = trial.point();
            self.states.rest(job.trial, (instance, job.control), point);
        }
    }

    /// The state that a step should begin with is of no use: the next earlier one is tried.
    pub(crate) fn base_is_bad(&mut self, trial: TrialId, bad: BadBase) -> Result<(), RunError> {
        let what = match bad.what {
            BadState::Memory(point) => {
                self.states.kept.remove(point);
                format!("the kept state of {point}")
            }
            BadState::Stored(id) => {
                self.states.vault.damaged(id);
                format!("snapshot {id}")
            }
        };
        self.observer.remark(&format!(
            "trial {trial}: {what} is of no use, an earlier state is taken: {}",
            bad.why
        ));
        let Some((_, tick)) = self.engine.in_flight().find(|(id, _)| *id == trial) else {
            return Ok(());
        };
        self.running.remove(&trial);
        self.owner_gone(trial)?;
        self.dispatch(trial, tick)
    }

    /// A state was captured, or could not be.
    pub(crate) fn captured(&mut self, captured: Captured) -> Result<(), RunError> {
        let Captured {
            capture,
            result,
            took,
        } = captured;
        self.saving.share.spent(took);
        match result {
            Ok(snapshot) => {
                let used = self.states.next_use();
                self.states.kept.fill(capture.point, &snapshot, used);
                if let Some(durable) = capture.durable {
                    self.write(capture.point, durable, snapshot);
                }
            }
            Err(why) => {
                self.states.kept.remove(capture.point);
                self.cannot_capture(capture.point, &why);
            }
        }
        self.retry_deferred()?;
        self.make_room();
        Ok(())
    }

    /// An errand is done, and the instance comes back from it.
    pub(crate) fn ran(&mut self, ran: Ran) -> Result<(), RunError> {
        self.saving.came_back();
        let spilled = matches!(ran.outcome, Outcome::Stored { .. });
        let mut of_use = true;
        if let Some(trial) = ran.trial {
            of_use = self.states.returns(trial);
            let point = match &ran.outcome {
                Outcome::Captured(captured) => captured.capture.point,
                Outcome::Stored { point, .. } => *point,
            };
            if let Some((instance, control)) = ran.instance {
                let awaited = self.states.is_deferred(trial);
                if of_use && (awaited || !spilled) {
                    self.states.rest(trial, (instance, control), point);
                } else {
                    self.executor.clear(instance);
                }
            }
        }
        match ran.outcome {
            Outcome::Captured(captured) => self.captured(captured),
            Outcome::Stored {
                point,
                result,
                took,
            } => {
                match result {
                    Ok(info) => {
                        self.saving.share.measured(info.bytes, took);
                        self.observer.saved(&info);
                        // Else it may be a state that never came to be.
                        if of_use {
                            self.states.vault.wrote(&info);
                        }
                        if info.key.sequence != NOT_HANDED_OVER {
                            self.states.upkeep.saved(point.trial);
                        }
                    }
                    Err(Unstored::Captured(why)) => self.cannot_capture(point, &why),
                    Err(Unstored::Written(error)) => self.cannot_write(&error),
                }
                self.states.kept.remove(point);
                self.retry_deferred()
            }
        }
    }

    /// Writes what was unused for longest to the disk, or drops it, until the rest fits into the
    /// memory of the run. Steps in progress are not counted.
    pub(crate) fn make_room(&mut self) {
        loop {
            let held = self.states.kept.held_bytes();
            if self.states.pool.memory_bytes().saturating_add(held) <= self.saving.run_memory {
                return;
            }
            let instance = self.states.pool.oldest();
            let state = self.states.kept.oldest();
            match (instance, state) {
                (Some((used, trial)), state) if state.is_none_or(|(kept, _)| used < kept) => {
                    self.spill(trial);
                }
                (_, Some((_, point))) => self.store(point),
                _ => return,
            }
        }
    }

    fn spill(&mut self, trial: TrialId) {
        let account = self.states.upkeep.get(trial);
        let Some(rested) = self.states.pool.take(trial) else {
            return;
        };
        let (point, bytes) = (rested.point, rested.memory_bytes);
        let known = self.engine.trial(trial);
        let handed_over = known.is_some_and(|t| t.reports() == point.reports);
        // Another state has taken the place of this one.
        let replaced = handed_over && known.is_some_and(|t| t.point() != point);
        let needless = replaced && !self.states.kept.is_wanted(point);
        let elsewhere = self.states.vault.has(point) || self.states.kept.is_filled(point);
        let worth = self.saving.captures && self.saving.share.is_worth(bytes, account.since);
        if needless || elsewhere || !worth || !self.states.vault.takes() {
            self.executor.clear(rested.instance);
            self.states.kept.drop_wanted(point);
            return;
        }
        self.states.kept.begin(point);
        self.states.leaves(trial);
        self.saving.sent();
        self.executor.send(Errand::Spill {
            trial,
            instance: rested.instance,
            control: rested.control,
            point,
            sequence: if handed_over {
                account.row
            } else {
                NOT_HANDED_OVER
            },
        });
    }

    fn store(&mut self, point: Point) {
        let worth = self.states.vault.takes() && !self.states.vault.has(point);
        let Some((snapshot, sequence)) = self.states.kept.leave(point) else {
            return;
        };
        if !worth {
            self.states.kept.remove(point);
            return;
        }
        self.saving.sent();
        self.executor.send(Errand::Store {
            point,
            sequence,
            snapshot,
        });
    }
}
