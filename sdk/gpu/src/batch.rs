//! Work for the device.

use std::ops::Range;

use bytemuck::Pod;

use crate::{
    Buffer, GpuError, Group, Pipeline,
    host::{self, Command, Id},
};

/// Commands that go to the device together, one after the other: each sees what those before it have
/// written. Crossing into the host once for many commands is what makes small ones cheap.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    commands: Vec<Command>,
    /// What is set after the commands so far.
    pipeline: Option<Id>,
    groups: Vec<Group>,
}

impl Batch {
    /// No commands.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `pipeline` on so many workgroups along x, y and z, with its groups 0, 1 and so on.
    pub fn dispatch(&mut self, pipeline: &Pipeline, groups: &[Group], workgroups: [u32; 3]) {
        let pipeline = pipeline.id();
        if self.pipeline.replace(pipeline) != Some(pipeline) {
            self.commands.push(Command::SetPipeline(pipeline));
        }
        for (index, group) in groups.iter().enumerate() {
            match self.groups.get_mut(index) {
                Some(set) if set == group => continue,
                Some(set) => set.clone_from(group),
                None => self.groups.push(group.clone()),
            }
            self.commands.push(Command::SetBindGroup {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                group: group.clone(),
            });
        }
        self.commands.push(Command::Dispatch(workgroups));
    }

    /// Copies a part of one buffer into another one at `at`.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if it does not fit.
    pub fn copy<T: Pod>(
        &mut self,
        from: &Buffer<T>,
        part: Range<usize>,
        to: &Buffer<T>,
        at: usize,
    ) -> Result<(), GpuError> {
        let end = at.saturating_add(part.len());
        let (src, src_offset, size) = from.place(part)?;
        let (dst, dst_offset, _) = to.place(at..end)?;
        self.commands.push(Command::Copy {
            src,
            src_offset,
            dst,
            dst_offset,
            size,
        });
        Ok(())
    }

    /// Fills a part with 0.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if there is no such part.
    pub fn clear<T: Pod>(
        &mut self,
        buffer: &Buffer<T>,
        part: Range<usize>,
    ) -> Result<(), GpuError> {
        let (buffer, offset, size) = buffer.place(part)?;
        self.commands.push(Command::Clear {
            buffer,
            offset,
            size,
        });
        Ok(())
    }

    /// How many commands there are, those that set pipelines and groups included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// There is no command.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Sends the commands to the device. A batch can be sent again.
    ///
    /// # Errors
    /// [`GpuError::Validation`], [`GpuError::OverQuota`] (commands, workgroups).
    pub fn submit(&self) -> Result<Submission, GpuError> {
        host::submit(&self.commands).map(Submission)
    }
}

/// A batch that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission(u64);

impl Submission {
    /// Waits until the device has done it.
    ///
    /// # Errors
    /// Natively a lost device; in the sandbox that ends the trial.
    pub fn wait(self) -> Result<(), GpuError> {
        host::wait(self.0)
    }
}
