//! Where the bytes of images lie: sealed in-memory files, which can be mapped into any number of
//! memories copy-on-write, or plain memory in large pages, which is quicker to fill and to read and
//! can only be copied.
//!
//! Bytes are written once, before anybody else sees them, and never again. Byte `n` of a memory is
//! byte `n` of its backing; what was not written reads as zero and takes no space.

#![expect(
    unsafe_code,
    reason = "mapping memory has no safe interface; named in ARCHITECTURE.md"
)]

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::error::HostMemoryError;

/// Unit of images: content is compared and copied in these. The page of linear memories.
pub(crate) const CHUNK: usize = 64 << 10;
/// Size and alignment of a large page on the usual processors; elsewhere the advice is useless and
/// harmless.
pub(crate) const HUGE_PAGE: usize = 2 << 20;
const ZEROS: &[u8; CHUNK] = &[0; CHUNK];

/// Bytes in all backings of the process.
static STORED: AtomicU64 = AtomicU64::new(0);
/// Backings of the process that are files.
static FILES: AtomicU64 = AtomicU64::new(0);

/// Memory that images hold in this process, shared parts counted once, in bytes.
#[must_use]
pub fn bytes_in_images() -> u64 {
    STORED.load(Ordering::Relaxed)
}

/// All of these are zero; at most [`CHUNK`] of them.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    ZEROS.get(..bytes.len()).is_some_and(|zeros| zeros == bytes)
}

/// What kind of memory.
#[derive(Debug)]
enum Kind {
    File(File),
    Plain(NonNull<c_void>),
}

/// Bytes that do not change any more.
#[derive(Debug)]
pub(crate) struct Backing {
    kind: Kind,
    len: usize,
    stored: usize,
}

// SAFETY: a backing owns its mapping; whoever shares it only reads.
unsafe impl Send for Backing {}
// SAFETY: as above: after `seal` nothing writes.
unsafe impl Sync for Backing {}

/// Two are equal if they are the same.
impl PartialEq for Backing {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A backing that is being written.
#[derive(Debug)]
pub(crate) struct Draft(Backing);

impl Draft {
    /// An in-memory file, where the system has them. Images take no more than half of the files that
    /// the process may have open: journal and logs need theirs.
    pub(crate) fn file(len: usize) -> Result<Self, HostMemoryError> {
        Self::file_of(len, allowed_files() / 2)
    }

    fn file_of(len: usize, allowed: u64) -> Result<Self, HostMemoryError> {
        if FILES.load(Ordering::Relaxed) >= allowed {
            let cause = std::io::Error::other("images have half of the files of this process open");
            return Err(failed(len, &cause));
        }
        let made = memory_file().and_then(|file| {
            file.set_len(len as u64)?;
            Ok(file)
        });
        let file = made.map_err(|cause| failed(len, &cause))?;
        FILES.fetch_add(1, Ordering::Relaxed);
        Ok(Self::new(Kind::File(file), len))
    }

    /// Plain memory.
    pub(crate) fn plain(len: usize) -> Result<Self, HostMemoryError> {
        // SAFETY: a new anonymous mapping at an address that the kernel chooses aliases nothing.
        let base = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                len.max(1),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        };
        let base = base
            .map_err(Into::into)
            .and_then(|base| {
                NonNull::new(base).ok_or_else(|| std::io::ErrorKind::OutOfMemory.into())
            })
            .map_err(|cause| failed(len, &cause))?;
        Ok(Self::new(Kind::Plain(base), len))
    }

    fn new(kind: Kind, len: usize) -> Self {
        Self(Backing {
            kind,
            len,
            stored: 0,
        })
    }

    /// Writes within the length.
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), HostMemoryError> {
        let range = self.0.range(offset, bytes.len())?;
        match &self.0.kind {
            Kind::File(file) => file
                .write_all_at(bytes, offset as u64)
                .map_err(|cause| failed(bytes.len(), &cause))?,
            Kind::Plain(base) => {
                // Large pages where whole ones are filled; a few bytes must not take two megabytes.
                let start = range.start.next_multiple_of(HUGE_PAGE);
                let end = range.end / HUGE_PAGE * HUGE_PAGE;
                // SAFETY: both ranges lie in this mapping, which nobody else has yet; advice
                // changes no bytes, and a refusal of it is no matter.
                unsafe {
                    if start < end {
                        let at = base.as_ptr().byte_add(start);
                        let _ = rustix::mm::madvise(at, end - start, Advice::LinuxHugepage);
                    }
                    let at = base.as_ptr().byte_add(offset).cast::<u8>();
                    at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                }
            }
        }
        self.0.stored += bytes.len();
        STORED.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the writing.
    pub(crate) fn seal(self) -> Result<Arc<Backing>, HostMemoryError> {
        if let Kind::File(file) = &self.0.kind {
            seal(file).map_err(|cause| failed(self.0.len, &cause))?;
        }
        Ok(Arc::new(self.0))
    }
}

