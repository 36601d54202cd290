//! The files of the chunk store: how they are named, and how an untrusted one is read.
//!
//! A file is a head, chunks back to back, a table of contents with its hash, and a foot that says
//! where the table is. It is written front to back and never changed. `00000012.snap` holds the
//! chunks of snapshot 12 that no other file held, and its manifest; `00000012.pack` holds only
//! chunks that other snapshots use. Nothing here trusts a number that it has not checked against
//! the length of the file.

use std::io::{self, Read, Seek, SeekFrom};

use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

use super::key::{Purpose, SnapshotKey};

/// Size of a chunk: what capture rounds changed ranges to, and large enough that a hash for each
/// is small change.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Longest header of a snapshot: many times what the handles and globals of an instance need.
pub const MAX_HEADER_BYTES: usize = 16 << 20;

/// More memories than any component has that could be loaded.
pub(crate) const MAX_MEMORIES: usize = 1024;

/// Longest table of contents that is read: some two million chunks, or 128 GiB of state.
pub(crate) const MAX_TABLE_BYTES: u64 = 96 << 20;

const MAGIC: [u8; 8] = *b"TUNESNAP";
const VERSION: u32 = 1;
/// Magic and version.
pub(crate) const HEAD_BYTES: u64 = 12;
/// Offset and length of the table, its hash, magic.
const FOOT_BYTES: u64 = 8 + 8 + 32 + 8;

pub(crate) type Hash = [u8; 32];

/// What a file is for; its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A snapshot.
    Snap,
    /// Chunks for other snapshots.
    Pack,
    /// Being written, or left by a crash.
    Temporary,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Snap, Self::Pack, Self::Temporary];

    fn extension(self) -> &'static str {
        match self {
            Self::Snap => "snap",
            Self::Pack => "pack",
            Self::Temporary => "tmp",
        }
    }
}

pub(crate) fn file_name(number: u64, kind: Kind) -> String {
    format!("{number:08}.{}", kind.extension())
}

/// The number and kind of a file of ours; each has exactly one spelling.
pub(crate) fn parse_name(name: &str) -> Option<(u64, Kind)> {
    let (number, extension) = name.split_once('.')?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.extension() == extension)?;
    let number = number.parse().ok()?;
    (file_name(number, kind) == name).then_some((number, kind))
}

/// Table of contents of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) table: Vec<Entry>,
    pub(crate) snapshot: Option<Manifest>,
}

/// A chunk that is in this file or, without a place, in another one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// blake3 of the bytes before compression.
    pub(crate) hash: Hash,
    /// How many bytes these are.
    pub(crate) raw_len: u32,
    pub(crate) place: Option<Place>,
}

/// Where a chunk is in its file. It is compressed if it is shorter than its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) key: SnapshotKey,
    pub(crate) purpose: Purpose,
    pub(crate) wall_ms: u64,
    pub(crate) header: Vec<u8>,
    pub(crate) memories: Vec<Stretch>,
    pub(crate) portable: Option<Stretch>,
}

/// Bytes as a row of chunks: 0 is a chunk of zeros, n the nth entry of the table. All are full but
/// the last.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stretch {
    pub(crate) len: u64,
    pub(crate) chunks: Vec<u32>,
}

impl Manifest {
    pub(crate) fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        self.memories.iter().chain(&self.portable)
    }
}

/// Length of the chunk at an index of so many bytes; 0 beyond them.
pub(crate) fn chunk_len(total: u64, index: usize) -> usize {
    let from = (index as u64).saturating_mul(CHUNK_BYTES as u64);
    let left = total.saturating_sub(from).min(CHUNK_BYTES as u64);
    usize::try_from(left).unwrap_or(CHUNK_BYTES)
}

