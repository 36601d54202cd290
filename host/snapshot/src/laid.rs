//! A linear memory together with what it was laid out from.
//!
//! What is kept of a memory between two captures: the image that it last equalled, and which ranges
//! are mapped from that image. In a mapped range only pages that were written can differ, and the
//! kernel lists those. All other ranges are *loose*: what was touched of them is compared with the
//! image, and what was not still equals it.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backing::Backing;
use crate::copying::{COPY_FROM, Copying};
use crate::error::{HostMemoryError, SnapshotError};
use crate::image::{Image, MAX_MAPPED, few};
use crate::pages::touched;
use crate::plan::uses;
use crate::region::Region;
use crate::runs::Runs;
use crate::tracking::Tracking;

/// A region and what it was laid out from.
#[derive(Debug)]
pub(crate) struct Laid {
    pub(crate) region: Region,
    pub(crate) tracking: Tracking,
    state: Mutex<State>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct State {
    /// What the memory last equalled.
    pub(crate) image: Image,
    /// Ranges that are mapped from that image.
    pub(crate) mapped: Runs<()>,
    /// It was captured or restored before, so that what changed since says something.
    pub(crate) known: bool,
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
        let mut state = self.lock()?;
        self.lay(&mut state, genesis, Copying::Map, true)?;
        state.known = false;
        Ok(())
    }

    /// What it was laid out from.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, State>, SnapshotError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.broken {
            return Err(SnapshotError::HalfRestored);
        }
        Ok(state)
    }

    /// Puts an image of its length into it.
    pub(crate) fn restore(&self, image: &Image, copying: Copying) -> Result<(), SnapshotError> {
        let mut state = self.lock()?;
        self.lay(&mut state, image, copying, false)
    }

    /// Puts the content of another one of its length into it.
    pub(crate) fn copy_from(&self, donor: &Self) -> Result<(), SnapshotError> {
        let len = self.region.open();
        if donor.region.open() != len {
            return Err(SnapshotError::Size {
                image: donor.region.open() as u64,
                memory: len as u64,
            });
        }
        // Not both locks at once: another thread may copy the other way.
        let image = donor.lock()?.image.clone();
        // What was not touched is what the image says.
        let filled = touched(&donor.region, len, donor.tracking)?.union(image.extents());
        let mut state = self.lock()?;
        self.replace(&mut state, |earlier| {
            for (piece, run) in filled.pieces(0..len) {
                if run.is_none() {
                    self.region.blank(piece)?;
                } else {
                    self.make_room(earlier, piece.clone())?;
                    let bytes = donor.region.bytes(piece.clone());
                    self.region.bytes_mut(piece).copy_from_slice(bytes);
                }
            }
            Ok(Runs::default())
        })?;
        state.image = image;
        Ok(())
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
            let extents = image.extents();
            // In too many parts to map each, the largest is mapped and the others copied onto it.
            let scattered = extents.count() > MAX_MAPPED;
            let base = if map && scattered {
                largest_file(extents)
            } else {
                None
            };
            let below = base
                .map(|base| self.map_all_of(base, extents))
                .unwrap_or_default();
            let mut mapped = Runs::default();
            for (piece, backing) in extents.pieces(0..len) {
                for (piece, below) in below.pieces(piece) {
                    match (backing, below) {
                        (Some(backing), Some(())) if base == Some(backing) => {
                            mapped.push(piece, ());
                        }
                        (None, Some(())) => self.region.bytes_mut(piece).fill(0),
                        (None, None) if fresh => {}
                        (None, None) => self.region.blank(piece)?,
                        // What cannot be mapped is copied: too many mappings are no failure.
                        (Some(backing), None)
                            if map
                                && !scattered
                                && self.region.map(piece.clone(), backing).is_ok() =>
                        {
                            mapped.push(piece, ());
                        }
                        (Some(backing), below) => {
                            if below.is_none() {
                                self.make_room(earlier, piece.clone())?;
                            }
                            let into = self.region.bytes_mut(piece.clone());
                            backing.read(piece.start, into)?;
                        }
                    }
                }
            }
            Ok(mapped)
        })?;
        state.image = image.clone();
        Ok(())
    }

    /// Maps a backing wherever it is used, with what lies between; gives what it could map.
    fn map_all_of(&self, backing: &Arc<Backing>, extents: &Runs<Arc<Backing>>) -> Runs<()> {
        let used = extents.iter().filter(|(_, other)| *other == backing);
        let used = Runs::default().overlay(used.map(|(range, _)| (range, Some(()))));
        let mut mapped = Runs::default();
        for (range, ()) in few(&used).iter() {
            if self.region.map(range.clone(), backing).is_ok() {
                mapped.push(range, ());
            }
        }
        mapped
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
}

/// The file that most of an image lies in, if it is so much that the rest is better copied onto it
/// than everything at once.
fn largest_file(extents: &Runs<Arc<Backing>>) -> Option<&Arc<Backing>> {
    let all = extents.bytes() as f64;
    uses(extents)
        .into_iter()
        .filter(|(backing, _)| backing.file().is_some())
        .max_by_key(|(_, used)| *used)
        .filter(|(_, used)| all - (*used as f64) < all * COPY_FROM)
        .map(|(backing, _)| backing)
}
