//! A linear memory seen from beside its store: captured into images, restored from them.
//!
//! Nothing here may run while a call of the guest is active: the owner of the store sees to that.
//!
//! What is kept of a memory between two captures: the image that it last equalled, and which ranges
//! are mapped from that image. In a mapped range only pages that were written can differ, and the
//! kernel lists those. All other ranges are *loose*: what was touched of them is compared with the
//! image. A memory of which little changes is kept mapped, so that captures and clones cost what
//! changed; one that is rewritten all the time is kept loose in large pages, because a copy-on-write
//! fault for each page would cost several times as much as copying everything.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backing::{Backing, CHUNK, Draft, is_zero};
use crate::error::{HostMemoryError, SnapshotError};
use crate::image::{Image, MAX_EXTENTS, SMALL_GAP, few, new_stamp};
use crate::pages::touched;
use crate::region::Region;
use crate::runs::Runs;
use crate::tracking::Tracking;

/// From this share of changed bytes on a full copy is cheaper than copy-on-write: at 256 MB 50 ms
/// against 183 ms if everything is rewritten, so about equal at a quarter.
const COPY_FROM: f64 = 0.25;
/// Below this share a loose memory is worth mapping; lower, so that none goes to and fro.
const MAP_BELOW: f64 = 0.125;
/// Backings that an image refers to at most: each costs a file descriptor.
const MAX_BACKINGS: usize = 8;

/// How a state gets into a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// Mapped; every page is copied when it is first written.
    Map,
    /// Copied now, into large pages.
    Eager,
}

impl Copying {
    /// What is cheaper if this share of the state (0 to 1) is rewritten between two captures.
    #[must_use]
    pub fn for_dirty_ratio(ratio: f64) -> Self {
        if ratio < COPY_FROM {
            Self::Map
        } else {
            Self::Eager
        }
    }
}

/// What a capture gave.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The state of the memory.
    pub image: Image,
    /// Bytes in chunks that changed since it was last captured or restored; at first, all that are
    /// not zero.
    pub dirty_bytes: u64,
}

/// A linear memory of an instance, reachable beside its store.
#[derive(Clone, Debug)]
pub struct MemoryView {
    memory: Arc<Laid>,
}

/// A region and what it was laid out from.
#[derive(Debug)]
pub(crate) struct Laid {
    pub(crate) region: Region,
    tracking: Tracking,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the memory last equalled.
    image: Image,
    /// Ranges that are mapped from that image.
    mapped: Runs<()>,
    /// It was captured or restored before, so that what changed since says something.
    known: bool,
    /// A restore failed half-way.
    broken: bool,
}

impl Laid {
    pub(crate) fn new(region: Region, tracking: Tracking) -> Self {
        Self {
            region,
            tracking,
            state: Mutex::new(State {
                image: Image::empty(),
                mapped: Runs::default(),
                known: false,
                broken: false,
            }),
        }
    }

