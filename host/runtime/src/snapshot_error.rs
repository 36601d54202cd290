//! Why a snapshot cannot be taken or used.

use tune_core::PluginFault;

/// A snapshot that cannot be taken or used; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The GPU does not give its buffers.
    #[error("the GPU's state cannot be had: {0}")]
    Gpu(String),
    /// The component uses constructs whose state is out of reach; found when it was loaded.
    #[error(
        "its state cannot be copied, because the component uses {}: \
         export `portable-state`, or build it without",
        constructs.join(", ")
    )]
    Constructs {
        /// In words for people.
        constructs: Vec<&'static str>,
    },
    /// It holds handles of the host that cannot be made again.
    #[error(
        "its state cannot be copied, because it holds {}: \
         a plugin that lets go of it between steps can be copied",
        kinds.join(", ")
    )]
    Handles {
        /// In words for people.
        kinds: Vec<String>,
    },
    /// A step has begun and has not ended.
    #[error("a step is in progress: a state can be copied between steps only")]
    InStep,
    /// A failure has ended the instance.
    #[error("the instance was ended by an earlier failure: nothing of it is left to copy")]
    Ended,
    /// The snapshot contradicts itself or the plugin: damaged, or forged.
    #[error("the snapshot is damaged: {0}; use an earlier one")]
    Damaged(String),
    /// It was taken of another component, or by another tune-host.
    #[error("the snapshot does not fit: {0}")]
    Mismatch(String),
    /// It needs more than a limit allows.
    #[error("the snapshot needs more than allowed: {0}; raise the limit in [limits]")]
    OverLimit(String),
    /// The machine refused.
    #[error(transparent)]
    Memory(#[from] tune_snapshot::SnapshotError),
    /// A new instance, which the state was to go into, failed.
    #[error(transparent)]
    Instance(#[from] Box<PluginFault>),
    /// A defect of tune-host.
    #[error("tune-host cannot reach the state of the instance: {0}; please report it")]
    HostBug(String),
}
