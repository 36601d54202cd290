//! The same functions natively, on wgpu and without limits of a trial: for the unit tests of a plugin and
//! as the baseline of measurements. A device a thread, made on first use.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{OnceLock, mpsc},
};

use pollster::block_on;

use crate::{
    Adapter, Binding, Bound, DeviceType, GpuError, GpuUsage, Limits, Usage,
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

/// Lets the device of this thread compute nothing: everything is checked as ever, buffers keep what is
/// written and copied, and kernels do not run. For tests where there may be no adapter.
///
/// # Errors
/// If the thread has a device already.
pub fn use_noop() -> Result<(), GpuError> {
    let old = DEVICE.with_borrow_mut(|device| {
        if device.is_none() {
            *device = Some(Device::open(wgpu::Backends::NOOP)?);
            return Ok(false);
        }
        Ok(true)
    })?;
    if old {
        let message = "use_noop comes before the first use of the GPU on a thread";
        return Err(GpuError::Validation(message.to_owned()));
    }
    Ok(())
}

#[derive(Debug)]
enum Object {
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
struct Read {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
}

/// A device with the objects of one thread.
#[derive(Debug)]
struct Device {
    adapter: wgpu::AdapterInfo,
    device: wgpu::Device,
    queue: wgpu::Queue,
    objects: BTreeMap<Id, Object>,
    reads: BTreeMap<u64, Read>,
    submissions: Vec<wgpu::SubmissionIndex>,
    next: Id,
    used: GpuUsage,
}

thread_local! {
    static DEVICE: RefCell<Option<Device>> = const { RefCell::new(None) };
}

fn with<R>(work: impl FnOnce(&mut Device) -> Result<R, GpuError>) -> Result<R, GpuError> {
    DEVICE.with_borrow_mut(|place| {
        let device = match place {
            Some(device) => device,
            None => place.insert(Device::open(wgpu::Backends::all() - wgpu::Backends::NOOP)?),
        };
        work(device)
    })
}

macro_rules! object {
    ($name:ident, $kind:ident, $type:ty) => {
        fn $name(&self, id: Id) -> Result<&$type, GpuError> {
            match self.objects.get(&id) {
                Some(Object::$kind(object, ..)) => Ok(object),
                _ => Err(GpuError::UnknownObject(id)),
            }
        }
    };
}

impl Device {
    fn open(backends: wgpu::Backends) -> Result<Self, GpuError> {
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
    fn checked<R>(&self, work: impl FnOnce(&Self) -> R) -> Result<R, GpuError> {
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

    fn keep(&mut self, object: Object) -> Id {
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

    fn record(&self, commands: &[Command]) -> Result<wgpu::CommandBuffer, GpuError> {
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

    fn wait_for(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        };
        let done = self.device.poll(wait);
        done.map_err(|error| GpuError::DeviceLost(error.to_string()))?;
        Ok(())
    }

    fn submission(&self, number: u64) -> Result<wgpu::SubmissionIndex, GpuError> {
        let index = usize::try_from(number).ok();
        let found = index.and_then(|index| self.submissions.get(index.checked_sub(1)?));
        found.cloned().ok_or(GpuError::UnknownObject(number))
    }
}

pub(crate) fn adapter() -> Result<Adapter, GpuError> {
    with(|device| {
        let info = &device.adapter;
        Ok(Adapter {
            // The names of the PCI vendors, and of Mesa's software.
            vendor: match info.vendor {
                0x10de => "nvidia",
                0x1002 => "amd",
                0x8086 => "intel",
                0x106b => "apple",
                0x13b5 => "arm",
                0x5143 => "qualcomm",
                0x1_0005 => "mesa",
                _ => "other",
            }
            .to_owned(),
            device_type: match info.device_type {
                wgpu::DeviceType::Cpu => DeviceType::Cpu,
                wgpu::DeviceType::IntegratedGpu => DeviceType::IntegratedGpu,
                wgpu::DeviceType::DiscreteGpu => DeviceType::DiscreteGpu,
                wgpu::DeviceType::VirtualGpu => DeviceType::VirtualGpu,
                wgpu::DeviceType::Other => DeviceType::Other,
            },
            is_fallback: info.device_type == wgpu::DeviceType::Cpu,
        })
    })
}

/// Those of the device; there are no quotas.
pub(crate) fn limits() -> Result<Limits, GpuError> {
    with(|device| {
        let limits = device.device.limits();
        Ok(Limits {
            max_buffer_size: limits.max_buffer_size,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            max_uniform_buffer_binding_size: limits.max_uniform_buffer_binding_size,
            max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
            max_uniform_buffers_per_shader_stage: limits.max_uniform_buffers_per_shader_stage,
            max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
            max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            max_buffer_bytes: u64::MAX,
            max_objects: u32::MAX,
            max_shader_bytes: u64::MAX,
            max_commands_per_submit: u32::MAX,
            max_workgroups_per_submit: u64::MAX,
            max_transfer_bytes_per_step: u64::MAX,
            max_transfer_bytes_per_call: u64::MAX,
        })
    })
}

pub(crate) fn usage() -> Result<GpuUsage, GpuError> {
    with(|device| Ok(device.used))
}

pub(crate) fn create_buffer(label: &str, size: u64, usage: Usage) -> Result<Id, GpuError> {
    with(|device| {
        let mut usages = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        usages.set(wgpu::BufferUsages::STORAGE, usage.storage);
        usages.set(wgpu::BufferUsages::UNIFORM, usage.uniform);
        let buffer = device.checked(|this| {
            this.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: usages,
                mapped_at_creation: false,
            })
        })?;
        Ok(device.keep(Object::Buffer(buffer)))
    })
}

pub(crate) fn create_shader_module(label: &str, wgsl: &str) -> Result<Id, GpuError> {
    with(|device| {
        let module = device.checked(|this| {
            this.device
                .create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some(label),
                    source: wgpu::ShaderSource::Wgsl(wgsl.into()),
                })
        })?;
        Ok(device.keep(Object::Module(module, wgsl.len() as u64)))
    })
}

fn entry(binding: u32, kind: Binding) -> wgpu::BindGroupLayoutEntry {
    let (ty, has_dynamic_offset, size) = match kind {
        Binding::Uniform => (wgpu::BufferBindingType::Uniform, false, 0),
        Binding::UniformAt(bytes) => (wgpu::BufferBindingType::Uniform, true, bytes),
        Binding::Storage => (
            wgpu::BufferBindingType::Storage { read_only: false },
            false,
            0,
        ),
        Binding::ReadOnlyStorage => (
            wgpu::BufferBindingType::Storage { read_only: true },
            false,
            0,
        ),
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset,
            min_binding_size: wgpu::BufferSize::new(size),
        },
        count: None,
    }
}

