//! The same functions natively, on wgpu and without limits of a trial: for the unit tests of a plugin and
//! as the baseline of measurements. A device a thread, made on first use.

mod device;

use std::{cell::RefCell, sync::mpsc};

use crate::{
    Adapter, Binding, Bound, DeviceType, GpuError, GpuUsage, Limits, Usage,
    host::{Command, Id},
};
use device::{Device, Object, Read};

/// Lets the device of this thread compute nothing: everything is checked as ever, buffers keep what is
/// written and copied, and kernels do not run. For tests where there may be no adapter.
///
/// # Errors
/// If the thread has a device already.
pub fn use_noop() -> Result<(), GpuError> {
    DEVICE.with_borrow_mut(|device| {
        if device.is_some() {
            let message = "use_noop comes before the first use of the GPU on a thread";
            return Err(GpuError::Validation(message.to_owned()));
        }
        *device = Some(Device::open(wgpu::Backends::NOOP)?);
        Ok(())
    })
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
