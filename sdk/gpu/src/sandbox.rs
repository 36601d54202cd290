//! The functions of `wit/gpu.wit`.

use tune_plugin::bindings::trainable::tune::plugin::gpu as wit;

use crate::{
    Adapter, Binding, Bound, DeviceType, GpuError, GpuUsage, Limits, Quota, Usage,
    host::{Command, Id},
};

fn plain(error: wit::GpuError) -> GpuError {
    match error {
        wit::GpuError::NotGranted => GpuError::NotGranted,
        wit::GpuError::Unavailable(message) => GpuError::Unavailable(message),
        wit::GpuError::Validation(message) => GpuError::Validation(message),
        wit::GpuError::UnknownObject(number) => GpuError::UnknownObject(number),
        wit::GpuError::OverQuota(quota) => GpuError::OverQuota(Quota {
            name: quota.name,
            used: quota.used,
            wanted: quota.wanted,
            limit: quota.limit,
        }),
        wit::GpuError::OutOfMemory(message) => GpuError::OutOfMemory(message),
        wit::GpuError::DeviceLost(message) => GpuError::DeviceLost(message),
        wit::GpuError::Deadline(message) => GpuError::Deadline(message),
    }
}

pub(crate) fn adapter() -> Result<Adapter, GpuError> {
    let adapter = wit::adapter_info().map_err(plain)?;
    Ok(Adapter {
        vendor: adapter.vendor,
        device_type: match adapter.device_type {
            wit::DeviceType::DiscreteGpu => DeviceType::DiscreteGpu,
            wit::DeviceType::IntegratedGpu => DeviceType::IntegratedGpu,
            wit::DeviceType::VirtualGpu => DeviceType::VirtualGpu,
            wit::DeviceType::Cpu => DeviceType::Cpu,
            wit::DeviceType::Other => DeviceType::Other,
        },
        is_fallback: adapter.is_fallback_adapter,
    })
}

pub(crate) fn limits() -> Result<Limits, GpuError> {
    let limits = wit::limits().map_err(plain)?;
    Ok(Limits {
        max_buffer_size: limits.max_buffer_size,
        max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
        max_uniform_buffer_binding_size: limits.max_uniform_buffer_binding_size,
        max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
        max_uniform_buffers_per_shader_stage: limits.max_uniform_buffers_per_shader_stage,
        max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
        max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
        max_buffer_bytes: limits.max_buffer_bytes,
        max_objects: limits.max_objects,
        max_shader_bytes: limits.max_shader_bytes,
        max_commands_per_submit: limits.max_commands_per_submit,
        max_workgroups_per_submit: limits.max_workgroups_per_submit,
        max_transfer_bytes_per_step: limits.max_transfer_bytes_per_step,
        max_transfer_bytes_per_call: limits.max_transfer_bytes_per_call,
    })
}

pub(crate) fn usage() -> Result<GpuUsage, GpuError> {
    let used = wit::usage().map_err(plain)?;
    Ok(GpuUsage {
        buffer_bytes: used.buffer_bytes,
        objects: used.objects,
        shader_bytes: used.shader_bytes,
        transfer_bytes: used.transfer_bytes,
        commands: used.commands,
        workgroups: used.workgroups,
    })
}

pub(crate) fn create_buffer(label: &str, size: u64, usage: Usage) -> Result<Id, GpuError> {
    let mut usages = wit::BufferUsage::COPY_SRC | wit::BufferUsage::COPY_DST;
    if usage.storage {
        usages |= wit::BufferUsage::STORAGE;
    }
    if usage.uniform {
        usages |= wit::BufferUsage::UNIFORM;
    }
    wit::create_buffer(label, size, usages).map_err(plain)
}

pub(crate) fn create_shader_module(label: &str, wgsl: &str) -> Result<Id, GpuError> {
    wit::create_shader_module(label, wgsl).map_err(plain)
}