pub(crate) fn create_bind_group_layout(bindings: &[Binding]) -> Result<Id, GpuError> {
    with(|device| {
        let entries: Vec<_> = (0..)
            .zip(bindings)
            .map(|(i, kind)| entry(i, *kind))
            .collect();
        let layout = device.checked(|this| {
            this.device
                .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                    label: None,
                    entries: &entries,
                })
        })?;
        Ok(device.keep(Object::Layout(layout)))
    })
}

pub(crate) fn create_pipeline_layout(layouts: &[Id]) -> Result<Id, GpuError> {
    with(|device| {
        let layouts: Vec<_> = layouts
            .iter()
            .map(|id| device.layout(*id).map(Some))
            .collect::<Result<_, _>>()?;
        let layout = device.checked(|this| {
            this.device
                .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: None,
                    bind_group_layouts: &layouts,
                    immediate_size: 0,
                })
        })?;
        Ok(device.keep(Object::PipelineLayout(layout)))
    })
}

pub(crate) fn create_compute_pipeline(
    layout: Option<Id>,
    module: Id,
    entry: &str,
    constants: &[(&str, f64)],
) -> Result<Id, GpuError> {
    with(|device| {
        let layout = layout.map(|id| device.pipeline_layout(id)).transpose()?;
        let module = device.module(module)?;
        let pipeline = device.checked(|this| {
            this.device
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some(entry),
                    layout,
                    module,
                    entry_point: Some(entry),
                    compilation_options: wgpu::PipelineCompilationOptions {
                        constants,
                        ..wgpu::PipelineCompilationOptions::default()
                    },
                    cache: None,
                })
        })?;
        Ok(device.keep(Object::Pipeline(pipeline)))
    })
}

