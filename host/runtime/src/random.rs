//! Randomness for guests: streams that follow from the trial's seed, so that a run repeats.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The three sources of WASI, independent of each other.
pub(crate) struct Randomness {
    secure: ChaCha8Rng,
    insecure: ChaCha8Rng,
    insecure_seed: (u64, u64),
}

impl Randomness {
    /// All three from one seed.
    pub(crate) fn new(seed: u64) -> Self {
        let stream = |name: &str| {
            let mut key = [0; 32];
            blake3::Hasher::new_derive_key("tune-host 2026 guest randomness")
                .update(&seed.to_le_bytes())
                .update(name.as_bytes())
                .finalize_xof()
                .fill(&mut key);
            ChaCha8Rng::from_seed(key)
        };
        let mut seeds = stream("insecure-seed");
        Self {
            secure: stream("random"),
            insecure: stream("insecure"),
            insecure_seed: (seeds.next_u64(), seeds.next_u64()),
        }
    }

    /// `wasi:random/random`.
    pub(crate) fn secure(&mut self) -> &mut impl Rng {
        &mut self.secure
    }

    /// `wasi:random/insecure`.
    pub(crate) fn insecure(&mut self) -> &mut impl Rng {
        &mut self.insecure
    }

    /// `wasi:random/insecure-seed`, which seeds the hash maps of Rust guests.
    pub(crate) fn insecure_seed(&self) -> (u64, u64) {
        self.insecure_seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_and_by_source_and_repeat() {
        let draw = |seed| {
            let mut random = Randomness::new(seed);
            let seeds = random.insecure_seed();
            [
                random.secure().next_u64(),
                random.insecure().next_u64(),
                seeds.0,
                seeds.1,
            ]
        };
        let all: std::collections::BTreeSet<u64> =
            [draw(1), draw(2)].into_iter().flatten().collect();
        assert_eq!(all.len(), 8);
        assert_eq!(draw(1), draw(1));
    }
}
