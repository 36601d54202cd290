//! Which build this is: runs note it down, as digests are promised within one build only.

use tune_core::PLAN_FORMAT;
use tune_runtime::{CONTRACT_VERSION, FUEL_YIELD_INTERVAL, INSTRUMENTATION_VERSION};

use crate::output;

/// Names the exact versions that this build was made of.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// Version of the engine that runs the plugins.
pub(crate) fn wasmtime() -> &'static str {
    locked("wasmtime").unwrap_or("unknown")
}

fn locked(package: &str) -> Option<&'static str> {
    let (_, after) = LOCK.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    Some(after.split_once('"')?.0)
}

/// Everything that a digest depends on beside plan, plugins and data, in one line.
pub(crate) fn build() -> String {
    format!(
        "tune-host {}, wasmtime {}, contract {CONTRACT_VERSION}, plan format {PLAN_FORMAT}, yield \
         interval {FUEL_YIELD_INTERVAL}, instrumentation {INSTRUMENTATION_VERSION}, {}-{}",
        env!("CARGO_PKG_VERSION"),
        wasmtime(),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

/// Whether a run was begun by this build; if not, says so.
pub(crate) fn is_builder(begun_by: &str) -> bool {
    let now = build();
    if begun_by == now {
        return true;
    }
    output::note(&format!(
        "warning: the run was begun by another build; its digest cannot be compared from here on\n  \
         begun by {begun_by}\n  now      {now}"
    ));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_names_the_version_of_the_engine() {
        let version = wasmtime();
        assert!(
            version.starts_with(|c: char| c.is_ascii_digit()),
            "{version}"
        );
        assert!(build().contains(version));
    }
}