/// Number of chunks of so many bytes.
pub(crate) fn chunk_count(total: u64) -> u64 {
    total.div_ceil(CHUNK_BYTES as u64)
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// Its content contradicts itself.
    Content(String),
    /// A later tune-host wrote it.
    Newer(u32),
    /// The system does not give it.
    Io(io::Error),
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Content("it is cut short".to_owned())
        } else {
            Self::Io(error)
        }
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Content(what) => f.write_str(what),
            Self::Newer(version) => write!(f, "it has version {version}, known is {VERSION}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

pub(crate) fn head() -> Vec<u8> {
    [&MAGIC[..], &VERSION.to_le_bytes()].concat()
}

/// The table and the foot, for a file whose chunks end at an offset; `None` if it has too many.
pub(crate) fn tail(contents: &Contents, offset: u64) -> Option<Vec<u8>> {
    let mut bytes = postcard::to_stdvec(contents).ok()?;
    let len = bytes.len() as u64;
    if len > MAX_TABLE_BYTES {
        return None;
    }
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(&offset.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(hash.as_bytes());
    bytes.extend_from_slice(&MAGIC);
    Some(bytes)
}

/// Reads and checks the table of contents of a file, and gives the length of the file.
pub(crate) fn read_contents(dir: &Dir, name: &str, kind: Kind) -> Result<(Contents, u64), Flaw> {
    let content = |what: &str| Flaw::Content(what.to_owned());
    let mut file = dir.open(name)?;
    let total = file.metadata()?.len();
    let foot_at = total
        .checked_sub(FOOT_BYTES)
        .filter(|at| *at >= HEAD_BYTES)
        .ok_or_else(|| content("it is cut short"))?;
    let magic: [u8; 8] = take(&mut file)?;
    if magic != MAGIC {
        return Err(content("it was not written by tune-host"));
    }
    let version = u32::from_le_bytes(take(&mut file)?);
    if version != VERSION {
        return Err(Flaw::Newer(version));
    }
    file.seek(SeekFrom::Start(foot_at))?;
    let offset = u64::from_le_bytes(take(&mut file)?);
    let len = u64::from_le_bytes(take(&mut file)?);
    let hash: Hash = take(&mut file)?;
    let magic: [u8; 8] = take(&mut file)?;
    let fits = offset >= HEAD_BYTES && offset.checked_add(len) == Some(foot_at);
    if magic != MAGIC || !fits || len > MAX_TABLE_BYTES {
        return Err(content("its foot is damaged or missing"));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    if *blake3::hash(&bytes).as_bytes() != hash {
        return Err(content("its table of contents is damaged"));
    }
    let (contents, rest): (Contents, _) = postcard::take_from_bytes(&bytes)
        .map_err(|e| Flaw::Content(format!("its table of contents makes no sense: {e}")))?;
    if !rest.is_empty() {
        return Err(content("its table of contents is too long"));
    }
    contents.check(offset, kind)?;
    Ok((contents, total))
}

fn take<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl Contents {
    /// Checks every number of a table that was read; the chunks end at an offset.
    fn check(&self, end: u64, kind: Kind) -> Result<(), Flaw> {
        let content = |what: &str| Err(Flaw::Content(what.to_owned()));
        for entry in &self.table {
            if entry.raw_len == 0 || entry.raw_len as usize > CHUNK_BYTES {
                return content("a chunk of it has an impossible length");
            }
            if let Some(Place { offset, len }) = entry.place {
                let inside = offset >= HEAD_BYTES
                    && offset
                        .checked_add(u64::from(len))
                        .is_some_and(|to| to <= end);
                if !inside || len == 0 || len > entry.raw_len {
                    return content("a chunk of it lies outside of it");
                }
            }
        }
        let Some(manifest) = &self.snapshot else {
            return if kind == Kind::Snap {
                content("it holds no snapshot")
            } else {
                Ok(())
            };
        };
        if manifest.header.len() > MAX_HEADER_BYTES || manifest.memories.len() > MAX_MEMORIES {
            return content("its snapshot is larger than any");
        }
        for stretch in manifest.stretches() {
            if stretch.chunks.len() as u64 != chunk_count(stretch.len) {
                return content("the length of a memory does not match its chunks");
            }
            for (index, number) in stretch.chunks.iter().enumerate() {
                let Some(before) = number.checked_sub(1) else {
                    continue;
                };
                let entry = self.table.get(before as usize);
                if entry.is_none_or(|e| e.raw_len as usize != chunk_len(stretch.len, index)) {
                    return content("a memory refers to a chunk that its table does not have");
                }
            }
        }
        Ok(())
    }
}
