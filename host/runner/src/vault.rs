//! What of the chunk store can be used to build trials, by the point that it is of. Knows which
//! snapshots turned out damaged; the coordinator asks, trial threads read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tune_core::Point;
use tune_store::{ChunkStore, SnapshotInfo, SnapshotOf};

use crate::Verify;
use crate::state_file::read_header;

/// After a write that found the disk full, the next is tried this much later.
const FULL_PAUSE: Duration = Duration::from_secs(30);

/// Retention begins when there are this many snapshots more than it left last time, or twice as
/// many: so its work, and what it has not looked at yet, stay in proportion.
const SWEEP_EVERY: usize = 16;

/// In which form a stored state can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bit for bit.
    Exact,
    /// As its trainable wrote it: it was another version of it.
    Portable,
}

/// A stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: u64,
    pub(crate) form: Form,
}

/// Snapshots of the searcher and the scheduler after the same handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) sequence: u64,
    pub(crate) searcher: u64,
    pub(crate) scheduler: u64,
}

/// The usable snapshots of a run.
pub(crate) struct Vault {
    chunks: Option<ChunkStore>,
    states: BTreeMap<Point, Vec<Stored>>,
    imported: Option<Stored>,
    full_until: Option<Instant>,
    /// Snapshots that retention left last time.
    seen: usize,
}

impl Vault {
    /// What is there. `component`: hash of the trainable in use; where nothing is verified, it may
    /// be another one than the snapshots are of.
    pub(crate) fn open(chunks: Option<&ChunkStore>, component: [u8; 32], verify: Verify) -> Self {
        let mut this = Self {
            chunks: chunks.cloned(),
            states: BTreeMap::new(),
            imported: None,
            full_until: None,
            seen: 0,
        };
        let Some(chunks) = chunks else {
            return this;
        };
        for info in chunks.list() {
            let exact = verify != Verify::Nothing
                || read_header(chunks, info.id).is_ok_and(|h| h.component() == component);
            let form = if exact {
                Form::Exact
            } else if matches!(chunks.portable(info.id), Ok(Some(_))) {
                Form::Portable
            } else {
                continue;
            };
            this.add(&info, form);
        }
        this
    }

    /// Only the state that the run was forked with: all else is to be made again, nothing is written.
    pub(crate) fn only_imported(self) -> Self {
        Self {
            chunks: None,
            states: BTreeMap::new(),
            ..self
        }
    }

    fn add(&mut self, info: &SnapshotInfo, form: Form) {
        let stored = Stored { id: info.id, form };
        match info.key.of {
            SnapshotOf::Trial { trial, reports } => {
                let point = Point { trial, reports };
                self.states.entry(point).or_default().push(stored);
            }
            SnapshotOf::Imported => self.imported = Some(stored),
            SnapshotOf::Searcher | SnapshotOf::Scheduler => {}
        }
    }

    /// A state was written.
    pub(crate) fn wrote(&mut self, info: &SnapshotInfo) {
        self.add(info, Form::Exact);
    }

    pub(crate) fn has(&self, point: Point) -> bool {
        self.states.contains_key(&point)
    }

    /// The newest snapshot of a state.
    pub(crate) fn get(&self, point: Point) -> Option<Stored> {
        self.states.get(&point)?.last().copied()
    }

    /// The state that the run was forked with.
    pub(crate) fn imported(&self) -> Option<Stored> {
        self.imported
    }

    /// A snapshot turned out to be of no use.
    pub(crate) fn damaged(&mut self, id: u64) {
        self.states.retain(|_, stored| {
            stored.retain(|s| s.id != id);
            !stored.is_empty()
        });
        if self.imported.is_some_and(|s| s.id == id) {
            self.imported = None;
        }
    }

    /// A state of this point was written that never came to be: its step is repeated differently.
    pub(crate) fn disown(&mut self, point: Point) {
        self.states.remove(&point);
    }

    /// The pairs of snapshots of the searcher and the scheduler, the newest first.
    pub(crate) fn pairs(&self) -> Vec<Pair> {
        let Some(chunks) = &self.chunks else {
            return Vec::new();
        };
        let (mut searchers, mut pairs) = (BTreeMap::new(), Vec::new());
        let list = chunks.list();
        for info in &list {
            if info.key.of == SnapshotOf::Searcher {
                searchers.insert(info.key.sequence, info.id);
            }
        }
        for info in list.iter().rev() {
            if info.key.of == SnapshotOf::Scheduler
                && let Some(searcher) = searchers.get(&info.key.sequence)
            {
                pairs.push(Pair {
                    sequence: info.key.sequence,
                    searcher: *searcher,
                    scheduler: info.id,
                });
            }
        }
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.sequence));
        pairs
    }

    /// The disk or the quota is full: nothing is written for a while. False if that was known.
    pub(crate) fn is_full(&mut self) -> bool {
        let first = self.full_until.is_none();
        self.full_until = Some(Instant::now() + FULL_PAUSE);
        first
    }

    /// Something may be written.
    pub(crate) fn takes(&self) -> bool {
        self.chunks.is_some() && self.full_until.is_none_or(|until| Instant::now() >= until)
    }

    /// So much was written that some of it must be of no more use.
    pub(crate) fn is_sweep_due(&self, keep: usize) -> bool {
        let more = SWEEP_EVERY.max(self.seen).max(keep);
        self.count() >= self.seen.saturating_add(more)
    }

    fn count(&self) -> usize {
        self.chunks.as_ref().map_or(0, |chunks| chunks.list().len())
    }

    /// Forgets all states but these; gives the newest number that this decision knows of. Nothing
    /// may be on its way to the disk.
    pub(crate) fn sweep(&mut self, keep: &BTreeSet<u64>) -> u64 {
        self.states.retain(|_, stored| {
            stored.retain(|s| keep.contains(&s.id));
            !stored.is_empty()
        });
        self.seen = keep.len();
        let list = self.chunks.as_ref().map(ChunkStore::list);
        let newest = list.iter().flatten().map(|info| info.id).max();
        newest.unwrap_or(0)
    }

    /// The numbers of the newest states of a trial's own, newest first.
    pub(crate) fn newest(&self, trial: u32) -> impl Iterator<Item = u64> {
        let (from, to) = (
            Point { trial, reports: 0 },
            Point {
                trial,
                reports: u64::MAX,
            },
        );
        let own = self.states.range(from..=to).rev();
        own.filter_map(|(_, stored)| stored.last().map(|s| s.id))
    }
}
