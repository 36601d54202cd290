//! Immutable content of one linear memory, as a map from ranges to the backings that hold them.
//!
//! An image that was captured after another shares with it what did not change. Which chunks may
//! differ between two images is told by stamps: every change of a chunk gets one of its own, so
//! equal stamps mean equal bytes, however the bytes are stored.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backing::{Backing, CHUNK, Draft, is_zero};
use crate::error::{HostMemoryError, SnapshotError};
use crate::runs::Runs;

/// Largest linear memory, in bytes.
const MAX_BYTES: u64 = 4 << 30;
/// Ranges that are mapped into a memory at most: each costs up to two mappings, of 65,530 that Linux
/// gives a process.
pub(crate) const MAX_MAPPED: usize = 256;
/// Zeros up to this length between data are stored with it rather than cut a range in two.
pub(crate) const SMALL_GAP: usize = 16 * CHUNK;

/// The content of a linear memory at some moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Image {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    byte_len: usize,
    /// What is in none of them is zero.
    extents: Runs<Arc<Backing>>,
    /// Chunks without one were never anything but zero.
    stamps: Runs<u64>,
    held: usize,
}

/// A stamp that no other change has.
pub(crate) fn new_stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Image {
    /// `held`: bytes that were stored for it alone.
    pub(crate) fn new(
        byte_len: usize,
        extents: Runs<Arc<Backing>>,
        stamps: Runs<u64>,
        held: usize,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                byte_len,
                extents,
                stamps,
                held,
            }),
        }
    }

    /// No bytes at all.
    pub(crate) fn empty() -> Self {
        Self::new(0, Runs::default(), Runs::default(), 0)
    }

    /// Begins an image of `byte_len` bytes, zero until written.
    ///
    /// # Errors
    /// A length that no linear memory has; no memory.
    pub fn builder(byte_len: u64) -> Result<ImageBuilder, SnapshotError> {
        if byte_len > MAX_BYTES || !byte_len.is_multiple_of(CHUNK as u64) {
            return Err(SnapshotError::Length(byte_len));
        }
        let len = byte_len as usize;
        Ok(ImageBuilder {
            // Files can be mapped; without them, or when there are no more, memory does.
            draft: Draft::file(len).or_else(|_| Draft::plain(len))?,
            len,
            written: Runs::default(),
        })
    }

    /// Its length in bytes, whole pages of 64 KiB.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.shared.byte_len as u64
    }

    /// Copies a part of it out.
    ///
    /// # Errors
    /// A part that reaches beyond its end.
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SnapshotError> {
        let range = within(self.shared.byte_len, offset, into.len())?;
        let mut rest = into;
        for (piece, backing) in self.shared.extents.pieces(range) {
            let (part, behind) = rest.split_at_mut_checked(piece.len()).unwrap_or_default();
            match backing {
                Some(backing) => backing.read(piece.start, part)?,
                None => part.fill(0),
            }
            rest = behind;
        }
        Ok(())
    }

    /// Ranges, in whole chunks of 64 KiB and ascending, outside of which it equals `older`; beyond
    /// the end of the shorter one, zeros count as equal. None if they have no content in common.
    #[must_use]
    pub fn changed_since(&self, older: &Self) -> Option<Vec<Range<u64>>> {
        let (new, old) = (&self.shared.stamps, &older.shared.stamps);
        let len = self.shared.byte_len.max(older.shared.byte_len);
        let mut changed = Runs::default();
        let mut related = false;
        for (range, stamp) in new.pieces(0..len) {
            for (piece, other) in old.pieces(range) {
                if stamp != other {
                    changed.push(piece, ());
                } else if stamp.is_some() {
                    related = true;
                }
            }
        }
        let ranges = || changed.iter().map(|(r, ())| r.start as u64..r.end as u64);
        (related || changed.count() == 0).then(|| ranges().collect())
    }

    /// Bytes that were stored for it and not for an earlier image.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.shared.held as u64
    }

    /// Where its bytes are.
    pub(crate) fn extents(&self) -> &Runs<Arc<Backing>> {
        &self.shared.extents
    }

    /// When its chunks changed last.
    pub(crate) fn stamps(&self) -> &Runs<u64> {
        &self.shared.stamps
    }

    /// Whether it has these bytes there, at most a chunk of them and within one. Behind its end it
    /// is zero.
    pub(crate) fn holds(&self, offset: usize, bytes: &[u8]) -> Result<bool, HostMemoryError> {
        let mut rest = bytes;
        for (piece, backing) in self.shared.extents.pieces(offset..offset + bytes.len()) {
            let (part, behind) = rest.split_at_checked(piece.len()).unwrap_or_default();
            let same = match backing {
                Some(backing) => backing.holds(piece.start, part)?,
                None => is_zero(part),
            };
            if !same {
                return Ok(false);
            }
            rest = behind;
        }
        Ok(true)
    }
}