pub(crate) fn create_bind_group_layout(bindings: &[Binding]) -> Result<Id, GpuError> {
    let entries: Vec<_> = (0..)
        .zip(bindings)
        .map(|(binding, kind)| {
            let (buffer_type, has_dynamic_offset, min_binding_size) = match *kind {
                Binding::Uniform => (wit::BufferBindingType::Uniform, false, 0),
                Binding::UniformAt(bytes) => (wit::BufferBindingType::Uniform, true, bytes),
                Binding::Storage => (wit::BufferBindingType::Storage, false, 0),
                Binding::ReadOnlyStorage => (wit::BufferBindingType::ReadOnlyStorage, false, 0),
            };
            wit::BindGroupLayoutEntry {
                binding,
                buffer_type,
                has_dynamic_offset,
                min_binding_size,
            }
        })
        .collect();
    wit::create_bind_group_layout("", &entries).map_err(plain)
}

pub(crate) fn create_pipeline_layout(layouts: &[Id]) -> Result<Id, GpuError> {
    wit::create_pipeline_layout("", layouts).map_err(plain)
}

pub(crate) fn create_compute_pipeline(
    layout: Option<Id>,
    module: Id,
    entry: &str,
    constants: &[(&str, f64)],
) -> Result<Id, GpuError> {
    let constants: Vec<(String, f64)> = constants
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect();
    wit::create_compute_pipeline(entry, layout, module, Some(entry), &constants).map_err(plain)
}

pub(crate) fn get_bind_group_layout(pipeline: Id, index: u32) -> Result<Id, GpuError> {
    wit::get_bind_group_layout(pipeline, index).map_err(plain)
}

pub(crate) fn create_bind_group(layout: Id, buffers: &[Bound]) -> Result<Id, GpuError> {
    let entries: Vec<_> = (0..)
        .zip(buffers)
        .map(|(binding, bound)| wit::BindGroupEntry {
            binding,
            buffer: bound.buffer,
            offset: bound.offset,
            size: bound.size,
        })
        .collect();
    wit::create_bind_group("", layout, &entries).map_err(plain)
}

pub(crate) fn destroy(object: Id) {
    // Dropped once, by whoever was given it: there is no error to act on.
    let _ = wit::destroy(object);
}

pub(crate) fn write_buffer(buffer: Id, offset: u64, data: &[u8]) -> Result<(), GpuError> {
    wit::write_buffer(buffer, offset, data).map_err(plain)
}

pub(crate) fn submit(commands: &[Command]) -> Result<u64, GpuError> {
    let commands: Vec<wit::Command> = commands.iter().map(command).collect();
    wit::submit(&commands).map_err(plain)
}

fn command(command: &Command) -> wit::Command {
    match command {
        Command::SetPipeline(pipeline) => wit::Command::SetPipeline(*pipeline),
        Command::SetBindGroup { index, group } => wit::Command::SetBindGroup(wit::BindGroupSlot {
            index: *index,
            bind_group: group.id,
            dynamic_offsets: group.offsets.clone(),
        }),
        Command::Dispatch([x, y, z]) => wit::Command::DispatchWorkgroups(wit::WorkgroupCounts {
            x: *x,
            y: *y,
            z: *z,
        }),
        Command::Copy {
            src,
            src_offset,
            dst,
            dst_offset,
            size,
        } => wit::Command::CopyBufferToBuffer(wit::BufferCopy {
            source: *src,
            source_offset: *src_offset,
            destination: *dst,
            destination_offset: *dst_offset,
            size: *size,
        }),
        Command::Clear {
            buffer,
            offset,
            size,
        } => wit::Command::ClearBuffer(wit::BufferClear {
            buffer: *buffer,
            offset: *offset,
            size: Some(*size),
        }),
    }
}

pub(crate) fn wait(submission: u64) -> Result<(), GpuError> {
    wit::wait(submission).map_err(plain)
}

pub(crate) fn start_read(buffer: Id, offset: u64, size: u64) -> Result<u64, GpuError> {
    wit::start_read(buffer, offset, size).map_err(plain)
}

pub(crate) fn finish_read(ticket: u64) -> Result<Vec<u8>, GpuError> {
    wit::finish_read(ticket).map_err(plain)
}
