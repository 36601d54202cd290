//! Why a call to the GPU failed.

use tune_plugin::Failure;

/// A quota of the trial that a call would have passed; its names are those of [`Limits`](crate::Limits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Which.
    pub name: String,
    /// What was used of it before the call.
    pub used: u64,
    /// What the call wanted.
    pub wanted: u64,
    /// What there is.
    pub limit: u64,
}

/// Why a call to the GPU failed.
///
/// What does not repeat exactly (a lost device, no memory left on it, a deadline) ends the trial in the
/// sandbox: those cases are for native code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuError {
    /// The experiment does not grant a GPU.
    NotGranted,
    /// This machine has no adapter that fits; why, and what would help.
    Unavailable(String),
    /// Arguments that WebGPU refuses; of WGSL with line and column.
    Validation(String),
    /// No object, submission or ticket of this number, or of another kind.
    UnknownObject(u64),
    /// A quota of the trial.
    OverQuota(Quota),
    /// The device has no memory left.
    OutOfMemory(String),
    /// The device was lost.
    DeviceLost(String),
    /// Work took too long.
    Deadline(String),
}

impl std::fmt::Display for GpuError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotGranted => f.write_str(
                "the experiment grants no GPU: write `gpu = true` into [grants] of the experiment file",
            ),
            Self::Unavailable(message) | Self::Validation(message) => f.write_str(message),
            Self::UnknownObject(number) => {
                write!(f, "this trial has no object {number} of that kind")
            }
            Self::OverQuota(Quota {
                name,
                used,
                wanted,
                limit,
            }) => write!(f, "{wanted} more of `{name}`: {used} of {limit} are used"),
            Self::OutOfMemory(message) => write!(f, "the device has no memory left: {message}"),
            Self::DeviceLost(message) => write!(f, "the device was lost: {message}"),
            Self::Deadline(message) => write!(f, "the device took too long: {message}"),
        }
    }
}

impl std::error::Error for GpuError {}

impl From<GpuError> for Failure {
    fn from(error: GpuError) -> Self {
        Self::Other(format!("gpu: {error}"))
    }
}
