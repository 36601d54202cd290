//! What one guest has of the GPU. One call at a time; after one that failed with [`Failure::Ended`]
//! every later one does.

use std::sync::Arc;
use std::time::Duration;

use tune_core::GpuLimits;

use crate::adapters::{AdapterInfo, Adapters};
use crate::command::{self, Command};
use crate::device::Device;
use crate::error::{Ended, Failure, GpuError, invalid};
use crate::quota::{MAX_CALL_BYTES, Usage};
use crate::recipe::Recipe;
use crate::state::{Contents, State};
use crate::table::Table;

/// Asked again and again while something is waited for: whoever runs the guest wants it to end.
pub type GiveUp = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a guest may rely on, from the device's side. See the contract for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are those of WebGPU, which says what they mean"
)]
pub struct DeviceLimits {
    pub max_buffer_size: u64,
    pub max_storage_buffer_binding_size: u64,
    pub max_uniform_buffer_binding_size: u64,
    pub min_storage_buffer_offset_alignment: u32,
    pub min_uniform_buffer_offset_alignment: u32,
    pub max_bind_groups: u32,
    pub max_bindings_per_bind_group: u32,
    pub max_storage_buffers_per_shader_stage: u32,
    pub max_uniform_buffers_per_shader_stage: u32,
    pub max_dynamic_storage_buffers_per_pipeline_layout: u32,
    pub max_dynamic_uniform_buffers_per_pipeline_layout: u32,
    pub max_compute_workgroup_storage_size: u32,
    pub max_compute_invocations_per_workgroup: u32,
    pub max_compute_workgroup_size: [u32; 3],
    pub max_compute_workgroups_per_dimension: u32,
    pub max_transfer_bytes_per_call: u64,
}

impl DeviceLimits {
    /// Those of a device with these quotas, on every adapter.
    #[must_use]
    pub fn of(quotas: &GpuLimits) -> Self {
        let limits = crate::adapters::limits(quotas);
        Self {
            max_buffer_size: quotas.one_buffer_bytes,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            max_uniform_buffer_binding_size: limits.max_uniform_buffer_binding_size,
            min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
            min_uniform_buffer_offset_alignment: limits.min_uniform_buffer_offset_alignment,
            max_bind_groups: limits.max_bind_groups,
            max_bindings_per_bind_group: limits.max_bindings_per_bind_group,
            max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
            max_uniform_buffers_per_shader_stage: limits.max_uniform_buffers_per_shader_stage,
            max_dynamic_storage_buffers_per_pipeline_layout: limits
                .max_dynamic_storage_buffers_per_pipeline_layout,
            max_dynamic_uniform_buffers_per_pipeline_layout: limits
                .max_dynamic_uniform_buffers_per_pipeline_layout,
            max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
            max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            max_compute_workgroup_size: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            max_transfer_bytes_per_call: MAX_CALL_BYTES,
        }
    }
}

/// The bytes of a state that no device has yet.
pub(crate) struct Saved {
    pub(crate) state: State,
    pub(crate) contents: Arc<dyn Contents>,
}

/// What one guest has of the GPU.
pub struct Session {
    adapters: &'static Adapters,
    pub(crate) quotas: GpuLimits,
    give_up: GiveUp,
    pub(crate) table: Table,
    /// The number of the last submission.
    pub(crate) submissions: u64,
    pub(crate) device: Option<Device>,
    /// The state that the next device begins with.
    pub(crate) saved: Option<Saved>,
    /// Something may have changed since the state was last captured or restored.
    pub(crate) changed: bool,
    /// Of devices that are gone.
    pub(crate) busy_before: Duration,
}

impl Session {
    /// Without objects and without a device.
    #[must_use]
    pub fn new(adapters: &'static Adapters, quotas: GpuLimits, give_up: GiveUp) -> Self {
        Self {
            adapters,
            quotas,
            give_up,
            table: Table::new(),
            submissions: 0,
            device: None,
            saved: None,
            changed: false,
            busy_before: Duration::ZERO,
        }
    }

    /// What may be used.
    #[must_use]
    pub fn quotas(&self) -> &GpuLimits {
        &self.quotas
    }

