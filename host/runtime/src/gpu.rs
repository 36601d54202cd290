//! The `gpu` interface: what a guest asks of the GPU, between its own types and `tune-gpu`.
//!
//! What repeats exactly the guest is told; what does not ends its call, so that no guest can act on
//! it. What is asked for is paid in fuel, by what it is and never by how long it took.

use std::io;
use std::sync::Arc;

use tune_core::{GpuCosts, GpuLimits};
use tune_gpu::{
    Adapters, Binding, BindingType, BufferUse, Contents, DeviceLimits, DeviceType, Ended, Failure,
    GiveUp, LayoutEntry, Recipe, Session, State,
};
use tune_snapshot::Image;

use crate::bindings::gpu::{self, GpuError, Host};
use crate::control::{Control, Interrupted};
use crate::snapshot_error::SnapshotError;
use crate::store::StoreData;

/// What the length of an image is a multiple of.
const PAGE: u64 = 64 << 10;

/// A GPU that a plan grants.
#[derive(Clone, Copy, Debug)]
pub struct GpuGrant {
    /// Those that there are.
    pub adapters: &'static Adapters,
    /// The trainable cannot do without: on a machine without an adapter its trials fail, instead of
    /// being told.
    pub required: bool,
    /// What is charged.
    pub costs: GpuCosts,
}

/// A trainable that cannot do without a GPU, on a machine without.
#[derive(Debug, thiserror::Error)]
#[error("no GPU: {0}")]
pub(crate) struct NoGpu(pub(crate) String);

/// What ended GPU work for good.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct GpuEnded(pub(crate) Ended);

/// The GPU of one instance.
pub(crate) struct Gpu {
    granted: Option<Granted>,
}

struct Granted {
    session: Session,
    grant: GpuGrant,
    control: Arc<Control>,
    /// The state as last captured or restored.
    last: Option<(State, Image)>,
    /// The most bytes of buffers since the present step began.
    most_bytes: u64,
}

/// The bytes of a state, in an image.
struct InImage(Image);

impl Contents for InImage {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, into).map_err(io::Error::other)
    }
}

impl Gpu {
    pub(crate) fn new(grant: Option<GpuGrant>, limits: &GpuLimits, control: &Arc<Control>) -> Self {
        let granted = grant.map(|grant| {
            let asked = Arc::clone(control);
            let give_up: GiveUp = Arc::new(move || asked.check().is_err());
            // A device need not offer one buffer larger than all may be together.
            let quotas = GpuLimits {
                one_buffer_bytes: limits.one_buffer_bytes.min(limits.buffer_bytes),
                ..limits.clone()
            };
            Granted {
                session: Session::new(grant.adapters, quotas, give_up),
                grant,
                control: Arc::clone(control),
                last: None,
                most_bytes: 0,
            }
        });
        Self { granted }
    }

    /// A step begins.
    pub(crate) fn begin_step(&mut self) {
        if let Some(granted) = &mut self.granted {
            granted.session.begin_step();
            granted.most_bytes = granted.session.usage().buffer_bytes;
        }
    }

    /// A step ends: its work is its own.
    pub(crate) fn settle(&mut self) -> wasmtime::Result<()> {
        let Some(granted) = &mut self.granted else {
            return Ok(());
        };
        match granted.session.settle() {
            Ok(()) => Ok(()),
            Err(Failure::Ended(ended)) => Err(granted.ended(ended)),
            Err(error) => Err(GpuEnded(Ended::Bug(error.to_string())).into()),
        }
    }

    /// The most bytes of buffers since the step began, and the microseconds that the device was busy.
    pub(crate) fn most(&self) -> (u64, u64) {
        self.granted.as_ref().map_or((0, 0), |granted| {
            let (step, _) = granted.session.busy();
            let busy = u64::try_from(step.as_micros()).unwrap_or(u64::MAX);
            let now = granted.session.usage().buffer_bytes;
            (granted.most_bytes.max(now), busy)
        })
    }

    /// Bytes of buffers now.
    pub(crate) fn bytes(&self) -> u64 {
        self.granted
            .as_ref()
            .map_or(0, |granted| granted.session.usage().buffer_bytes)
    }

