//! Reading a snapshot: every chunk is compared with its hash before anyone sees it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Read, Seek, SeekFrom};

use cap_std::fs::{Dir, File};
use zstd::bulk::Decompressor;

use super::ChunkStore;
use super::file::{CHUNK_BYTES, Flaw, Hash, Kind, Manifest, chunk_len, file_name, read_contents};
use super::index::{Location, Row, Snapshot};
use crate::StoreError;

/// So many files are kept open while a snapshot is read; its chunks may be in any number of them.
const OPEN_FILES: usize = 32;

/// Bytes as a row of chunks, apart from the index, which may change meanwhile.
#[derive(Debug)]
struct Plan {
    id: u64,
    len: u64,
    hashes: Vec<Option<Hash>>,
}

/// What reading chunks needs again and again.
pub(crate) struct Source {
    files: BTreeMap<u64, File>,
    decompressor: Decompressor<'static>,
    stored: Vec<u8>,
    raw: Vec<u8>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

/// Why a chunk was not read.
#[derive(Debug)]
pub(crate) enum Miss {
    /// The file is gone.
    Moved,
    /// The bytes are not those that were written.
    Damaged(String),
    Io(io::Error),
}

impl Source {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            files: BTreeMap::new(),
            decompressor: Decompressor::new()?,
            stored: vec![0; CHUNK_BYTES],
            raw: vec![0; CHUNK_BYTES],
        })
    }

    /// Reads a chunk and checks it; then [`Self::raw`] and [`Self::stored`] give it.
    pub(crate) fn load(&mut self, dir: &Dir, hash: &Hash, at: &Location) -> Result<(), Miss> {
        let name = file_name(at.file, at.kind);
        let damaged = |what: &str| Miss::Damaged(format!("{name}: {what}"));
        let (len, raw_len) = (at.place.len as usize, at.raw_len as usize);
        let (Some(stored), Some(raw)) = (self.stored.get_mut(..len), self.raw.get_mut(..raw_len))
        else {
            return Err(damaged("a chunk has an impossible length"));
        };
        if self.files.len() > OPEN_FILES {
            self.files.clear();
        }
        let file = match self.files.entry(at.file) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(dir.open(&name).map_err(Miss::of)?),
        };
        file.seek(SeekFrom::Start(at.place.offset))
            .and_then(|_| file.read_exact(stored))
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged("it is cut short"),
                _ => Miss::Io(error),
            })?;
        if len == raw_len {
            raw.copy_from_slice(stored);
        } else {
            let filled = self
                .decompressor
                .decompress_to_buffer(stored, raw)
                .map_err(|_| damaged("a chunk of it cannot be decompressed"))?;
            if filled != raw_len {
                return Err(damaged("a chunk of it has another length"));
            }
        }
        if blake3::hash(raw).as_bytes() != hash {
            return Err(damaged(
                "the bytes of a chunk are not those that were written",
            ));
        }
        Ok(())
    }

    /// The chunk that was loaded last, as it is in its file.
    pub(crate) fn stored(&self, at: &Location) -> &[u8] {
        self.stored.get(..at.place.len as usize).unwrap_or_default()
    }

    /// The chunk that was loaded last, as it was before it was stored.
    fn raw(&self, at: &Location) -> &[u8] {
        self.raw.get(..at.raw_len as usize).unwrap_or_default()
    }
}

impl Miss {
    fn of(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Moved
        } else {
            Self::Io(error)
        }
    }
}

impl ChunkStore {
    /// The header of a snapshot, as it was given.
    ///
    /// # Errors
    /// There is no such snapshot, or it is damaged.
    pub fn header(&self, id: u64) -> Result<Vec<u8>, StoreError> {
        Ok(self.manifest(id)?.header)
    }

