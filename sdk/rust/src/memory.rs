//! The allocator of guests: small requests are served from lists of free blocks, all others by the standard library's.
//!
//! A plugin is one thread that asks for a few sizes again and again: names, values, rows. An allocator that looks for
//! the best place and joins neighbours takes a hundred instructions for that, all of which cost fuel; a block from a
//! list and back on it takes a dozen. The price: a block serves one class of sizes for ever, so what a plugin once
//! held in small blocks it keeps for small blocks.
//!
//! Every block is a whole piece of memory from the allocator behind this one, never a part of a larger piece: a guest has one
//! `cabi_realloc`, by which the host passes lists to the plugin (which frees them here) and to the C library (which
//! frees names of files by its own `free`).

#![expect(
    unsafe_code,
    reason = "an allocator is an unsafe interface; named in ARCHITECTURE.md"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;

/// Bytes between one class of sizes and the next, and the alignment of blocks: that of SIMD, the most that ordinary
/// types ask for.
const STEP: usize = 16;
/// Classes of sizes, up to 512 bytes: a list of 64 numbers. Twice as many change less than a hundredth.
const CLASSES: usize = 32;

#[cfg(all(feature = "allocator", target_family = "wasm"))]
#[global_allocator]
static GUEST: Small<std::alloc::System> = Small::new(std::alloc::System);

/// What stands in a free block.
struct Free {
    /// The next one of its list; null at the end.
    next: *mut Free,
}

/// Lists of free blocks in front of another allocator. For one thread.
pub(crate) struct Small<A> {
    /// By class.
    free: [Cell<*mut Free>; CLASSES],
    rest: A,
}

// SAFETY: guests have one thread; with threads, for which atomics are there, this does not compile.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
unsafe impl<A> Sync for Small<A> {}

/// The class of a request; past the last one for a request that is not small.
#[inline]
fn class(layout: Layout) -> usize {
    if layout.align() > STEP {
        return CLASSES;
    }
    layout.size().wrapping_sub(1) / STEP
}

impl<A: GlobalAlloc> Small<A> {
    /// Without blocks.
    pub(crate) const fn new(rest: A) -> Self {
        Self {
            free: [const { Cell::new(null_mut()) }; CLASSES],
            rest,
        }
    }

    /// A block of a class whose list is empty. Null if there is no memory.
    #[cold]
    #[inline(never)]
    fn fresh(&self, class: usize) -> *mut u8 {
        match Layout::from_size_align((class + 1) * STEP, STEP) {
            // SAFETY: the size is not zero.
            Ok(block) => unsafe { self.rest.alloc(block) },
            Err(_) => null_mut(),
        }
    }
}