    /// The state, if there is any.
    pub(crate) fn capture(&mut self) -> Result<Option<(State, Image)>, SnapshotError> {
        let Some(granted) = &mut self.granted else {
            return Ok(None);
        };
        let session = &mut granted.session;
        if session.is_untouched() {
            return Ok(None);
        }
        if let Some(last) = granted.last.as_ref().filter(|_| !session.is_changed()) {
            return Ok(Some(last.clone()));
        }
        let bytes = session.usage().buffer_bytes;
        let mut image = Image::builder(bytes.next_multiple_of(PAGE).max(PAGE))?;
        let state = session
            .capture(&mut |offset, part| image.write_at(offset, part).map_err(io::Error::other))
            .map_err(|failure| SnapshotError::Gpu(failure.to_string()))?;
        let captured = (state, image.finish()?);
        granted.last = Some(captured.clone());
        Ok(Some(captured))
    }

    /// Checks a state against what is granted.
    pub(crate) fn check(&self, state: Option<&State>) -> Result<(), SnapshotError> {
        match (state, &self.granted) {
            (None, _) => Ok(()),
            (Some(state), Some(granted)) => state
                .check(granted.session.quotas())
                .map_err(|error| SnapshotError::Mismatch(error.to_string())),
            (Some(_), None) => Err(SnapshotError::Mismatch(
                "it has GPU buffers, and no GPU is granted: write [grants] and gpu = true"
                    .to_owned(),
            )),
        }
    }

    /// Goes on from a state, or from nothing.
    pub(crate) fn restore(&mut self, state: Option<(&State, &Image)>) -> Result<(), SnapshotError> {
        self.check(state.map(|(state, _)| state))?;
        let Some(granted) = &mut self.granted else {
            return Ok(());
        };
        match state {
            None => {
                granted.session.reset();
                granted.last = None;
            }
            Some((state, image)) => {
                let contents = Arc::new(InImage(image.clone()));
                granted
                    .session
                    .restore(state, contents)
                    .map_err(|error| SnapshotError::Mismatch(error.to_string()))?;
                granted.last = Some((state.clone(), image.clone()));
            }
        }
        Ok(())
    }
}

impl Granted {
    fn ended(&self, ended: Ended) -> wasmtime::Error {
        match (ended, self.control.check()) {
            (Ended::Interrupted, Err(interrupted)) => interrupted.into(),
            (Ended::Interrupted, Ok(())) => Interrupted::Cancelled.into(),
            (ended, _) => GpuEnded(ended).into(),
        }
    }

    /// What the guest is told of a call, or what ends it.
    fn told<T>(&mut self, result: Result<T, Failure>) -> wasmtime::Result<Result<T, GpuError>> {
        self.most_bytes = self.most_bytes.max(self.session.usage().buffer_bytes);
        use tune_gpu::GpuError as Told;
        Ok(match result {
            Ok(value) => Ok(value),
            Err(Failure::Ended(ended)) => return Err(self.ended(ended)),
            Err(Failure::Error(error)) => Err(match error {
                Told::Unavailable(why) if self.grant.required => return Err(NoGpu(why).into()),
                Told::Unavailable(why) => GpuError::Unavailable(why),
                Told::Validation(what) => GpuError::Validation(what),
                Told::UnknownObject(number) => GpuError::UnknownObject(number),
                Told::OverQuota(over) => GpuError::OverQuota(gpu::Quota {
                    name: over.name.to_owned(),
                    used: over.used,
                    wanted: over.wanted,
                    limit: over.limit,
                }),
            }),
        })
    }
}

type Told<T> = wasmtime::Result<Result<T, GpuError>>;

impl StoreData {
    /// Charges and carries out a call, if a GPU is granted.
    fn on_gpu<T>(
        &mut self,
        cost: impl FnOnce(&GpuCosts) -> u64,
        call: impl FnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Told<T> {
        let Some(granted) = &mut self.gpu.granted else {
            return Ok(Err(GpuError::NotGranted));
        };
        let costs = granted.grant.costs;
        let told = {
            let result = call(&mut granted.session);
            granted.told(result)
        };
        self.charge(costs.per_call.saturating_add(cost(&costs)));
        told
    }

    fn create(&mut self, recipe: Recipe) -> Told<u64> {
        let shader_bytes = match &recipe {
            Recipe::ShaderModule { code, .. } => code.len() as u64,
            _ => 0,
        };
        let is_pipeline = matches!(recipe, Recipe::ComputePipeline { .. });
        let cost = move |costs: &GpuCosts| {
            let compiled = costs.per_shader_byte.saturating_mul(shader_bytes);
            let pipeline = if is_pipeline { costs.per_pipeline } else { 0 };
            costs
                .per_object
                .saturating_add(compiled)
                .saturating_add(pipeline)
        };
        self.on_gpu(cost, |session| session.create(recipe))
    }
}

impl Host for StoreData {
    fn adapter_info(&mut self) -> Told<gpu::Adapter> {
        self.on_gpu(
            |_| 0,
            |session| {
                let info = session.adapter()?;
                Ok(gpu::Adapter {
                    vendor: info.vendor.to_owned(),
                    device_type: match info.device_type {
                        DeviceType::Discrete => gpu::DeviceType::DiscreteGpu,
                        DeviceType::Integrated => gpu::DeviceType::IntegratedGpu,
                        DeviceType::Virtual => gpu::DeviceType::VirtualGpu,
                        DeviceType::Cpu => gpu::DeviceType::Cpu,
                        DeviceType::Other => gpu::DeviceType::Other,
                    },
                    is_fallback_adapter: info.device_type == DeviceType::Cpu,
                })
            },
        )
    }

