//! Seeds of everything in a run, from the one seed of the run.

use tune_space::TrialId;

/// The seed of a trial's generation.
pub(crate) fn trial(run: u64, trial: TrialId, generation: u32) -> u64 {
    derive(run, "trial", &[u64::from(trial), u64::from(generation)])
}

/// The seed of the searcher (`role` "searcher") or scheduler of a run.
#[must_use]
pub fn role(run: u64, role: &str) -> u64 {
    derive(run, role, &[])
}

fn derive(run: u64, role: &str, path: &[u64]) -> u64 {
    let mut hash = blake3::Hasher::new();
    hash.update(&run.to_le_bytes());
    hash.update(role.as_bytes());
    for part in path {
        hash.update(&part.to_le_bytes());
    }
    let mut seed = [0; 8];
    hash.finalize_xof().fill(&mut seed);
    u64::from_le_bytes(seed)
}
