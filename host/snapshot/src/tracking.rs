//! How it is found which pages a guest wrote to since a moment.
//!
//! A page of a private file mapping that was written is no page of the file any more: Linux tells
//! that without slowing down writes and without privileges. Where it does not, content is compared.

use std::fmt;

use crate::backing::{CHUNK, Draft};
use crate::pages::touched;
use crate::region::Region;

/// See the module. All give the same images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tracking {
    /// The kernel lists pages (`PAGEMAP_SCAN`, Linux 6.7).
    Scan,
    /// Page by page from `/proc/self/pagemap`; about a millisecond for 256 MB.
    Pagemap,
    /// All memory is compared with the last image; works everywhere, and clones are always copied.
    Copy,
}

impl Tracking {
    /// All of them, best first.
    pub const ALL: [Self; 3] = [Self::Scan, Self::Pagemap, Self::Copy];

    /// The best that works on this machine: tried, not concluded from versions.
    #[must_use]
    pub fn detect() -> Self {
        let works = |tracking: &Self| tracking.works();
        Self::ALL.into_iter().find(works).unwrap_or(Self::Copy)
    }

    /// Whether it works on this machine.
    #[must_use]
    pub fn works(self) -> bool {
        self == Self::Copy || probe(self).unwrap_or(false)
    }
}

impl fmt::Display for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scan => "page scan",
            Self::Pagemap => "page map",
            Self::Copy => "copy and compare",
        })
    }
}

/// Maps a file, reads one chunk, writes to another, and looks whether that one alone is found, with
/// a written one that is of no file.
fn probe(tracking: Tracking) -> Option<bool> {
    let mut draft = Draft::file(3 * CHUNK).ok()?;
    draft.write(0, &[1]).ok()?;
    let backing = draft.seal().ok()?;
    let region = Region::reserve(6 * CHUNK).ok()?;
    region.open_to(5 * CHUNK, 5 * CHUNK).ok()?;
    region.map(0..3 * CHUNK, &backing).ok()?;
    region.bytes_mut(CHUNK..CHUNK + 1).fill(2);
    region.bytes_mut(4 * CHUNK..4 * CHUNK + 1).fill(3);
    let read = region.bytes(0..1).first() == Some(&1);
    let found = touched(&region, 5 * CHUNK, tracking).ok()?;
    let found: Vec<_> = found.iter().map(|(range, ())| range).collect();
    Some(read && found == [CHUNK..2 * CHUNK, 4 * CHUNK..5 * CHUNK])
}
