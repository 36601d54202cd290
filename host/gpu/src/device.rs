//! A device of one guest with the handles of its objects. Whatever goes wrong inside the library
//! comes out as a [`Failure`]; nothing of it panics or reaches another guest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tune_core::GpuLimits;

use crate::adapters::{AdapterInfo, Adapters, DeviceType, now};
use crate::error::{Ended, Failure, GpuError, invalid};
use crate::keeper::{Shared, Times};
use crate::recipe::{BindingType, Recipe};
use crate::session::GiveUp;

/// Bytes that were written and wait in memory for the next submission, before they are sent by
/// themselves.
const MAX_PENDING_BYTES: u64 = 32 << 20;

/// An object of the library.
#[derive(Clone, Debug)]
pub(crate) enum Handle {
    Buffer(wgpu::Buffer),
    ShaderModule(wgpu::ShaderModule),
    BindGroupLayout(wgpu::BindGroupLayout),
    PipelineLayout(wgpu::PipelineLayout),
    ComputePipeline(wgpu::ComputePipeline),
    BindGroup(wgpu::BindGroup),
}

/// A read under way.
pub(crate) struct Reading {
    pub(crate) staging: wgpu::Buffer,
    pub(crate) submission: u64,
    /// None: not yet; whether it worked.
    pub(crate) mapped: Arc<Mutex<Option<bool>>>,
}

pub(crate) struct Device {
    pub(crate) info: AdapterInfo,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: wgpu::Queue,
    pub(crate) handles: BTreeMap<u64, Handle>,
    pub(crate) readings: BTreeMap<u64, Reading>,
    pending_bytes: u64,
    /// The last submission of any kind; the guest counts only its own.
    sent: u64,
    /// Submissions of the guest, by the number that it knows, that may be under way.
    known: BTreeMap<u64, u64>,
    max_in_flight: usize,
    pub(crate) give_up: GiveUp,
    quotas: GpuLimits,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.shared.leave(Box::new((
            std::mem::take(&mut self.handles),
            std::mem::take(&mut self.readings),
            self.queue.clone(),
        )));
    }
}

impl Device {
    pub(crate) fn open(
        adapters: &Adapters,
        quotas: &GpuLimits,
        give_up: GiveUp,
        busy_trial: std::time::Duration,
    ) -> Result<Self, Failure> {
        let (info, device, queue) = adapters.device(quotas)?;
        let times = Times {
            submission: quotas.time_per_submission,
            step: quotas.time_per_step,
            trial: quotas.time_per_trial,
        };
        let shared = Shared::new(device, times, busy_trial);
        let weak = Arc::downgrade(&shared);
        shared.device.set_device_lost_callback(move |reason, text| {
            if let Some(shared) = weak.upgrade() {
                shared.end(Ended::Lost(format!("{reason:?}: {text}")));
            }
        });
        let weak = Arc::downgrade(&shared);
        shared.device.on_uncaptured_error(Arc::new(move |error| {
            if let Some(shared) = weak.upgrade() {
                shared.end(ended_by(&error));
            }
        }));
        let keeper = Arc::clone(&shared);
        let spawned = std::thread::Builder::new()
            .name("gpu".to_owned())
            .spawn(move || keeper.keep());
        if let Err(error) = spawned {
            return Err(Ended::OutOfMemory(format!("no thread for a device: {error}")).into());
        }
        // A driver in software takes a submission only when the one before it is done, and the call that
        // hands it over would wait without a deadline.
        let max_in_flight = match info.device_type {
            DeviceType::Cpu => 1,
            _ => usize::try_from(quotas.submissions_in_flight).unwrap_or(usize::MAX),
        };
        Ok(Self {
            info,
            shared,
            queue,
            handles: BTreeMap::new(),
            readings: BTreeMap::new(),
            pending_bytes: 0,
            sent: 0,
            known: BTreeMap::new(),
            max_in_flight,
            give_up,
            quotas: quotas.clone(),
        })
    }

