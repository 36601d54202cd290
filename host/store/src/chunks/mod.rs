//! The chunk store: snapshots of instances as bytes, each cut into chunks that are stored once.
//!
//! It knows nothing of what the bytes mean. A snapshot is one file with the chunks that no earlier
//! file holds, so that a population of near equals costs what differs, and writing is one sync.
//! All that is read is untrusted: a damaged file costs the snapshots that need it, never more.

mod draft;
mod file;
mod folder;
mod index;
mod key;
mod read;
mod retain;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cap_std::fs::Dir;

use crate::StoreError;
use crate::lock::Lock;
use draft::Refusal;
use folder::Folder;
use index::Index;

pub use file::{CHUNK_BYTES, MAX_HEADER_BYTES};
pub use key::{
    Freed, Memory, NewSnapshot, Purpose, Since, SnapshotInfo, SnapshotKey, SnapshotOf, Usage,
};
pub use read::Portable;

pub(crate) const CHUNKS: &str = "chunks";

/// The snapshots of a run. Clones are the same store.
#[derive(Clone, Debug)]
pub struct ChunkStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Of the run.
    path: PathBuf,
    /// `None` in a run from before there were snapshots that is open for reading.
    folder: Option<Folder>,
    /// Held while this process may write; a reader has none.
    lock: Option<Arc<Lock>>,
    /// How many rows the run had when it was opened.
    committed: u64,
    /// Std mutex: held for looking things up and for renaming a file, not while chunks are read or
    /// written.
    index: Mutex<Index>,
    /// Shared by those who write, alone for those who remove.
    gate: RwLock<()>,
    /// What all files together may take.
    quota: AtomicU64,
    /// The same, as the whole run leaves it.
    run_quota: AtomicU64,
}

impl ChunkStore {
    /// Opens the store of a run that this process writes: removes what a crash left, and snapshots
    /// of rows that were never committed.
    pub(crate) fn open(
        run: &Dir,
        path: &Path,
        lock: Arc<Lock>,
        committed: u64,
    ) -> Result<Self, StoreError> {
        let io = |error: &_| StoreError::io(path, "opening the snapshots", error);
        if !run.is_dir(CHUNKS) {
            run.create_dir(CHUNKS).map_err(|e| io(&e))?;
        }
        let folder = Folder::new(run.open_dir(CHUNKS).map_err(|e| io(&e))?);
        folder.remove_temporary().map_err(|e| io(&e))?;
        let index = Index::load(folder.dir()).map_err(|e| io(&e))?;
        let this = Self::new(path, Some(folder), Some(lock), committed, index);
        let early = this.uncommitted();
        this.drop_and_sweep(this.writable()?, &early, &[])
            .map_err(|refusal| this.refused(refusal))?;
        Ok(this)
    }

    /// Opens it for reading, beside a writer or without one.
    pub(crate) fn open_read(run: &Dir, path: &Path, committed: u64) -> Result<Self, StoreError> {
        let io = |error: &_| StoreError::io(path, "opening the snapshots", error);
        let folder = if run.is_dir(CHUNKS) {
            Some(Folder::new(run.open_dir(CHUNKS).map_err(|e| io(&e))?))
        } else {
            None
        };
        let this = Self::new(path, folder, None, committed, Index::default());
        this.reload()?;
        Ok(this)
    }

    fn new(
        path: &Path,
        folder: Option<Folder>,
        lock: Option<Arc<Lock>>,
        committed: u64,
        index: Index,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                folder,
                lock,
                committed,
                index: Mutex::new(index),
                gate: RwLock::new(()),
                quota: AtomicU64::new(u64::MAX),
                run_quota: AtomicU64::new(u64::MAX),
            }),
        }
    }

    /// Sets what all files together may take, in bytes; nothing by default limits it but the disk.
    /// What is there stays, [`Self::write`] refuses more. Threads that write at the same time each
    /// take what is left.
    pub fn set_quota(&self, bytes: u64) {
        self.inner.quota.store(bytes, Ordering::Relaxed);
    }

    /// The same, by what the rest of the run leaves.
    pub(crate) fn set_run_quota(&self, bytes: u64) {
        self.inner.run_quota.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of all its files.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.index().disk_bytes()
    }

    fn quota(&self) -> u64 {
        let own = self.inner.quota.load(Ordering::Relaxed);
        own.min(self.inner.run_quota.load(Ordering::Relaxed))
    }

    /// The intact snapshots, the earliest first.
    #[must_use]
    pub fn list(&self) -> Vec<SnapshotInfo> {
        let index = self.index();
        let intact = index.snapshots.values().filter(|s| s.damage.is_none());
        intact.map(|snapshot| snapshot.info).collect()
    }

    /// The newest intact snapshot of a state.
    #[must_use]
    pub fn find(&self, of: &SnapshotOf) -> Option<SnapshotInfo> {
        self.index().find(*of)
    }

    /// What is known to be damaged, until retention removes it. Damage inside chunks is found when
    /// they are read; see [`Self::verify`].
    #[must_use]
    pub fn damages(&self) -> Vec<StoreError> {
        let index = self.index();
        let snapshots = index
            .snapshots
            .values()
            .filter_map(|s| Some(self.damaged(s.info.id, s.damage.clone()?)));
        let files = index
            .broken
            .iter()
            .map(|broken| self.damaged(broken.number, broken.why.clone()));
        files.chain(snapshots).collect()
    }

    /// What the snapshots take.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.index().usage()
    }

    fn path(&self) -> &Path {
        &self.inner.path
    }

    fn dir(&self) -> Option<&Dir> {
        self.inner.folder.as_ref().map(Folder::dir)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Consistent at every point where a holder could panic.
        let index = self.inner.index.lock();
        index.unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockReadGuard<'_, ()> {
        let gate = self.inner.gate.read();
        gate.unwrap_or_else(PoisonError::into_inner)
    }

    fn retaining(&self) -> RwLockWriteGuard<'_, ()> {
        let gate = self.inner.gate.write();
        gate.unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<&Folder, StoreError> {
        match (&self.inner.lock, &self.inner.folder) {
            (Some(_), Some(folder)) => Ok(folder),
            _ => Err(StoreError::ReadOnly {
                path: self.path().to_owned(),
            }),
        }
    }

    /// What the next file may take.
    fn allowance(&self) -> u64 {
        self.quota().saturating_sub(self.index().disk_bytes())
    }

    /// A reader looks at the directory again, in which another process may have moved things. The
    /// writer knows what is there.
    fn reload(&self) -> Result<(), StoreError> {
        let (None, Some(dir)) = (&self.inner.lock, self.dir()) else {
            return Ok(());
        };
        let fresh = Index::load(dir)
            .map_err(|e| StoreError::io(self.path(), "reading the snapshots", &e))?;
        *self.index() = fresh;
        for number in self.uncommitted() {
            self.index().forget(number);
        }
        Ok(())
    }

    /// Snapshots of rows that are not committed, as far as was known when the run was opened.
    fn uncommitted(&self) -> Vec<u64> {
        let index = self.index();
        let infos = index.snapshots.values().map(|s| s.info);
        let early = infos.filter(|info| !info.key.is_visible(self.inner.committed));
        early.map(|info| info.id).collect()
    }

    fn refused(&self, refusal: Refusal) -> StoreError {
        let path = self.path().to_owned();
        match refusal {
            Refusal::Io(error) => StoreError::io(&path, "the snapshots", &error),
            Refusal::Quota => StoreError::QuotaFull {
                path,
                quota: self.quota(),
            },
            Refusal::TooLarge => StoreError::SnapshotTooLarge { path },
        }
    }
}
