//! A file of the chunk store in the making: it is temporary until it is complete and on disk, and
//! gone if it never is.

use std::collections::HashMap;
use std::io::{self, BufWriter};

use cap_std::fs::File;
use zstd::bulk::Compressor;

use super::file::{
    CHUNK_BYTES, Contents, Entry, HEAD_BYTES, Hash, Kind, Manifest, Place, head, tail,
};
use super::folder::Folder;

/// The level of zstd that costs least: state is written to be overwritten soon.
const LEVEL: i32 = 1;

/// A chunk stays compressed from this saving on, one part in 20; less does not pay for reading it.
const WORTHWHILE: usize = 20;

/// After a chunk that did not compress, so many are stored as they are before the next try: noise
/// is next to noise, and trying costs more than writing.
const UNTRIED: u32 = 15;

/// Several chunks a write.
const BUFFER_BYTES: usize = 4 * CHUNK_BYTES;

/// Why a file was not written.
#[derive(Debug)]
pub(crate) enum Refusal {
    Io(io::Error),
    /// It would take more than is allowed.
    Quota,
    /// More chunks than a file can list.
    TooLarge,
}

impl Refusal {
    /// There is no room.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Quota => true,
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            Self::TooLarge => false,
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Removes the file under its temporary name, unless it got another one.
struct Temporary<'a> {
    folder: &'a Folder,
    number: u64,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // Already renamed, or removed on the next open.
        drop(self.folder.remove(self.number, Kind::Temporary));
    }
}

pub(crate) struct Draft<'a> {
    out: BufWriter<File>,
    temporary: Temporary<'a>,
    /// Where the next chunk goes.
    offset: u64,
    /// What the file may take.
    allowance: u64,
    table: Vec<Entry>,
    /// Position in the table, counted from 1.
    numbers: HashMap<Hash, u32>,
    compressor: Compressor<'static>,
    packed: Vec<u8>,
    untried: u32,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(folder: &'a Folder, number: u64, allowance: u64) -> Result<Self, Refusal> {
        let file = folder.create(number)?;
        let temporary = Temporary { folder, number };
        let mut this = Self {
            out: BufWriter::with_capacity(BUFFER_BYTES, file),
            temporary,
            offset: 0,
            allowance,
            table: Vec::new(),
            numbers: HashMap::new(),
            compressor: Compressor::new(LEVEL)?,
            // Never longer than the chunk: what does not fit does not pay.
            packed: vec![0; CHUNK_BYTES],
            untried: 0,
        };
        this.put(&head())?;
        debug_assert_eq!(this.offset, HEAD_BYTES, "the head has its length");
        Ok(this)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let end = self.offset.saturating_add(bytes.len() as u64);
        if end > self.allowance {
            return Err(Refusal::Quota);
        }
        self.temporary.folder.write(&mut self.out, bytes)?;
        self.offset = end;
        Ok(())
    }

    /// The number of a chunk that the table has.
    pub(crate) fn number_of(&self, hash: &Hash) -> Option<u32> {
        self.numbers.get(hash).copied()
    }

    /// Refers to a chunk of another file.
    pub(crate) fn refer(&mut self, hash: Hash, raw_len: u32) -> Result<u32, Refusal> {
        self.list(hash, raw_len, None)
    }

    /// Stores a chunk, compressed if that pays.
    pub(crate) fn store(&mut self, hash: Hash, raw: &[u8]) -> Result<u32, Refusal> {
        let mut packed = std::mem::take(&mut self.packed);
        let bytes = match self.compress(raw, &mut packed) {
            Some(len) => packed.get(..len).unwrap_or(raw),
            None => raw,
        };
        let number = self.store_as(hash, raw.len(), bytes);
        self.packed = packed;
        number
    }

    /// Stores a chunk as it came from another file.
    pub(crate) fn store_as(
        &mut self,
        hash: Hash,
        raw_len: usize,
        bytes: &[u8],
    ) -> Result<u32, Refusal> {
        let (Ok(raw_len), Ok(len)) = (u32::try_from(raw_len), u32::try_from(bytes.len())) else {
            return Err(Refusal::TooLarge);
        };
        let offset = self.offset;
        self.put(bytes)?;
        self.list(hash, raw_len, Some(Place { offset, len }))
    }

    fn compress(&mut self, raw: &[u8], packed: &mut [u8]) -> Option<usize> {
        if self.untried > 0 {
            self.untried -= 1;
            return None;
        }
        let most = raw.len() - raw.len() / WORTHWHILE;
        // It fails when the result does not fit.
        let len = packed
            .get_mut(..most)
            .and_then(|into| self.compressor.compress_to_buffer(raw, into).ok())
            .filter(|len| *len < raw.len());
        if len.is_none() {
            self.untried = UNTRIED;
        }
        len
    }

    fn list(&mut self, hash: Hash, raw_len: u32, place: Option<Place>) -> Result<u32, Refusal> {
        self.table.push(Entry {
            hash,
            raw_len,
            place,
        });
        let number = u32::try_from(self.table.len()).map_err(|_| Refusal::TooLarge)?;
        self.numbers.insert(hash, number);
        Ok(number)
    }

    /// Completes the file, brings it to disk, and only then gives it its name.
    pub(crate) fn finish(mut self, snapshot: Option<Manifest>) -> Result<(Contents, u64), Refusal> {
        let kind = if snapshot.is_some() {
            Kind::Snap
        } else {
            Kind::Pack
        };
        let contents = Contents {
            table: std::mem::take(&mut self.table),
            snapshot,
        };
        let tail = tail(&contents, self.offset).ok_or(Refusal::TooLarge)?;
        self.put(&tail)?;
        let Self {
            out,
            temporary,
            offset,
            ..
        } = self;
        let Temporary { folder, number } = &temporary;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        folder.sync_file(&file)?;
        drop(file);
        folder.rename(*number, Kind::Temporary, kind)?;
        folder
            .sync()
            .inspect_err(|_| drop(folder.remove(*number, kind)))?;
        Ok((contents, offset))
    }
}