    /// It is still of use.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match &self.shared.lock().ended {
            None => Ok(()),
            Some(ended) => Err(ended.clone().into()),
        }
    }

    /// Runs something of the library and takes its errors out of it.
    pub(crate) fn scoped<T>(&self, work: impl FnOnce(&wgpu::Device) -> T) -> Result<T, Failure> {
        self.check()?;
        let made = scoped(&self.shared.device, work)?;
        self.check()?;
        Ok(made)
    }

    /// Makes an object.
    pub(crate) fn make(&self, recipe: &Recipe) -> Result<Handle, Failure> {
        match recipe {
            Recipe::Buffer { label, size, usage } => {
                let mut usages = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
                usages.set(wgpu::BufferUsages::UNIFORM, usage.uniform);
                usages.set(wgpu::BufferUsages::STORAGE, usage.storage);
                self.scoped(|device| {
                    Handle::Buffer(device.create_buffer(&wgpu::BufferDescriptor {
                        label: Some(label),
                        size: *size,
                        usage: usages,
                        mapped_at_creation: false,
                    }))
                })
            }
            Recipe::ShaderModule { label, code } => {
                let (label, code) = (label.clone(), code.clone());
                self.compiled(move |device| {
                    let source = wgpu::ShaderSource::Wgsl(code.into());
                    Handle::ShaderModule(device.create_shader_module(
                        wgpu::ShaderModuleDescriptor {
                            label: Some(&label),
                            source,
                        },
                    ))
                })
            }
            Recipe::BindGroupLayout { label, entries } => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| wgpu::BindGroupLayoutEntry {
                        binding: entry.binding,
                        visibility: wgpu::ShaderStages::COMPUTE,
                        ty: wgpu::BindingType::Buffer {
                            ty: match entry.binding_type {
                                BindingType::Uniform => wgpu::BufferBindingType::Uniform,
                                BindingType::Storage => {
                                    wgpu::BufferBindingType::Storage { read_only: false }
                                }
                                BindingType::ReadOnlyStorage => {
                                    wgpu::BufferBindingType::Storage { read_only: true }
                                }
                            },
                            has_dynamic_offset: entry.has_dynamic_offset,
                            min_binding_size: wgpu::BufferSize::new(entry.min_binding_size),
                        },
                        count: None,
                    })
                    .collect();
                self.scoped(|device| {
                    let wanted = wgpu::BindGroupLayoutDescriptor {
                        label: Some(label),
                        entries: &entries,
                    };
                    Handle::BindGroupLayout(device.create_bind_group_layout(&wanted))
                })
            }
            Recipe::LayoutOf { pipeline, index } => {
                let pipeline = self.pipeline(*pipeline)?;
                self.scoped(|_| Handle::BindGroupLayout(pipeline.get_bind_group_layout(*index)))
            }
            Recipe::PipelineLayout {
                label,
                bind_group_layouts,
            } => {
                let layouts = bind_group_layouts
                    .iter()
                    .map(|id| self.bind_group_layout(*id).map(Some))
                    .collect::<Result<Vec<_>, _>>()?;
                self.scoped(|device| {
                    let wanted = wgpu::PipelineLayoutDescriptor {
                        label: Some(label),
                        bind_group_layouts: &layouts,
                        immediate_size: 0,
                    };
                    Handle::PipelineLayout(device.create_pipeline_layout(&wanted))
                })
            }
            Recipe::ComputePipeline {
                label,
                layout,
                module,
                entry_point,
                constants,
            } => {
                let layout = match layout {
                    Some(id) => Some(self.pipeline_layout(*id)?.clone()),
                    None => None,
                };
                let module = self.module(*module)?.clone();
                let (label, entry_point, constants) =
                    (label.clone(), entry_point.clone(), constants.clone());
                self.compiled(move |device| {
                    let constants: Vec<_> = constants
                        .iter()
                        .map(|(name, value)| (name.as_str(), *value))
                        .collect();
                    let wanted = wgpu::ComputePipelineDescriptor {
                        label: Some(&label),
                        layout: layout.as_ref(),
                        module: &module,
                        entry_point: entry_point.as_deref(),
                        compilation_options: wgpu::PipelineCompilationOptions {
                            constants: &constants,
                            zero_initialize_workgroup_memory: true,
                        },
                        cache: None,
                    };
                    Handle::ComputePipeline(device.create_compute_pipeline(&wanted))
                })
            }
            Recipe::BindGroup {
                label,
                layout,
                entries,
            } => {
                let layout = self.bind_group_layout(*layout)?;
                let entries = entries
                    .iter()
                    .map(|entry| {
                        let size = match entry.size {
                            None => None,
                            Some(size) => Some(
                                wgpu::BufferSize::new(size)
                                    .ok_or_else(|| invalid("a binding of 0 bytes"))?,
                            ),
                        };
                        Ok(wgpu::BindGroupEntry {
                            binding: entry.binding,
                            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                                buffer: self.buffer(entry.buffer)?,
                                offset: entry.offset,
                                size,
                            }),
                        })
                    })
                    .collect::<Result<Vec<_>, Failure>>()?;
                self.scoped(|device| {
                    let wanted = wgpu::BindGroupDescriptor {
                        label: Some(label),
                        layout,
                        entries: &entries,
                    };
                    Handle::BindGroup(device.create_bind_group(&wanted))
                })
            }
        }
    }

    fn compiled<T: Send + 'static>(
        &self,
        work: impl FnOnce(&wgpu::Device) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.check()?;
        let made = crate::compiling::compile(
            &self.shared.device,
            self.quotas.time_per_submission,
            &self.give_up,
            work,
        );
        if let Err(Failure::Ended(ended)) = &made {
            self.shared.end(ended.clone());
        }
        let made = made?;
        self.check()?;
        Ok(made)
    }

    /// Bytes for a buffer, before all that is submitted later. The range was checked.
    pub(crate) fn write(&mut self, buffer: u64, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let handle = self.buffer(buffer)?;
        self.scoped(|_| self.queue.write_buffer(handle, offset, bytes))?;
        self.pending_bytes = self.pending_bytes.saturating_add(bytes.len() as u64);
        if self.pending_bytes > MAX_PENDING_BYTES {
            self.send(None)?;
        }
        Ok(())
    }

    /// Submits, after the oldest one when too many are under way.
    pub(crate) fn send(&mut self, commands: Option<wgpu::CommandBuffer>) -> Result<u64, Failure> {
        if let (count, Some(oldest)) = self.shared.under_way()
            && count >= self.max_in_flight
        {
            self.wait(oldest)?;
        }
        let index = self.scoped(|_| self.queue.submit(commands))?;
        self.pending_bytes = 0;
        self.sent = self.sent.saturating_add(1);
        self.shared.sent(self.sent, index);
        Ok(self.sent)
    }

    /// Submits for the guest, which knows it by a number of its own.
    pub(crate) fn send_as(
        &mut self,
        known: u64,
        commands: wgpu::CommandBuffer,
    ) -> Result<(), Failure> {
        let number = self.send(Some(commands))?;
        let (_, oldest) = self.shared.under_way();
        let oldest = oldest.unwrap_or(u64::MAX);
        self.known.retain(|_, number| *number >= oldest);
        self.known.insert(known, number);
        Ok(())
    }

    /// Waits for what the guest knows by this number.
    pub(crate) fn wait_known(&self, known: u64) -> Result<(), Failure> {
        // Others were done long ago, or on another device.
        self.wait(self.known.get(&known).copied().unwrap_or(0))
    }

    /// Waits until this submission and all before it are done.
    fn wait(&self, number: u64) -> Result<(), Failure> {
        loop {
            if self.shared.poll(number)? {
                return self.check();
            }
            if (self.give_up)() {
                // What is under way cannot be taken back, and nobody will ask for it.
                self.shared.end(Ended::Interrupted);
                return Err(Ended::Interrupted.into());
            }
        }
    }

    /// Begins to read a range that was checked.
    pub(crate) fn start_read(
        &mut self,
        buffer: u64,
        (offset, size): (u64, u64),
    ) -> Result<Reading, Failure> {
        let handle = self.buffer(buffer)?.clone();
        let staging = self.scoped(|device| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read"),
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        let commands = self.scoped(|device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
                label: Some("read"),
            });
            encoder.copy_buffer_to_buffer(&handle, offset, &staging, 0, size);
            encoder.finish()
        })?;
        let submission = self.send(Some(commands))?;
        let mapped = Arc::new(Mutex::new(None));
        let told = Arc::clone(&mapped);
        self.scoped(|_| {
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(result.is_ok());
            });
        })?;
        Ok(Reading {
            staging,
            submission,
            mapped,
        })
    }

    /// Waits for the bytes of a read and hands them over.
    pub(crate) fn finish_read<T>(
        &self,
        reading: &Reading,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Failure> {
        self.wait(reading.submission)?;
        loop {
            let mapped = *reading
                .mapped
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match mapped {
                Some(true) => break,
                Some(false) => {
                    self.check()?;
                    return Err(Ended::Lost("its memory cannot be read".to_owned()).into());
                }
                None => {
                    // The other thread may be about to tell.
                    self.check()?;
                    if self.shared.device.poll(wgpu::PollType::Poll).is_err() {
                        return Err(Ended::Lost("it does not answer".to_owned()).into());
                    }
                    if (self.give_up)() {
                        return Err(Ended::Interrupted.into());
                    }
                    std::thread::yield_now();
                }
            }
        }
        let range = reading.staging.get_mapped_range(..);
        let view = range.map_err(|e| Ended::Bug(format!("bytes that are not there: {e}")))?;
        Ok(take(&view))
    }

    /// Waits until nothing is under way.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if self.pending_bytes > 0 {
            self.send(None)?;
        }
        self.wait(self.sent)
    }

    pub(crate) fn buffer(&self, id: u64) -> Result<&wgpu::Buffer, Failure> {
        match self.handles.get(&id) {
            Some(Handle::Buffer(buffer)) => Ok(buffer),
            _ => Err(GpuError::UnknownObject(id).into()),
        }
    }

    pub(crate) fn module(&self, id: u64) -> Result<&wgpu::ShaderModule, Failure> {
        match self.handles.get(&id) {
            Some(Handle::ShaderModule(module)) => Ok(module),
            _ => Err(GpuError::UnknownObject(id).into()),
        }
    }

    pub(crate) fn bind_group_layout(&self, id: u64) -> Result<&wgpu::BindGroupLayout, Failure> {
        match self.handles.get(&id) {
            Some(Handle::BindGroupLayout(layout)) => Ok(layout),
            _ => Err(GpuError::UnknownObject(id).into()),
        }
    }

    pub(crate) fn pipeline_layout(&self, id: u64) -> Result<&wgpu::PipelineLayout, Failure> {
        match self.handles.get(&id) {
            Some(Handle::PipelineLayout(layout)) => Ok(layout),
            _ => Err(GpuError::UnknownObject(id).into()),
        }
    }

    pub(crate) fn pipeline(&self, id: u64) -> Result<&wgpu::ComputePipeline, Failure> {
        match self.handles.get(&id) {
            Some(Handle::ComputePipeline(pipeline)) => Ok(pipeline),
            _ => Err(GpuError::UnknownObject(id).into()),
        }
    }

    pub(crate) fn bind_group(&self, id: u64) -> Result<&wgpu::BindGroup, Failure> {
        match self.handles.get(&id) {
            Some(Handle::BindGroup(group)) => Ok(group),
            _ => Err(GpuError::UnknownObject(id).into()),
        }
    }
}

