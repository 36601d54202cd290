//! The whole state of an instance between two calls, as plain data: what can be kept, written to a
//! file, read in another process and put into another instance.
//!
//! A header that was read from a file is not trusted: whatever it says is checked here or against
//! the plugin before it is used.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tune_core::Limits;
use tune_snapshot::{Copying, INSTRUMENTATION_VERSION, Image};

use crate::files::Files;
use crate::handles::Handles;
use crate::linked::Linked;
use crate::resources::MAX_HOST_RESOURCES;
use crate::snapshot_error::SnapshotError;
use crate::store::StoreState;

/// What this host writes; another one is refused.
const FORMAT: u32 = 2;
/// Fuel of a step can differ between versions of it; held equal to `Cargo.lock` by a test.
const WASMTIME: &str = "48.0.8";
/// Bytes of the version in a header.
const MAX_VERSION_BYTES: usize = 64;
/// Mutable globals of a component. A Rust guest has one, a Python guest some dozens.
const MAX_GLOBALS: usize = 100_000;
/// Linear memories of a component, as the limiter allows, and bytes of one: all that 32 bits address.
const MAX_MEMORIES: usize = 16;
const MAX_MEMORY_BYTES: u64 = 4 << 30;
/// A page of linear memory in bytes.
const PAGE: u64 = 64 << 10;

/// Everything of a snapshot but the content of its memories: small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    format: u32,
    instrumentation: u32,
    wasmtime: String,
    component: [u8; 32],
    globals: Vec<u64>,
    handles: Handles,
    store: StoreState,
    memories: Vec<u64>,
    dirty_bytes: u64,
    /// Of the GPU; its bytes are in an image behind those of the memories.
    gpu: Option<tune_gpu::State>,
}

impl SnapshotHeader {
    /// blake3 of the file of the component whose state it is.
    #[must_use]
    pub fn component(&self) -> [u8; 32] {
        self.component
    }

    /// The version of wasmtime that it was taken with.
    #[must_use]
    pub fn wasmtime(&self) -> &str {
        &self.wasmtime
    }

    /// Bytes of buffers on the GPU.
    #[must_use]
    pub fn gpu_bytes(&self) -> u64 {
        self.gpu.as_ref().map_or(0, tune_gpu::State::content_bytes)
    }

    /// Bytes of each linear memory.
    #[must_use]
    pub fn memories(&self) -> &[u64] {
        &self.memories
    }
}

/// The whole state of an instance between two calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshot {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    header: SnapshotHeader,
    memories: Vec<Image>,
    /// The bytes of the GPU's state.
    gpu: Option<Image>,
}

/// What a snapshot is made of.
pub(crate) struct Parts {
    pub(crate) component: [u8; 32],
    pub(crate) globals: Vec<u64>,
    pub(crate) handles: Handles,
    pub(crate) store: StoreState,
    pub(crate) memories: Vec<Image>,
    pub(crate) gpu: Option<(tune_gpu::State, Image)>,
    pub(crate) dirty_bytes: u64,
}

impl Snapshot {
    pub(crate) fn new(parts: Parts) -> Self {
        let (state, gpu) = parts.gpu.unzip();
        let header = SnapshotHeader {
            format: FORMAT,
            instrumentation: INSTRUMENTATION_VERSION,
            wasmtime: WASMTIME.to_owned(),
            component: parts.component,
            globals: parts.globals,
            handles: parts.handles,
            store: parts.store,
            memories: parts.memories.iter().map(Image::byte_len).collect(),
            dirty_bytes: parts.dirty_bytes,
            gpu: state,
        };
        let memories = parts.memories;
        Self {
            shared: Arc::new(Shared {
                header,
                memories,
                gpu,
            }),
        }
    }

    /// A snapshot from what was written of one. What concerns the plugin is checked when it is
    /// restored.
    ///
    /// # Errors
    /// Another format or instrumentation; a header that contradicts itself or the memories.
    pub fn from_parts(
        header: SnapshotHeader,
        mut memories: Vec<Image>,
    ) -> Result<Self, SnapshotError> {
        let damaged = |what: &str| Err(SnapshotError::Damaged(what.to_owned()));
        if header.format != FORMAT || header.instrumentation != INSTRUMENTATION_VERSION {
            return Err(SnapshotError::Mismatch(format!(
                "it has format {}.{}, this tune-host reads {FORMAT}.{INSTRUMENTATION_VERSION}: \
                 use the tune-host that wrote it",
                header.format, header.instrumentation
            )));
        }
        if header.wasmtime.len() > MAX_VERSION_BYTES {
            return damaged("the version in it is too long");
        }
        if header.globals.len() > MAX_GLOBALS {
            return damaged("it has too many globals");
        }
        header
            .handles
            .check(MAX_HOST_RESOURCES as u64)
            .map_err(SnapshotError::Damaged)?;
        if header.memories.len() > MAX_MEMORIES {
            return damaged("it has too many memories");
        }
        let is_memory = |bytes: &u64| *bytes <= MAX_MEMORY_BYTES && bytes.is_multiple_of(PAGE);
        if !header.memories.iter().all(is_memory) {
            return damaged("a memory in it has a length that no memory has");
        }
        let gpu = match header.gpu {
            Some(_) => memories.pop(),
            None => None,
        };
        if gpu.as_ref().map_or(0, Image::byte_len) < header.gpu_bytes() {
            return damaged("its GPU buffers are longer than its bytes of them");
        }
        if header.gpu.is_some() != gpu.is_some() {
            return damaged("the bytes of its GPU buffers are missing");
        }
        if !memories
            .iter()
            .map(Image::byte_len)
            .eq(header.memories.iter().copied())
        {
            return damaged("its memories have other lengths than its header says");
        }
        if header.dirty_bytes > header.memories.iter().sum() {
            return damaged("more of it was written than it has");
        }
        Ok(Self {
            shared: Arc::new(Shared {
                header,
                memories,
                gpu,
            }),
        })
    }

