//! A reservation of address space whose beginning is a linear memory: opened as it grows, and laid
//! out anew between calls of the guest.
//!
//! Every range inside is always mapped, as memory or without access: were a part of it given back,
//! the process could get it for something else, and compiled code would reach that.
//!
//! The methods that touch bytes or mappings are for times when no call of the guest is active.

#![expect(
    unsafe_code,
    reason = "mapping address space has no safe interface; named in ARCHITECTURE.md"
)]

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, MsyncFlags, ProtFlags};

use crate::backing::{Backing, HUGE_PAGE};
use crate::error::HostMemoryError;

/// A reservation; the first `open` bytes behind `base` can be used.
#[derive(Debug)]
pub(crate) struct Region {
    /// Begins a large page, so that large pages can be used.
    base: NonNull<c_void>,
    reserved: usize,
    open: AtomicUsize,
    mapping: NonNull<c_void>,
    mapped: usize,
}

// SAFETY: a region is addresses and lengths; the memory behind it is used by one store at a time,
// and by the owner of a `MemoryView` only while that store is idle. Held by the test
// `a_region_outlives_its_memory`.
unsafe impl Send for Region {}
// SAFETY: as above; `open` is atomic, the other fields never change.
unsafe impl Sync for Region {}

impl Region {
    /// Reserves address space without access.
    pub(crate) fn reserve(bytes: usize) -> Result<Self, HostMemoryError> {
        let failed = |cause: Errno| HostMemoryError {
            bytes,
            cause: cause.to_string(),
        };
        let mapped = bytes.checked_add(HUGE_PAGE);
        let mapped = mapped.ok_or_else(|| failed(Errno::NOMEM))?;
        // SAFETY: a new anonymous mapping at an address that the kernel chooses aliases nothing.
        let mapping = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                mapped,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(failed)?;
        let skipped = mapping.addr().next_multiple_of(HUGE_PAGE) - mapping.addr();
        let pointers = NonNull::new(mapping).zip(NonNull::new(mapping.wrapping_byte_add(skipped)));
        let (mapping, base) = pointers.ok_or_else(|| failed(Errno::NOMEM))?;
        Ok(Self {
            base,
            reserved: bytes,
            open: AtomicUsize::new(0),
            mapping,
            mapped,
        })
    }

    /// Where it begins.
    pub(crate) fn base(&self) -> *mut c_void {
        self.base.as_ptr()
    }

    /// How much of it can be used, in bytes.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Makes the first `bytes` usable, at most `usable`. They read as zero until written.
    pub(crate) fn open_to(&self, bytes: usize, usable: usize) -> Result<(), HostMemoryError> {
        let failed = |cause: String| HostMemoryError { bytes, cause };
        if bytes > usable.min(self.reserved) {
            return Err(failed("it is more than was reserved".to_owned()));
        }
        let open = self.open();
        if bytes > open {
            // SAFETY: `open <= bytes <= reserved`, so the range lies inside this reservation, and
            // only access is added: nothing that was valid stops being so.
            unsafe {
                rustix::mm::mprotect(
                    self.base().byte_add(open),
                    bytes - open,
                    MprotectFlags::READ | MprotectFlags::WRITE,
                )
            }
            .map_err(|e| failed(e.to_string()))?;
            self.open.store(bytes, Ordering::Release);
        }
        Ok(())
    }

    /// The bytes of an open range; of one that is not, none.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        let Some((at, len)) = self.part(&range) else {
            return &[];
        };
        // SAFETY: the range is open, and nobody writes to it while no call is active.
        unsafe { std::slice::from_raw_parts(at.cast(), len) }
    }

    /// The same, to be written.
    #[expect(
        clippy::mut_from_ref,
        reason = "the memory is not the region's: its owner is the one who has the idle store"
    )]
    pub(crate) fn bytes_mut(&self, range: Range<usize>) -> &mut [u8] {
        let Some((at, len)) = self.part(&range) else {
            return &mut [];
        };
        // SAFETY: the range is open, no call is active, and callers hold the lock of the memory's
        // state, so that no other slice of it is there.
        unsafe { std::slice::from_raw_parts_mut(at.cast(), len) }
    }

    /// Replaces a range by the same range of a file, copy-on-write. If it fails, the range is what
    /// it was.
    pub(crate) fn map(
        &self,
        range: Range<usize>,
        backing: &Backing,
    ) -> Result<(), HostMemoryError> {
        let (Some((at, len)), Some(file)) = (self.part(&range), backing.file()) else {
            return Err(outside(&range));
        };
        if range.end > backing.len() {
            return Err(outside(&range));
        }
        // SAFETY: the range is open memory of this region and no call is active. The file is sealed
        // and at least as long as what is mapped of it, so its pages neither change nor vanish.
        let mapped = unsafe {
            rustix::mm::mmap(
                at,
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
                file,
                range.start as u64,
            )
        };
        self.check(mapped, at, len)
    }

    /// Replaces a range by zeros. If it fails, the range is what it was.
    pub(crate) fn blank(&self, range: Range<usize>) -> Result<(), HostMemoryError> {
        let Some((at, len)) = self.part(&range) else {
            return Err(outside(&range));
        };
        // SAFETY: the range is open memory of this region and no call is active.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(
                at,
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        };
        self.check(mapped, at, len)
    }

    /// Asks for large pages where whole ones lie in the range.
    pub(crate) fn use_large_pages(&self, range: Range<usize>) {
        let whole = range.start.next_multiple_of(HUGE_PAGE)..range.end / HUGE_PAGE * HUGE_PAGE;
        if whole.is_empty() {
            return;
        }
        if let Some((at, len)) = self.part(&whole) {
            // SAFETY: advice on a range of this region changes no bytes; a refusal is no matter.
            let _ = unsafe { rustix::mm::madvise(at, len, Advice::LinuxHugepage) };
        }
    }

    fn part(&self, range: &Range<usize>) -> Option<(*mut c_void, usize)> {
        if range.start >= range.end || range.end > self.open() {
            return None;
        }
        // SAFETY: the start lies inside the reservation.
        Some((unsafe { self.base().byte_add(range.start) }, range.len()))
    }

    fn check(
        &self,
        mapped: rustix::io::Result<*mut c_void>,
        at: *mut c_void,
        len: usize,
    ) -> Result<(), HostMemoryError> {
        let Err(cause) = mapped else { return Ok(()) };
        // Kernels refuse before they touch what is there. Should one have unmapped it already, some
        // other part of the process would be given this range and the guest would write to it.
        // SAFETY: asks for nothing to be written; fails if a part of the range is not mapped.
        if unsafe { rustix::mm::msync(at, len, MsyncFlags::ASYNC) }.is_err() {
            std::process::abort();
        }
        Err(HostMemoryError {
            bytes: len,
            cause: cause.to_string(),
        })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and its last owner is gone.
        let unmapped = unsafe { rustix::mm::munmap(self.mapping.as_ptr(), self.mapped) };
        debug_assert!(unmapped.is_ok(), "unmapping a region: {unmapped:?}");
    }
}

fn outside(range: &Range<usize>) -> HostMemoryError {
    HostMemoryError {
        bytes: range.len(),
        cause: format!(
            "bytes {} to {} are not in the memory",
            range.start, range.end
        ),
    }
}