/// Runs something of the library on this thread and takes its errors out of it.
pub(crate) fn scoped<T>(
    device: &wgpu::Device,
    work: impl FnOnce(&wgpu::Device) -> T,
) -> Result<T, Failure> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let made = work(device);
    let found = [
        now(validation.pop()).flatten(),
        now(internal.pop()).flatten(),
        now(memory.pop()).flatten(),
    ];
    match found.into_iter().flatten().next() {
        None => Ok(made),
        Some(wgpu::Error::Validation { description, .. }) => Err(invalid(description).into()),
        Some(other) => Err(ended_by(&other).into()),
    }
}

fn ended_by(error: &wgpu::Error) -> Ended {
    match error {
        wgpu::Error::OutOfMemory { .. } => {
            Ended::OutOfMemory("it has no room for another buffer or pipeline".to_owned())
        }
        other => Ended::Lost(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_lost_ends_for_good() {
        let (quotas, give_up): (_, GiveUp) = (GpuLimits::default(), Arc::new(|| false));
        let adapters = Adapters::that_compute_nothing();
        let device = Device::open(adapters, &quotas, give_up, std::time::Duration::ZERO).unwrap();
        device.check().unwrap();
        // What a driver does that gives up a device.
        device.shared.device.destroy();
        drop(device.shared.device.poll(wgpu::PollType::Poll));
        for _ in 0..2 {
            let refused = device.check().unwrap_err();
            assert!(
                matches!(refused, Failure::Ended(Ended::Lost(_))),
                "{refused}"
            );
        }
    }
}