    fn limits(&mut self) -> Told<gpu::GpuLimits> {
        self.on_gpu(|_| 0, |session| Ok(limits(session.quotas())))
    }

    fn usage(&mut self) -> Told<gpu::GpuUsage> {
        self.on_gpu(
            |_| 0,
            |session| {
                let usage = session.usage();
                Ok(gpu::GpuUsage {
                    buffer_bytes: usage.buffer_bytes,
                    objects: usage.objects,
                    shader_bytes: usage.shader_bytes,
                    transfer_bytes: usage.transfer_bytes,
                    commands: usage.commands,
                    workgroups: usage.workgroups,
                })
            },
        )
    }

    fn create_buffer(&mut self, label: String, size: u64, usage: gpu::BufferUsage) -> Told<u64> {
        let usage = BufferUse {
            uniform: usage.contains(gpu::BufferUsage::UNIFORM),
            storage: usage.contains(gpu::BufferUsage::STORAGE),
        };
        self.create(Recipe::Buffer { label, size, usage })
    }

    fn create_shader_module(&mut self, label: String, code: String) -> Told<u64> {
        self.create(Recipe::ShaderModule { label, code })
    }

    fn create_bind_group_layout(
        &mut self,
        label: String,
        entries: Vec<gpu::BindGroupLayoutEntry>,
    ) -> Told<u64> {
        let entries = entries
            .into_iter()
            .map(|entry| LayoutEntry {
                binding: entry.binding,
                binding_type: match entry.buffer_type {
                    gpu::BufferBindingType::Uniform => BindingType::Uniform,
                    gpu::BufferBindingType::Storage => BindingType::Storage,
                    gpu::BufferBindingType::ReadOnlyStorage => BindingType::ReadOnlyStorage,
                },
                has_dynamic_offset: entry.has_dynamic_offset,
                min_binding_size: entry.min_binding_size,
            })
            .collect();
        self.create(Recipe::BindGroupLayout { label, entries })
    }

    fn create_pipeline_layout(&mut self, label: String, bind_group_layouts: Vec<u64>) -> Told<u64> {
        self.create(Recipe::PipelineLayout {
            label,
            bind_group_layouts,
        })
    }

    fn create_compute_pipeline(
        &mut self,
        label: String,
        layout: Option<u64>,
        module: u64,
        entry_point: Option<String>,
        constants: Vec<(String, f64)>,
    ) -> Told<u64> {
        self.create(Recipe::ComputePipeline {
            label,
            layout,
            module,
            entry_point,
            constants,
        })
    }

    fn get_bind_group_layout(&mut self, pipeline: u64, index: u32) -> Told<u64> {
        self.create(Recipe::LayoutOf { pipeline, index })
    }

    fn create_bind_group(
        &mut self,
        label: String,
        layout: u64,
        entries: Vec<gpu::BindGroupEntry>,
    ) -> Told<u64> {
        let entries = entries
            .into_iter()
            .map(|entry| Binding {
                binding: entry.binding,
                buffer: entry.buffer,
                offset: entry.offset,
                size: entry.size,
            })
            .collect();
        self.create(Recipe::BindGroup {
            label,
            layout,
            entries,
        })
    }

    fn destroy(&mut self, object: u64) -> Told<()> {
        self.on_gpu(|_| 0, |session| session.destroy(object))
    }

    fn write_buffer(&mut self, buffer: u64, offset: u64, data: Vec<u8>) -> Told<()> {
        let bytes = data.len() as u64;
        self.on_gpu(
            |costs| costs.per_byte.saturating_mul(bytes),
            |session| session.write(buffer, offset, &data),
        )
    }

