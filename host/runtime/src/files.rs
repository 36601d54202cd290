//! What stands behind a guest's handles of files: which node of which granted directory, and how far it
//! was read. Nothing of the machine: no descriptor is open between two calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use wasmtime::format_err;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi_io::bytes::Bytes;

use crate::tree::{Directories, ROOT, Tree};

/// Fuel of one call, for finding a name or opening a file; a byte costs one unit more. As for data.
pub(crate) const FUEL_PER_CALL: u64 = 1_000;

/// A file or directory as a snapshot names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct At {
    /// Which of the granted directories.
    pub(crate) directory: u32,
    /// Its number there.
    pub(crate) node: u64,
}

/// The same, found: what a guest's descriptor is.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) directory: u32,
    pub(crate) tree: Arc<Tree>,
    pub(crate) node: u32,
}

impl Opened {
    /// How a snapshot names another node of the same directory.
    pub(crate) fn at(&self, node: u32) -> At {
        At {
            directory: self.directory,
            node: self.tree.id(node),
        }
    }
}

/// A directory that is being listed.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) of: Opened,
    /// Entries that were given out.
    pub(crate) next: u64,
}

/// How far a stream was read, shared between the stream and who takes snapshots; one thread runs
/// both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor(Arc<AtomicU64>);

impl Cursor {
    pub(crate) fn new(offset: u64) -> Self {
        Self(Arc::new(AtomicU64::new(offset)))
    }

    pub(crate) fn offset(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn advance(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The directories of an instance, and what it owes for reading them.
#[derive(Debug)]
pub(crate) struct Files {
    directories: Directories,
    owed: Arc<AtomicU64>,
}

impl Files {
    pub(crate) fn new(directories: Directories) -> Self {
        Self {
            directories,
            owed: Arc::default(),
        }
    }

    /// Fuel for what streams have read since the last call of this.
    pub(crate) fn take_uncharged(&self) -> u64 {
        self.owed.swap(0, Ordering::Relaxed)
    }

    /// The directories themselves, each with the path under which a guest finds it.
    pub(crate) fn roots(&self) -> Vec<(At, String)> {
        let trees = (0..).zip(self.directories.trees());
        trees
            .map(|(directory, tree)| {
                let node = tree.id(ROOT);
                (At { directory, node }, tree.guest_path())
            })
            .collect()
    }

    /// What a snapshot or a call names.
    ///
    /// # Errors
    /// If it is not there any more.
    pub(crate) fn find(&self, at: At) -> wasmtime::Result<Opened> {
        let tree = self.directories.trees().get(at.directory as usize);
        let found = tree.and_then(|tree| Some((tree, tree.find(at.node)?)));
        let (tree, node) =
            found.ok_or_else(|| format_err!("a granted file is not there any more"))?;
        Ok(Opened {
            directory: at.directory,
            tree: Arc::clone(tree),
            node,
        })
    }

    /// A stream of the bytes of a file.
    pub(crate) fn stream(&self, of: Opened, cursor: Cursor) -> Box<dyn InputStream> {
        Box::new(Content {
            of,
            cursor,
            owed: Arc::clone(&self.owed),
        })
    }
}

/// The bytes of a file from somewhere on.
struct Content {
    of: Opened,
    cursor: Cursor,
    owed: Arc<AtomicU64>,
}

#[async_trait]
impl Pollable for Content {
    async fn ready(&mut self) {}
}

impl InputStream for Content {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let Opened { tree, node, .. } = &self.of;
        // A guest sees no failure of the disk, which would come once and not again: its trial ends.
        let read = tree.read(*node, self.cursor.offset(), size as u64);
        let bytes = read.map_err(|changed| StreamError::Trap(changed.into()))?;
        let cost = FUEL_PER_CALL + bytes.len() as u64;
        self.owed.fetch_add(cost, Ordering::Relaxed);
        if bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        self.cursor.advance(bytes.len() as u64);
        Ok(bytes.into())
    }
}