    /// Checks it against the plugin that it is to be restored with.
    pub(crate) fn check(&self, linked: &Linked, limits: &Limits) -> Result<(), SnapshotError> {
        let header = self.header();
        if header.component != linked.component {
            return Err(SnapshotError::Mismatch(format!(
                "it was taken of another file than that of `{}`: use the plugin of that time, or \
                 its portable state",
                linked.identity.name
            )));
        }
        let layout = linked.layout()?;
        if header.globals.len() != layout.globals.len()
            || header.memories.len() != layout.memories.len()
        {
            return Err(SnapshotError::Damaged(
                "it has another number of memories or globals than the component".to_owned(),
            ));
        }
        let over = |what: String| Err(SnapshotError::OverLimit(what));
        if self.byte_len() > limits.memory_bytes {
            return over(format!(
                "{} bytes of linear memory, {} allowed",
                self.byte_len(),
                limits.memory_bytes
            ));
        }
        if !header.handles.fit(&layout.handles) {
            return Err(SnapshotError::Damaged(
                "it has handles that the component cannot hold".to_owned(),
            ));
        }
        if header.handles.len() > limits.handles {
            return over(format!(
                "{} handles, {} allowed",
                header.handles.len(),
                limits.handles
            ));
        }
        header.store.check(limits).or_else(over)
    }

    /// Checks it against the directories of the instance that it is to be restored in.
    pub(crate) fn check_files(&self, files: &Files) -> Result<(), SnapshotError> {
        let mut named = self.handles().iter().filter_map(|(_, handle)| handle.at());
        if named.all(|at| files.find(at).is_ok()) {
            return Ok(());
        }
        Err(SnapshotError::Mismatch(
            "it has a handle of a file that is not in a granted directory any more".to_owned(),
        ))
    }

    /// Everything but the content of the memories.
    #[must_use]
    pub fn header(&self) -> &SnapshotHeader {
        &self.shared.header
    }

    /// The content of the linear memories, in the order of the header.
    #[must_use]
    pub fn memories(&self) -> &[Image] {
        &self.shared.memories
    }

    /// All of its bytes as they are written to a file: the memories, then what was on the GPU.
    #[must_use]
    pub fn images(&self) -> Vec<&Image> {
        let shared = &self.shared;
        shared.memories.iter().chain(&shared.gpu).collect()
    }

    /// What was on the GPU.
    pub(crate) fn gpu(&self) -> Option<(&tune_gpu::State, &Image)> {
        self.header().gpu.as_ref().zip(self.shared.gpu.as_ref())
    }

    pub(crate) fn globals(&self) -> &[u64] {
        &self.header().globals
    }

    pub(crate) fn handles(&self) -> &Handles {
        &self.header().handles
    }

    pub(crate) fn store(&self) -> &StoreState {
        &self.header().store
    }

    /// It was taken with the wasmtime of this tune-host. If not, it can be restored, but later
    /// steps may burn other fuel than they would have.
    #[must_use]
    pub fn same_build(&self) -> bool {
        self.header().wasmtime == WASMTIME
    }

    /// blake3 of everything that the guest can ever see: equal states have equal hashes. Reads all
    /// of the memories.
    ///
    /// # Errors
    /// If a memory cannot be read.
    pub fn state_hash(&self) -> Result<[u8; 32], SnapshotError> {
        let mut hasher = blake3::Hasher::new_derive_key("tune-host 2026 state of an instance");
        let header = self.header();
        let mut number = |number: u64| {
            hasher.update(&number.to_le_bytes());
        };
        number(header.globals.len() as u64);
        header.globals.iter().copied().for_each(&mut number);
        let store = &header.store;
        // What the guest logged is output.
        let rest = (
            &header.handles,
            &store.random,
            store.clock,
            &store.artifacts,
        );
        let rest = serde_json::to_vec(&rest).map_err(|e| SnapshotError::HostBug(e.to_string()))?;
        number(rest.len() as u64);
        hasher.update(&rest);
        if let Some((state, _)) = self.gpu() {
            let mut visible = state.clone();
            visible.forget_time();
            let visible = serde_json::to_vec(&visible);
            hasher.update(&visible.map_err(|e| SnapshotError::HostBug(e.to_string()))?);
        }
        let mut page = vec![0; PAGE as usize];
        for image in self.images() {
            let length = image.byte_len();
            hasher.update(&length.to_le_bytes());
            for offset in (0..length).step_by(PAGE as usize) {
                image.read_at(offset, &mut page)?;
                hasher.update(&page);
            }
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// Bytes of memory that it alone holds: what dropping it would free at most.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.images().into_iter().map(Image::held_bytes).sum()
    }

    /// Bytes of the linear memories.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.memories().iter().map(Image::byte_len).sum()
    }

    /// The share of its memory that was written since the snapshot before it: from 0 to 1.
    #[must_use]
    pub fn dirty_ratio(&self) -> f64 {
        match self.byte_len() {
            0 => 0.0,
            bytes => self.header().dirty_bytes as f64 / bytes as f64,
        }
    }

    /// How an instance best gets its memory from this.
    pub(crate) fn copying(&self) -> Copying {
        Copying::for_dirty_ratio(self.dirty_ratio())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_wasmtime_is_the_one_that_is_built_in() {
        let lock = include_str!("../../../Cargo.lock");
        let wasmtime = format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"\n");
        assert!(
            lock.contains(&wasmtime),
            "set WASMTIME to what Cargo.lock says"
        );
    }
}
