//! What can go wrong, in two parts: what the guest is told, because it would be the same again, and
//! what ends it, because it would not.

use std::time::Duration;

/// Bytes of a message at most: a shader's error quotes the shader.
const MAX_MESSAGE_BYTES: usize = 4 << 10;

/// A quota that a call would have exceeded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}`: {used} of {limit} are used and {wanted} more were wanted")]
pub struct OverQuota {
    /// Its key in the experiment file, or the contract's name of what nobody can raise.
    pub name: &'static str,
    /// Before the call.
    pub used: u64,
    /// What the call wanted more.
    pub wanted: u64,
    /// What is allowed.
    pub limit: u64,
}

/// What the guest is told: the same arguments give the same error again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// No adapter that fits; why, and what would help.
    #[error("no GPU: {0}")]
    Unavailable(String),
    /// Refused arguments.
    #[error("{0}")]
    Validation(String),
    /// A number that is not that of such an object.
    #[error("no such object: {0}")]
    UnknownObject(u64),
    /// A quota.
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
}

/// What ends the guest: it need not happen again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The device has no memory left.
    #[error("the GPU is out of memory: {0}")]
    OutOfMemory(String),
    /// The device is gone.
    #[error("the GPU was lost: {0}")]
    Lost(String),
    /// It took longer than allowed.
    #[error("GPU work took longer than {limit:?} ({name})")]
    Deadline {
        /// The limit's name in the experiment file.
        name: &'static str,
        /// Its value.
        limit: Duration,
    },
    /// Whoever runs the guest wants it to end.
    #[error("the call was ended by the host")]
    Interrupted,
    /// A defect of this program or of what it stands on.
    #[error("{0}")]
    Bug(String),
}

/// Why a call did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The guest is told.
    #[error(transparent)]
    Error(#[from] GpuError),
    /// The guest ends.
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl From<OverQuota> for Failure {
    fn from(over: OverQuota) -> Self {
        Self::Error(over.into())
    }
}

/// Refused arguments.
pub(crate) fn invalid(message: impl AsRef<str>) -> GpuError {
    GpuError::Validation(cut(message.as_ref(), MAX_MESSAGE_BYTES).to_owned())
}

/// The beginning of a text, not longer than so many bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
