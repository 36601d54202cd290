//! Which states are written to the disk, and when.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tune_core::Point;
use tune_core::records::TrialId;
use tune_runtime::Snapshot;
use tune_store::{Purpose, StoreError};

use crate::SnapshotPolicy;
use crate::coordinator::Coordinator;
use crate::errand::{Capture, Durable};
use crate::policy::Share;
use crate::retention::best;
use crate::upkeep::Account;
use crate::writer::{Order, Writer};

/// When a run is interrupted, states are written that would take longer to compute again, for so
/// long at most.
const AT_INTERRUPTION: Duration = Duration::from_secs(5);

/// What is known about writing states.
pub(crate) struct Saving {
    pub(crate) policy: SnapshotPolicy,
    pub(crate) share: Share,
    /// None: nothing is written but what memory has no room for.
    pub(crate) writer: Option<Writer>,
    /// Instances at rest and kept states may hold this many bytes.
    pub(crate) run_memory: u64,
    /// States of the trainable can be captured.
    pub(crate) captures: bool,
    /// States of the searcher and the scheduler can be captured.
    captures_deciders: bool,
    /// Time of handovers since the searcher and the scheduler were written.
    decided: Duration,
    /// Ended trials among the best, whose instances are still at rest.
    finals: BTreeSet<TrialId>,
    /// Errands that are not done.
    pub(crate) errands: usize,
    /// Something was written since retention last looked.
    pub(crate) grown: bool,
    /// What was said once is not said again.
    said_uncaptured: bool,
    said_unportable: bool,
}

impl Saving {
    pub(crate) fn new(
        policy: SnapshotPolicy,
        run_memory: u64,
        captures: bool,
        writer: Option<Writer>,
    ) -> Self {
        Self {
            share: Share::new(policy.max_share),
            policy,
            writer,
            run_memory,
            captures,
            captures_deciders: true,
            decided: Duration::ZERO,
            finals: BTreeSet::new(),
            errands: 0,
            grown: false,
            said_uncaptured: false,
            said_unportable: false,
        }
    }

    /// A handover took this long, calls of the searcher and the scheduler included.
    pub(crate) fn decided(&mut self, took: Duration) {
        self.decided += took;
        self.share.worked(took);
    }

    /// An errand is on its way.
    pub(crate) fn sent(&mut self) {
        self.errands += 1;
    }

    /// An errand is done.
    pub(crate) fn came_back(&mut self) {
        self.errands = self.errands.saturating_sub(1);
        self.grown = true;
    }

    /// Something more can be given to the writer: how much it has to do.
    fn has_room(&self) -> Option<usize> {
        let writer = self.writer.as_ref()?;
        (!writer.is_full()).then(|| writer.queued())
    }

    /// It is time for a snapshot of this size, and there is time for it.
    fn is_due(&self, bytes: u64, account: Account) -> bool {
        let due = match self.policy.interval {
            Some(interval) => account.reports >= interval,
            None => self.share.is_due(bytes, account.since),
        };
        let due = due && account.reports > 0;
        due && self
            .has_room()
            .is_some_and(|queued| self.share.allows(bytes, queued))
    }
}

