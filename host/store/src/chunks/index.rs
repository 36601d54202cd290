//! What the files of the chunk store hold together: which chunk is where, and which snapshots use
//! it. Lives in memory, follows from the files, and does no I/O but reading their tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;

use cap_std::fs::Dir;

use super::file::{Contents, Flaw, Hash, Kind, Place, Stretch, parse_name, read_contents};
use super::key::{SnapshotInfo, SnapshotOf, Usage};

/// A chunk of the index; snapshots name theirs by it, at an eighth of the bytes of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkId(NonZeroU32);

impl ChunkId {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) file: u64,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) raw_len: u32,
}

#[derive(Debug)]
struct Chunk {
    hash: Hash,
    /// In which file; `None` if it is in none, or damaged there.
    at: Option<(u64, Place)>,
    raw_len: u32,
    /// How often snapshots refer to it.
    references: u64,
}

/// A file whose table is intact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    /// Of these, chunks.
    pub(crate) payload: u64,
}

/// Bytes as a row of chunks; `None` is a chunk of zeros.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) len: u64,
    pub(crate) chunks: Vec<Option<ChunkId>>,
}

#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) info: SnapshotInfo,
    pub(crate) memories: Vec<Row>,
    pub(crate) portable: Option<Row>,
    /// Why it cannot be read, if so.
    pub(crate) damage: Option<String>,
}

impl Snapshot {
    fn chunks(&self) -> impl Iterator<Item = ChunkId> + '_ {
        self.memories
            .iter()
            .chain(&self.portable)
            .flat_map(|row| row.chunks.iter().copied().flatten())
    }
}

/// A file whose table is not intact.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) why: String,
    /// Nothing can ever be read from it.
    pub(crate) hopeless: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    chunks: Vec<Chunk>,
    by_hash: HashMap<Hash, ChunkId>,
    /// Chunk ids that are free to be used again.
    free: Vec<ChunkId>,
    pub(crate) files: BTreeMap<u64, Stored>,
    pub(crate) snapshots: BTreeMap<u64, Snapshot>,
    /// Intact snapshots by whose state, sequence and number.
    by_state: BTreeSet<(SnapshotOf, u64, u64)>,
    pub(crate) broken: Vec<Broken>,
    next: u64,
}

