//! `doctor`: what this machine and this build are, as a bug report needs it.

use serde_json::json;
use tune_core::GpuLimits;
use tune_experiment::HostLimits;
use tune_runtime::{CONTRACT_VERSION, Tracking};

use crate::args::DoctorArgs;
use crate::failure::{Failure, Verdict};
use crate::{gpu, machine, output, prepare, version};

/// What plugins may be built with, and what is switched off.
const WASM: &str = "component model, SIMD, bulk memory, multi-value, reference types; not threads, garbage \
                    collection, exceptions, 64-bit memories, relaxed SIMD";

/// What that way of finding changed memory means.
fn about(tracking: Tracking) -> &'static str {
    match tracking {
        Tracking::Scan => " (PAGEMAP_SCAN of Linux 6.7)",
        Tracking::Pagemap => " (/proc/self/pagemap; Linux 6.7 is faster)",
        Tracking::Copy => " (slower; this system does not tell which pages were written)",
    }
}

pub(crate) fn doctor(args: DoctorArgs) -> Result<Verdict, Failure> {
    // Makes the cache directory as a run would, and warns if that fails.
    let tracking = prepare::runtime(&HostLimits::default())?.tracking();
    let cache = machine::cache_dir().map(|path| path.display().to_string());
    let embedded: Vec<&str> = tune_embedded::all()
        .iter()
        .map(|plugin| plugin.name)
        .collect();
    let gpus: Vec<String> = gpu::adapters().list().map(gpu::line).collect();
    if args.format.is_json() {
        output::json(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "build": version::build(),
            "wasmtime": version::wasmtime(),
            "contract": CONTRACT_VERSION,
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "processor": machine::processor(),
            "cores": machine::cores(),
            "memory_bytes": machine::memory_bytes(),
            "default_run_memory_bytes": machine::default_run_memory(),
            "cache_dir": cache,
            "wasm": WASM,
            "dirty_pages": tracking.to_string(),
            "plugins": embedded,
            "gpus": gpus,
        }))?;
        return Ok(Verdict::Done);
    }
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    let unknown = || "unknown".to_owned();
    let lines = [
        ("build", version::build()),
        ("processor", machine::processor().unwrap_or_else(unknown)),
        ("cores", machine::cores().to_string()),
        ("memory", machine::memory_bytes().map_or_else(unknown, gib)),
        (
            "for trials",
            format!(
                "{} unless run_memory says otherwise",
                gib(machine::default_run_memory())
            ),
        ),
        (
            "cache",
            cache.unwrap_or_else(|| "none: there is no home directory".to_owned()),
        ),
        (
            "gpus",
            match gpu::adapters().refusal(&GpuLimits::default()) {
                Some(refusal) if gpus.is_empty() => format!("none: {refusal}"),
                _ => gpus.join("; "),
            },
        ),
        ("plugins", embedded.join(", ")),
        ("wasm", WASM.to_owned()),
        (
            "snapshots",
            format!("changed memory is found by {tracking}{}", about(tracking)),
        ),
    ];
    output::lines(lines.map(|(name, value)| format!("{name:<11} {value}")))?;
    Ok(Verdict::Done)
}
