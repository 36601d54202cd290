use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::backing::CHUNK;
use crate::image::MAX_MAPPED;
use crate::plan::{MAX_BACKINGS, MAX_PARTS, uses};
use crate::region::Region;
use crate::tracking::Tracking;

/// Address space of a test's memory.
const RESERVED: usize = 1_024 * CHUNK;

fn memory(tracking: Tracking, len: usize) -> MemoryView {
    let region = Region::reserve(RESERVED).unwrap();
    region.open_to(len, RESERVED).unwrap();
    MemoryView::new(Arc::new(Laid::new(region, tracking)))
}

impl MemoryView {
    fn fill(&self, range: Range<usize>, value: u8) {
        self.memory.region.bytes_mut(range).fill(value);
    }

    fn bytes(&self) -> &[u8] {
        self.memory.region.bytes(0..self.byte_len())
    }

    fn mapped(&self) -> usize {
        self.memory.lock().unwrap().mapped.bytes()
    }
}

fn read(image: &Image) -> Vec<u8> {
    let mut bytes = vec![0xee; image.byte_len() as usize];
    image.read_at(0, &mut bytes).unwrap();
    bytes
}

#[derive(Clone, Debug)]
enum Op {
    /// In 1/256 of the memory: from, length; a value, often zero.
    Write(u8, u8, u8),
    /// Reading brings pages in as well.
    Read,
    Grow(u8),
    Capture,
    /// An earlier image, by its place counted from the newest, into the memory or a fresh one.
    Restore(usize, bool, bool),
    /// From the other memory, or into it.
    Copy,
    /// Goes on with the other memory.
    Turn,
    Forget(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (any::<u8>(), 0..20_u8, prop_oneof![Just(0), any::<u8>()])
            .prop_map(|(at, len, value)| Op::Write(at, len, value)),
        2 => (any::<u8>(), any::<u8>(), prop_oneof![Just(0), any::<u8>()])
            .prop_map(|(at, len, value)| Op::Write(at, len, value)),
        1 => Just(Op::Read),
        1 => (0..6_u8).prop_map(Op::Grow),
        4 => Just(Op::Capture),
        3 => (0..5_usize, any::<bool>(), any::<bool>())
            .prop_map(|(which, map, live)| Op::Restore(which, map, live)),
        1 => Just(Op::Copy),
        1 => Just(Op::Turn),
        1 => (0..5_usize).prop_map(Op::Forget),
    ];
    prop::collection::vec(op, 1..40)
}

/// A memory beside what it should hold.
struct Beside {
    view: MemoryView,
    model: Vec<u8>,
}

fn play(tracking: Tracking, ops: &[Op]) -> Result<(), TestCaseError> {
    let new = || Beside {
        view: memory(tracking, 5 * CHUNK),
        model: vec![0; 5 * CHUNK],
    };
    let (mut this, mut other) = (new(), new());
    let mut images: Vec<(Image, Vec<u8>)> = Vec::new();
    for op in ops {
        match *op {
            Op::Write(at, len, value) => {
                let unit = this.model.len() / 256;
                let range = usize::from(at) * unit..usize::from(at.saturating_add(len)) * unit;
                this.view.fill(range.clone(), value);
                this.model[range].fill(value);
            }
            Op::Read => prop_assert!(this.view.bytes() == this.model),
            Op::Grow(chunks) => {
                let len = this.model.len() + usize::from(chunks) * CHUNK;
                this.view.memory.region.open_to(len, RESERVED).unwrap();
                this.model.resize(len, 0);
            }
            Op::Capture => {
                let image = this.view.capture().unwrap().image;
                prop_assert!(read(&image) == this.model);
                for (older, was) in &images {
                    check_changes(&image, &this.model, older, was)?;
                }
                images.push((image, this.model.clone()));
            }
            Op::Restore(which, map, live) => {
                let Some((image, model)) = images.iter().rev().nth(which) else {
                    continue;
                };
                if !live || this.model.len() != model.len() {
                    this.view = memory(tracking, model.len());
                }
                let copying = if map { Copying::Map } else { Copying::Eager };
                this.view.restore(image, copying).unwrap();
                this.model.clone_from(model);
            }
            Op::Copy if this.model.len() == other.model.len() => {
                this.view.copy_from(&other.view).unwrap();
                this.model.clone_from(&other.model);
            }
            Op::Copy => {}
            Op::Turn => std::mem::swap(&mut this, &mut other),
            Op::Forget(which) if which < images.len() => drop(images.remove(which)),
            Op::Forget(_) => {}
        }
    }
    for Beside { view, model } in [&this, &other] {
        prop_assert!(view.bytes() == *model);
        prop_assert!(read(&view.capture().unwrap().image) == *model);
    }
    for (image, model) in &images {
        prop_assert!(read(image) == *model);
    }
    Ok(())
}

