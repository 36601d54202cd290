//! The thread that writes snapshots nobody waits for. Each is written only once the row that led to
//! it is committed: the thread waits for that, the coordinator never does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use tune_core::Point;
use tune_core::records::{Config, TrialId, TrialInfo};
use tune_runtime::{Control, Snapshot};
use tune_store::{ChunkStore, Journal, Purpose, SnapshotInfo, SnapshotKey, SnapshotOf, StoreError};

use crate::errand::Durable;
use crate::factory::Factory;
use crate::state_file::{self, Extras};

/// Snapshots that wait to be written, at most: they hold memory.
const MAX_QUEUED: usize = 64;

/// A state of which less was written since the one before shares most of its memory with it.
const MOSTLY_SHARED: f64 = 0.1;

/// Written states that are remembered, at most: with what little each holds alone.
const MAX_LAST: usize = 32;

/// What is to be done, in order.
pub(crate) enum Order {
    /// Write the state of a trial.
    State {
        point: Point,
        durable: Durable,
        snapshot: Snapshot,
    },
    /// Write the searcher and the scheduler as they are after a row.
    Deciders {
        sequence: u64,
        searcher: Snapshot,
        scheduler: Snapshot,
    },
    /// Remove what is older than `horizon` and not to be kept.
    Retain { keep: BTreeSet<u64>, horizon: u64 },
}

/// What was done.
pub(crate) struct Wrote {
    pub(crate) infos: Vec<SnapshotInfo>,
    pub(crate) error: Option<StoreError>,
    /// Bytes of the state that was to be written.
    pub(crate) bytes: u64,
    /// Without the time for the row.
    pub(crate) took: Duration,
    /// Why the portable form was left out, if it should have been there.
    pub(crate) unportable: Option<String>,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    /// An order is being carried out.
    busy: bool,
    wrote: Vec<Wrote>,
    /// Rows that are committed.
    committed: u64,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    /// Std mutex: held for a push or a pop.
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Consistent at every point where a holder could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread and what it is to do.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. The calling thread is unparked for everything that is written.
    pub(crate) fn new(
        chunks: ChunkStore,
        journal: &Journal,
        factory: Arc<Factory>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        journal.subscribe(Box::new(move |rows| {
            if let Some(last) = rows.last() {
                told.lock().committed = last.sequence.saturating_add(1);
                told.changed.notify_all();
            }
        }));
        {
            let mut state = shared.lock();
            state.committed = state.committed.max(journal.committed());
        }
        let (theirs, coordinator) = (Arc::clone(&shared), std::thread::current());
        let thread = std::thread::Builder::new()
            .name("snapshots".to_owned())
            .spawn(move || work(&theirs, &chunks, &factory, &coordinator))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub(crate) fn push(&self, order: Order) {
        self.shared.lock().orders.push_back(order);
        self.shared.changed.notify_all();
    }

    /// Orders that are not carried out yet.
    pub(crate) fn queued(&self) -> usize {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return 0; // By a defect of the host; they never will be.
        }
        let state = self.shared.lock();
        state.orders.len() + usize::from(state.busy)
    }

    /// It has so much to do that more should not be wanted.
    pub(crate) fn is_full(&self) -> bool {
        self.queued() >= MAX_QUEUED
    }

    /// What was done since the last call.
    pub(crate) fn wrote(&self) -> Vec<Wrote> {
        std::mem::take(&mut self.shared.lock().wrote)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there costs the snapshots that were to come, and nobody needs them now.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared, chunks: &ChunkStore, factory: &Factory, coordinator: &Thread) {
    let mut press = Press {
        chunks,
        factory,
        last: BTreeMap::new(),
    };
    loop {
        let order = {
            let mut state = shared.lock();
            loop {
                if state.closed {
                    return;
                }
                let row = match state.orders.front() {
                    Some(Order::State { durable, .. }) => Some(durable.sequence),
                    Some(Order::Deciders { sequence, .. }) => Some(*sequence),
                    Some(Order::Retain { .. }) => None,
                    None => {
                        state = shared.wait(state);
                        continue;
                    }
                };
                if row.is_none_or(|row| row < state.committed) {
                    break;
                }
                state = shared.wait(state);
            }
            state.busy = true;
            state.orders.pop_front()
        };
        if let Some(order) = order {
            let wrote = press.carry_out(order);
            let mut state = shared.lock();
            state.busy = false;
            state.wrote.push(wrote);
            coordinator.unpark();
        }
    }
}

/// What snapshots are written with.
struct Press<'a> {
    chunks: &'a ChunkStore,
    factory: &'a Factory,
    /// The last state of each trial that was written: as long as little of it changes from one to
    /// the next, it shares its memory with the next, and only the rest is read again.
    last: BTreeMap<TrialId, (u64, Snapshot)>,
}

