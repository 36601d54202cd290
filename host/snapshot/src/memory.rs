//! Linear memory that the host owns, so that it can be copied, mapped and compared between calls.
//!
//! Every memory is one reservation of address space without access; growing opens more of it and
//! never moves it, so compiled code needs no bounds checks. The reservation is shared with whoever
//! collects it and is unmapped when the last owner is gone: a snapshot can outlive its store.
//!
//! A memory that the machine cannot give is an error of its own type. It must never look like
//! `memory.grow` answering -1: then a guest would go on differently on a smaller machine.

#![expect(
    unsafe_code,
    reason = "wasmtime's traits for memory are unsafe; named in ARCHITECTURE.md"
)]

use std::cell::RefCell;
use std::sync::Arc;

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use crate::error::HostMemoryError;
use crate::laid::Laid;
use crate::layout::{Layout, MemoryLayout};
use crate::region::Region;
use crate::tracking::Tracking;
use crate::view::MemoryView;

/// What wasmtime holds of a region.
struct Memory {
    laid: Arc<Laid>,
    /// Bytes up to which the memory can grow; behind them lies the guard.
    capacity: usize,
}

// SAFETY: the base is page-aligned and never moves, `byte_size` bytes behind it are accessible, and
// everything from there to the end of the reservation, guard included, is mapped without access.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.laid.region.open()
    }

    fn byte_capacity(&self) -> usize {
        self.capacity
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        Ok(self.laid.region.open_to(new_size, self.capacity)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.laid.region.base().cast()
    }
}

/// Memories made on a thread while a [`Collector`] was there.
#[derive(Debug, Default)]
pub struct Collected {
    /// In the order in which the core modules define them.
    pub memories: Vec<MemoryView>,
    /// Why a memory could not be made.
    pub failure: Option<HostMemoryError>,
}

/// What a collector is at.
#[derive(Debug, Default)]
struct Collecting {
    collected: Collected,
    /// What the next memories are like; none: anything.
    expected: Option<std::vec::IntoIter<MemoryLayout>>,
}

thread_local! {
    static COLLECTING: RefCell<Option<Collecting>> = const { RefCell::new(None) };
}

/// Collects the memories that an instantiation on this thread makes: wasmtime says which memory is
/// wanted, not for whom. The instantiation must not move to another thread.
#[derive(Debug)]
pub struct Collector {
    /// What an outer collector is at, given back on drop.
    outer: Option<Collecting>,
    // Not `Send`: it belongs to this thread's variable.
    _thread: std::marker::PhantomData<*const ()>,
}

impl Collector {
    /// Begins to collect on this thread the memories of a component that was not instrumented.
    #[must_use]
    pub fn begin() -> Self {
        Self::begin_with(None)
    }

    /// Begins to collect on this thread. The memories of an instrumented component get their
    /// initial content from its layout.
    #[must_use]
    pub fn begin_with(layout: Option<&Layout>) -> Self {
        let collecting = Collecting {
            collected: Collected::default(),
            expected: layout.map(|layout| layout.memories.clone().into_iter()),
        };
        Self {
            outer: COLLECTING.replace(Some(collecting)),
            _thread: std::marker::PhantomData,
        }
    }

    /// Ends it.
    #[must_use]
    pub fn finish(self) -> Collected {
        COLLECTING.take().unwrap_or_default().collected
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        COLLECTING.set(self.outer.take());
    }
}

/// The memory creator for `Config::with_host_memory`, with `memory_init_cow(false)`.
#[derive(Clone, Copy, Debug)]
pub struct HostMemory {
    tracking: Tracking,
}

impl HostMemory {
    /// Memory whose changes are found in this way, which must work on this machine.
    #[must_use]
    pub fn new(tracking: Tracking) -> Self {
        Self { tracking }
    }

    fn make(
        self,
        minimum: usize,
        capacity: usize,
        guard: usize,
        expected: Option<Option<MemoryLayout>>,
    ) -> Result<Arc<Laid>, HostMemoryError> {
        let failed = |cause: &str| HostMemoryError {
            bytes: capacity,
            cause: cause.to_owned(),
        };
        let reserved = (capacity.checked_add(guard))
            .ok_or_else(|| failed("the guard does not fit behind it"))?;
        let region = Region::reserve(reserved)?;
        region.open_to(minimum, capacity)?;
        let laid = Laid::new(region, self.tracking);
        if let Some(expected) = expected {
            // The layout is made from the same bytes; should it not fit, the wrong memory would get
            // the wrong content.
            let expected = expected
                .filter(|expected| expected.initial_bytes == minimum as u64)
                .ok_or_else(|| failed("the layout of the component has no such memory"))?;
            if let Some(genesis) = &expected.genesis {
                laid.begin(genesis).map_err(|e| failed(&e.to_string()))?;
            }
        }
        Ok(Arc::new(laid))
    }
}

