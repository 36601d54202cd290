//! From commands to a command buffer. They were checked; what only the device knows (whether bind
//! groups fit the pipeline, whether a buffer is both read and written) its library checks here.

use crate::command::{BindGroupSlot, Command};
use crate::device::Device;
use crate::error::Failure;

/// A bind group per index, as far as set.
type Groups<'a> = std::collections::BTreeMap<u32, &'a BindGroupSlot>;

impl Device {
    pub(crate) fn encode(&self, commands: &[Command]) -> Result<wgpu::CommandBuffer, Failure> {
        self.scoped(|device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
                label: Some("submission"),
            });
            self.fill(&mut encoder, commands)?;
            Ok(encoder.finish())
        })?
    }

    fn fill(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        commands: &[Command],
    ) -> Result<(), Failure> {
        let (mut pipeline, mut groups) = (None, Groups::new());
        let mut rest = commands;
        while let Some((command, after)) = rest.split_first() {
            match command {
                Command::CopyBufferToBuffer(copy) => {
                    encoder.copy_buffer_to_buffer(
                        self.buffer(copy.source)?,
                        copy.source_offset,
                        self.buffer(copy.destination)?,
                        copy.destination_offset,
                        copy.size,
                    );
                    rest = after;
                }
                Command::ClearBuffer(clear) => {
                    encoder.clear_buffer(self.buffer(clear.buffer)?, clear.offset, clear.size);
                    rest = after;
                }
                Command::SetPipeline(_)
                | Command::SetBindGroup(_)
                | Command::DispatchWorkgroups { .. } => {
                    rest = self.pass(encoder, rest, &mut pipeline, &mut groups)?;
                }
            }
        }
        Ok(())
    }

    /// The commands of one pass; those after it.
    fn pass<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        commands: &'a [Command],
        pipeline: &mut Option<u64>,
        groups: &mut Groups<'a>,
    ) -> Result<&'a [Command], Failure> {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        // What was set in the pass before stays set, as the contract says.
        if let Some(pipeline) = pipeline {
            pass.set_pipeline(self.pipeline(*pipeline)?);
        }
        for slot in groups.values() {
            self.set(&mut pass, slot)?;
        }
        let mut rest = commands;
        while let Some((command, after)) = rest.split_first() {
            match command {
                Command::SetPipeline(id) => {
                    pass.set_pipeline(self.pipeline(*id)?);
                    *pipeline = Some(*id);
                }
                Command::SetBindGroup(slot) => {
                    self.set(&mut pass, slot)?;
                    groups.insert(slot.index, slot);
                }
                Command::DispatchWorkgroups { counts: [x, y, z] } => {
                    pass.dispatch_workgroups(*x, *y, *z);
                }
                Command::CopyBufferToBuffer(_) | Command::ClearBuffer(_) => break,
            }
            rest = after;
        }
        Ok(rest)
    }

    fn set(&self, pass: &mut wgpu::ComputePass<'_>, slot: &BindGroupSlot) -> Result<(), Failure> {
        let group = self.bind_group(slot.bind_group)?;
        pass.set_bind_group(slot.index, group, &slot.dynamic_offsets);
        Ok(())
    }
}
