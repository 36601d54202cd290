//! Letting go of snapshots. At every instant, whatever is on disk holds all chunks of all
//! snapshots that are to be kept: names change before anything is deleted, and chunks are copied
//! and on disk before the file that had them goes.

use std::collections::BTreeSet;
use std::io;

use super::ChunkStore;
use super::draft::{Draft, Refusal};
use super::file::{Kind, file_name};
use super::folder::Folder;
use super::key::{Freed, SnapshotInfo};
use super::read::{Miss, Source};
use crate::StoreError;

/// Files without a snapshot of which less than one part in two is in use are rewritten: that
/// writes at most as much as it frees.
const LIVE_SHARE: u64 = 2;

/// Unless it frees less than this: then it is not worth its sync.
const MIN_FREED_BYTES: u64 = 1 << 20;

/// Files without a snapshot that are smaller than this are brought together once there are many.
const SMALL_BYTES: u64 = 1 << 20;
const MANY_FILES: usize = 128;

impl ChunkStore {
    /// Drops the snapshots that are not to be kept, and the damaged ones. Files without a chunk in
    /// use are removed, those of which most is unused are rewritten where there is room for it.
    ///
    /// # Errors
    /// The store is open for reading only, or the disk refuses; what was not dropped then is still
    /// there, and a later call tries again.
    pub fn retain(&self, keep: &dyn Fn(&SnapshotInfo) -> bool) -> Result<Freed, StoreError> {
        let folder = self.writable()?;
        let _gate = self.retaining();
        let (snapshots, hopeless) = {
            let index = self.index();
            let list: Vec<_> = index
                .snapshots
                .values()
                .map(|s| (s.info, s.damage.is_some()))
                .collect();
            let hopeless: Vec<_> = index
                .broken
                .iter()
                .filter(|b| b.hopeless)
                .map(|b| (b.number, b.kind))
                .collect();
            // What is missing may be in a file that could not be looked at.
            let certain = hopeless.len() == index.broken.len();
            let list = list
                .into_iter()
                .map(|(info, damaged)| (info, damaged && certain));
            (list.collect::<Vec<_>>(), hopeless)
        };
        let dropped: Vec<u64> = snapshots
            .iter()
            .filter(|(info, damaged)| *damaged || !keep(info))
            .map(|(info, _)| info.id)
            .collect();
        self.drop_and_sweep(folder, &dropped, &hopeless)
            .map_err(|refusal| self.refused(refusal))
    }

    /// The same for snapshots and files that are known. The caller holds the gate.
    pub(crate) fn drop_and_sweep(
        &self,
        folder: &Folder,
        dropped: &[u64],
        hopeless: &[(u64, Kind)],
    ) -> Result<Freed, Refusal> {
        let before = self.index().disk_bytes();
        for &number in dropped {
            // Under the lock: who looks for a chunk of this file finds it by its present name.
            let mut index = self.index();
            match folder.rename(number, Kind::Snap, Kind::Pack) {
                // Somebody has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
            index.demote(number);
        }
        if !dropped.is_empty() {
            folder.sync()?;
        }
        for &(number, kind) in hopeless {
            folder.remove(number, kind)?;
            self.index()
                .broken
                .retain(|b| (b.number, b.kind) != (number, kind));
        }
        self.sweep(folder)?;
        match self.rewrite(folder) {
            // It would have freed more, but what is there is consistent.
            Err(refusal) if refusal.is_full() => {}
            outcome => outcome?,
        }
        Ok(Freed {
            snapshots: dropped.len() as u64,
            bytes: before.saturating_sub(self.index().disk_bytes()),
        })
    }

    /// Removes the files of which nothing is in use.
    fn sweep(&self, folder: &Folder) -> Result<(), Refusal> {
        let mut index = self.index();
        if !index.has_packs() {
            return Ok(());
        }
        let live = index.live_bytes();
        let dead: BTreeSet<u64> = index
            .files
            .iter()
            .filter(|(number, file)| file.kind == Kind::Pack && !live.contains_key(number))
            .map(|(number, _)| *number)
            .collect();
        index.remove_files(&dead);
        drop(index);
        for number in dead {
            folder.remove(number, Kind::Pack)?;
        }
        Ok(())
    }

    /// Brings what is in use of mostly unused files into a new one.
    fn rewrite(&self, folder: &Folder) -> Result<(), Refusal> {
        let files = self.worth_rewriting();
        if files.is_empty() {
            return Ok(());
        }
        let (number, hashes) = {
            let mut index = self.index();
            (index.reserve(), index.live_chunks(&files))
        };
        let mut draft = Draft::new(folder, number, u64::MAX)?;
        let mut source = Source::new()?;
        for hash in hashes {
            let Some(at) = self.index().locate(&hash) else {
                continue;
            };
            match source.load(folder.dir(), &hash, &at) {
                Ok(()) => {
                    draft.store_as(hash, at.raw_len as usize, source.stored(&at))?;
                }
                Err(Miss::Io(error)) => return Err(error.into()),
                Err(Miss::Damaged(what)) => self.index().lose(&hash, &at, &what),
                Err(Miss::Moved) => {
                    let what = format!("{} is missing", file_name(at.file, at.kind));
                    self.index().lose(&hash, &at, &what);
                }
            }
        }
        let (contents, bytes) = draft.finish(None)?;
        self.index().add(number, Kind::Pack, &contents, bytes);
        // What was copied is in use at its new place only.
        self.sweep(folder)
    }

    fn worth_rewriting(&self) -> BTreeSet<u64> {
        let index = self.index();
        if !index.has_packs() {
            return BTreeSet::new();
        }
        let live = index.live_bytes();
        let packs = || index.files.iter().filter(|(_, f)| f.kind == Kind::Pack);
        let unused = |number: &u64, payload: u64| {
            payload.saturating_sub(live.get(number).copied().unwrap_or(0))
        };
        let mostly_unused: Vec<_> = packs()
            .map(|(number, file)| (number, file.payload, unused(number, file.payload)))
            .filter(|(_, payload, unused)| unused.saturating_mul(LIVE_SHARE) > *payload)
            .collect();
        let mut chosen = BTreeSet::new();
        let freed = mostly_unused.iter().map(|(_, _, unused)| unused);
        if freed.fold(0_u64, |sum, bytes| sum.saturating_add(*bytes)) >= MIN_FREED_BYTES {
            chosen.extend(mostly_unused.iter().map(|(number, _, _)| **number));
        }
        let small: Vec<u64> = packs()
            .filter(|(_, file)| file.bytes < SMALL_BYTES)
            .map(|(number, _)| *number)
            .collect();
        if small.len() > MANY_FILES {
            chosen.extend(small);
        }
        chosen
    }
}
