//! GPU compute for the author of a tune-host plugin: typed buffers, pipelines of WGSL, batches of
//! commands. Needs the grant `"gpu"`.
//!
//! Names and rules are those of WebGPU. Nothing here is a handle of the device: objects are numbers that
//! the host knows, so that a trial can be snapshotted, resumed and cloned with what is on the device. The
//! same code runs natively on wgpu, so that a plugin is unit-tested like any other crate.
//!
//! ```no_run
//! use tune_plugin_gpu::{Batch, Buffer, GpuError, Module, Pipeline, Usage};
//!
//! fn doubled(numbers: &[f32]) -> Result<Vec<f32>, GpuError> {
//!     let wgsl = "
//!         @group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
//!         @compute @workgroup_size(64)
//!         fn double(@builtin(global_invocation_id) id: vec3u) {
//!             if id.x < arrayLength(&numbers) { numbers[id.x] *= 2.0; }
//!         }";
//!     let pipeline = Pipeline::new(&Module::new("double", wgsl)?, "double", &[], &[])?;
//!     let buffer = Buffer::with("numbers", Usage::STORAGE, numbers)?;
//!     let group = pipeline.layout(0)?.bind(&[buffer.all()])?;
//!     let mut batch = Batch::new();
//!     batch.dispatch(&pipeline, &[group.whole()], [numbers.len().div_ceil(64) as u32, 1, 1]);
//!     batch.submit()?;
//!     buffer.read()
//! }
//! ```

mod adapter;
mod batch;
mod buffer;
mod error;
mod host;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod sandbox;
mod shader;

pub use adapter::{Adapter, DeviceType, GpuUsage, Limits, adapter, limits, usage};
pub use batch::{Batch, Submission};
pub use buffer::{Buffer, Reading, Usage};
pub use bytemuck;
pub use error::{GpuError, Quota};
#[cfg(not(target_arch = "wasm32"))]
pub use native::use_noop;
pub use shader::{BindGroup, Binding, Bound, Group, Layout, Module, OFFSET_ALIGNMENT, Pipeline};
