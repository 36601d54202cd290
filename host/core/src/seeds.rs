//! Seeds of everything in a run, from the one seed of the run.

use tune_space::{TrialId, derive_seed};

/// The seed of a trial's generation.
pub(crate) fn trial(run: u64, trial: TrialId, generation: u32) -> u64 {
    derive_seed(&[
        &run.to_le_bytes(),
        b"trial",
        &trial.to_le_bytes(),
        &generation.to_le_bytes(),
    ])
}

/// The first seed of a trial that begins with an imported state: not one that the state has seen,
/// whatever run it comes from.
pub(crate) fn imported(run: u64, state: &[u8; 32]) -> u64 {
    derive_seed(&[&run.to_le_bytes(), b"imported", state])
}

/// The seed of the searcher (`role` "searcher") or the scheduler ("scheduler") of a run.
#[must_use]
pub fn role(run: u64, role: &str) -> u64 {
    derive_seed(&[&run.to_le_bytes(), role.as_bytes()])
}