/// An image that is being written.
#[derive(Debug)]
pub struct ImageBuilder {
    draft: Draft,
    len: usize,
    /// Chunks that are not zero.
    written: Runs<()>,
}

impl ImageBuilder {
    /// Writes a part, over what is there. Chunks that stay zero take no space.
    ///
    /// # Errors
    /// A part that reaches beyond the end; no memory.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), SnapshotError> {
        let range = within(self.len, offset, bytes.len())?;
        let (mut at, mut rest) = (range.start, bytes);
        while !rest.is_empty() {
            let room = CHUNK - at % CHUNK;
            let (part, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let chunk = at / CHUNK * CHUNK;
            let known = (self.written.pieces(chunk..chunk + CHUNK)).any(|(_, run)| run.is_some());
            if known || !is_zero(part) {
                self.draft.write(at, part)?;
                if !known {
                    self.written = self.written.overlay([(chunk..chunk + CHUNK, Some(()))]);
                }
            }
            at += part.len();
            rest = behind;
        }
        Ok(())
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// If the system refuses to seal it.
    pub fn finish(self) -> Result<Image, SnapshotError> {
        let backing = self.draft.seal()?;
        let stamp = new_stamp();
        let extents = few(&self.written);
        let held = backing.stored();
        Ok(Image::new(
            self.len,
            Runs::default().overlay(
                extents
                    .iter()
                    .map(|(r, ())| (r, Some(Arc::clone(&backing)))),
            ),
            Runs::default().overlay(self.written.iter().map(|(r, ())| (r, Some(stamp)))),
            held,
        ))
    }
}

/// The same ranges with as many gaps closed as it takes to have few.
pub(crate) fn few(ranges: &Runs<()>) -> Runs<()> {
    let mut gap = SMALL_GAP;
    let mut closed = ranges.close_gaps(gap);
    while closed.count() > MAX_MAPPED / 2 {
        gap *= 2;
        closed = closed.close_gaps(gap);
    }
    closed
}

fn within(len: usize, offset: u64, bytes: usize) -> Result<Range<usize>, SnapshotError> {
    let end = offset.checked_add(bytes as u64);
    match end {
        Some(end) if end <= len as u64 => Ok(offset as usize..end as usize),
        _ => Err(SnapshotError::Bounds {
            offset,
            bytes: bytes as u64,
            len: len as u64,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = CHUNK as u64;

    #[test]
    fn an_image_is_what_was_written_and_zero_elsewhere() {
        let mut builder = Image::builder(40 * PAGE).unwrap();
        builder.write_at(PAGE - 2, &[1, 2, 3]).unwrap();
        builder.write_at(PAGE - 1, &[0]).unwrap();
        builder.write_at(30 * PAGE, &[0; 3 * CHUNK]).unwrap();
        builder.write_at(39 * PAGE, &[7]).unwrap();
        let image = builder.finish().unwrap();
        let mut bytes = vec![9; 40 * CHUNK];
        image.read_at(0, &mut bytes).unwrap();
        let mut wanted = vec![0; 40 * CHUNK];
        (wanted[CHUNK - 2], wanted[CHUNK], wanted[39 * CHUNK]) = (1, 3, 7);
        assert!(bytes == wanted);
        assert_eq!((image.byte_len(), image.held_bytes()), (40 * PAGE, 5));
        assert_eq!(image.extents().count(), 2);
    }

    #[test]
    fn lengths_and_places_that_no_memory_has_are_refused() {
        for len in [1, PAGE + 1, MAX_BYTES + PAGE, u64::MAX] {
            assert!(matches!(Image::builder(len), Err(SnapshotError::Length(l)) if l == len));
        }
        let mut builder = Image::builder(PAGE).unwrap();
        for offset in [PAGE, u64::MAX] {
            assert!(builder.write_at(offset, &[1]).is_err());
        }
        let image = builder.finish().unwrap();
        assert!(image.read_at(PAGE - 1, &mut [0; 2]).is_err());
        assert!(image.read_at(u64::MAX, &mut [0; 2]).is_err());
        image.read_at(PAGE, &mut []).unwrap();
    }

    #[test]
    fn images_without_common_content_are_unrelated() {
        let image = |at| {
            let mut builder = Image::builder(4 * PAGE).unwrap();
            builder.write_at(at, &[1]).unwrap();
            builder.finish().unwrap()
        };
        let one = image(0);
        assert_eq!(one.changed_since(&image(PAGE)), None);
        assert_eq!(one.changed_since(&one.clone()), Some(vec![]));
    }

    #[test]
    fn scattered_chunks_make_few_ranges() {
        let mut builder = Image::builder(20_000 * PAGE).unwrap();
        for chunk in (0..20_000).step_by(17) {
            builder.write_at(chunk * PAGE, &[1]).unwrap();
        }
        let image = builder.finish().unwrap();
        assert!(image.extents().count() <= MAX_MAPPED / 2);
        let mut byte = [0];
        image.read_at(17 * 100 * PAGE, &mut byte).unwrap();
        assert_eq!(byte, [1]);
    }
}