    /// The lengths of a snapshot's memories in bytes. They come from the disk: whoever makes room
    /// for them bounds them first.
    ///
    /// # Errors
    /// There is no such snapshot, or it is damaged.
    pub fn memory_lens(&self, id: u64) -> Result<Vec<u64>, StoreError> {
        self.with_snapshot(id, |s| s.memories.iter().map(|row| row.len).collect())
    }

    /// Gives a memory of a snapshot in pieces, in the order of their offsets; pieces that are zero
    /// are left out.
    ///
    /// # Errors
    /// There is no such snapshot or memory, a chunk is missing or damaged (then the snapshot is
    /// listed no more), or the sink failed.
    pub fn read_memory(
        &self,
        id: u64,
        index: usize,
        sink: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let plan = self
            .plan(id, |s| s.memories.get(index))?
            .ok_or_else(|| self.damaged(id, format!("it has no memory {index}")))?;
        let mut source = self.source()?;
        for (position, hash) in plan.hashes.iter().enumerate() {
            let Some(hash) = hash else { continue };
            let len = chunk_len(plan.len, position);
            let chunk = self.fetch(&mut source, plan.id, hash, len)?;
            let offset = (position as u64).saturating_mul(CHUNK_BYTES as u64);
            sink(offset, chunk)
                .map_err(|e| StoreError::io(self.path(), "reading a snapshot", &e))?;
        }
        Ok(())
    }

    /// The portable bytes of a snapshot, if it has any.
    ///
    /// # Errors
    /// There is no such snapshot, or it is damaged.
    pub fn portable(&self, id: u64) -> Result<Option<Portable>, StoreError> {
        let Some(plan) = self.plan(id, |s| s.portable.as_ref())? else {
            return Ok(None);
        };
        Ok(Some(Portable {
            store: self.clone(),
            source: self.source()?,
            plan,
            position: 0,
            current: Vec::new(),
            given: 0,
        }))
    }

    /// Reads all of a snapshot and says whether it is intact.
    ///
    /// # Errors
    /// It is not.
    pub fn verify(&self, id: u64) -> Result<(), StoreError> {
        self.manifest(id)?;
        for index in 0..self.memory_lens(id)?.len() {
            self.read_memory(id, index, &mut |_, _| Ok(()))?;
        }
        if let Some(mut portable) = self.portable(id)? {
            while portable.next_chunk()? {}
        }
        Ok(())
    }

    fn source(&self) -> Result<Source, StoreError> {
        Source::new().map_err(|e| StoreError::io(self.path(), "reading a snapshot", &e))
    }

    /// Looks at a snapshot; a reader that does not know it looks at the directory again.
    fn with_snapshot<T>(
        &self,
        id: u64,
        look: impl FnOnce(&Snapshot) -> T,
    ) -> Result<T, StoreError> {
        if !self.index().snapshots.contains_key(&id) {
            self.reload()?;
        }
        let index = self.index();
        let snapshot = index.snapshots.get(&id).ok_or_else(|| {
            index
                .broken
                .iter()
                .find(|broken| broken.number == id)
                .map_or_else(
                    || self.no_snapshot(id),
                    |broken| self.damaged(id, broken.why.clone()),
                )
        })?;
        match &snapshot.damage {
            Some(what) => Err(self.damaged(id, what.clone())),
            None => Ok(look(snapshot)),
        }
    }

    fn plan(
        &self,
        id: u64,
        row: impl FnOnce(&Snapshot) -> Option<&Row>,
    ) -> Result<Option<Plan>, StoreError> {
        self.with_snapshot(id, |_| ())?;
        let index = self.index();
        Ok(index.snapshots.get(&id).and_then(row).map(|row| Plan {
            id,
            len: row.len,
            hashes: index.hashes(row),
        }))
    }

