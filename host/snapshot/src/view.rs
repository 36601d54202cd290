//! A linear memory seen from beside its store: captured into images, restored from them.
//!
//! Nothing here may run while a call of the guest is active: the owner of the store sees to that.

use std::sync::Arc;

use crate::copying::Copying;
use crate::error::SnapshotError;
use crate::image::Image;
use crate::laid::Laid;

/// What a capture gave.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The state of the memory.
    pub image: Image,
    /// Bytes in chunks that changed since it was last captured or restored; at first, all that are
    /// not zero.
    pub dirty_bytes: u64,
}

/// A linear memory of an instance, reachable beside its store.
#[derive(Clone, Debug)]
pub struct MemoryView {
    memory: Arc<Laid>,
}

impl MemoryView {
    pub(crate) fn new(memory: Arc<Laid>) -> Self {
        Self { memory }
    }

    /// Its present size in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.memory.region.open()
    }

    /// Captures its content. The store must be idle.
    ///
    /// Costs what changed since it was last captured or restored, as far as the tracking can tell;
    /// from time to time everything, when the image would become too scattered.
    ///
    /// # Errors
    /// If the machine has no memory for it (the instance can go on), or an earlier restore failed.
    pub fn capture(&self) -> Result<Captured, SnapshotError> {
        let (image, dirty) = self.memory.capture()?;
        Ok(Captured {
            image,
            dirty_bytes: dirty as u64,
        })
    }

    /// Puts an image into it, fresh or live. The store must be idle and the memory as long as the
    /// image.
    ///
    /// # Errors
    /// A memory of another length, which is left as it was; no memory: the content is then
    /// undefined and the instance must not be used any more.
    pub fn restore(&self, image: &Image, copying: Copying) -> Result<(), SnapshotError> {
        self.memory.restore(image, copying)
    }

    /// Puts the content of another memory into it without an image in between. Both stores must be
    /// idle and both memories as long.
    ///
    /// # Errors
    /// As [`Self::restore`].
    pub fn copy_from(&self, donor: &Self) -> Result<(), SnapshotError> {
        if Arc::ptr_eq(&self.memory, &donor.memory) {
            return Ok(());
        }
        self.memory.copy_from(&donor.memory)
    }
}

#[cfg(test)]
mod tests;
