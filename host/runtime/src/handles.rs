//! The handles that a guest holds, as the host can know them: which number stands for what, and in
//! which order free numbers are given out again.
//!
//! The table itself belongs to wasmtime and cannot be read; this is a mirror of it, kept up to date
//! by every function that makes or drops a handle. Handle numbers lie in guest memory, so a rebuilt
//! table must give the next handle the same number as the old one would have: the order of the free
//! numbers is part of the state.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use tune_snapshot::HandleKind;

use crate::files::{At, Cursor};
use crate::log::Printed;

/// What a handle stands for; enough to make an equal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Handle {
    /// Standard output or error.
    Output(Printed),
    /// Standard input.
    Input,
    /// A wait for the stream in this slot.
    Ready { stream: u32 },
    /// A wait until a point on the guest's clock, in nanoseconds.
    Sleep { until: u64 },
    /// An open file or directory.
    Node(At),
    /// The entries of a directory, of which so many were given out.
    Entries { at: At, next: u64 },
    /// A stream of the bytes of a file, from this one on.
    Content { at: At, offset: u64 },
}

impl Handle {
    /// The type of resource that it is to the guest.
    pub(crate) fn kind(self) -> HandleKind {
        match self {
            Self::Output(_) => HandleKind::OutputStream,
            Self::Input | Self::Content { .. } => HandleKind::InputStream,
            Self::Ready { .. } | Self::Sleep { .. } => HandleKind::Pollable,
            Self::Node(_) => HandleKind::Descriptor,
            Self::Entries { .. } => HandleKind::DirectoryEntryStream,
        }
    }

    /// Entries of it in the host's table of resources.
    fn resources(self) -> usize {
        match self {
            // The sleep itself and the wait for it.
            Self::Sleep { .. } => 2,
            _ => 1,
        }
    }

    /// It is a stream that can be waited for.
    fn is_stream(self) -> bool {
        matches!(self, Self::Output(_) | Self::Input | Self::Content { .. })
    }

    /// The granted file or directory that it is of.
    pub(crate) fn at(self) -> Option<At> {
        match self {
            Self::Node(at) | Self::Entries { at, .. } | Self::Content { at, .. } => Some(at),
            _ => None,
        }
    }
}

/// A table of handles: slot `i` is handle `i + 1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handles {
    slots: Vec<Option<Handle>>,
    /// Every empty slot; the last one is taken next. Without the slots at the end that would be
    /// taken in their own order anyway: they are as good as never used.
    free: VecDeque<u32>,
}

impl Handles {
    /// Slots, the empty ones between others included.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Slots that are not empty.
    fn taken(&self) -> u32 {
        u32::try_from(self.slots.len().saturating_sub(self.free.len())).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<Handle> {
        self.slots.get(slot as usize).copied().flatten()
    }

    /// Taken slots in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Handle)> {
        (0..).zip(&self.slots).filter_map(|(i, h)| Some((i, (*h)?)))
    }

    /// Empty slots in the order in which they are taken, the never used ones left out.
    pub(crate) fn free(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.free.iter().rev().copied()
    }

    /// The slot that the next handle takes.
    pub(crate) fn next(&self) -> u32 {
        self.free.back().copied().unwrap_or_else(|| self.len())
    }

    /// A handle is made. Its slot.
    fn insert(&mut self, handle: Handle) -> u32 {
        let slot = self.next();
        self.free.pop_back();
        match self.slots.get_mut(slot as usize) {
            Some(empty) => *empty = Some(handle),
            None => self.slots.push(Some(handle)),
        }
        slot
    }

    /// A handle is dropped.
    fn remove(&mut self, slot: u32) {
        if let Some(taken) = self.slots.get_mut(slot as usize)
            && taken.take().is_some()
        {
            self.free.push_back(slot);
        }
        while let Some(last) = self.len().checked_sub(1)
            && self.free.front() == Some(&last)
        {
            self.free.pop_front();
            self.slots.pop();
        }
    }

    /// Entries that they have in the host's table of resources.
    pub(crate) fn resources(&self) -> usize {
        self.iter().map(|(_, handle)| handle.resources()).sum()
    }