    fn manifest(&self, id: u64) -> Result<Manifest, StoreError> {
        self.with_snapshot(id, |_| ())?;
        let contents = self
            .dir()
            .ok_or_else(|| Flaw::Content("the directory is gone".to_owned()))
            .and_then(|dir| read_contents(dir, &file_name(id, Kind::Snap), Kind::Snap));
        match contents {
            Ok((contents, _)) => contents
                .snapshot
                .ok_or_else(|| self.damaged(id, "it holds no snapshot".to_owned())),
            Err(Flaw::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.no_snapshot(id))
            }
            Err(Flaw::Io(error)) => Err(StoreError::io(self.path(), "reading a snapshot", &error)),
            Err(flaw) => {
                let what = flaw.to_string();
                self.index().mark(id, &what);
                Err(self.damaged(id, what))
            }
        }
    }

    /// A chunk of a snapshot, wherever it is by now.
    fn fetch<'s>(
        &self,
        source: &'s mut Source,
        id: u64,
        hash: &Hash,
        len: usize,
    ) -> Result<&'s [u8], StoreError> {
        let dir = self.dir().ok_or_else(|| self.no_snapshot(id))?;
        let mut looked_again = false;
        let at = loop {
            let Some(at) = self.index().locate(hash) else {
                return Err(self.missing(id));
            };
            match source.load(dir, hash, &at) {
                Ok(()) => break at,
                // Retention has moved the chunk, here or in the process that writes the run.
                Err(Miss::Moved) if !looked_again => {
                    looked_again = true;
                    self.reload()?;
                }
                Err(Miss::Io(error)) => {
                    return Err(StoreError::io(self.path(), "reading a snapshot", &error));
                }
                Err(Miss::Moved) => {
                    let what = format!("{} is missing", file_name(at.file, at.kind));
                    self.index().lose(hash, &at, &what);
                    return Err(self.damaged(id, what));
                }
                Err(Miss::Damaged(what)) => {
                    self.index().lose(hash, &at, &what);
                    return Err(self.damaged(id, what));
                }
            }
        };
        if at.raw_len as usize != len {
            return Err(self.damaged(id, "a chunk of it has another length".to_owned()));
        }
        Ok(source.raw(&at))
    }

    /// A chunk is in no file: because the snapshot was dropped, or because it is damaged.
    fn missing(&self, id: u64) -> StoreError {
        if self.index().snapshots.contains_key(&id) {
            self.damaged(id, "a chunk of it is in no file".to_owned())
        } else {
            self.no_snapshot(id)
        }
    }

    fn no_snapshot(&self, id: u64) -> StoreError {
        StoreError::NoSnapshot {
            path: self.path().to_owned(),
            id,
        }
    }

    pub(crate) fn damaged(&self, id: u64, what: String) -> StoreError {
        StoreError::DamagedSnapshot {
            path: self.path().to_owned(),
            id,
            what,
        }
    }
}

/// The portable bytes of a snapshot, read from the disk as they are asked for.
#[derive(Debug)]
pub struct Portable {
    store: ChunkStore,
    plan: Plan,
    source: Source,
    /// The chunk that comes next.
    position: usize,
    current: Vec<u8>,
    /// How much of the current chunk was read.
    given: usize,
}

impl Portable {
    /// Length in bytes, as the disk says; whoever makes room for it bounds it first.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.plan.len
    }

    /// Goes to the next chunk; false at the end.
    fn next_chunk(&mut self) -> Result<bool, StoreError> {
        let Some(hash) = self.plan.hashes.get(self.position) else {
            return Ok(false);
        };
        let len = chunk_len(self.plan.len, self.position);
        self.current.clear();
        self.given = 0;
        match hash {
            Some(hash) => {
                let chunk = self
                    .store
                    .fetch(&mut self.source, self.plan.id, hash, len)?;
                self.current.extend_from_slice(chunk);
            }
            None => self.current.resize(len, 0),
        }
        self.position += 1;
        Ok(true)
    }
}

impl Read for Portable {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.current.len() && !self.next_chunk().map_err(io::Error::other)? {
            return Ok(0);
        }
        let mut rest = self.current.get(self.given..).unwrap_or_default();
        let count = rest.read(into)?;
        self.given += count;
        Ok(count)
    }
}
