//! States in memory that trials may be made copies of, by the point that they are of.
//!
//! A state is captured as late as possible: before the step that would change it, or when a copy is
//! wanted. Nothing depends on a slot: one that is lost costs the replay of steps.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Point;
use tune_core::records::TrialId;
use tune_runtime::Snapshot;

/// Slots are looked through for ones that nobody needs when there are this many, at least.
const FIRST_SWEEP: usize = 16;

struct Slot {
    /// The row that led to the state.
    row: u64,
    content: Content,
}

enum Content {
    /// The instance of this trial is in that state, and nobody needed a copy so far.
    Wanted(TrialId),
    /// It is being captured from the instance of this trial.
    Filling(TrialId),
    Filled(Filled),
}

struct Filled {
    snapshot: Snapshot,
    held_bytes: u64,
    used: u64,
    /// On its way to the disk, and gone from memory after that.
    leaving: bool,
}

/// Where a state stands.
pub(crate) enum Standing {
    /// Not here.
    Absent,
    /// The instance of this trial has it.
    Wanted(TrialId),
    /// It will be here soon, or be absent.
    Filling,
    Filled(Snapshot),
}

/// The slots.
#[derive(Default)]
pub(crate) struct Kept {
    slots: BTreeMap<Point, Slot>,
    /// Of filled slots that are not on their way out.
    held_bytes: u64,
    sweep_at: usize,
}

impl Kept {
    /// The instance of this trial is in that state, since this row: it can be captured from there.
    pub(crate) fn want(&mut self, point: Point, owner: TrialId, row: u64) {
        let content = Content::Wanted(owner);
        self.slots.entry(point).or_insert(Slot { row, content });
    }

    /// What is there of a state; using it makes it the last to leave.
    pub(crate) fn get(&mut self, point: Point, used: u64) -> Standing {
        match self.content(point) {
            None => Standing::Absent,
            Some(Content::Wanted(owner)) => Standing::Wanted(*owner),
            Some(Content::Filling(_)) => Standing::Filling,
            Some(Content::Filled(filled)) => {
                filled.used = used;
                Standing::Filled(filled.snapshot.clone())
            }
        }
    }

    /// It is to be captured from the instance that has it.
    pub(crate) fn is_wanted(&self, point: Point) -> bool {
        let slot = self.slots.get(&point);
        slot.is_some_and(|slot| matches!(slot.content, Content::Wanted(_)))
    }

    fn content(&mut self, point: Point) -> Option<&mut Content> {
        self.slots.get_mut(&point).map(|slot| &mut slot.content)
    }

    /// A copy of it is in memory.
    pub(crate) fn is_filled(&self, point: Point) -> bool {
        let slot = self.slots.get(&point);
        slot.is_some_and(|slot| matches!(slot.content, Content::Filled(_)))
    }

    /// It is wanted and not captured yet: then it is being captured from now on.
    pub(crate) fn begin(&mut self, point: Point) -> bool {
        if let Some(content) = self.content(point)
            && let Content::Wanted(owner) = *content
        {
            *content = Content::Filling(owner);
            return true;
        }
        false
    }

    /// It was captured; dropped if nobody wants it any more.
    pub(crate) fn fill(&mut self, point: Point, snapshot: &Snapshot, used: u64) {
        let held_bytes = snapshot.held_bytes();
        if let Some(content @ (Content::Wanted(_) | Content::Filling(_))) = self.content(point) {
            *content = Content::Filled(Filled {
                snapshot: snapshot.clone(),
                held_bytes,
                used,
                leaving: false,
            });
            self.held_bytes = self.held_bytes.saturating_add(held_bytes);
        }
    }

    /// It is not here any more.
    pub(crate) fn remove(&mut self, point: Point) {
        if let Some(slot) = self.slots.remove(&point)
            && let Content::Filled(filled) = slot.content
            && !filled.leaving
        {
            self.held_bytes = self.held_bytes.saturating_sub(filled.held_bytes);
        }
    }

    /// The instance of this trial is gone: what was to be captured from it will not be. True if
    /// anything was.
    pub(crate) fn owner_gone(&mut self, owner: TrialId) -> bool {
        let before = self.slots.len();
        self.slots.retain(|_, slot| {
            !matches!(slot.content, Content::Wanted(t) | Content::Filling(t) if t == owner)
        });
        self.slots.len() < before
    }

    /// The instance that was in that state is gone, and nobody has asked for the state.
    pub(crate) fn drop_wanted(&mut self, point: Point) {
        if matches!(self.content(point), Some(Content::Wanted(_))) {
            self.slots.remove(&point);
        }
    }

    /// The state that was unused for longest: when, which.
    pub(crate) fn oldest(&self) -> Option<(u64, Point)> {
        let filled = self
            .slots
            .iter()
            .filter_map(|(point, slot)| match &slot.content {
                Content::Filled(filled) if !filled.leaving => Some((filled.used, *point)),
                _ => None,
            });
        filled.min()
    }

    /// It leaves for the disk: its memory counts no more. Gives the row that led to it, too.
    pub(crate) fn leave(&mut self, point: Point) -> Option<(Snapshot, u64)> {
        let slot = self.slots.get_mut(&point)?;
        match &mut slot.content {
            Content::Filled(filled) if !filled.leaving => {
                filled.leaving = true;
                self.held_bytes = self.held_bytes.saturating_sub(filled.held_bytes);
                Some((filled.snapshot.clone(), slot.row))
            }
            _ => None,
        }
    }

    /// Bytes of memory that the states hold.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// There are so many more slots than last time that some must be of no more use.
    pub(crate) fn is_sweep_due(&self) -> bool {
        self.slots.len() >= self.sweep_at.max(FIRST_SWEEP)
    }

    /// Drops what nobody needs.
    pub(crate) fn sweep(&mut self, needed: &BTreeSet<Point>) {
        let mut freed = 0;
        self.slots.retain(|point, slot| {
            let keep = needed.contains(point) || matches!(slot.content, Content::Filling(_));
            if let Content::Filled(filled) = &slot.content
                && !keep
                && !filled.leaving
            {
                freed += filled.held_bytes;
            }
            keep
        });
        self.held_bytes = self.held_bytes.saturating_sub(freed);
        self.sweep_at = 2 * self.slots.len();
    }
}