impl Backing {
    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.kind {
            Kind::File(file) => Some(file),
            Kind::Plain(_) => None,
        }
    }

    /// Its length. A mapping must not reach beyond it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that were written.
    pub(crate) fn stored(&self) -> usize {
        self.stored
    }

    /// Reads within the length.
    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) -> Result<(), HostMemoryError> {
        match &self.kind {
            Kind::File(file) => file
                .read_exact_at(into, offset as u64)
                .map_err(|cause| failed(into.len(), &cause)),
            Kind::Plain(base) => {
                into.copy_from_slice(self.plain(*base, offset, into.len())?);
                Ok(())
            }
        }
    }

    /// Whether these bytes are there, at most [`CHUNK`] of them.
    pub(crate) fn holds(&self, offset: usize, bytes: &[u8]) -> Result<bool, HostMemoryError> {
        match &self.kind {
            Kind::File(_) => {
                let mut there = [0; CHUNK];
                let Some(there) = there.get_mut(..bytes.len()) else {
                    return Ok(false);
                };
                self.read(offset, there)?;
                Ok(there == bytes)
            }
            Kind::Plain(base) => Ok(self.plain(*base, offset, bytes.len())? == bytes),
        }
    }

    fn plain(
        &self,
        base: NonNull<c_void>,
        offset: usize,
        len: usize,
    ) -> Result<&[u8], HostMemoryError> {
        self.range(offset, len)?;
        // SAFETY: the range lies in this mapping, which is readable and, once shared, not written;
        // it is unmapped when the backing is dropped, which the borrow rules out.
        Ok(unsafe { std::slice::from_raw_parts(base.as_ptr().byte_add(offset).cast::<u8>(), len) })
    }

    fn range(&self, offset: usize, len: usize) -> Result<Range<usize>, HostMemoryError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(offset..end),
            _ => Err(HostMemoryError {
                bytes: len,
                cause: format!("they lie outside of a store of {} bytes", self.len),
            }),
        }
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        STORED.fetch_sub(self.stored as u64, Ordering::Relaxed);
        match self.kind {
            Kind::File(_) => drop(FILES.fetch_sub(1, Ordering::Relaxed)),
            Kind::Plain(base) => {
                // SAFETY: the mapping is ours, whole, and its last owner is gone.
                let unmapped = unsafe { rustix::mm::munmap(base.as_ptr(), self.len.max(1)) };
                debug_assert!(unmapped.is_ok(), "unmapping a backing: {unmapped:?}");
            }
        }
    }
}

fn failed(bytes: usize, cause: &std::io::Error) -> HostMemoryError {
    HostMemoryError {
        bytes,
        cause: cause.to_string(),
    }
}

/// How many files the process may have open.
fn allowed_files() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
fn memory_file() -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Without the right to be executed, where the system knows it (Linux 6.3).
    let made = memfd_create(c"tune-image", flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create(c"tune-image", flags));
    Ok(made?.into())
}

#[cfg(target_os = "linux")]
fn seal(file: &File) -> std::io::Result<()> {
    use rustix::fs::{SealFlags, fcntl_add_seals};
    let all = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    Ok(fcntl_add_seals(file, all)?)
}

#[cfg(not(target_os = "linux"))]
fn memory_file() -> std::io::Result<File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn seal(_: &File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts(len: usize) -> [Draft; 2] {
        [Draft::file(len).unwrap(), Draft::plain(len).unwrap()]
    }

    #[test]
    fn what_was_written_is_read_and_the_rest_is_zero() {
        for mut draft in drafts(2 * CHUNK) {
            draft.write(CHUNK - 1, &[1, 2]).unwrap();
            let backing = draft.seal().unwrap();
            let mut read = [9; 4];
            backing.read(CHUNK - 2, &mut read).unwrap();
            assert_eq!((read, backing.stored()), ([0, 1, 2, 0], 2));
            assert!(backing.holds(CHUNK - 1, &[1, 2, 0]).unwrap());
            assert!(!backing.holds(CHUNK - 1, &[1, 1]).unwrap());
        }
    }

    #[test]
    fn nothing_outside_is_read_or_written() {
        for mut draft in drafts(CHUNK) {
            assert!(draft.write(usize::MAX, &[1]).is_err());
            assert!(draft.write(CHUNK, &[1]).is_err());
            let backing = draft.seal().unwrap();
            assert!(backing.read(CHUNK - 1, &mut [0; 2]).is_err());
        }
    }

    #[test]
    fn images_leave_files_for_others() {
        let one = Draft::file_of(CHUNK, u64::MAX).unwrap();
        assert!(Draft::file_of(CHUNK, 1).is_err());
        drop(one);
        assert!(allowed_files() > 1);
    }

    #[test]
    fn a_sealed_file_cannot_be_changed() {
        let backing = Draft::file(CHUNK).unwrap().seal().unwrap();
        let file = backing.file().unwrap();
        assert!(file.write_at(&[1], 0).is_err());
        assert!(file.set_len(0).is_err());
    }
}