    /// Puts initial content into a memory that nobody has touched.
    pub(crate) fn begin(&self, genesis: &Image) -> Result<(), SnapshotError> {
        let mut state = self.lock();
        self.lay(&mut state, genesis, Copying::Map, true)?;
        state.known = false;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lay(
        &self,
        state: &mut State,
        image: &Image,
        copying: Copying,
        fresh: bool,
    ) -> Result<(), SnapshotError> {
        let len = self.region.open();
        if image.byte_len() != len as u64 {
            return Err(SnapshotError::Size {
                image: image.byte_len(),
                memory: len as u64,
            });
        }
        let map = copying == Copying::Map && self.tracking != Tracking::Copy;
        self.replace(state, |earlier| {
            let mut mapped = Runs::default();
            for (piece, backing) in image.extents().pieces(0..len) {
                match backing {
                    None if fresh => {}
                    None => self.region.blank(piece)?,
                    // What cannot be mapped is copied: too many mappings are no reason to fail.
                    Some(backing) if map && self.region.map(piece.clone(), backing).is_ok() => {
                        mapped.push(piece, ());
                    }
                    Some(backing) => {
                        self.make_room(earlier, piece.clone())?;
                        let into = self.region.bytes_mut(piece.clone());
                        backing.read(piece.start, into)?;
                    }
                }
            }
            Ok(mapped)
        })?;
        state.image = image.clone();
        Ok(())
    }

    /// Runs what puts other content into the memory: from the ranges that are mapped to those that
    /// are mapped then.
    fn replace(
        &self,
        state: &mut State,
        put: impl FnOnce(&Runs<()>) -> Result<Runs<()>, HostMemoryError>,
    ) -> Result<(), HostMemoryError> {
        // Until it has worked, everything counts as mapped, so that nothing is copied onto pages
        // of a file.
        let earlier = std::mem::replace(&mut state.mapped, Runs::one(0..self.region.open(), ()));
        state.broken = true;
        state.mapped = put(&earlier)?;
        state.broken = false;
        state.known = true;
        Ok(())
    }

    /// Prepares a range for being written in whole: what is mapped from a file would be copied
    /// first, page by page.
    fn make_room(&self, mapped: &Runs<()>, range: Range<usize>) -> Result<(), HostMemoryError> {
        for (piece, run) in mapped.pieces(range.clone()) {
            if run.is_some() {
                self.region.blank(piece)?;
            }
        }
        self.region.use_large_pages(range);
        Ok(())
    }

    /// Chunks that differ from the image.
    fn changed(&self, state: &State, len: usize) -> Result<Runs<()>, HostMemoryError> {
        let mut changed = Runs::default();
        for (range, ()) in touched(&self.region, len, self.tracking)?.iter() {
            for (piece, mapped) in state.mapped.pieces(range) {
                if mapped.is_some() {
                    changed.push(piece, ());
                    continue;
                }
                for chunk in chunks(piece) {
                    let bytes = self.region.bytes(chunk.clone());
                    if !state.image.holds(chunk.start, bytes)? {
                        changed.push(chunk, ());
                    }
                }
            }
        }
        Ok(changed)
    }

    /// Stores ranges of the memory; gives those that are not zero, small gaps closed.
    fn store(&self, draft: &mut Draft, ranges: &Runs<()>) -> Result<Runs<()>, HostMemoryError> {
        let mut stored = Runs::default();
        for (range, ()) in ranges.iter() {
            let mut data = Runs::default();
            for chunk in chunks(range) {
                if !is_zero(self.region.bytes(chunk.clone())) {
                    data.push(chunk, ());
                }
            }
            for (run, ()) in data.iter() {
                draft.write(run.start, self.region.bytes(run.clone()))?;
            }
            for (run, ()) in data.close_gaps(SMALL_GAP).iter() {
                stored.push(run, ());
            }
        }
        Ok(stored)
    }
}

impl MemoryView {
    pub(crate) fn new(memory: Arc<Laid>) -> Self {
        Self { memory }
    }

    /// Its present size in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.memory.region.open()
    }

    /// Captures its content. The store must be idle.
    ///
    /// Costs what changed since it was last captured or restored, as far as the tracking can tell;
    /// from time to time everything, when the image would become too scattered.
    ///
    /// # Errors
    /// If the machine has no memory for it (the instance can go on), or an earlier restore failed.
    pub fn capture(&self) -> Result<Captured, SnapshotError> {
        let memory = &*self.memory;
        let mut state = memory.lock();
        if state.broken {
            return Err(SnapshotError::HalfRestored);
        }
        let len = memory.region.open();
        let changed = memory.changed(&state, len)?;
        let dirty_bytes = changed.bytes() as u64;
        if changed.count() > 0 || state.image.byte_len() != len as u64 {
            let plan = Plan::new(&state, memory.tracking, changed, len);
            memory.carry_out(&mut state, &plan, len)?;
        }
        state.known = true;
        Ok(Captured {
            image: state.image.clone(),
            dirty_bytes,
        })
    }

    /// Puts an image into it, fresh or live. The store must be idle and the memory as long as the
    /// image.
    ///
    /// # Errors
    /// A memory of another length, which is left as it was; no memory: the content is then
    /// undefined and the instance must not be used any more.
    pub fn restore(&self, image: &Image, copying: Copying) -> Result<(), SnapshotError> {
        let mut state = self.memory.lock();
        self.memory.lay(&mut state, image, copying, false)
    }

    /// Puts the content of another memory into it without an image in between. Both stores must be
    /// idle and both memories as long.
    ///
    /// # Errors
    /// As [`Self::restore`].
    pub fn copy_from(&self, donor: &Self) -> Result<(), SnapshotError> {
        if Arc::ptr_eq(&self.memory, &donor.memory) {
            return Ok(());
        }
        let (from, into) = (&*donor.memory, &*self.memory);
        let len = into.region.open();
        if from.region.open() != len {
            return Err(SnapshotError::Size {
                image: from.region.open() as u64,
                memory: len as u64,
            });
        }
        let image = {
            let state = from.lock();
            if state.broken {
                return Err(SnapshotError::HalfRestored);
            }
            state.image.clone()
        };
        // What was not touched is what the image says.
        let filled = touched(&from.region, len, from.tracking)?.union(image.extents());
        let mut state = into.lock();
        into.replace(&mut state, |earlier| {
            for (piece, run) in filled.pieces(0..len) {
                if run.is_none() {
                    into.region.blank(piece)?;
                } else {
                    into.make_room(earlier, piece.clone())?;
                    let bytes = from.region.bytes(piece.clone());
                    into.region.bytes_mut(piece).copy_from_slice(bytes);
                }
            }
            Ok(Runs::default())
        })?;
        state.image = image;
        Ok(())
    }
}