/// Outside of what is said to have changed, nothing has.
fn check_changes(
    image: &Image,
    now: &[u8],
    older: &Image,
    was: &[u8],
) -> Result<(), TestCaseError> {
    let Some(changed) = image.changed_since(older) else {
        return Ok(());
    };
    let len = now.len().max(was.len());
    let padded = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.resize(len, 0);
        bytes
    };
    let (mut now, mut was) = (padded(now), padded(was));
    for range in changed {
        prop_assert_eq!(
            (range.start % CHUNK as u64, range.end % CHUNK as u64),
            (0, 0)
        );
        let range = range.start as usize..range.end as usize;
        now[range.clone()].fill(0);
        was[range].fill(0);
    }
    prop_assert!(now == was);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn with_every_tracking_memories_and_images_hold_what_was_written(ops in ops()) {
        for tracking in Tracking::ALL.into_iter().filter(|t| t.works()) {
            play(tracking, &ops)?;
        }
    }
}

/// Major and minor version of a Linux that says so.
fn linux() -> Option<(u32, u32)> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut parts = release.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[test]
fn every_tracking_works_where_the_kernel_has_it() {
    assert!(Tracking::Copy.works());
    assert!(Tracking::detect().works());
    if let Some(version) = linux() {
        assert!(Tracking::Pagemap.works());
        assert_eq!(Tracking::Scan.works(), version >= (6, 7));
    }
}

#[test]
fn a_capture_stores_what_changed_and_shares_the_rest() {
    for tracking in Tracking::ALL {
        let view = memory(tracking, 100 * CHUNK);
        view.fill(0..100 * CHUNK, 1);
        let first = view.capture().unwrap();
        assert_eq!(first.dirty_bytes, 100 * CHUNK as u64, "{tracking}");
        view.fill(7 * CHUNK..7 * CHUNK + 1, 2);
        let second = view.capture().unwrap();
        assert_eq!(second.dirty_bytes, CHUNK as u64, "{tracking}");
        assert_eq!(second.image.held_bytes(), CHUNK as u64, "{tracking}");
        let changed = second.image.changed_since(&first.image).unwrap();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0], 7 * CHUNK as u64..8 * CHUNK as u64);

        let third = view.capture().unwrap();
        assert_eq!(third.dirty_bytes, 0, "{tracking}");
        assert_eq!(third.image.changed_since(&second.image), Some(vec![]));
    }
}

#[test]
fn a_clone_captures_only_what_it_changed_itself() {
    for tracking in Tracking::ALL {
        for copying in [Copying::Map, Copying::Eager] {
            let donor = memory(tracking, 64 * CHUNK);
            donor.fill(0..60 * CHUNK, 1);
            let image = donor.capture().unwrap().image;
            let clone = memory(tracking, 64 * CHUNK);
            clone.restore(&image, copying).unwrap();
            clone.fill(3 * CHUNK..4 * CHUNK, 2);
            let captured = clone.capture().unwrap();
            assert_eq!(captured.dirty_bytes, CHUNK as u64, "{tracking} {copying:?}");
            assert!(read(&image)[..60 * CHUNK].iter().all(|b| *b == 1));
            assert!(donor.bytes()[3 * CHUNK] == 1);
        }
    }
}

#[test]
fn memory_that_is_rewritten_all_the_time_is_not_mapped_and_then_is_again() {
    let view = memory(Tracking::detect(), 100 * CHUNK);
    for value in 1..4 {
        view.fill(0..100 * CHUNK, value);
        view.capture().unwrap();
    }
    assert_eq!(view.mapped(), 0);
    view.fill(0..CHUNK, 9);
    view.capture().unwrap();
    assert_eq!(view.mapped(), 100 * CHUNK);
}

#[test]
fn scattered_changes_are_captured_and_cloned_without_storing_or_mapping_too_much() {
    for tracking in Tracking::ALL {
        let len = 1_000 * CHUNK;
        let view = memory(tracking, len);
        view.fill(0..len, 1);
        view.capture().unwrap();
        let mut model = vec![1; len];
        let (mut parts, mut stored) = (0, 0);
        for round in 0..12_u8 {
            // Every third or fifth chunk, others each time, some of them zero: too many ranges to
            // map, sometimes so many bytes that mapping would not pay.
            let step = if round % 2 == 0 { 5 } else { 3 };
            for chunk in (usize::from(round) % step..1_000).step_by(step) {
                let value = if chunk % 20 == 5 { 0 } else { round + 2 };
                view.fill(chunk * CHUNK..(chunk + 1) * CHUNK, value);
                model[chunk * CHUNK..(chunk + 1) * CHUNK].fill(value);
            }
            // Little enough in some rounds for the memory to be mapped again.
            if round % 8 == 5 {
                view.capture().unwrap();
                view.fill(0..1, 99);
                model[0] = 99;
            }
            let image = view.capture().unwrap().image;
            parts = parts.max(image.extents().count());
            stored = stored.max(uses(image.extents()).iter().map(|(b, _)| b.stored()).sum());
            assert!(uses(image.extents()).len() <= MAX_BACKINGS);
            if round % 4 == 0 {
                assert!(read(&image) == model, "{tracking}");
                for copying in [Copying::Map, Copying::Eager] {
                    let clone = memory(tracking, len);
                    clone.fill(0..len, 5);
                    clone.restore(&image, copying).unwrap();
                    assert!(clone.bytes() == model, "{tracking} {copying:?}");
                    clone.fill(CHUNK..2 * CHUNK, 6);
                    let captured = clone.capture().unwrap();
                    assert_eq!(captured.dirty_bytes, CHUNK as u64);
                    assert!(read(&captured.image) == clone.bytes());
                }
            }
        }
        assert!(
            (MAX_MAPPED..=MAX_PARTS).contains(&parts),
            "{tracking}: {parts}"
        );
        assert!(stored <= 2 * len, "{tracking}: {stored}");
    }
}