pub(crate) fn get_bind_group_layout(pipeline: Id, index: u32) -> Result<Id, GpuError> {
    with(|device| {
        let pipeline = device.pipeline(pipeline)?;
        let layout = device.checked(|_| pipeline.get_bind_group_layout(index))?;
        Ok(device.keep(Object::Layout(layout)))
    })
}

pub(crate) fn create_bind_group(layout: Id, buffers: &[Bound]) -> Result<Id, GpuError> {
    with(|device| {
        let layout = device.layout(layout)?;
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, bound)| {
                Ok(wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: device.buffer(bound.buffer)?,
                        offset: bound.offset,
                        size: bound.size.and_then(wgpu::BufferSize::new),
                    }),
                })
            })
            .collect::<Result<_, GpuError>>()?;
        let group = device.checked(|this| {
            this.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout,
                entries: &entries,
            })
        })?;
        Ok(device.keep(Object::Group(group)))
    })
}

pub(crate) fn destroy(object: Id) {
    // After the end of the thread's device there is nothing to destroy.
    let _ = DEVICE.try_with(|device| {
        let mut device = device.borrow_mut();
        let Some(device) = device.as_mut() else {
            return;
        };
        let Some(object) = device.objects.remove(&object) else {
            return;
        };
        device.used.objects -= 1;
        match &object {
            Object::Buffer(buffer) => device.used.buffer_bytes -= buffer.size(),
            Object::Module(_, bytes) => device.used.shader_bytes -= bytes,
            _ => {}
        }
    });
}

pub(crate) fn write_buffer(buffer: Id, offset: u64, data: &[u8]) -> Result<(), GpuError> {
    with(|device| {
        let buffer = device.buffer(buffer)?;
        device.checked(|this| this.queue.write_buffer(buffer, offset, data))?;
        device.used.transfer_bytes += data.len() as u64;
        Ok(())
    })
}

pub(crate) fn submit(commands: &[Command]) -> Result<u64, GpuError> {
    with(|device| {
        let submission = device.checked(|this| {
            let buffer = this.record(commands)?;
            Ok::<_, GpuError>(this.queue.submit([buffer]))
        })??;
        device.submissions.push(submission);
        device.used.commands += commands.len() as u64;
        for command in commands {
            if let Command::Dispatch(workgroups) = command {
                let workgroups = workgroups.iter().map(|n| u64::from(*n));
                let workgroups = workgroups.fold(1, u64::saturating_mul);
                device.used.workgroups = device.used.workgroups.saturating_add(workgroups);
            }
        }
        Ok(device.submissions.len() as u64)
    })
}

pub(crate) fn wait(submission: u64) -> Result<(), GpuError> {
    with(|device| device.wait_for(device.submission(submission)?))
}

pub(crate) fn start_read(buffer: Id, offset: u64, size: u64) -> Result<u64, GpuError> {
    with(|device| {
        let source = device.buffer(buffer)?;
        let (staging, submission) = device.checked(|this| {
            let staging = this.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read"),
                size,
                usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
                mapped_at_creation: false,
            });
            let how = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = this.device.create_command_encoder(&how);
            encoder.copy_buffer_to_buffer(source, offset, &staging, 0, size);
            let submission = this.queue.submit([encoder.finish()]);
            (staging, submission)
        })?;
        device.used.transfer_bytes += size;
        let ticket = device.next;
        device.next += 1;
        device.reads.insert(
            ticket,
            Read {
                staging,
                submission,
            },
        );
        Ok(ticket)
    })
}

pub(crate) fn finish_read(ticket: u64) -> Result<Vec<u8>, GpuError> {
    with(|device| {
        let read = device.reads.remove(&ticket);
        let read = read.ok_or(GpuError::UnknownObject(ticket))?;
        if read.staging.size() == 0 {
            return Ok(Vec::new());
        }
        let lost = GpuError::DeviceLost;
        let slice = read.staging.slice(..);
        let (told, mapped) = mpsc::channel();
        slice.map_async(wgpu::MapMode::Read, move |result| {
            // The receiver waits below, or there was an error that is reported there.
            let _ = told.send(result);
        });
        device.wait_for(read.submission)?;
        mapped
            .recv()
            .map_err(|error| lost(error.to_string()))?
            .map_err(|error| lost(error.to_string()))?;
        let view = slice
            .get_mapped_range()
            .map_err(|error| lost(error.to_string()))?;
        Ok(view.to_vec())
    })
}