/// What a capture stores, and where.
#[derive(Debug)]
struct Plan {
    changed: Runs<()>,
    /// What is stored anew: what changed, and what should lie elsewhere.
    stored: Runs<()>,
    /// All that is not zero is stored anew.
    everything: bool,
    /// Into a file, from which it is mapped.
    file: bool,
}

impl Plan {
    fn new(state: &State, tracking: Tracking, changed: Runs<()>, len: usize) -> Self {
        let extents = state.image.extents();
        let ratio = changed.bytes() as f64 / len.max(1) as f64;
        let file = tracking != Tracking::Copy && (!state.known || ratio < COPY_FROM);
        let mut stored = changed.clone();
        if file && ratio < MAP_BELOW {
            let all = Runs::default().union(extents);
            let loose = all.minus(&state.mapped);
            if loose.bytes() > len / 4 {
                stored = stored.union(&loose);
            }
        }
        let mut plan = Self {
            changed,
            stored,
            everything: false,
            file,
        };
        if plan.is_scattered(extents) {
            plan.gather(extents);
            plan.everything = plan.is_scattered(extents) || plan.stored.bytes() > len / 2;
        }
        if plan.everything {
            plan.stored = plan.stored.union(extents);
        }
        plan
    }

    /// The image would have too many parts, or hold on to much that it does not refer to.
    fn is_scattered(&self, extents: &Runs<Arc<Backing>>) -> bool {
        let kept = extents.overlay(self.stored.iter().map(|(range, ())| (range, None)));
        let uses = uses(&kept);
        let held: usize = uses.iter().map(|(backing, _)| backing.stored()).sum();
        let used: usize = uses.iter().map(|(_, used)| used).sum();
        kept.count() + self.stored.count() > MAX_EXTENTS
            || uses.len() >= MAX_BACKINGS
            || held > (used + self.stored.bytes()) * 3 / 2
    }

    /// Takes everything but the largest part of the image into what is stored.
    fn gather(&mut self, extents: &Runs<Arc<Backing>>) {
        let uses = uses(extents);
        let Some((base, _)) = uses.iter().max_by_key(|(_, used)| *used) else {
            return;
        };
        let others = extents.iter().filter(|(_, backing)| backing != base);
        self.stored = (self.stored).overlay(others.map(|(range, _)| (range, Some(()))));
    }
}

/// The backings of an image and how many bytes of each it refers to.
fn uses(extents: &Runs<Arc<Backing>>) -> Vec<(&Arc<Backing>, usize)> {
    let mut uses: Vec<(&Arc<Backing>, usize)> = Vec::new();
    for (range, backing) in extents.iter() {
        match uses.iter_mut().find(|(known, _)| *known == backing) {
            Some((_, used)) => *used += range.len(),
            None => uses.push((backing, range.len())),
        }
    }
    uses
}

impl Laid {
    fn carry_out(&self, state: &mut State, plan: &Plan, len: usize) -> Result<(), SnapshotError> {
        let mut draft = match plan.file.then(|| Draft::file(len)) {
            Some(Ok(draft)) => draft,
            // No files, or no more of them.
            _ => Draft::plain(len)?,
        };
        let mut data = self.store(&mut draft, &plan.stored)?;
        let backing = draft.seal()?;
        let at_new = |data: &Runs<()>| -> Vec<_> {
            (data
                .iter()
                .map(|(range, ())| (range, Some(Arc::clone(&backing)))))
            .collect()
        };
        let extents = if plan.everything {
            data = few(&data);
            Runs::default().overlay(at_new(&data))
        } else {
            let cleared = plan.stored.iter().map(|(range, ())| (range, None));
            state
                .image
                .extents()
                .overlay(cleared)
                .overlay(at_new(&data))
        };
        let stamp = new_stamp();
        let stamps = plan.changed.iter().map(|(range, ())| (range, Some(stamp)));
        let stamps = state.image.stamps().overlay(stamps);
        state.image = Image::new(len, extents, stamps, backing.stored());
        // From here on the image is what the memory equals; what is not mapped is loose.
        state.mapped = if plan.everything {
            Runs::default()
        } else {
            state.mapped.minus(&plan.stored)
        };
        if backing.file().is_some() {
            let mapped = data.iter().filter(|(range, ())| {
                // A memory that cannot be mapped once more stays loose.
                self.region.map(range.clone(), &backing).is_ok()
            });
            state.mapped = state
                .mapped
                .overlay(mapped.map(|(range, ())| (range, Some(()))));
        }
        Ok(())
    }
}

/// A range in pieces of at most a chunk.
fn chunks(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(CHUNK)
        .map(move |at| at..(at + CHUNK).min(end))
}

#[cfg(test)]
mod tests;
