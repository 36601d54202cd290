//! What a trial may use of a GPU, and what GPU work costs in virtual time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds on the GPU work of one trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuLimits {
    /// Bytes of all buffers and open reads. By default 1 GiB.
    pub buffer_bytes: u64,
    /// Bytes of one buffer. By default 128 MiB: what every device of WebGPU can bind.
    pub one_buffer_bytes: u64,
    /// Live objects and open reads. By default 4,096.
    pub objects: u32,
    /// Bytes of WGSL of all live shader modules. By default 1 MiB.
    pub shader_bytes: u64,
    /// Commands of one submission. By default 65,536.
    pub commands_per_submit: u32,
    /// Workgroups of one submission. By default 268,435,456.
    pub workgroups_per_submit: u64,
    /// Submissions that are not done; the next one waits. By default 16.
    pub submissions_in_flight: u32,
    /// Bytes written and read in one step. By default 4 GiB.
    pub transfer_bytes_per_step: u64,
    /// Time of one submission, and of compiling one shader. By default 10 s; not reproducible, as the
    /// times below.
    pub time_per_submission: Duration,
    /// Time for which the device is busy in one step. By default 5 minutes.
    pub time_per_step: Duration,
    /// Time for which the device is busy in all steps. By default 12 hours.
    pub time_per_trial: Duration,
}

impl Default for GpuLimits {
    fn default() -> Self {
        Self {
            buffer_bytes: 1 << 30,
            one_buffer_bytes: 128 << 20,
            objects: 4_096,
            shader_bytes: 1 << 20,
            commands_per_submit: 65_536,
            workgroups_per_submit: 1 << 28,
            submissions_in_flight: 16,
            transfer_bytes_per_step: 4 << 30,
            time_per_submission: Duration::from_secs(10),
            time_per_step: Duration::from_secs(300),
            time_per_trial: Duration::from_secs(12 * 3_600),
        }
    }
}

impl GpuLimits {
    /// Nothing of it stands in a plan then.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Without what is not reproducible.
    pub(crate) fn without_time(&mut self) {
        let Self {
            time_per_submission,
            time_per_step,
            time_per_trial,
            ..
        } = Self::default();
        self.time_per_submission = time_per_submission;
        self.time_per_step = time_per_step;
        self.time_per_trial = time_per_trial;
    }
}

/// Units of fuel that GPU work costs: its virtual time. By what was asked for, never by how long it
/// took: two machines charge the same. A unit of fuel is about an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuCosts {
    /// Of every call: it crosses into the host.
    pub per_call: u64,
    /// Of every object made: the driver is asked.
    pub per_object: u64,
    /// Of a byte of WGSL: it is compiled.
    pub per_shader_byte: u64,
    /// Of a pipeline: it is compiled for the device.
    pub per_pipeline: u64,
    /// Of a submission.
    pub per_submission: u64,
    /// Of a command.
    pub per_command: u64,
    /// Of a workgroup: some hundred threads of some hundred instructions, most of them at once.
    pub per_workgroup: u64,
    /// Of a byte written or read.
    pub per_byte: u64,
}

impl Default for GpuCosts {
    /// What this build charges. Orders of magnitude of a card of 2024, fixed: another table makes
    /// another digest.
    fn default() -> Self {
        Self {
            per_call: 2_000,
            per_object: 20_000,
            per_shader_byte: 2_000,
            per_pipeline: 10_000_000,
            per_submission: 50_000,
            per_command: 2_000,
            per_workgroup: 1_000,
            per_byte: 1,
        }
    }
}
