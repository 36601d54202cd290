//! Everything that reads what others wrote, on inputs that nobody would write: refused with a reason
//! or taken, never a panic. `docs/fuzzing.md` says how to run it for longer.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod component;
mod experiment;
mod instrumentation;
mod journal;
mod machine;
mod results;
mod run;
mod snapshot_files;
mod state;

use std::path::PathBuf;

/// Where inputs that fail are left.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Shipped plugins and guests, the small ones first.
fn real_components() -> Vec<Vec<u8>> {
    let shipped = tune_embedded::all()
        .iter()
        .map(|plugin| plugin.bytes.to_vec());
    let guests = [
        tune_test_artifacts::TRIAL_NOOP,
        tune_test_artifacts::TRIAL_EVERYTHING,
        tune_test_artifacts::SEARCHER_WAITS,
        tune_test_artifacts::SCHEDULER_IDLES,
    ];
    let guests = guests.into_iter().map(|path| std::fs::read(path).unwrap());
    let mut all: Vec<_> = shipped.chain(guests).collect();
    all.sort_by_key(Vec::len);
    all
}
