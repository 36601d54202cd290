//! Stacks on which guests run, used again by the next instance.
//!
//! An instance has a stack of its own from its first call to its end. Mapping, protecting and unmapping
//! one costs a fifth of a trial that does nothing. A guest cannot read its stack but through locals that
//! its code has written, so what an earlier instance left there is not seen.

#![expect(
    unsafe_code,
    reason = "mapping address space has no safe interface; named in ARCHITECTURE.md"
)]

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use wasmtime::{StackCreator, StackMemory};

use crate::error::HostMemoryError;

/// Stacks that are kept: instances come and go on trial threads, of which machines have as many as
/// processors; more than this are mapped anew.
const KEPT: usize = 32;
/// Bytes at the top of a kept stack that stay in memory: more than ordinary calls use. What a deep
/// recursion has touched below goes back to the machine.
const WARM_BYTES: usize = 64 << 10;

/// Gives stacks to the instances of an engine.
#[derive(Debug, Default)]
pub struct Stacks {
    free: Arc<Free>,
}

type Free = Mutex<Vec<Mapping>>;

/// Address space: a page without access, and the stack above it.
#[derive(Debug)]
struct Mapping {
    base: NonNull<c_void>,
    guard: usize,
    bytes: usize,
}

// SAFETY: a mapping is an address and lengths; the stack behind it is used by the one store that has it.
// Held by the test `a_stack_is_used_again_and_only_by_one_at_a_time`.
unsafe impl Send for Mapping {}
// SAFETY: as above; the fields never change.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(bytes: usize) -> Result<Self, HostMemoryError> {
        let failed = |cause: Errno| HostMemoryError {
            bytes,
            cause: cause.to_string(),
        };
        let guard = rustix::param::page_size();
        let whole = bytes
            .checked_add(guard)
            .ok_or_else(|| failed(Errno::NOMEM))?;
        // SAFETY: a new anonymous mapping at an address that the kernel chooses aliases nothing.
        let base = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                whole,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(failed)?;
        let base = NonNull::new(base).ok_or_else(|| failed(Errno::NOMEM))?;
        let mapping = Self { base, guard, bytes };
        // SAFETY: the range lies inside the new mapping, and only access is added.
        unsafe {
            rustix::mm::mprotect(
                mapping.bottom(),
                bytes,
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        }
        .map_err(failed)?;
        Ok(mapping)
    }

    /// The lowest byte of the stack.
    fn bottom(&self) -> *mut c_void {
        self.base.as_ptr().wrapping_byte_add(self.guard)
    }

    /// Gives back what lies deep in the stack.
    fn cool(&self) {
        let deep = self.bytes.saturating_sub(WARM_BYTES);
        if deep > 0 {
            // SAFETY: the range lies inside the stack, which nobody uses; its bytes read as zero from
            // now on. A refusal costs memory only.
            let _ = unsafe { rustix::mm::madvise(self.bottom(), deep, Advice::LinuxDontNeed) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and its last owner is gone.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr(), self.guard + self.bytes) };
        debug_assert!(unmapped.is_ok(), "unmapping a stack: {unmapped:?}");
    }
}

/// A stack in use. When it is dropped, its mapping waits for the next one.
struct Stack {
    mapping: Option<Mapping>,
    bottom: *mut u8,
    guard: usize,
    bytes: usize,
    free: Arc<Free>,
}

// SAFETY: as for `Mapping`; the pointer is an address.
unsafe impl Send for Stack {}
// SAFETY: as above.
unsafe impl Sync for Stack {}

impl Drop for Stack {
    fn drop(&mut self) {
        let Some(mapping) = self.mapping.take() else {
            return;
        };
        if lock(&self.free).len() < KEPT {
            mapping.cool();
            lock(&self.free).push(mapping);
        }
    }
}

/// A lock that a panicking holder cannot poison: the list is whole between statements.
fn lock(free: &Free) -> MutexGuard<'_, Vec<Mapping>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