// SAFETY: `new_memory` reserves what is asked for plus the guard; it is zero, or holds what the data
// segments that were taken out of the component would have written.
unsafe impl MemoryCreator for HostMemory {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let capacity = reserved_size_in_bytes
            .unwrap_or_else(|| maximum.unwrap_or(minimum))
            .max(minimum);
        let made = COLLECTING.with_borrow_mut(|collecting| {
            let Some(collecting) = collecting else {
                return self.make(minimum, capacity, guard_size_in_bytes, None);
            };
            let expected = collecting.expected.as_mut().map(Iterator::next);
            let made = self.make(minimum, capacity, guard_size_in_bytes, expected);
            match &made {
                Ok(laid) => {
                    let view = MemoryView::new(Arc::clone(laid));
                    collecting.collected.memories.push(view);
                }
                Err(error) => collecting.collected.failure = Some(error.clone()),
            }
            made
        });
        match made {
            Ok(laid) => Ok(Box::new(Memory { laid, capacity })),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 64 << 10;

    fn memory(minimum: usize, reserved: usize) -> Result<Box<dyn LinearMemory>, String> {
        HostMemory::new(Tracking::Copy).new_memory(
            MemoryType::new(1, None),
            minimum,
            None,
            Some(reserved),
            PAGE,
        )
    }

    #[test]
    fn a_memory_grows_in_place_and_is_zero() {
        let mut memory = memory(PAGE, 1 << 30).unwrap();
        let base = memory.as_ptr();
        memory.grow_to(5 * PAGE).unwrap();
        assert_eq!((memory.byte_size(), memory.as_ptr()), (5 * PAGE, base));
        // SAFETY: the first 5 pages are open and nobody else uses them.
        let bytes = unsafe { std::slice::from_raw_parts_mut(base, 5 * PAGE) };
        assert!(bytes.iter().all(|b| *b == 0));
        bytes.fill(7);
    }

    #[test]
    fn a_memory_cannot_grow_past_its_reservation() {
        let mut memory = memory(PAGE, 2 * PAGE).unwrap();
        memory.grow_to(2 * PAGE).unwrap();
        let error = memory.grow_to(3 * PAGE).unwrap_err();
        assert!(error.downcast_ref::<HostMemoryError>().is_some());
        assert_eq!(memory.byte_size(), 2 * PAGE);
    }

    #[test]
    fn more_than_the_address_space_is_a_failure_of_the_host() {
        let collector = Collector::begin();
        let error = memory(PAGE, 1 << 60).err().unwrap();
        let failure = collector.finish().failure.unwrap();
        assert_eq!(
            (failure.bytes, failure.to_string()),
            ((1 << 60) + PAGE, error)
        );
    }

    #[test]
    fn only_memories_made_meanwhile_are_collected() {
        let _before = memory(PAGE, PAGE).unwrap();
        let collector = Collector::begin();
        let _one = memory(PAGE, PAGE).unwrap();
        let _two = memory(2 * PAGE, 2 * PAGE).unwrap();
        let collected = collector.finish();
        let sizes: Vec<_> = collected
            .memories
            .iter()
            .map(MemoryView::byte_len)
            .collect();
        assert_eq!(sizes, [PAGE, 2 * PAGE]);
        let _after = memory(PAGE, PAGE).unwrap();
        assert_eq!(Collector::begin().finish().memories.len(), 0);
    }

    #[test]
    fn a_region_outlives_its_memory() {
        let collector = Collector::begin();
        let memory = memory(PAGE, PAGE).unwrap();
        let view = collector.finish().memories.remove(0);
        let base = memory.as_ptr();
        // SAFETY: the page is open, and the view keeps it mapped after the memory is gone.
        unsafe { base.write(9) };
        std::thread::spawn(move || drop(memory)).join().unwrap();
        // SAFETY: as above.
        assert_eq!((view.byte_len(), unsafe { base.read() }), (PAGE, 9));
    }
}
