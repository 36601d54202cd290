//! The functions of `wit/gpu.wit`: in the sandbox the host's, natively those of wgpu itself.

use crate::Group;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::native::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use crate::sandbox::*;

/// Names an object of the trial; never given twice, the same after a snapshot.
pub(crate) type Id = u64;

/// One command of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    SetPipeline(Id),
    SetBindGroup {
        index: u32,
        group: Group,
    },
    Dispatch([u32; 3]),
    Copy {
        src: Id,
        src_offset: u64,
        dst: Id,
        dst_offset: u64,
        size: u64,
    },
    Clear {
        buffer: Id,
        offset: u64,
        size: u64,
    },
}