    /// Whether a guest can hold them that knows these kinds. What was dropped was of some kind, too.
    pub(crate) fn fit(&self, kinds: &[HandleKind]) -> bool {
        let known = |(_, handle): (u32, Handle)| kinds.contains(&handle.kind());
        self.iter().all(known) && (self.len() == 0 || !kinds.is_empty())
    }

    /// Checks a table that was read from a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, limit: u64) -> Result<(), String> {
        if self.slots.len() as u64 > limit {
            return Err(format!("{} handles, {limit} are allowed", self.slots.len()));
        }
        let mut empty: Vec<u32> = self.free.iter().copied().collect();
        empty.sort_unstable();
        let expected = (0..)
            .zip(&self.slots)
            .filter_map(|(i, slot)| slot.is_none().then_some(i));
        if !expected.eq(empty) {
            return Err("its list of free handles does not fit its handles".to_owned());
        }
        for (slot, handle) in self.iter() {
            if let Handle::Ready { stream } = handle
                && !self.get(stream).is_some_and(Handle::is_stream)
            {
                return Err(format!("handle {} waits for no stream", slot + 1));
            }
        }
        Ok(())
    }
}

/// The mirror of an instance's table, with the resources of the host behind its handles.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    handles: Handles,
    /// Slot by number of the host's resource.
    slot_of: BTreeMap<u32, u32>,
    /// How far streams of files were read, by slot: they move without anybody being told.
    cursors: BTreeMap<u32, Cursor>,
    /// A handle that the mirror does not follow was dropped, of this kind: the order of the free
    /// numbers is not known any more.
    lost: Option<&'static str>,
    /// The table is being rebuilt: what is dropped is the rebuilder's affair.
    rebuilding: bool,
    /// The most handles held at once since the present step began.
    most: u32,
}

impl Ledger {
    pub(crate) fn handles(&self) -> &Handles {
        &self.handles
    }

    /// The same, with streams of files as far as they were read.
    pub(crate) fn state(&self) -> Handles {
        let mut handles = self.handles.clone();
        for (slot, cursor) in &self.cursors {
            if let Some(Some(Handle::Content { offset, .. })) =
                handles.slots.get_mut(*slot as usize)
            {
                *offset = cursor.offset();
            }
        }
        handles
    }

