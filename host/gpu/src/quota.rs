//! What a guest may use, and what it uses. Sums are checked: a number of the guest can be anything.

use tune_core::GpuLimits;

use crate::error::OverQuota;

/// Bytes of one write or read, as the contract says: with it the call stays below what one call may
/// pass to the host by default.
pub(crate) const MAX_CALL_BYTES: u64 = 8 << 20;

/// What a guest uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all buffers and open reads.
    pub buffer_bytes: u64,
    /// Live objects and open reads.
    pub objects: u32,
    /// Bytes of WGSL.
    pub shader_bytes: u64,
    /// Bytes written and read in the present step.
    pub transfer_bytes: u64,
    /// Commands in the present step.
    pub commands: u64,
    /// Workgroups in the present step.
    pub workgroups: u64,
}

/// Takes from a quota, or says why not and takes nothing.
pub(crate) fn take(
    name: &'static str,
    used: &mut u64,
    wanted: u64,
    limit: u64,
) -> Result<(), OverQuota> {
    match used.checked_add(wanted) {
        Some(sum) if sum <= limit => {
            *used = sum;
            Ok(())
        }
        _ => Err(OverQuota {
            name,
            used: *used,
            wanted,
            limit,
        }),
    }
}

/// A bound on one call.
pub(crate) fn at_most(name: &'static str, wanted: u64, limit: u64) -> Result<(), OverQuota> {
    take(name, &mut 0, wanted, limit)
}

impl Usage {
    /// A step begins.
    pub(crate) fn begin_step(&mut self) {
        self.transfer_bytes = 0;
        self.commands = 0;
        self.workgroups = 0;
    }

    /// Bytes over the bus.
    pub(crate) fn transfer(&mut self, bytes: u64, quotas: &GpuLimits) -> Result<(), OverQuota> {
        at_most("max-transfer-bytes-per-call", bytes, MAX_CALL_BYTES)?;
        take(
            "gpu_transfer_per_step",
            &mut self.transfer_bytes,
            bytes,
            quotas.transfer_bytes_per_step,
        )
    }

    /// One more object, or open read.
    pub(crate) fn object(&mut self, quotas: &GpuLimits) -> Result<(), OverQuota> {
        let mut objects = u64::from(self.objects);
        take("gpu_objects", &mut objects, 1, u64::from(quotas.objects))?;
        self.objects = self.objects.saturating_add(1);
        Ok(())
    }

    /// Memory of a buffer or an open read.
    pub(crate) fn memory(&mut self, bytes: u64, quotas: &GpuLimits) -> Result<(), OverQuota> {
        take(
            "gpu_buffers",
            &mut self.buffer_bytes,
            bytes,
            quotas.buffer_bytes,
        )
    }

    /// Source of a shader.
    pub(crate) fn shader(&mut self, bytes: u64, quotas: &GpuLimits) -> Result<(), OverQuota> {
        take(
            "gpu_shader_bytes",
            &mut self.shader_bytes,
            bytes,
            quotas.shader_bytes,
        )
    }

    /// A submission.
    pub(crate) fn submit(
        &mut self,
        commands: u64,
        workgroups: u64,
        quotas: &GpuLimits,
    ) -> Result<(), OverQuota> {
        at_most(
            "gpu_commands_per_submit",
            commands,
            u64::from(quotas.commands_per_submit),
        )?;
        at_most(
            "gpu_workgroups_per_submit",
            workgroups,
            quotas.workgroups_per_submit,
        )?;
        self.commands = self.commands.saturating_add(commands);
        self.workgroups = self.workgroups.saturating_add(workgroups);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_exceeded_takes_nothing_and_says_which() {
        let mut used = 7;
        let over = take("gpu_objects", &mut used, u64::MAX, 10).unwrap_err();
        assert_eq!((over.used, over.wanted, over.limit), (7, u64::MAX, 10));
        assert_eq!(used, 7);
        take("gpu_objects", &mut used, 3, 10).unwrap();
        assert_eq!(used, 10);
        let text = take("gpu_objects", &mut used, 1, 10)
            .unwrap_err()
            .to_string();
        assert_eq!(
            text,
            "`gpu_objects`: 10 of 10 are used and 1 more were wanted"
        );
    }
}