    fn submit(&mut self, commands: Vec<gpu::Command>) -> Told<u64> {
        let commands: Vec<_> = commands.into_iter().map(command).collect();
        let count = commands.len() as u64;
        let groups = commands.iter().map(workgroups).fold(0, u64::saturating_add);
        self.on_gpu(
            |costs| {
                costs
                    .per_submission
                    .saturating_add(costs.per_command.saturating_mul(count))
                    .saturating_add(costs.per_workgroup.saturating_mul(groups))
            },
            |session| session.submit(&commands),
        )
    }

    fn wait(&mut self, submission: u64) -> Told<()> {
        self.on_gpu(|_| 0, |session| session.wait(submission))
    }

    fn start_read(&mut self, buffer: u64, offset: u64, size: u64) -> Told<u64> {
        self.on_gpu(
            |costs| costs.per_byte.saturating_mul(size),
            |session| session.start_read(buffer, offset, size),
        )
    }

    fn finish_read(&mut self, ticket: u64) -> Told<Vec<u8>> {
        self.on_gpu(|_| 0, |session| session.finish_read(ticket))
    }
}

fn command(command: gpu::Command) -> tune_gpu::Command {
    use gpu::Command as From;
    use tune_gpu::Command as To;
    match command {
        From::SetPipeline(pipeline) => To::SetPipeline(pipeline),
        From::SetBindGroup(slot) => To::SetBindGroup(tune_gpu::BindGroupSlot {
            index: slot.index,
            bind_group: slot.bind_group,
            dynamic_offsets: slot.dynamic_offsets,
        }),
        From::DispatchWorkgroups(counts) => To::DispatchWorkgroups {
            counts: [counts.x, counts.y, counts.z],
        },
        From::CopyBufferToBuffer(copy) => To::CopyBufferToBuffer(tune_gpu::BufferCopy {
            source: copy.source,
            source_offset: copy.source_offset,
            destination: copy.destination,
            destination_offset: copy.destination_offset,
            size: copy.size,
        }),
        From::ClearBuffer(clear) => To::ClearBuffer(tune_gpu::BufferClear {
            buffer: clear.buffer,
            offset: clear.offset,
            size: clear.size,
        }),
    }
}

fn workgroups(command: &tune_gpu::Command) -> u64 {
    match command {
        tune_gpu::Command::DispatchWorkgroups { counts } => {
            counts.iter().fold(1, |product: u64, count| {
                product.saturating_mul(u64::from(*count))
            })
        }
        _ => 0,
    }
}

fn limits(quotas: &GpuLimits) -> gpu::GpuLimits {
    let device = DeviceLimits::of(quotas);
    let [x, y, z] = device.max_compute_workgroup_size;
    gpu::GpuLimits {
        max_buffer_size: device.max_buffer_size,
        max_storage_buffer_binding_size: device.max_storage_buffer_binding_size,
        max_uniform_buffer_binding_size: device.max_uniform_buffer_binding_size,
        min_storage_buffer_offset_alignment: device.min_storage_buffer_offset_alignment,
        min_uniform_buffer_offset_alignment: device.min_uniform_buffer_offset_alignment,
        max_bind_groups: device.max_bind_groups,
        max_bindings_per_bind_group: device.max_bindings_per_bind_group,
        max_storage_buffers_per_shader_stage: device.max_storage_buffers_per_shader_stage,
        max_uniform_buffers_per_shader_stage: device.max_uniform_buffers_per_shader_stage,
        max_dynamic_storage_buffers_per_pipeline_layout: device
            .max_dynamic_storage_buffers_per_pipeline_layout,
        max_dynamic_uniform_buffers_per_pipeline_layout: device
            .max_dynamic_uniform_buffers_per_pipeline_layout,
        max_compute_workgroup_storage_size: device.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: device.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: x,
        max_compute_workgroup_size_y: y,
        max_compute_workgroup_size_z: z,
        max_compute_workgroups_per_dimension: device.max_compute_workgroups_per_dimension,
        max_buffer_bytes: quotas.buffer_bytes,
        max_objects: quotas.objects,
        max_shader_bytes: quotas.shader_bytes,
        max_commands_per_submit: quotas.commands_per_submit,
        max_workgroups_per_submit: quotas.workgroups_per_submit,
        max_transfer_bytes_per_step: quotas.transfer_bytes_per_step,
        max_transfer_bytes_per_call: device.max_transfer_bytes_per_call,
    }
}