#[test]
fn an_image_of_a_memory_that_grew_is_mapped_only_as_far_as_its_files_reach() {
    for tracking in Tracking::ALL {
        let view = memory(tracking, 20 * CHUNK);
        view.fill(0..20 * CHUNK, 1);
        view.capture().unwrap();
        let grow = |chunks: usize| {
            view.memory
                .region
                .open_to(chunks * CHUNK, RESERVED)
                .unwrap();
        };
        grow(40);
        view.fill(38 * CHUNK..39 * CHUNK, 2);
        let second = view.capture().unwrap().image;
        grow(60);
        let third = view.capture().unwrap().image;
        for image in [second, third] {
            let clone = memory(tracking, image.byte_len() as usize);
            clone.restore(&image, Copying::Map).unwrap();
            assert!(clone.bytes() == read(&image), "{tracking}");
            // Nothing lies behind the end of a file.
            clone.fill(0..clone.byte_len(), 3);
            assert_eq!(clone.bytes()[clone.byte_len() - 1], 3);
        }
    }
}

#[test]
fn zeros_take_no_space() {
    for tracking in Tracking::ALL {
        let view = memory(tracking, 500 * CHUNK);
        view.fill(0..500 * CHUNK, 0);
        view.fill(250 * CHUNK..251 * CHUNK, 1);
        let image = view.capture().unwrap().image;
        assert_eq!(image.held_bytes(), CHUNK as u64, "{tracking}");
        view.fill(250 * CHUNK..251 * CHUNK, 0);
        let image = view.capture().unwrap().image;
        assert_eq!((image.held_bytes(), image.extents().count()), (0, 0));
    }
}

#[test]
fn a_state_of_another_length_is_refused_and_leaves_the_memory_as_it_was() {
    for tracking in Tracking::ALL {
        let (long, short) = (memory(tracking, 3 * CHUNK), memory(tracking, 2 * CHUNK));
        long.fill(0..CHUNK, 1);
        short.fill(0..CHUNK, 2);
        let images = [&long, &short].map(|view| view.capture().unwrap().image);
        for (view, image, value) in [(&long, &images[1], 1), (&short, &images[0], 2)] {
            let error = view.restore(image, Copying::Map).unwrap_err();
            assert!(matches!(error, SnapshotError::Size { .. }));
            assert_eq!(view.bytes()[0], value);
            view.capture().unwrap();
        }
        assert!(matches!(
            long.copy_from(&short),
            Err(SnapshotError::Size { .. })
        ));
        long.copy_from(&long.clone()).unwrap();
    }
}

#[test]
fn the_memory_of_images_is_given_back() {
    // Other tests run meanwhile: only what is far more than they hold is told apart.
    let len = 1_000 * CHUNK;
    let view = memory(Tracking::detect(), len);
    view.fill(0..len, 1);
    let weak = {
        let image = view.capture().unwrap().image;
        let backing = image.extents().iter().next().unwrap().1.clone();
        assert!(crate::backing::bytes_in_images() >= len as u64);
        Arc::downgrade(&backing)
    };
    assert!(weak.upgrade().is_some());
    drop(view);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_memory_whose_image_was_gathered_anew_can_be_copied_from() {
    for tracking in Tracking::ALL {
        let len = 100 * CHUNK;
        let donor = memory(tracking, len);
        donor.fill(0..len, 1);
        donor.capture().unwrap();
        for chunk in 0..MAX_BACKINGS - 1 {
            donor.fill(chunk * CHUNK..chunk * CHUNK + 1, 2);
            donor.capture().unwrap();
        }
        // Too much to go on with mapping, too many parts to go on without storing everything.
        donor.fill(10 * CHUNK..70 * CHUNK, 3);
        donor.capture().unwrap();
        let copy = memory(tracking, len);
        copy.fill(0..len, 4);
        copy.copy_from(&donor).unwrap();
        assert!(copy.bytes() == donor.bytes(), "{tracking}");
        assert!(read(&copy.capture().unwrap().image) == donor.bytes());
    }
}
