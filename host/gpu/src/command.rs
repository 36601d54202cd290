//! Commands as data, and their bounds.

use tune_core::GpuLimits;

use crate::error::{Failure, invalid};
use crate::quota::at_most;
use crate::recipe::Kind;
use crate::table::Table;

/// A bind group in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindGroupSlot {
    /// `@group(n)`.
    pub index: u32,
    /// Which one.
    pub bind_group: u64,
    /// One for each entry that has one.
    pub dynamic_offsets: Vec<u32>,
}

/// A copy between two buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferCopy {
    /// From.
    pub source: u64,
    /// In bytes.
    pub source_offset: u64,
    /// To.
    pub destination: u64,
    /// In bytes.
    pub destination_offset: u64,
    /// In bytes.
    pub size: u64,
}

/// Zeros for a part of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferClear {
    /// Which one.
    pub buffer: u64,
    /// In bytes.
    pub offset: u64,
    /// In bytes; none: to the end.
    pub size: Option<u64>,
}

/// One command of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The pipeline of the dispatches that follow.
    SetPipeline(u64),
    /// A bind group of the dispatches that follow.
    SetBindGroup(BindGroupSlot),
    /// Runs the pipeline.
    DispatchWorkgroups {
        /// Workgroups in each direction.
        counts: [u32; 3],
    },
    /// Copies.
    CopyBufferToBuffer(BufferCopy),
    /// Clears.
    ClearBuffer(BufferClear),
}

/// What a list of commands is charged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) workgroups: u64,
}

/// Checks commands as far as no device is needed for it.
pub(crate) fn check(
    commands: &[Command],
    table: &Table,
    quotas: &GpuLimits,
) -> Result<Work, Failure> {
    let device = crate::adapters::limits(quotas);
    at_most(
        "gpu_commands_per_submit",
        commands.len() as u64,
        u64::from(quotas.commands_per_submit),
    )?;
    // More offsets than a layout can have places for them; the device knows how many there are.
    let offsets = u64::from(device.max_dynamic_storage_buffers_per_pipeline_layout)
        + u64::from(device.max_dynamic_uniform_buffers_per_pipeline_layout);
    let mut work = Work::default();
    for command in commands {
        match command {
            Command::SetPipeline(pipeline) => {
                table.find(*pipeline, Kind::ComputePipeline)?;
            }
            Command::SetBindGroup(slot) => {
                table.find(slot.bind_group, Kind::BindGroup)?;
                if slot.index >= device.max_bind_groups {
                    return Err(invalid(format!("there is no bind group {}", slot.index)).into());
                }
                if slot.dynamic_offsets.len() as u64 > offsets {
                    return Err(invalid("too many dynamic offsets").into());
                }
            }
            Command::DispatchWorkgroups { counts } => {
                for count in counts {
                    at_most(
                        "max-compute-workgroups-per-dimension",
                        u64::from(*count),
                        u64::from(device.max_compute_workgroups_per_dimension),
                    )?;
                }
                // Three numbers of 16 bits.
                let groups = counts.iter().map(|count| u64::from(*count)).product();
                work.workgroups = work.workgroups.saturating_add(groups);
            }
            Command::CopyBufferToBuffer(copy) => {
                table.range(copy.source, copy.source_offset, copy.size)?;
                table.range(copy.destination, copy.destination_offset, copy.size)?;
                if copy.source == copy.destination {
                    return Err(invalid("a buffer cannot be copied into itself").into());
                }
            }
            Command::ClearBuffer(clear) => {
                table.range(clear.buffer, clear.offset, clear.size.unwrap_or(0))?;
            }
        }
    }
    Ok(work)
}
