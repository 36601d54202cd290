//! Randomness for guests: streams that follow from the trial's seed, so that a run repeats.

use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// The three sources of WASI, independent of each other.
pub(crate) struct Randomness {
    seed: u64,
    secure: ChaCha8Rng,
    insecure: ChaCha8Rng,
    insecure_seed: (u64, u64),
}

/// How far each source is: all that follows is determined by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RandomState {
    seed: u64,
    /// Words of 32 bits that were drawn; the stream begins again after 2^68.
    secure: u128,
    insecure: u128,
}

impl Randomness {
    /// Goes on from there.
    pub(crate) fn from_state(state: RandomState) -> Self {
        let mut random = Self::new(state.seed);
        random.secure.set_word_pos(state.secure);
        random.insecure.set_word_pos(state.insecure);
        random
    }

    pub(crate) fn state(&self) -> RandomState {
        RandomState {
            seed: self.seed,
            secure: self.secure.get_word_pos(),
            insecure: self.insecure.get_word_pos(),
        }
    }

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
            seed,
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

    #[test]
    fn a_source_goes_on_from_wherever_it_was() {
        let mut random = Randomness::new(3);
        let mut bytes = [0; 7];
        // Through several blocks of the generator, with pieces of every length.
        for round in 0..300 {
            let mut copy = Randomness::from_state(random.state());
            random.secure().fill_bytes(&mut bytes[..round % 8]);
            random.insecure().next_u32();
            let mut copied = [0; 7];
            copy.secure().fill_bytes(&mut copied[..round % 8]);
            copy.insecure().next_u32();
            assert_eq!(copied[..round % 8], bytes[..round % 8], "{round}");
            assert_eq!(copy.state(), random.state());
            assert_eq!(copy.insecure_seed(), random.insecure_seed());
        }
    }
}