// SAFETY: a block is in a list or with whoever asked for it, never both; it is as large and aligned as its class, and a
// layout has one class. What is not small is the other allocator's from beginning to end. Held by the tests of this file and,
// for what the C library frees, by `guests::trial::trial_files` of `tests/e2e`.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Small<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class(layout);
        let Some(list) = self.free.get(class) else {
            // SAFETY: as promised to us.
            return unsafe { self.rest.alloc(layout) };
        };
        let block = list.get();
        if block.is_null() {
            return self.fresh(class);
        }
        // SAFETY: what is in a list is ours, and was written when it came there.
        list.set(unsafe { (*block).next });
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let Some(list) = self.free.get(class(layout)) else {
            // SAFETY: as promised to us; it came from there.
            return unsafe { self.rest.dealloc(memory, layout) };
        };
        let block = memory.cast::<Free>();
        // SAFETY: the block is ours again, and every block is large and aligned enough for a pointer.
        unsafe { block.write(Free { next: list.get() }) };
        list.set(block);
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class(layout) >= CLASSES {
            // Fresh memory is zero already, which only that one knows.
            // SAFETY: as promised to us.
            return unsafe { self.rest.alloc_zeroed(layout) };
        }
        // SAFETY: as promised to us.
        let memory = unsafe { self.alloc(layout) };
        if !memory.is_null() {
            // SAFETY: it has this size.
            unsafe { memory.write_bytes(0, layout.size()) };
        }
        memory
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size, rounded up to the alignment, does not overflow.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (before, after) = (class(layout), class(wanted));
        if before >= CLASSES && after >= CLASSES {
            // SAFETY: as promised to us; it came from there.
            return unsafe { self.rest.realloc(memory, layout, size) };
        }
        if before == after {
            return memory;
        }
        // SAFETY: the new memory is another place, of at least the bytes that are copied; then the old one, which is
        // of `layout`, is not used any more.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(memory, layout.size().min(size));
                self.dealloc(memory, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::alloc::System;

    /// The system's memory, until so many bytes are gone.
    struct Scarce {
        left: Cell<usize>,
        taken: Cell<usize>,
    }

    impl Scarce {
        fn new(left: usize) -> Small<Self> {
            Small::new(Self {
                left: Cell::new(left),
                taken: Cell::new(0),
            })
        }
    }

    // SAFETY: all memory is the system's.
    unsafe impl GlobalAlloc for Scarce {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let Some(left) = self.left.get().checked_sub(layout.size()) else {
                return null_mut();
            };
            self.left.set(left);
            self.taken.set(self.taken.get() + 1);
            // SAFETY: as promised to us.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
            self.left.set(self.left.get() + layout.size());
            // SAFETY: as promised to us.
            unsafe { System.dealloc(memory, layout) }
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    /// What the allocator behind is asked for.
    fn of_class(asked: Layout) -> Layout {
        match class(asked) {
            CLASSES.. => asked,
            class => layout((class + 1) * STEP, STEP),
        }
    }

    /// Memory in use, all its bytes the same.
    struct Held {
        memory: *mut u8,
        layout: Layout,
        byte: u8,
    }

    impl Held {
        fn fill(&self) {
            // SAFETY: the memory is of this layout.
            unsafe { self.memory.write_bytes(self.byte, self.layout.size()) };
        }

        fn is_whole(&self, bytes: usize) -> bool {
            // SAFETY: as above; whoever asks knows how many bytes of it were filled.
            let held = unsafe { std::slice::from_raw_parts(self.memory, bytes) };
            held.iter().all(|byte| *byte == self.byte)
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Take {
            size: usize,
            align: usize,
            zero: bool,
        },
        Resize {
            which: usize,
            size: usize,
        },
        Free {
            which: usize,
            /// By the allocator behind, as the C library does.
            behind: bool,
        },
    }

    fn act() -> impl Strategy<Value = Act> {
        let size = || prop_oneof![1_usize..80, 480_usize..560, 1_usize..4_000];
        let align = prop_oneof![Just(1), Just(4), Just(8), Just(16), Just(64)];
        prop_oneof![
            (size(), align, any::<bool>()).prop_map(|(size, align, zero)| Act::Take {
                size,
                align,
                zero
            }),
            (any::<usize>(), size()).prop_map(|(which, size)| Act::Resize { which, size }),
            (any::<usize>(), any::<bool>()).prop_map(|(which, behind)| Act::Free { which, behind }),
        ]
    }

    proptest! {
        #[test]
        fn nothing_that_is_in_use_is_given_away_moved_or_written_to(
            acts in prop::collection::vec(act(), 1..400),
            bytes in prop_oneof![Just(usize::MAX), 0_usize..60_000],
        ) {
            let small = Scarce::new(bytes);
            let mut held: Vec<Held> = Vec::new();
            for (i, act) in acts.into_iter().enumerate() {
                let byte = u8::try_from(i % 251 + 1).unwrap();
                match act {
                    Act::Take { size, align, zero } => {
                        let layout = layout(size, align);
                        // SAFETY: the size is not zero.
                        let memory = unsafe {
                            if zero { small.alloc_zeroed(layout) } else { small.alloc(layout) }
                        };
                        if memory.is_null() {
                            continue;
                        }
                        prop_assert_eq!(memory.addr() % align, 0);
                        if zero {
                            let zeros = Held { memory, layout, byte: 0 };
                            prop_assert!(zeros.is_whole(size));
                        }
                        held.push(Held { memory, layout, byte });
                        held[held.len() - 1].fill();
                    }
                    Act::Resize { which, size } if !held.is_empty() => {
                        let at = which % held.len();
                        let old = &mut held[at];
                        // SAFETY: it came from there with this layout.
                        let memory = unsafe { small.realloc(old.memory, old.layout, size) };
                        if memory.is_null() {
                            // What was there is as it was.
                            prop_assert!(old.is_whole(old.layout.size()));
                            continue;
                        }
                        let kept = old.layout.size().min(size);
                        old.memory = memory;
                        old.layout = layout(size, old.layout.align());
                        prop_assert_eq!(memory.addr() % old.layout.align(), 0);
                        prop_assert!(old.is_whole(kept));
                        old.fill();
                    }
                    Act::Free { which, behind } if !held.is_empty() => {
                        let old = held.swap_remove(which % held.len());
                        prop_assert!(old.is_whole(old.layout.size()));
                        // SAFETY: it came from there with this layout, and from behind with that of its class.
                        unsafe {
                            if behind {
                                small.rest.dealloc(old.memory, of_class(old.layout));
                            } else {
                                small.dealloc(old.memory, old.layout);
                            }
                        }
                    }
                    Act::Resize { .. } | Act::Free { .. } => {}
                }
            }
            for old in held {
                prop_assert!(old.is_whole(old.layout.size()));
            }
        }
    }

    #[test]
    fn a_block_that_came_back_serves_the_next_request_of_its_class() {
        let small = Scarce::new(usize::MAX);
        for (size, again) in [(1, 16), (17, 32), (497, 512)] {
            // SAFETY: sizes are not zero; each block goes back as it was asked for.
            unsafe {
                let first = small.alloc(layout(size, 1));
                small.dealloc(first, layout(size, 1));
                assert_eq!(small.alloc(layout(again, 16)), first);
                assert_ne!(small.alloc(layout(again, 16)), first);
            }
        }
        // Two for each of three classes.
        assert_eq!(small.rest.taken.get(), 6);
    }

    #[test]
    fn what_is_large_or_aligned_more_than_blocks_are_goes_back_to_the_other_allocator() {
        for (size, align, is_small) in [(512, 16, true), (513, 8, false), (512, 32, false)] {
            let small = Scarce::new(1 << 20);
            // SAFETY: the size is not zero; the memory goes back as it was asked for.
            unsafe {
                let memory = small.alloc(layout(size, align));
                assert!(!memory.is_null());
                small.dealloc(memory, layout(size, align));
            }
            let is_back = small.rest.left.get() == 1 << 20;
            assert_eq!(is_back, !is_small, "{size} {align}");
        }
    }

    #[test]
    fn without_memory_a_request_fails_and_what_is_held_stays() {
        let small = Scarce::new(300);
        // SAFETY: sizes are not zero, and the blocks are of these layouts.
        unsafe {
            let block = small.alloc(layout(100, 8));
            let other = small.alloc(layout(100, 8));
            block.write_bytes(7, 100);
            small.dealloc(other, layout(100, 8));
            assert!(small.alloc(layout(200, 8)).is_null());
            assert!(small.realloc(block, layout(100, 8), 600).is_null());
            assert_eq!(std::slice::from_raw_parts(block, 100), [7; 100]);
            assert_eq!(small.alloc(layout(100, 8)), other);
        }
    }
}
