//! Which GPU trials compute on, and who may.

use tune_core::GpuCosts;
use tune_runtime::{AdapterInfo, Adapters, GpuGrant, PluginKind};

use crate::prepare::Chosen;

/// In the manifest of a trainable that cannot do without a GPU.
pub(crate) const REQUIRED: &str = "gpu";
/// In the manifest of one that can: it is told that there is none, or that it is not granted.
pub(crate) const OPTIONAL: &str = "gpu?";
/// `off`, or `noop` for a device that checks everything and computes nothing, for tests; by default
/// the best of the machine.
const CHOICE: &str = "TUNE_HOST_GPU";

/// The adapters, of which the first is used.
pub(crate) fn adapters() -> &'static Adapters {
    Adapters::chosen(std::env::var(CHOICE).ok().as_deref())
}

/// The GPU of the trials, if the plan grants one.
pub(crate) fn grant(costs: Option<GpuCosts>, chosen: &[Chosen]) -> Option<GpuGrant> {
    let costs = costs?;
    let mut wishes = chosen
        .iter()
        .filter(|one| one.kind == PluginKind::Trainable)
        .flat_map(|one| &one.inspection.manifest.grants);
    Some(GpuGrant {
        adapters: adapters(),
        required: wishes.any(|wish| wish == REQUIRED),
        costs,
    })
}

/// The adapter that is used, for people.
pub(crate) fn adapter() -> String {
    adapters().first().map_or_else(|| "none".to_owned(), line)
}

/// An adapter in one line.
pub(crate) fn line(info: &AdapterInfo) -> String {
    let AdapterInfo {
        name,
        device_type,
        backend,
        driver,
        ..
    } = info;
    let text = format!("{name} ({}, {backend}, {driver})", device_type.name());
    tune_report::clean(&text).into_owned()
}

/// How many trials compute at once, if each asks for this share of the GPU.
pub(crate) fn trials_at_once(share: Option<f64>) -> usize {
    match share {
        // Between 1 and 100, by the range of the share; a hair more than a third is a third.
        Some(share) if share > 0.0 => ((1.0 + 1e-9) / share).floor().clamp(1.0, 100.0) as usize,
        _ => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_gpu_are_how_many_trials_compute_at_once() {
        for (share, trials) in [
            (1.0, 1),
            (0.5, 2),
            (0.3, 3),
            (1.0 / 3.0, 3),
            (0.1, 10),
            (0.01, 100),
        ] {
            assert_eq!(trials_at_once(Some(share)), trials, "{share}");
        }
        assert_eq!(trials_at_once(None), usize::MAX);
    }
}
