//! From a memory to an image: what changed is stored, the rest is shared with the last image.
//!
//! A memory of which little changes is kept mapped from its images, so that captures and clones cost
//! what changed; one that is rewritten all the time is kept loose in large pages, because a
//! copy-on-write fault for each page would cost several times as much as copying everything.

use std::ops::Range;
use std::sync::Arc;

use crate::backing::{CHUNK, Draft, is_zero};
use crate::error::{HostMemoryError, SnapshotError};
use crate::image::{Image, MAX_MAPPED, SMALL_GAP, few, new_stamp};
use crate::laid::{Laid, State};
use crate::pages::touched;
use crate::plan::Plan;
use crate::runs::Runs;

impl Laid {
    /// Its content, and the bytes in chunks that changed since it last equalled an image.
    pub(crate) fn capture(&self) -> Result<(Image, usize), SnapshotError> {
        let mut state = self.lock()?;
        let len = self.region.open();
        let changed = self.changed(&state, len)?;
        let dirty = changed.bytes();
        if changed.count() > 0 || state.image.byte_len() != len as u64 {
            let plan = Plan::new(&state, self.tracking, changed, len);
            self.carry_out(&mut state, &plan, len)?;
        }
        state.known = true;
        Ok((state.image.clone(), dirty))
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
        let parts = |ranges: &Runs<()>| -> usize {
            (state.image.extents().iter())
                .flat_map(|(range, _)| ranges.pieces(range))
                .filter(|(_, run)| run.is_some())
                .count()
        };
        // A memory that would be mapped from too many parts, or cannot be once more, stays loose.
        if backing.file().is_some() && parts(&state.mapped.union(&data)) <= MAX_MAPPED {
            let mapped = data
                .iter()
                .filter(|(range, ())| self.region.map(range.clone(), &backing).is_ok());
            state.mapped = (state.mapped).overlay(mapped.map(|(range, ())| (range, Some(()))));
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