impl Press<'_> {
    fn carry_out(&mut self, order: Order) -> Wrote {
        let began = Instant::now();
        let mut wrote = Wrote {
            infos: Vec::new(),
            error: None,
            bytes: 0,
            took: Duration::ZERO,
            unportable: None,
        };
        match order {
            Order::State {
                point,
                durable,
                snapshot,
            } => self.write_state(point, durable, snapshot, &mut wrote),
            Order::Deciders {
                sequence,
                searcher,
                scheduler,
            } => {
                for (of, snapshot) in [
                    (SnapshotOf::Searcher, searcher),
                    (SnapshotOf::Scheduler, scheduler),
                ] {
                    // One without the other is of no use.
                    if wrote.error.is_none() {
                        let key = SnapshotKey { of, sequence };
                        self.write(
                            key,
                            Purpose::Periodic,
                            &snapshot,
                            Extras::default(),
                            &mut wrote,
                        );
                    }
                }
            }
            Order::Retain { keep, horizon } => {
                let keeps = |info: &SnapshotInfo| info.id > horizon || keep.contains(&info.id);
                wrote.error = self.chunks.retain(&keeps).err();
                self.last.retain(|_, (id, _)| keep.contains(id));
            }
        }
        wrote.took = began.elapsed();
        wrote
    }

    fn write(
        &self,
        key: SnapshotKey,
        purpose: Purpose,
        snapshot: &Snapshot,
        extras: Extras<'_>,
        wrote: &mut Wrote,
    ) {
        wrote.bytes = wrote.bytes.saturating_add(snapshot.byte_len());
        match state_file::write(self.chunks, key, purpose, snapshot, extras) {
            Ok(info) => wrote.infos.push(info),
            Err(error) => wrote.error = Some(error),
        }
    }

    fn write_state(
        &mut self,
        point: Point,
        durable: Durable,
        snapshot: Snapshot,
        wrote: &mut Wrote,
    ) {
        let portable = portable_form(&snapshot, self.factory);
        let key = SnapshotKey {
            of: SnapshotOf::Trial {
                trial: point.trial,
                reports: point.reports,
            },
            sequence: durable.sequence,
        };
        let last = self.last.remove(&point.trial);
        let extras = Extras {
            earlier: last.as_ref().map(|(id, earlier)| (*id, earlier)),
            portable: portable.as_ref().and_then(|p| p.as_deref().ok()),
        };
        self.write(key, durable.purpose, &snapshot, extras, wrote);
        wrote.unportable = portable.and_then(Result::err);
        if let Some(info) = wrote.infos.first()
            && snapshot.dirty_ratio() < MOSTLY_SHARED
        {
            if self.last.len() >= MAX_LAST {
                self.last.pop_first();
            }
            self.last.insert(point.trial, (info.id, snapshot));
        }
    }
}

/// The state in the trainable's own form, if it has one: said by a copy, so that the trial itself is
/// not disturbed.
fn portable_form(snapshot: &Snapshot, factory: &Factory) -> Option<Result<Vec<u8>, String>> {
    if !factory.plugin.has_portable_state() {
        return None;
    }
    let info = TrialInfo {
        trial: 0,
        seed: 0,
        workers: 1,
        restoring: true,
    };
    let control = Arc::new(Control::new());
    control.arm(factory.limits.wall_per_step);
    let start = factory.start(&info, &Config::default(), &control);
    let said = factory
        .plugin
        .restore_trial(start, snapshot, 0)
        .and_then(|mut copy| {
            let mut bytes = Vec::new();
            copy.save_portable(&mut |chunk| bytes.extend_from_slice(chunk))?;
            Ok(bytes)
        });
    Some(said.map_err(|fault| fault.to_string()))
}