    /// What is used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.table.usage
    }

    /// How long the device was busy, as far as it is known: for the present step, and in all.
    #[must_use]
    pub fn busy(&self) -> (Duration, Duration) {
        self.device
            .as_ref()
            .map_or((Duration::ZERO, self.busy_before), |d| d.shared.busy())
    }

    /// A step begins.
    pub fn begin_step(&mut self) {
        self.table.usage.begin_step();
        if let Some(device) = &self.device {
            device.shared.begin_step();
        }
    }

    /// Why there is no device, as far as that can be said without opening one; none: there is one.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        match &self.device {
            Some(_) => None,
            None => self.adapters.refusal(&self.quotas),
        }
    }

    /// The device, opened now if there is none; with it all that the guest has.
    pub(crate) fn open(&mut self) -> Result<&mut Device, Failure> {
        if self.device.is_none() {
            let give_up = Arc::clone(&self.give_up);
            let device = Device::open(self.adapters, &self.quotas, give_up, self.busy_before)?;
            self.device = Some(device);
            if let Some(saved) = self.saved.take() {
                let restored = self.upload(&saved);
                if let Err(failure) = restored {
                    // It may be the adapter's fault: the state is still there for another try.
                    self.device = None;
                    self.saved = Some(saved);
                    return Err(failure);
                }
            }
        }
        match &mut self.device {
            Some(device) => {
                device.check()?;
                Ok(device)
            }
            None => Err(Ended::Bug("a device is missing".to_owned()).into()),
        }
    }

    /// What the guest computes on.
    ///
    /// # Errors
    /// There is no adapter, or its device is lost.
    pub fn adapter(&mut self) -> Result<AdapterInfo, Failure> {
        Ok(self.open()?.info.clone())
    }

    /// Makes an object; its number.
    ///
    /// # Errors
    /// Wrong arguments, a quota, or a device that is lost.
    pub fn create(&mut self, mut recipe: Recipe) -> Result<u64, Failure> {
        // A machine without a device says so first, whatever the arguments are.
        self.open()?;
        self.table.charge(&mut recipe, &self.quotas)?;
        match self.open().and_then(|device| device.make(&recipe)) {
            Ok(handle) => {
                self.changed = true;
                let id = self.table.add(recipe);
                if let Some(device) = &mut self.device {
                    device.handles.insert(id, handle);
                }
                Ok(id)
            }
            Err(failure) => {
                self.table.refund(&recipe);
                Err(failure)
            }
        }
    }

    /// Destroys an object; it is freed when nothing is made of it any more.
    ///
    /// # Errors
    /// No such object, or a device that is lost.
    pub fn destroy(&mut self, id: u64) -> Result<(), Failure> {
        self.open()?;
        let freed = self.table.destroy(id)?;
        self.changed = true;
        if let Some(device) = &mut self.device {
            for id in freed {
                // Work under way keeps what it needs.
                device.handles.remove(&id);
            }
        }
        Ok(())
    }

    /// Bytes for a buffer.
    ///
    /// # Errors
    /// Wrong arguments, a quota, or a device that is lost.
    pub fn write(&mut self, buffer: u64, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.open()?;
        self.table.range(buffer, offset, bytes.len() as u64)?;
        let length = bytes.len() as u64;
        self.table.usage.transfer(length, &self.quotas)?;
        self.changed = true;
        if bytes.is_empty() {
            return Ok(());
        }
        self.open()?.write(buffer, offset, bytes)
    }

    /// Runs commands; the number of the submission.
    ///
    /// # Errors
    /// Wrong commands, a quota, or a device that is lost; none of them was run then.
    pub fn submit(&mut self, commands: &[Command]) -> Result<u64, Failure> {
        self.open()?;
        let work = command::check(commands, &self.table, &self.quotas)?;
        let before = self.table.usage;
        let count = commands.len() as u64;
        self.table
            .usage
            .submit(count, work.workgroups, &self.quotas)?;
        self.changed = true;
        let number = self.submissions.saturating_add(1);
        let device = self.open()?;
        let encoded = device.encode(commands);
        match encoded.and_then(|encoded| device.send_as(number, encoded)) {
            Ok(()) => {
                self.submissions = number;
                Ok(number)
            }
            Err(failure) => {
                self.table.usage = before;
                Err(failure)
            }
        }
    }

    /// Waits until a submission and all before it are done.
    ///
    /// # Errors
    /// No such submission; a deadline, or a device that is lost.
    pub fn wait(&mut self, submission: u64) -> Result<(), Failure> {
        if submission == 0 || submission > self.submissions {
            return Err(GpuError::UnknownObject(submission).into());
        }
        self.open()?.wait_known(submission)
    }

    /// Begins to read; the ticket.
    ///
    /// # Errors
    /// Wrong arguments, a quota, or a device that is lost.
    pub fn start_read(&mut self, buffer: u64, offset: u64, size: u64) -> Result<u64, Failure> {
        self.open()?;
        self.table.range(buffer, offset, size)?;
        if size == 0 {
            return Err(invalid("a read of 0 bytes").into());
        }
        let ticket = self.table.open_ticket(size, &self.quotas)?;
        self.changed = true;
        let device = self.open()?;
        match device.start_read(buffer, (offset, size)) {
            Ok(reading) => {
                device.readings.insert(ticket, reading);
                Ok(ticket)
            }
            Err(failure) => {
                // It was given out just now.
                drop(self.table.close_ticket(ticket));
                Err(failure)
            }
        }
    }

    /// Waits for the bytes of a read.
    ///
    /// # Errors
    /// No such ticket; a deadline, or a device that is lost.
    pub fn finish_read(&mut self, ticket: u64) -> Result<Vec<u8>, Failure> {
        let device = self.open()?;
        let Some(reading) = device.readings.remove(&ticket) else {
            return Err(GpuError::UnknownObject(ticket).into());
        };
        let bytes = device.finish_read(&reading, <[u8]>::to_vec)?;
        self.changed = true;
        self.table.close_ticket(ticket)?;
        Ok(bytes)
    }

    /// Waits until nothing is under way: at the end of every step, so that its work is its own.
    ///
    /// # Errors
    /// A deadline, or a device that is lost.
    pub fn settle(&mut self) -> Result<(), Failure> {
        match &mut self.device {
            Some(device) => device.settle(),
            None => Ok(()),
        }
    }

    /// Whether the state is another than the one last captured or restored.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Nothing was ever made: there is no state to keep.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.table.next == 1 && self.saved.is_none()
    }

    /// Begins anew, without objects.
    pub fn reset(&mut self) {
        let (quotas, give_up) = (self.quotas.clone(), Arc::clone(&self.give_up));
        *self = Self::new(self.adapters, quotas, give_up);
    }
}
