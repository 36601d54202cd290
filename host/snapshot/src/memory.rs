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
    reason = "mapping address space has no safe interface; named in ARCHITECTURE.md"
)]

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// The machine did not give memory that the limits allow. A retry elsewhere may succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the machine has no {bytes} bytes of memory for the guest: {cause}")]
pub struct HostMemoryError {
    /// Bytes that were asked for.
    pub bytes: usize,
    /// What the operating system said.
    pub cause: String,
}

/// A reservation of address space; the first `open` bytes can be used.
#[derive(Debug)]
struct Region {
    base: NonNull<c_void>,
    reserved: usize,
    open: AtomicUsize,
}

// SAFETY: a region is an address and two lengths; the memory behind it is used by one store at a
// time, and by the owner of a `MemoryView` only while that store is idle. Held by the test
// `a_region_outlives_its_memory`.
unsafe impl Send for Region {}
// SAFETY: as above; `open` is atomic, the other fields never change.
unsafe impl Sync for Region {}

impl Region {
    fn reserve(bytes: usize) -> Result<Self, HostMemoryError> {
        let failed = |cause: rustix::io::Errno| HostMemoryError {
            bytes,
            cause: cause.to_string(),
        };
        // SAFETY: a new anonymous mapping at an address that the kernel chooses aliases nothing.
        let base = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(failed)?;
        let base = NonNull::new(base).ok_or_else(|| failed(rustix::io::Errno::NOMEM))?;
        Ok(Self {
            base,
            reserved: bytes,
            open: AtomicUsize::new(0),
        })
    }

    /// Makes the first `bytes` usable. They read as zero until written.
    fn open_to(&self, bytes: usize, usable: usize) -> Result<(), HostMemoryError> {
        let failed = |cause: String| HostMemoryError { bytes, cause };
        if bytes > usable {
            return Err(failed("it is more than was reserved".to_owned()));
        }
        let open = self.open.load(Ordering::Acquire);
        if bytes > open {
            // SAFETY: `open <= bytes <= usable <= reserved`, so the range lies inside this
            // reservation, and only access is added: nothing that was valid stops being so.
            unsafe {
                rustix::mm::mprotect(
                    self.base.as_ptr().byte_add(open),
                    bytes - open,
                    MprotectFlags::READ | MprotectFlags::WRITE,
                )
            }
            .map_err(|e| failed(e.to_string()))?;
            self.open.store(bytes, Ordering::Release);
        }
        Ok(())
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and its last owner is gone.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr(), self.reserved) };
        debug_assert!(unmapped.is_ok(), "unmapping a region: {unmapped:?}");
    }
}

/// A linear memory of an instance, reachable beside its store.
#[derive(Clone, Debug)]
pub struct MemoryView {
    region: Arc<Region>,
}

impl MemoryView {
    /// Its present size in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.region.open.load(Ordering::Acquire)
    }
}

/// What wasmtime holds of a region.
struct Memory {
    region: Arc<Region>,
    /// Bytes up to which the memory can grow; behind them lies the guard.
    capacity: usize,
}

// SAFETY: the base is page-aligned and never moves, `byte_size` bytes behind it are accessible, and
// everything from there to the end of the reservation, guard included, is mapped without access.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.region.open.load(Ordering::Acquire)
    }

    fn byte_capacity(&self) -> usize {
        self.capacity
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        Ok(self.region.open_to(new_size, self.capacity)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.region.base.as_ptr().cast()
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

thread_local! {
    static COLLECTED: RefCell<Option<Collected>> = const { RefCell::new(None) };
}

/// Collects the memories that an instantiation on this thread makes: wasmtime says which memory is
/// wanted, not for whom. The instantiation must not move to another thread.
#[derive(Debug)]
pub struct Collector {
    /// What an outer collector holds, given back on drop.
    outer: Option<Collected>,
    // Not `Send`: it belongs to this thread's variable.
    _thread: std::marker::PhantomData<*const ()>,
}

impl Collector {
    /// Begins to collect on this thread.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            outer: COLLECTED.replace(Some(Collected::default())),
            _thread: std::marker::PhantomData,
        }
    }

    /// Ends it.
    #[must_use]
    pub fn finish(self) -> Collected {
        COLLECTED.take().unwrap_or_default()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        COLLECTED.set(self.outer.take());
    }
}

/// The memory creator for `Config::with_host_memory`, with `memory_init_cow(false)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostMemory;

// SAFETY: `new_memory` reserves what is asked for plus the guard, zero-filled, as documented there.
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
        let made = capacity
            .checked_add(guard_size_in_bytes)
            .ok_or_else(|| HostMemoryError {
                bytes: capacity,
                cause: "the guard does not fit behind it".to_owned(),
            })
            .and_then(Region::reserve)
            .and_then(|region| {
                region.open_to(minimum, capacity)?;
                Ok(Arc::new(region))
            });
        COLLECTED.with_borrow_mut(|collected| {
            let Some(collected) = collected else { return };
            match &made {
                Ok(region) => collected.memories.push(MemoryView {
                    region: Arc::clone(region),
                }),
                Err(error) => collected.failure = Some(error.clone()),
            }
        });
        match made {
            Ok(region) => Ok(Box::new(Memory { region, capacity })),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 64 << 10;

    fn memory(minimum: usize, reserved: usize) -> Result<Box<dyn LinearMemory>, String> {
        HostMemory.new_memory(
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