impl Coordinator<'_> {
    /// Whether the present state of a trial, whose instance is in it, is to be written.
    pub(crate) fn wants_durable(&mut self, id: TrialId, at: Point, bytes: u64) -> Option<Durable> {
        let account = self.states.upkeep.get(id);
        let own = self.engine.trial(id).is_some_and(|trial| {
            let reports = trial.reports();
            at == Point { trial: id, reports }
        });
        let wanted = own
            && self.saving.captures
            && self.saving.is_due(bytes, account)
            && self.states.vault.takes()
            && !self.states.vault.has(at);
        wanted.then(|| {
            self.states.upkeep.saved(id);
            Durable {
                sequence: account.row,
                purpose: Purpose::Periodic,
            }
        })
    }

    /// A trial was paused: its state may be due, and nobody knows when it goes on.
    pub(crate) fn save_at_rest(&mut self, id: TrialId) {
        if let Some((point, bytes)) = self.states.pool.state(id)
            && let Some(durable) = self.wants_durable(id, point, bytes)
        {
            let durable = Some(Durable {
                purpose: Purpose::Kept,
                ..durable
            });
            self.send_capture(id, Capture { point, durable });
        }
    }

    /// A trial has ended: true if its instance stays at rest for its last state to be written.
    pub(crate) fn save_at_release(&mut self, id: TrialId) -> bool {
        let saving = &mut self.saving;
        if saving.writer.is_none() || !saving.captures || !saving.policy.at_end {
            return false;
        }
        let best = best(&self.engine, saving.policy.keep_best);
        let own = self.engine.trial(id).map(|trial| Point {
            trial: id,
            reports: trial.reports(),
        });
        let at_rest = self.states.pool.state(id).map(|(point, _)| point);
        if !best.contains(&id) || at_rest.is_none() || at_rest != own {
            return false;
        }
        let beaten: Vec<_> = saving.finals.iter().copied().collect();
        for other in beaten.into_iter().filter(|other| !best.contains(other)) {
            self.saving.finals.remove(&other);
            if let Some(instance) = self.states.forget(other) {
                self.executor.clear(instance);
            }
            self.states.upkeep.forget(other);
        }
        self.saving.finals.insert(id);
        true
    }

    /// The run ends, for good or for now: last states of the best, and what would take longer to
    /// compute again than to write.
    pub(crate) fn save_at_end(&mut self) {
        if self.saving.writer.is_none() || !self.states.vault.takes() {
            return;
        }
        let best = best(&self.engine, self.saving.policy.keep_best);
        let mut left = AT_INTERRUPTION;
        let mut states: Vec<_> = self.states.pool.states().collect();
        states.sort_by_key(|(id, _)| std::cmp::Reverse(self.states.upkeep.get(*id).since));
        for (id, point) in states {
            let Some(trial) = self.engine.trial(id) else {
                continue;
            };
            let account = self.states.upkeep.get(id);
            let bytes = self.states.pool.state(id).map_or(0, |(_, bytes)| bytes);
            let last = self.saving.finals.contains(&id) && best.contains(&id);
            let resumes = !self.saving.share.is_nothing()
                && !trial.is_ended()
                && trial.point() == point
                && self.saving.share.is_worth(bytes, account.since);
            let wanted = self.saving.captures && !self.states.vault.has(point);
            let cost = self.saving.share.estimate(bytes);
            if wanted && (last || (resumes && cost <= left)) {
                if !last {
                    left = left.saturating_sub(cost);
                }
                let durable = Some(Durable {
                    sequence: account.row,
                    purpose: Purpose::Final,
                });
                self.send_capture(id, Capture { point, durable });
            }
        }
        let bytes = self.plugins.memory_bytes();
        if self.engine.sequence() > 0
            && self.saving.captures_deciders
            && !self.saving.share.is_nothing()
            && self.saving.share.is_worth(bytes, self.saving.decided)
        {
            self.capture_deciders(self.engine.sequence() - 1);
        }
    }

    /// After a handover: the searcher and the scheduler may be due.
    pub(crate) fn save_deciders(&mut self, sequence: u64) {
        let bytes = self.plugins.memory_bytes();
        if self.saving.captures_deciders
            && self.saving.share.is_due(bytes, self.saving.decided)
            && let Some(queued) = self.saving.has_room()
            && self.saving.share.allows(bytes, queued)
            && self.states.vault.takes()
        {
            self.capture_deciders(sequence);
        }
    }

    fn capture_deciders(&mut self, sequence: u64) {
        let began = Instant::now();
        match self.plugins.snapshot() {
            Ok((searcher, scheduler)) => {
                self.saving.decided = Duration::ZERO;
                if let Some(writer) = &self.saving.writer {
                    writer.push(Order::Deciders {
                        sequence,
                        searcher,
                        scheduler,
                    });
                }
            }
            Err(error) => {
                self.saving.captures_deciders = false;
                self.observer.remark(&format!(
                    "the searcher or the scheduler cannot be saved, a resumed run makes all of its \
                     calls again: {error}"
                ));
            }
        }
        self.saving.share.spent(began.elapsed());
    }

    /// Gives a state to the writer.
    pub(crate) fn write(&mut self, point: Point, durable: Durable, snapshot: Snapshot) {
        if let Some(writer) = &self.saving.writer {
            writer.push(Order::State {
                point,
                durable,
                snapshot,
            });
        }
    }

    /// Takes in what was written.
    pub(crate) fn collect_written(&mut self) {
        let Some(writer) = &self.saving.writer else {
            return;
        };
        for wrote in writer.wrote() {
            if wrote.bytes > 0 {
                self.saving.grown = true;
                self.saving.share.measured(wrote.bytes, wrote.took);
            }
            for info in &wrote.infos {
                self.states.vault.wrote(info);
                self.observer.saved(info);
            }
            if let Some(error) = &wrote.error {
                self.cannot_write(error);
            }
            if let Some(why) = &wrote.unportable
                && !std::mem::replace(&mut self.saving.said_unportable, true)
            {
                self.observer.remark(&format!(
                    "the trainable cannot say its state in its own form, so snapshots will be of \
                     use to this version of it only: {why}"
                ));
            }
        }
        self.retain();
    }

    /// Snapshots are on their way.
    pub(crate) fn is_saving(&self) -> bool {
        let queued = self.saving.writer.as_ref().is_some_and(|w| w.queued() > 0);
        queued || self.saving.errands > 0 || !self.states.nobody_is_away()
    }

    /// A state could not be captured: it will be made again by a replay.
    pub(crate) fn cannot_capture(&mut self, point: Point, why: &str) {
        if !std::mem::replace(&mut self.saving.said_uncaptured, true) {
            self.observer.remark(&format!(
                "{point}: no snapshot, its steps will be repeated where it is needed: {why}"
            ));
        }
    }

    /// A state could not be written.
    pub(crate) fn cannot_write(&mut self, error: &StoreError) {
        if self.states.vault.is_full() {
            self.observer.remark(&format!(
                "a snapshot was not written, steps will be repeated where it is needed: {error}"
            ));
        }
    }
}