    /// Why the mirror is blind; none if it is not.
    pub(crate) fn lost(&self) -> Option<&'static str> {
        self.lost
    }

    /// The guest gets a handle for this resource of the host.
    pub(crate) fn made(&mut self, handle: Handle, resource: u32) {
        let slot = self.handles.insert(handle);
        self.slot_of.insert(resource, slot);
        self.most = self.most.max(self.handles.taken());
    }

    /// The same for a stream that is read as far as this says.
    pub(crate) fn made_moving(&mut self, handle: Handle, resource: u32, cursor: Option<Cursor>) {
        self.made(handle, resource);
        if let (Some(cursor), Some(slot)) = (cursor, self.slot(resource)) {
            self.cursors.insert(slot, cursor);
        }
    }

    /// What the handle of this resource stands for is now this.
    pub(crate) fn moved(&mut self, resource: u32, handle: Handle) {
        let slot = self.slot(resource).unwrap_or(u32::MAX);
        if let Some(Some(held)) = self.handles.slots.get_mut(slot as usize) {
            *held = handle;
        }
    }

    /// The most handles held at once since the present step began.
    pub(crate) fn most(&self) -> u32 {
        self.most
    }

    /// A step begins: the handles that are held now are the most so far.
    pub(crate) fn begin(&mut self) {
        self.most = self.handles.taken();
    }

    /// The slot of a resource that the guest holds.
    pub(crate) fn slot(&self, resource: u32) -> Option<u32> {
        self.slot_of.get(&resource).copied()
    }

    /// The guest drops the handle of this resource. False: not of this table, leave it alone.
    pub(crate) fn dropped(&mut self, resource: u32) -> bool {
        if self.rebuilding {
            return false;
        }
        if let Some(slot) = self.slot_of.remove(&resource) {
            self.handles.remove(slot);
            self.cursors.remove(&slot);
        }
        true
    }

    /// A handle of a kind that is not followed was dropped.
    pub(crate) fn dropped_unknown(&mut self, kind: &'static str) {
        self.lost = Some(kind);
    }

    pub(crate) fn begin_rebuild(&mut self) {
        self.rebuilding = true;
    }

    /// The table has been rebuilt; `slot_of`: the resources behind it, and how far streams are read.
    pub(crate) fn rebuilt(
        &mut self,
        handles: Handles,
        slot_of: BTreeMap<u32, u32>,
        cursors: BTreeMap<u32, Cursor>,
    ) {
        *self = Self {
            handles,
            slot_of,
            cursors,
            lost: None,
            rebuilding: false,
            most: self.most,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Handle = Handle::Output(Printed::Out);
    const SLEEP: Handle = Handle::Sleep { until: 7 };

    fn ledger(handles: &[Handle]) -> Ledger {
        let mut ledger = Ledger::default();
        for (resource, handle) in (100..).zip(handles) {
            ledger.made(*handle, resource);
        }
        ledger
    }

    #[test]
    fn a_dropped_handle_is_given_out_again_first() {
        let mut ledger = ledger(&[OUT, SLEEP, SLEEP, OUT]);
        ledger.dropped(101);
        ledger.dropped(102);
        assert_eq!(ledger.handles().free().collect::<Vec<_>>(), [2, 1]);
        ledger.made(SLEEP, 200);
        assert_eq!(ledger.slot(200), Some(2));
        ledger.made(OUT, 201);
        ledger.made(OUT, 202);
        assert_eq!((ledger.slot(201), ledger.slot(202)), (Some(1), Some(4)));
        assert_eq!(ledger.most(), 5);
        ledger.dropped(202);
        ledger.begin();
        assert_eq!(ledger.most(), 4);
    }

    #[test]
    fn a_handle_that_came_last_and_went_leaves_no_trace() {
        let before = ledger(&[OUT]);
        let mut after = ledger(&[OUT, SLEEP, SLEEP]);
        after.dropped(102);
        after.dropped(101);
        assert_eq!(after.handles(), before.handles());
        // Dropped the other way round the second number comes first.
        let mut after = ledger(&[OUT, SLEEP, SLEEP]);
        after.dropped(101);
        after.dropped(102);
        assert_eq!(after.handles().free().collect::<Vec<_>>(), [2, 1]);
        after.made(SLEEP, 200);
        after.made(SLEEP, 201);
        after.dropped(200);
        after.dropped(201);
        assert_eq!(after.handles(), before.handles());
    }

    #[test]
    fn a_sleep_is_two_resources_of_the_host() {
        let handles = [OUT, Handle::Ready { stream: 0 }, Handle::Input, SLEEP];
        assert_eq!(ledger(&handles).handles().resources(), 5);
    }

    #[test]
    fn a_forged_table_is_refused() {
        let good = ledger(&[OUT, Handle::Ready { stream: 0 }]).handles;
        good.check(2).unwrap();
        assert!(good.check(1).unwrap_err().contains("1 are allowed"));
        let with = |slots: &[Option<Handle>], free: &[u32]| {
            Handles {
                slots: slots.to_vec(),
                free: free.iter().copied().collect(),
            }
            .check(100)
        };
        with(&[None, None, Some(OUT)], &[0, 1]).unwrap();
        with(&[None, None, Some(OUT)], &[1, 0]).unwrap();
        for free in [&[0][..], &[0, 0], &[0, 2], &[0, 1, 2], &[0, 9]] {
            with(&[None, None, Some(OUT)], free).unwrap_err();
        }
        for stream in [0, 1, 9] {
            let wait = Some(Handle::Ready { stream });
            let error = with(&[wait, Some(SLEEP)], &[]).unwrap_err();
            assert!(error.starts_with("handle 1 waits for no stream"), "{error}");
        }
    }
}
