//! What the trial has of the device.

use crate::{GpuError, host};

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceType {
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the memory of the machine.
    IntegratedGpu,
    /// A GPU of a virtual machine.
    VirtualGpu,
    /// The processor.
    Cpu,
    /// Anything else.
    Other,
}

/// Which GPU it is, as far as a plugin may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// `nvidia`, `amd`, `intel`, `apple`, `arm`, `qualcomm`, `mesa` (software) or `other`.
    pub vendor: String,
    /// What it is.
    pub device_type: DeviceType,
    /// It is an emulation on the processor: right, and slow.
    pub is_fallback: bool,
}

/// What kernels and submissions may be, under the names of `wit/gpu.wit` and WebGPU. It follows from the
/// experiment file alone, not from the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one buffer.
    pub max_buffer_size: u64,
    /// Bytes of a buffer that a shader sees as `storage`.
    pub max_storage_buffer_binding_size: u64,
    /// Bytes of a buffer that a shader sees as `uniform`.
    pub max_uniform_buffer_binding_size: u64,
    /// Storage buffers in all groups of a pipeline.
    pub max_storage_buffers_per_shader_stage: u32,
    /// Uniform buffers in all groups of a pipeline.
    pub max_uniform_buffers_per_shader_stage: u32,
    /// Bytes of `var<workgroup>`.
    pub max_compute_workgroup_storage_size: u32,
    /// Invocations of a workgroup.
    pub max_compute_invocations_per_workgroup: u32,
    /// Workgroups of a dispatch along an axis.
    pub max_compute_workgroups_per_dimension: u32,
    /// Bytes of all buffers and open reads together.
    pub max_buffer_bytes: u64,
    /// Live objects and open reads together.
    pub max_objects: u32,
    /// Bytes of WGSL of all live shader modules together.
    pub max_shader_bytes: u64,
    /// Commands of a [`Batch`](crate::Batch).
    pub max_commands_per_submit: u32,
    /// Workgroups of a [`Batch`](crate::Batch).
    pub max_workgroups_per_submit: u64,
    /// Bytes written and read in one step, `setup` included in the first.
    pub max_transfer_bytes_per_step: u64,
    /// Bytes of one write or read.
    pub max_transfer_bytes_per_call: u64,
}

/// What is in use of the quotas. Natively, where there are no steps, those of a step count from the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuUsage {
    /// Bytes of all buffers and open reads.
    pub buffer_bytes: u64,
    /// Live objects and open reads.
    pub objects: u32,
    /// Bytes of WGSL of live modules.
    pub shader_bytes: u64,
    /// Bytes written and read in the present step.
    pub transfer_bytes: u64,
    /// Commands of the present step.
    pub commands: u64,
    /// Workgroups of the present step.
    pub workgroups: u64,
}

/// Which GPU the trial has.
///
/// # Errors
/// [`GpuError::NotGranted`] or [`GpuError::Unavailable`].
pub fn adapter() -> Result<Adapter, GpuError> {
    host::adapter()
}

/// What kernels and submissions may be.
///
/// # Errors
/// [`GpuError::NotGranted`]; natively [`GpuError::Unavailable`].
pub fn limits() -> Result<Limits, GpuError> {
    host::limits()
}

/// What is in use.
///
/// # Errors
/// As [`limits`].
pub fn usage() -> Result<GpuUsage, GpuError> {
    host::usage()
}
