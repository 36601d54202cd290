//! Between snapshots of instances and the bytes of the chunk store. What comes back from the disk
//! is bounded before memory is given for it.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use tune_core::Limits;
use tune_runtime::{Image, Snapshot, SnapshotError, SnapshotHeader};
use tune_store::{
    ChunkStore, Memory, NewSnapshot, Purpose, Since, SnapshotInfo, SnapshotKey, StoreError,
};

/// A page of wasm.
const MAX_ROUNDING: u64 = 64 << 10;

/// Why a snapshot of the chunk store is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("its header is damaged: {0}")]
    Header(#[from] postcard::Error),
    #[error("it needs {bytes} bytes of memory, {limit} are allowed")]
    TooLarge { bytes: u64, limit: u64 },
}

struct Content<'a>(&'a Image);

impl Memory for Content<'_> {
    fn byte_len(&self) -> u64 {
        self.0.byte_len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, into).map_err(io::Error::other)
    }
}

/// What helps or goes along with writing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extras<'a> {
    /// A snapshot that was written before, with its number: what both share is not read again.
    pub(crate) earlier: Option<(u64, &'a Snapshot)>,
    /// The state in the trainable's own form.
    pub(crate) portable: Option<&'a [u8]>,
}

/// Writes a snapshot and returns when it is on disk.
pub(crate) fn write(
    chunks: &ChunkStore,
    key: SnapshotKey,
    purpose: Purpose,
    snapshot: &Snapshot,
    extras: Extras<'_>,
) -> Result<SnapshotInfo, StoreError> {
    let header = postcard::to_allocvec(snapshot.header()).unwrap_or_default();
    let contents: Vec<_> = snapshot.images().into_iter().map(Content).collect();
    let memories: Vec<_> = contents.iter().map(|c| c as &dyn Memory).collect();
    let changed: Vec<_> = match extras.earlier {
        Some((_, earlier)) => snapshot
            .images()
            .into_iter()
            .zip(earlier.images())
            .map(|(now, then)| now.changed_since(then))
            .collect(),
        None => Vec::new(),
    };
    let since = extras.earlier.map(|(id, _)| Since {
        id,
        changed: &changed,
    });
    let mut portable = extras.portable;
    chunks.write(NewSnapshot {
        key,
        purpose,
        wall_ms: now_ms(),
        header: &header,
        memories: &memories,
        since,
        portable: portable.as_mut().map(|bytes| bytes as &mut dyn io::Read),
    })
}

/// Reads what everything but the memories says.
pub(crate) fn read_header(chunks: &ChunkStore, id: u64) -> Result<SnapshotHeader, Unreadable> {
    Ok(postcard::from_bytes(&chunks.header(id)?)?)
}

/// Reads a snapshot; every chunk is compared with its hash.
pub(crate) fn read(chunks: &ChunkStore, id: u64, limits: &Limits) -> Result<Snapshot, Unreadable> {
    let header = read_header(chunks, id)?;
    let lens = chunks.memory_lens(id)?;
    let bytes = lens.iter().fold(0_u64, |sum, len| sum.saturating_add(*len));
    // The bytes on the GPU are rounded up to a page of wasm, and are checked with what they are of.
    let on_gpu = match header.gpu_bytes() {
        0 => MAX_ROUNDING,
        bytes => bytes
            .min(limits.gpu.buffer_bytes)
            .saturating_add(MAX_ROUNDING),
    };
    let limit = limits.memory_bytes.saturating_add(on_gpu);
    if bytes > limit {
        return Err(Unreadable::TooLarge { bytes, limit });
    }
    let mut memories = Vec::with_capacity(lens.len());
    for (index, len) in lens.into_iter().enumerate() {
        let mut image = Image::builder(len).map_err(SnapshotError::from)?;
        chunks.read_memory(id, index, &mut |offset, bytes| {
            image.write_at(offset, bytes).map_err(io::Error::other)
        })?;
        memories.push(image.finish().map_err(SnapshotError::from)?);
    }
    Ok(Snapshot::from_parts(header, memories)?)
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