impl Index {
    /// Reads the tables of all files.
    pub(crate) fn load(dir: &Dir) -> std::io::Result<Self> {
        let mut names = Vec::new();
        for entry in dir.entries()? {
            let entry = entry?;
            // Nothing but plain files: opening a pipe would wait for ever.
            if entry.file_type()?.is_file()
                && let Some(name) = entry.file_name().to_str()
                && let Some((number, kind)) = parse_name(name)
            {
                names.push((number, name.to_owned(), kind));
            }
        }
        names.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut this = Self {
            next: 1,
            ..Self::default()
        };
        for (number, name, kind) in names {
            this.next = this.next.max(number.saturating_add(1));
            if kind == Kind::Temporary {
                continue;
            }
            let read = if this.files.contains_key(&number) {
                Err(Flaw::Content("another file has the same number".to_owned()))
            } else {
                read_contents(dir, &name, kind)
            };
            match read {
                Ok((contents, bytes)) => {
                    this.add(number, kind, &contents, bytes);
                }
                // Removed since the directory was listed.
                Err(Flaw::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(flaw) => this.broken.push(Broken {
                    number,
                    kind,
                    hopeless: matches!(flaw, Flaw::Content(_)),
                    why: format!("{name}: {flaw}"),
                }),
            }
        }
        this.find_missing();
        Ok(this)
    }

    /// A number for the next file.
    pub(crate) fn reserve(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
    }

    /// Takes in what a checked file holds. Of several places of a chunk the latest counts: it was
    /// written because there was none, or the earlier one was found damaged.
    pub(crate) fn add(
        &mut self,
        number: u64,
        kind: Kind,
        contents: &Contents,
        bytes: u64,
    ) -> Option<SnapshotInfo> {
        let mut payload = 0_u64;
        let mut ids = Vec::with_capacity(contents.table.len());
        for entry in &contents.table {
            if kind != Kind::Snap && entry.place.is_none() {
                // Only the manifest needed it, which does not count any more.
                ids.push(None);
                continue;
            }
            let id = self.intern(entry.hash, entry.raw_len);
            if let Some(place) = entry.place
                && let Some(id) = id
            {
                payload = payload.saturating_add(u64::from(place.len));
                if let Some(chunk) = self.chunks.get_mut(id.index()) {
                    chunk.at = Some((number, place));
                    chunk.raw_len = entry.raw_len;
                }
            }
            ids.push(id);
        }
        self.files.insert(
            number,
            Stored {
                kind,
                bytes,
                payload,
            },
        );
        let manifest = contents.snapshot.as_ref().filter(|_| kind == Kind::Snap)?;
        let row = |stretch: &Stretch| Row {
            len: stretch.len,
            chunks: stretch
                .chunks
                .iter()
                .map(|n| {
                    n.checked_sub(1)
                        .and_then(|before| ids.get(before as usize).copied().flatten())
                })
                .collect(),
        };
        let snapshot = Snapshot {
            info: SnapshotInfo {
                id: number,
                key: manifest.key,
                purpose: manifest.purpose,
                bytes: manifest
                    .stretches()
                    .fold(0, |sum: u64, s| sum.saturating_add(s.len)),
                new_bytes: bytes,
                wall_ms: manifest.wall_ms,
            },
            memories: manifest.memories.iter().map(row).collect(),
            portable: manifest.portable.as_ref().map(row),
            damage: None,
        };
        for id in snapshot.chunks() {
            if let Some(chunk) = self.chunks.get_mut(id.index()) {
                chunk.references = chunk.references.saturating_add(1);
            }
        }
        let info = snapshot.info;
        self.by_state
            .insert((info.key.of, info.key.sequence, number));
        self.snapshots.insert(number, snapshot);
        Some(info)
    }

    /// The chunk with this hash; `None` once there are four thousand million chunks.
    fn intern(&mut self, hash: Hash, raw_len: u32) -> Option<ChunkId> {
        if let Some(id) = self.by_hash.get(&hash) {
            return Some(*id);
        }
        let chunk = Chunk {
            hash,
            at: None,
            raw_len,
            references: 0,
        };
        let id = if let Some(id) = self.free.pop() {
            *self.chunks.get_mut(id.index())? = chunk;
            id
        } else {
            self.chunks.push(chunk);
            ChunkId(NonZeroU32::new(u32::try_from(self.chunks.len()).ok()?)?)
        };
        self.by_hash.insert(hash, id);
        Some(id)
    }

    /// Marks snapshots as damaged whose chunks are in no file.
    fn find_missing(&mut self) {
        let missing: Vec<u64> = self
            .snapshots
            .iter()
            .filter(|(_, s)| {
                s.chunks()
                    .any(|id| self.chunks.get(id.index()).is_none_or(|c| c.at.is_none()))
            })
            .map(|(number, _)| *number)
            .collect();
        for number in missing {
            self.mark(number, "a chunk of it is in no file");
        }
    }

    /// Notes down that a snapshot cannot be read.
    pub(crate) fn mark(&mut self, number: u64, what: &str) {
        if let Some(snapshot) = self.snapshots.get_mut(&number)
            && snapshot.damage.is_none()
        {
            snapshot.damage = Some(what.to_owned());
            let key = snapshot.info.key;
            self.by_state.remove(&(key.of, key.sequence, number));
        }
    }

    /// Forgets where a chunk is, if it is still there: it was found damaged. Every snapshot with it
    /// is damaged, and the next one to have it stores it again.
    pub(crate) fn lose(&mut self, hash: &Hash, location: &Location, what: &str) {
        let Some(&id) = self.by_hash.get(hash) else {
            return;
        };
        let Some(chunk) = self.chunks.get_mut(id.index()) else {
            return;
        };
        if chunk.at != Some((location.file, location.place)) {
            return;
        }
        chunk.at = None;
        let users: Vec<u64> = self
            .snapshots
            .iter()
            .filter(|(_, s)| s.chunks().any(|used| used == id))
            .map(|(number, _)| *number)
            .collect();
        for number in users {
            self.mark(number, what);
        }
    }

    /// Where a chunk is, if it is anywhere.
    pub(crate) fn locate(&self, hash: &Hash) -> Option<Location> {
        let chunk = self.chunks.get(self.by_hash.get(hash)?.index())?;
        let (file, place) = chunk.at?;
        Some(Location {
            file,
            kind: self.files.get(&file)?.kind,
            place,
            raw_len: chunk.raw_len,
        })
    }

    /// The hashes of a row; `None` is a chunk of zeros.
    pub(crate) fn hashes(&self, row: &Row) -> Vec<Option<Hash>> {
        let hash = |id: ChunkId| self.chunks.get(id.index()).map(|chunk| chunk.hash);
        row.chunks.iter().map(|id| id.and_then(hash)).collect()
    }

    /// The newest intact snapshot of a state.
    pub(crate) fn find(&self, of: SnapshotOf) -> Option<SnapshotInfo> {
        let (_, _, number) = self
            .by_state
            .range((of, 0, 0)..=(of, u64::MAX, u64::MAX))
            .next_back()?;
        self.snapshots.get(number).map(|snapshot| snapshot.info)
    }

    /// Its file holds only chunks from now on.
    pub(crate) fn demote(&mut self, number: u64) {
        self.forget(number);
        if let Some(file) = self.files.get_mut(&number) {
            file.kind = Kind::Pack;
        }
    }

    /// Takes a snapshot out.
    pub(crate) fn forget(&mut self, number: u64) {
        let Some(snapshot) = self.snapshots.remove(&number) else {
            return;
        };
        let key = snapshot.info.key;
        self.by_state.remove(&(key.of, key.sequence, number));
        for id in snapshot.chunks() {
            if let Some(chunk) = self.chunks.get_mut(id.index()) {
                chunk.references = chunk.references.saturating_sub(1);
            }
        }
    }

    /// Takes out files that hold no snapshot, and the chunks that nobody has any more.
    pub(crate) fn remove_files(&mut self, numbers: &BTreeSet<u64>) {
        self.files.retain(|number, _| !numbers.contains(number));
        for (chunk, id) in self.chunks.iter_mut().zip(1..) {
            if chunk.at.is_some_and(|(file, _)| numbers.contains(&file)) {
                chunk.at = None;
            }
            let Some(id) = NonZeroU32::new(id).map(ChunkId) else {
                continue;
            };
            if chunk.at.is_none()
                && chunk.references == 0
                && self.by_hash.get(&chunk.hash) == Some(&id)
            {
                self.by_hash.remove(&chunk.hash);
                self.free.push(id);
            }
        }
    }

    /// Whether there is a file without a snapshot: only from those something can be freed.
    pub(crate) fn has_packs(&self) -> bool {
        self.files.values().any(|file| file.kind == Kind::Pack)
    }

    /// Bytes of each file that snapshots use, compressed; files without any are left out.
    pub(crate) fn live_bytes(&self) -> BTreeMap<u64, u64> {
        let mut live: BTreeMap<u64, u64> = BTreeMap::new();
        for chunk in &self.chunks {
            if let (Some((file, place)), 1..) = (chunk.at, chunk.references) {
                let bytes = live.entry(file).or_default();
                *bytes = bytes.saturating_add(u64::from(place.len));
            }
        }
        live
    }

    /// The chunks of some files that snapshots use, in the order of their places.
    pub(crate) fn live_chunks(&self, files: &BTreeSet<u64>) -> Vec<Hash> {
        let mut chunks: Vec<_> = self
            .chunks
            .iter()
            .filter(|chunk| chunk.references > 0)
            .filter_map(|chunk| Some((chunk.at?, chunk.hash)))
            .filter(|((file, _), _)| files.contains(file))
            .collect();
        chunks.sort_by_key(|((file, place), _)| (*file, place.offset));
        chunks.into_iter().map(|(_, hash)| hash).collect()
    }

    pub(crate) fn usage(&self) -> Usage {
        let logical = |s: &Snapshot| s.info.bytes;
        Usage {
            snapshots: self.snapshots.len() as u64,
            logical_bytes: self.snapshots.values().map(logical).fold(0, saturating),
            unique_bytes: self
                .chunks
                .iter()
                .filter(|chunk| chunk.references > 0)
                .map(|chunk| u64::from(chunk.raw_len))
                .fold(0, saturating),
            disk_bytes: self.disk_bytes(),
        }
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        self.files.values().map(|f| f.bytes).fold(0, saturating)
    }
}

fn saturating(sum: u64, more: u64) -> u64 {
    sum.saturating_add(more)
}
