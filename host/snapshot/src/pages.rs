//! Which pages of a region are its own: written since they were mapped from a file, or never of one.
//!
//! Linux knows: such a page is present or swapped out and belongs to no file. Never written parts
//! of a mapping have no page at all. A page that was only read counts as well where no file is
//! behind it, so the answer may be too much, never too little.

#![expect(
    unsafe_code,
    reason = "the ioctl has no safe interface; named in ARCHITECTURE.md"
)]

use crate::backing::CHUNK;
use crate::error::HostMemoryError;
use crate::region::Region;
use crate::runs::Runs;
use crate::tracking::Tracking;

/// The chunks below `len` with pages of their own.
pub(crate) fn touched(
    region: &Region,
    len: usize,
    tracking: Tracking,
) -> Result<Runs<()>, HostMemoryError> {
    let mut chunks = Chunks {
        found: Runs::default(),
        len,
    };
    match tracking {
        Tracking::Copy => chunks.add(0, len),
        #[cfg(target_os = "linux")]
        Tracking::Scan => linux::scan(region, &mut chunks)?,
        #[cfg(target_os = "linux")]
        Tracking::Pagemap => linux::pagemap(region, &mut chunks)?,
        #[cfg(not(target_os = "linux"))]
        Tracking::Scan | Tracking::Pagemap => {
            return Err(HostMemoryError {
                bytes: len,
                cause: format!("{tracking} is not to be had on this system"),
            });
        }
    }
    Ok(chunks.found)
}

/// Ranges, in ascending order, rounded to whole chunks.
struct Chunks {
    found: Runs<()>,
    len: usize,
}

impl Chunks {
    fn add(&mut self, start: usize, end: usize) {
        let done = self
            .found
            .iter()
            .next_back()
            .map_or(0, |(last, ())| last.end);
        let start = (start / CHUNK * CHUNK).max(done);
        let end = end.next_multiple_of(CHUNK).min(self.len);
        if start < end {
            self.found.push(start..end, ());
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::c_void;
    use std::fs::File;
    use std::mem::size_of;
    use std::os::unix::fs::FileExt;
    use std::sync::OnceLock;

    use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};

    use super::Chunks;
    use crate::error::HostMemoryError;
    use crate::region::Region;

    /// Ranges that one scan returns.
    const BATCH: usize = 512;
    /// Bytes of the page map that are read at once.
    const BUFFER: usize = 32 << 10;
    /// Bytes of the page map for each page.
    const ENTRY: usize = 8;

    const IS_FILE: u64 = 1 << 2;
    const IS_PRESENT: u64 = 1 << 3;
    const IS_SWAPPED: u64 = 1 << 4;

    /// Bits of the page map: present, swapped out, of a file.
    const MAP_PRESENT: u64 = 1 << 63;
    const MAP_SWAPPED: u64 = 1 << 62;
    const MAP_FILE: u64 = 1 << 61;

    /// `struct page_region`.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct PageRegion {
        start: u64,
        end: u64,
        categories: u64,
    }

    /// `struct pm_scan_arg`.
    #[repr(C)]
    struct ScanArg {
        size: u64,
        flags: u64,
        start: u64,
        end: u64,
        walk_end: u64,
        vec: u64,
        vec_len: u64,
        max_pages: u64,
        category_inverted: u64,
        category_mask: u64,
        category_anyof_mask: u64,
        return_mask: u64,
    }

    // SAFETY: the operation reads `ScanArg`, writes its `walk_end`, and fills at most `vec_len`
    // entries at `vec`; it returns how many. Its number is that of `PAGEMAP_SCAN`. It changes no
    // pages, because no flag asks for it.
    unsafe impl Ioctl for &mut ScanArg {
        type Output = usize;

        const IS_MUTATING: bool = true;

        fn opcode(&self) -> Opcode {
            opcode::read_write::<ScanArg>(b'f', 16)
        }

        fn as_ptr(&mut self) -> *mut c_void {
            std::ptr::from_mut::<ScanArg>(self).cast()
        }

        unsafe fn output_from_ptr(
            out: IoctlOutput,
            _: *mut c_void,
        ) -> rustix::io::Result<Self::Output> {
            usize::try_from(out).map_err(|_| rustix::io::Errno::INVAL)
        }
    }

    fn page_map() -> Result<&'static File, HostMemoryError> {
        static FILE: OnceLock<std::io::Result<File>> = OnceLock::new();
        FILE.get_or_init(|| File::open("/proc/self/pagemap"))
            .as_ref()
            .map_err(|cause| failed(0, &cause))
    }

    fn failed(bytes: usize, cause: &dyn std::fmt::Display) -> HostMemoryError {
        HostMemoryError {
            bytes,
            cause: format!("/proc/self/pagemap: {cause}"),
        }
    }

    pub(super) fn scan(region: &Region, chunks: &mut Chunks) -> Result<(), HostMemoryError> {
        let base = region.base().addr() as u64;
        let end = base + chunks.len as u64;
        let mut found = [PageRegion::default(); BATCH];
        let mut start = base;
        while start < end {
            let mut arg = ScanArg {
                size: size_of::<ScanArg>() as u64,
                flags: 0,
                start,
                end,
                walk_end: 0,
                vec: found.as_mut_ptr().expose_provenance() as u64,
                vec_len: BATCH as u64,
                max_pages: 0,
                category_inverted: IS_FILE,
                category_mask: IS_FILE,
                category_anyof_mask: IS_PRESENT | IS_SWAPPED,
                return_mask: IS_FILE,
            };
            // SAFETY: `vec` is a live array of `vec_len` entries that nobody else uses.
            let count = unsafe { rustix::ioctl::ioctl(page_map()?, &mut arg) }
                .map_err(|cause| failed(chunks.len, &cause))?;
            for part in found.iter().take(count) {
                let offset = |address: u64| address.saturating_sub(base) as usize;
                chunks.add(offset(part.start), offset(part.end));
            }
            // A kernel that does not move on must not hold us up.
            if arg.walk_end <= start {
                return Err(failed(chunks.len, &"the scan stands still"));
            }
            start = arg.walk_end;
        }
        Ok(())
    }

    pub(super) fn pagemap(region: &Region, chunks: &mut Chunks) -> Result<(), HostMemoryError> {
        let page = rustix::param::page_size();
        let first = region.base().addr() / page;
        let pages = chunks.len / page;
        let mut buffer = [0; BUFFER];
        let mut done = 0;
        while done < pages {
            let count = (pages - done).min(BUFFER / ENTRY);
            let entries = buffer.get_mut(..count * ENTRY).unwrap_or_default();
            page_map()?
                .read_exact_at(entries, ((first + done) * ENTRY) as u64)
                .map_err(|cause| failed(chunks.len, &cause))?;
            for (index, entry) in entries.as_chunks::<ENTRY>().0.iter().enumerate() {
                let entry = u64::from_ne_bytes(*entry);
                if entry & (MAP_PRESENT | MAP_SWAPPED) != 0 && entry & MAP_FILE == 0 {
                    let at = (done + index) * page;
                    chunks.add(at, at + page);
                }
            }
            done += count;
        }
        Ok(())
    }
}
