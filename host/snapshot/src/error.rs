//! What can go wrong with the memory of guests and with images of it.

/// The machine did not give memory that the limits allow. A retry elsewhere may succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the machine has no {bytes} bytes of memory for the guest: {cause}")]
pub struct HostMemoryError {
    /// Bytes that were asked for.
    pub bytes: usize,
    /// What the operating system said.
    pub cause: String,
}

/// A state that could not be captured or restored.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The machine is short of memory, file descriptors or mappings.
    #[error(transparent)]
    Memory(#[from] HostMemoryError),
    /// A part of an image that does not exist.
    #[error("{bytes} bytes at {offset} of an image of {len} bytes")]
    Bounds {
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        bytes: u64,
        /// Length of the image.
        len: u64,
    },
    /// A length that no linear memory has: none that is not whole pages of 64 KiB, none above 4 GiB.
    #[error("an image of {0} bytes: a linear memory is whole pages of 64 KiB, at most 4 GiB")]
    Length(u64),
    /// A memory that is shorter or longer than what is to be put into it.
    #[error("{image} bytes of state for a memory of {memory} bytes: use a fresh instance")]
    Size {
        /// Length of the state.
        image: u64,
        /// Length of the memory.
        memory: u64,
    },
    /// An earlier restore failed half-way.
    #[error("the memory holds half of a state: use a fresh instance")]
    HalfRestored,
    /// State that belongs to another component.
    #[error("{found} {what} where the component has {wanted}: the state is of another component")]
    Mismatch {
        /// What does not match.
        what: &'static str,
        /// How much the state has.
        found: usize,
        /// How much the component has.
        wanted: usize,
    },
    /// A call of the accessor failed.
    #[error("reading or writing the state of an instance: {0:#}")]
    Accessor(wasmtime::Error),
}
