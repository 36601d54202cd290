//! Writing a snapshot: what no earlier one holds, as a stream, so that no copy of the state is in
//! memory.

use std::io::{self, Read};
use std::ops::Range;

use super::ChunkStore;
use super::draft::{Draft, Refusal};
use super::file::{
    CHUNK_BYTES, Hash, Kind, MAX_HEADER_BYTES, MAX_MEMORIES, Manifest, Stretch, chunk_count,
    chunk_len,
};
use super::folder::Folder;
use super::index::Row;
use super::key::{Memory, NewSnapshot, Since, SnapshotInfo};
use crate::StoreError;

static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];

/// The memory of an earlier snapshot, and where it may differ.
struct Earlier {
    len: u64,
    hashes: Vec<Option<Hash>>,
    /// For each chunk, whether it may differ; those beyond the end may.
    changed: Vec<bool>,
}

impl Earlier {
    /// The hash of a chunk of so many bytes that is the same as it was; `Some(None)` for zeros.
    fn unchanged(&self, index: usize, len: usize) -> Option<Option<Hash>> {
        let same = !*self.changed.get(index)? && chunk_len(self.len, index) == len;
        self.hashes.get(index).copied().filter(|_| same)
    }
}

fn changed_chunks(count: usize, ranges: &[Range<u64>]) -> Vec<bool> {
    let mut changed = vec![false; count];
    for range in ranges.iter().filter(|range| range.start < range.end) {
        let bound = |chunk: u64| usize::try_from(chunk).unwrap_or(usize::MAX).min(count);
        let from = bound(range.start / CHUNK_BYTES as u64);
        let to = bound(chunk_count(range.end));
        if let Some(part) = changed.get_mut(from..to) {
            part.fill(true);
        }
    }
    changed
}

impl ChunkStore {
    /// Writes a snapshot and returns when it is on disk. Chunks that the store holds already are
    /// referred to; what [`NewSnapshot::since`] says is unchanged is not even read. Several threads
    /// may write at once.
    ///
    /// # Errors
    /// The disk is full or the quota used up ([`StoreError::is_disk_full`]), the state cannot be
    /// read or is too large, or the store is open for reading only. Then nothing is left of it, and
    /// the store goes on as before.
    pub fn write(&self, new: NewSnapshot<'_>) -> Result<SnapshotInfo, StoreError> {
        let folder = self.writable()?;
        // Retention waits until what is referred to here is known to be in use.
        let _gate = self.writing();
        let written = self.write_to(folder, new);
        written.map_err(|refusal| self.refused(refusal))
    }

    fn write_to(&self, folder: &Folder, new: NewSnapshot<'_>) -> Result<SnapshotInfo, Refusal> {
        if new.header.len() > MAX_HEADER_BYTES || new.memories.len() > MAX_MEMORIES {
            return Err(Refusal::TooLarge);
        }
        let number = self.index().reserve();
        let mut draft = Draft::new(folder, number, self.allowance())?;
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut memories = Vec::with_capacity(new.memories.len());
        for (index, memory) in new.memories.iter().enumerate() {
            let earlier = new.since.and_then(|since| self.earlier(&since, index));
            memories.push(self.memory(&mut draft, &mut buffer, *memory, earlier.as_ref())?);
        }
        let portable = match new.portable {
            Some(source) => Some(self.stream(&mut draft, &mut buffer, source)?),
            None => None,
        };
        let manifest = Manifest {
            key: new.key,
            purpose: new.purpose,
            wall_ms: new.wall_ms,
            header: new.header.to_vec(),
            memories,
            portable,
        };
        let (contents, bytes) = draft.finish(Some(manifest))?;
        self.index()
            .add(number, Kind::Snap, &contents, bytes)
            .ok_or(Refusal::TooLarge)
    }

    fn earlier(&self, since: &Since<'_>, memory: usize) -> Option<Earlier> {
        let ranges = since.changed.get(memory)?.as_ref()?;
        let index = self.index();
        let row: &Row = index.snapshots.get(&since.id)?.memories.get(memory)?;
        Some(Earlier {
            len: row.len,
            hashes: index.hashes(row),
            changed: changed_chunks(row.chunks.len(), ranges),
        })
    }

    fn memory(
        &self,
        draft: &mut Draft<'_>,
        buffer: &mut [u8],
        memory: &dyn Memory,
        earlier: Option<&Earlier>,
    ) -> Result<Stretch, Refusal> {
        let len = memory.byte_len();
        let count = usize::try_from(chunk_count(len)).map_err(|_| Refusal::TooLarge)?;
        let mut stretch = Stretch {
            len,
            chunks: Vec::new(),
        };
        let mut offset = 0_u64;
        for index in 0..count {
            let size = chunk_len(len, index);
            let known = match earlier.and_then(|earlier| earlier.unchanged(index, size)) {
                Some(None) => Some(0),
                Some(Some(hash)) => self.known(draft, hash, size)?,
                None => None,
            };
            let number = if let Some(number) = known {
                number
            } else {
                let chunk = buffer.get_mut(..size).ok_or(Refusal::TooLarge)?;
                memory.read_at(offset, chunk)?;
                self.chunk(draft, chunk)?
            };
            stretch.chunks.push(number);
            offset = offset.saturating_add(size as u64);
        }
        Ok(stretch)
    }

    fn stream(
        &self,
        draft: &mut Draft<'_>,
        buffer: &mut [u8],
        source: &mut dyn Read,
    ) -> Result<Stretch, Refusal> {
        let mut stretch = Stretch::default();
        loop {
            let filled = fill(source, buffer)?;
            let chunk = buffer.get(..filled).unwrap_or_default();
            if chunk.is_empty() {
                return Ok(stretch);
            }
            stretch.chunks.push(self.chunk(draft, chunk)?);
            stretch.len = stretch.len.saturating_add(chunk.len() as u64);
            if filled < buffer.len() {
                return Ok(stretch);
            }
        }
    }

    /// The number of a chunk with this content in the draft's table.
    fn chunk(&self, draft: &mut Draft<'_>, chunk: &[u8]) -> Result<u32, Refusal> {
        if ZEROS.get(..chunk.len()) == Some(chunk) {
            return Ok(0);
        }
        let hash = *blake3::hash(chunk).as_bytes();
        match self.known(draft, hash, chunk.len())? {
            Some(number) => Ok(number),
            None => draft.store(hash, chunk),
        }
    }

    /// The number of a chunk that this file or another one holds.
    fn known(
        &self,
        draft: &mut Draft<'_>,
        hash: Hash,
        size: usize,
    ) -> Result<Option<u32>, Refusal> {
        if let Some(number) = draft.number_of(&hash) {
            return Ok(Some(number));
        }
        let location = self.index().locate(&hash);
        match location.filter(|at| at.raw_len as usize == size) {
            Some(at) => draft.refer(hash, at.raw_len).map(Some),
            None => Ok(None),
        }
    }
}

/// Reads until the buffer is full or the source is at its end.
fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(more) => filled += more.min(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
