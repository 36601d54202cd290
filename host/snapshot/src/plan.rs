//! What a capture stores: what changed, and from time to time more, so that an image stays in few
//! parts and holds on to little that it does not refer to.

use std::sync::Arc;

use crate::backing::Backing;
use crate::copying::COPY_FROM;
use crate::laid::State;
use crate::runs::Runs;
use crate::tracking::Tracking;

/// Below this share a loose memory is worth mapping; lower, so that none goes to and fro.
const MAP_BELOW: f64 = 0.125;
/// Ranges that an image consists of at most, so that looking through them stays cheap.
pub(crate) const MAX_PARTS: usize = 4_096;
/// Backings that an image refers to at most: each costs a file descriptor.
pub(crate) const MAX_BACKINGS: usize = 8;

/// What a capture stores, and where.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) changed: Runs<()>,
    /// What is stored anew: what changed, and what should lie elsewhere.
    pub(crate) stored: Runs<()>,
    /// All that is not zero is stored anew.
    pub(crate) everything: bool,
    /// Into a file, from which it is mapped.
    pub(crate) file: bool,
}

impl Plan {
    /// From what changed, of a memory of this length.
    pub(crate) fn new(state: &State, tracking: Tracking, changed: Runs<()>, len: usize) -> Self {
        let extents = state.image.extents();
        let ratio = changed.bytes() as f64 / len.max(1) as f64;
        let file = tracking != Tracking::Copy && (!state.known || ratio < COPY_FROM);
        let loose = Runs::default().union(extents).minus(&state.mapped).bytes();
        let mut plan = Self {
            stored: changed.clone(),
            changed,
            // So that it is mapped as a whole.
            everything: file && ratio < MAP_BELOW && loose > len / 2,
            file,
        };
        if !plan.everything && plan.is_scattered(extents) {
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
        kept.count() + self.stored.count() > MAX_PARTS
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
pub(crate) fn uses(extents: &Runs<Arc<Backing>>) -> Vec<(&Arc<Backing>, usize)> {
    let mut uses: Vec<(&Arc<Backing>, usize)> = Vec::new();
    for (range, backing) in extents.iter() {
        match uses.iter_mut().find(|(known, _)| *known == backing) {
            Some((_, used)) => *used += range.len(),
            None => uses.push((backing, range.len())),
        }
    }
    uses
}
