//! A device with the objects of one thread, on wgpu.

use std::{collections::BTreeMap, sync::OnceLock};

use pollster::block_on;

use crate::{
    GpuError, GpuUsage,
    host::{Command, Id},
};

/// One for the process: some drivers do not bear several of them on several threads.
fn instance() -> &'static wgpu::Instance {
    static INSTANCE: OnceLock<wgpu::Instance> = OnceLock::new();
    INSTANCE.get_or_init(|| {
        let mut how = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        how.backend_options.noop.enable = true;
        wgpu::Instance::new(how)
    })
}

#[derive(Debug)]
pub(super) enum Object {
    Buffer(wgpu::Buffer),
    /// With the bytes of its WGSL.
    Module(wgpu::ShaderModule, u64),
    Layout(wgpu::BindGroupLayout),
    PipelineLayout(wgpu::PipelineLayout),
    Pipeline(wgpu::ComputePipeline),
    Group(wgpu::BindGroup),
}

/// What is set in a submission.
#[derive(Default)]
struct Set {
    pipeline: Option<Id>,
    groups: BTreeMap<u32, (Id, Vec<u32>)>,
}

#[derive(Debug)]
pub(super) struct Read {
    pub(super) staging: wgpu::Buffer,
    pub(super) submission: wgpu::SubmissionIndex,
}

/// A device with the objects of one thread.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) adapter: wgpu::AdapterInfo,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) objects: BTreeMap<Id, Object>,
    pub(super) reads: BTreeMap<u64, Read>,
    pub(super) submissions: Vec<wgpu::SubmissionIndex>,
    pub(super) next: Id,
    pub(super) used: GpuUsage,
}

macro_rules! object {
    ($name:ident, $kind:ident, $type:ty) => {
        pub(super) fn $name(&self, id: Id) -> Result<&$type, GpuError> {
            match self.objects.get(&id) {
                Some(Object::$kind(object, ..)) => Ok(object),
                _ => Err(GpuError::UnknownObject(id)),
            }
        }
    };
}

impl Device {
    pub(super) fn open(backends: wgpu::Backends) -> Result<Self, GpuError> {
        let adapters = block_on(instance().enumerate_adapters(backends));
        // A real device before one in software.
        let worth = |adapter: &wgpu::Adapter| match adapter.get_info().device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        };
        let Some(adapter) = adapters.into_iter().min_by_key(worth) else {
            return Err(GpuError::Unavailable(
                "no GPU was found: install a Vulkan driver (in software: mesa-vulkan-drivers)"
                    .to_owned(),
            ));
        };
        let how = wgpu::DeviceDescriptor {
            required_limits: if backends == wgpu::Backends::NOOP {
                wgpu::Limits::default()
            } else {
                wgpu::Limits::default().or_worse_values_from(&adapter.limits())
            },
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = block_on(adapter.request_device(&how))
            .map_err(|error| GpuError::Unavailable(format!("the GPU cannot be opened: {error}")))?;
        Ok(Self {
            adapter: adapter.get_info(),
            device,
            queue,
            objects: BTreeMap::new(),
            reads: BTreeMap::new(),
            submissions: Vec::new(),
            next: 1,
            used: GpuUsage::default(),
        })
    }

    object!(buffer, Buffer, wgpu::Buffer);
    object!(module, Module, wgpu::ShaderModule);
    object!(layout, Layout, wgpu::BindGroupLayout);
    object!(pipeline_layout, PipelineLayout, wgpu::PipelineLayout);
    object!(pipeline, Pipeline, wgpu::ComputePipeline);
    object!(group, Group, wgpu::BindGroup);

    /// Does `work` and takes what wgpu reports of it.
    pub(super) fn checked<R>(&self, work: impl FnOnce(&Self) -> R) -> Result<R, GpuError> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let result = work(self);
        let error = block_on(validation.pop());
        let error = error.or(block_on(memory.pop()));
        match error {
            None => Ok(result),
            Some(error) => {
                let kind = match error {
                    wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory,
                    wgpu::Error::Validation { .. } => GpuError::Validation,
                    wgpu::Error::Internal { .. } => GpuError::DeviceLost,
                };
                Err(kind(error.to_string()))
            }
        }
    }

    pub(super) fn keep(&mut self, object: Object) -> Id {
        let id = self.next;
        self.next += 1;
        match &object {
            Object::Buffer(buffer) => self.used.buffer_bytes += buffer.size(),
            Object::Module(_, bytes) => self.used.shader_bytes += bytes,
            _ => {}
        }
        self.used.objects += 1;
        self.objects.insert(id, object);
        id
    }

    pub(super) fn record(&self, commands: &[Command]) -> Result<wgpu::CommandBuffer, GpuError> {
        let how = wgpu::CommandEncoderDescriptor::default();
        let mut encoder = self.device.create_command_encoder(&how);
        let mut set = Set::default();
        let mut rest = commands;
        while let Some(command) = rest.first() {
            match command {
                Command::Copy {
                    src,
                    src_offset,
                    dst,
                    dst_offset,
                    size,
                } => {
                    let (src, dst) = (self.buffer(*src)?, self.buffer(*dst)?);
                    encoder.copy_buffer_to_buffer(src, *src_offset, dst, *dst_offset, *size);
                }
                Command::Clear {
                    buffer,
                    offset,
                    size,
                } => encoder.clear_buffer(self.buffer(*buffer)?, *offset, Some(*size)),
                Command::SetPipeline(_) | Command::SetBindGroup { .. } | Command::Dispatch(_) => {
                    rest = self.pass(&mut encoder, &mut set, rest)?;
                    continue;
                }
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        Ok(encoder.finish())
    }

    /// Records the commands of a compute pass that come first; returns what comes after them.
    fn pass<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        set: &mut Set,
        mut rest: &'a [Command],
    ) -> Result<&'a [Command], GpuError> {
        let how = wgpu::ComputePassDescriptor::default();
        let mut pass = encoder.begin_compute_pass(&how);
        // What was set before a copy stays set.
        if let Some(pipeline) = set.pipeline {
            pass.set_pipeline(self.pipeline(pipeline)?);
        }
        for (index, (id, offsets)) in &set.groups {
            pass.set_bind_group(*index, self.group(*id)?, offsets);
        }
        loop {
            match rest.first() {
                Some(Command::SetPipeline(pipeline)) => {
                    set.pipeline = Some(*pipeline);
                    pass.set_pipeline(self.pipeline(*pipeline)?);
                }
                Some(Command::SetBindGroup { index, group }) => {
                    pass.set_bind_group(*index, self.group(group.id)?, &group.offsets);
                    set.groups.insert(*index, (group.id, group.offsets.clone()));
                }
                Some(Command::Dispatch([x, y, z])) => pass.dispatch_workgroups(*x, *y, *z),
                _ => return Ok(rest),
            }
            rest = rest.get(1..).unwrap_or_default();
        }
    }

    pub(super) fn wait_for(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        };
        let done = self.device.poll(wait);
        done.map_err(|error| GpuError::DeviceLost(error.to_string()))?;
        Ok(())
    }

    pub(super) fn submission(&self, number: u64) -> Result<wgpu::SubmissionIndex, GpuError> {
        let index = usize::try_from(number).ok();
        let found = index.and_then(|index| self.submissions.get(index.checked_sub(1)?));
        found.cloned().ok_or(GpuError::UnknownObject(number))
    }
}
