//! Every limit on a plugin, with its default: the one place.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::GpuLimits;

/// Bounds on one trial, and on the searcher and the scheduler of a run.
///
/// Fuel is roughly one unit a wasm instruction: 1 billion is 0.2 to 0.5 s of compute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Fuel of one step, setup included in the first. By default 50 billion, some 10 to 25 s.
    pub fuel_per_step: u64,
    /// Fuel of a whole trial. By default 10 trillion.
    pub fuel_per_trial: u64,
    /// Fuel of one call of a searcher or scheduler. By default 20 billion.
    pub fuel_per_call: u64,
    /// Wall time of one step or call; a net under fuel. By default 10 minutes.
    pub wall_per_step: Duration,
    /// Wall time of all steps of a trial together. By default 24 hours.
    pub wall_per_trial: Duration,
    /// Linear memory of an instance, summed over all its memories. By default 256 MiB.
    pub memory_bytes: u64,
    /// Table elements of an instance, summed over all its tables. By default 20,000.
    pub table_elements: u64,
    /// Component handles of an instance. By default 1,000.
    pub handles: u32,
    /// Bytes that one call may pass from guest to host. By default 16 MiB.
    pub hostcall_bytes: u64,
    /// Log of a trial, standard output and error included; what is over is dropped and counted.
    /// By default 1 MiB.
    pub log_bytes: u64,
    /// One log line; longer ones are cut. By default 1 KiB.
    pub log_line_bytes: u64,
    /// Metrics in a report. By default 256.
    pub metrics: u32,
    /// Bytes in a metric's or parameter's name. By default 128.
    pub name_bytes: u32,
    /// Bytes of a text value or message. By default 64 KiB.
    pub text_bytes: u32,
    /// Parameters in a configuration. By default 1,024.
    pub parameters: u32,
    /// Actions in one answer of a scheduler. By default 10,000.
    pub actions: u32,
    /// Random bytes that one call may ask for. By default 1 MiB.
    pub random_bytes: u64,
    /// Artifact bytes of a trial. By default 64 MiB.
    pub artifact_bytes: u64,
    /// Artifact files of a trial. By default 64.
    pub artifact_count: u32,
    /// A component's file. By default 64 MiB.
    pub component_bytes: u64,
    /// Names and values of one configuration that a searcher or scheduler answers with, see
    /// [`tune_space::Config::byte_len`]. By default 1 MiB; then it is not in the digest, which is
    /// older than this limit.
    #[serde(default = "suggestion_bytes", skip_serializing_if = "is_default")]
    pub suggestion_bytes: u64,
    /// Of the GPU, with the grant `gpu`. By default its defaults; then they are not in the digest.
    #[serde(default, skip_serializing_if = "GpuLimits::is_default")]
    pub gpu: GpuLimits,
}

/// Every configuration is kept in memory and in the journal, and told to every plugin: a thousand
/// values of a kilobyte each.
const fn suggestion_bytes() -> u64 {
    1 << 20
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_default(bytes: &u64) -> bool {
    *bytes == suggestion_bytes()
}

/// Limits of the searcher and of the scheduler where they are not those of the run.
///
/// Both stand in the digest even if one of them is missing: the same limits of the one and of the
/// other must not look alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnLimits {
    /// Of the searcher.
    pub searcher: Option<Limits>,
    /// Of the scheduler.
    pub scheduler: Option<Limits>,
}

impl OwnLimits {
    /// Both are those of the run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_per_step: 50_000_000_000,
            fuel_per_trial: 10_000_000_000_000,
            fuel_per_call: 20_000_000_000,
            wall_per_step: Duration::from_secs(600),
            wall_per_trial: Duration::from_secs(24 * 3600),
            memory_bytes: 256 << 20,
            table_elements: 20_000,
            handles: 1_000,
            hostcall_bytes: 16 << 20,
            log_bytes: 1 << 20,
            log_line_bytes: 1 << 10,
            metrics: 256,
            name_bytes: 128,
            text_bytes: 64 << 10,
            parameters: 1_024,
            actions: 10_000,
            random_bytes: 1 << 20,
            artifact_bytes: 64 << 20,
            artifact_count: 64,
            component_bytes: 64 << 20,
            suggestion_bytes: suggestion_bytes(),
            gpu: GpuLimits::default(),
        }
    }
}