// SAFETY: each stack is a mapping of its own with a page without access below it, owned by one `Stack` at
// a time; nothing but wasmtime touches it meanwhile. One that must be zero is always new. Held by the tests
// of this file.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> wasmtime::Result<Box<dyn StackMemory>> {
        let bytes = size.next_multiple_of(rustix::param::page_size());
        let kept = if zeroed {
            None
        } else {
            // All stacks of an engine have one size.
            lock(&self.free).pop().filter(|kept| kept.bytes == bytes)
        };
        let mapping = match kept {
            Some(kept) => kept,
            None => Mapping::new(bytes)?,
        };
        Ok(Box::new(Stack {
            bottom: mapping.bottom().cast(),
            guard: mapping.guard,
            bytes,
            mapping: Some(mapping),
            free: Arc::clone(&self.free),
        }))
    }
}

// SAFETY: the range is page-aligned, whole pages, and has a page without access below it.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.bottom.wrapping_add(self.bytes)
    }

    fn range(&self) -> Range<usize> {
        let bottom = self.bottom.addr();
        bottom..bottom.saturating_add(self.bytes)
    }

    fn guard_range(&self) -> Range<*mut u8> {
        self.bottom.wrapping_sub(self.guard)..self.bottom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 256 << 10;

    fn write(stack: &dyn StackMemory, from_top: usize, byte: u8) {
        // SAFETY: inside the stack, which the test alone has.
        unsafe { stack.top().sub(from_top).write(byte) }
    }

    fn read(stack: &dyn StackMemory, from_top: usize) -> u8 {
        // SAFETY: as above.
        unsafe { stack.top().sub(from_top).read() }
    }

    #[test]
    fn a_stack_is_used_again_and_only_by_one_at_a_time() {
        let stacks = Stacks::default();
        let first = stacks.new_stack(BYTES, false).unwrap();
        let second = stacks.new_stack(BYTES, false).unwrap();
        let (one, two) = (first.range(), second.range());
        assert!(one.end <= two.start || two.end <= one.start);
        drop(first);
        let third = stacks.new_stack(BYTES, false).unwrap();
        assert_eq!(third.range(), one);
        assert_eq!(stacks.new_stack(BYTES, false).unwrap().range().len(), BYTES);
    }

    #[test]
    fn what_lies_deep_in_a_kept_stack_goes_back_to_the_machine() {
        let stacks = Stacks::default();
        let stack = stacks.new_stack(BYTES, false).unwrap();
        write(stack.as_ref(), 8, 1);
        write(stack.as_ref(), BYTES, 1);
        drop(stack);
        let again = stacks.new_stack(BYTES, false).unwrap();
        assert_eq!(
            (read(again.as_ref(), 8), read(again.as_ref(), BYTES)),
            (1, 0)
        );
    }

    #[test]
    fn a_stack_that_must_be_zero_or_has_another_size_is_a_new_one() {
        let stacks = Stacks::default();
        let stack = stacks.new_stack(BYTES, false).unwrap();
        write(stack.as_ref(), 8, 1);
        drop(stack);
        let zero = stacks.new_stack(BYTES, true).unwrap();
        assert_eq!(read(zero.as_ref(), 8), 0);
        assert_eq!(
            stacks.new_stack(2 * BYTES, false).unwrap().range().len(),
            2 * BYTES
        );
    }

    #[test]
    fn no_more_stacks_are_kept_than_the_bound() {
        let stacks = Stacks::default();
        let all: Vec<_> = (0..KEPT + 9)
            .map(|_| stacks.new_stack(BYTES, false).unwrap())
            .collect();
        drop(all);
        assert_eq!(lock(&stacks.free).len(), KEPT);
    }

    #[test]
    fn below_a_stack_is_a_page_without_access() {
        let stacks = Stacks::default();
        let stack = stacks.new_stack(BYTES, false).unwrap();
        let guard = stack.guard_range();
        assert_eq!(guard.end.addr(), stack.range().start);
        assert_eq!(
            guard.end.addr() - guard.start.addr(),
            rustix::param::page_size()
        );
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| {
            let (start, rest) = line.split_once('-').unwrap();
            let end = rest.split(' ').next().unwrap();
            let address = |text| usize::from_str_radix(text, 16).unwrap();
            (address(start)..address(end)).contains(&guard.start.addr())
        });
        assert!(line.unwrap().contains(" ---p "), "{line:?}");
    }
}
