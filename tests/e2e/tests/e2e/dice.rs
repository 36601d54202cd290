//! Random numbers of a test: other ones each time, printed, and repeatable.

use std::{
    env,
    hash::{BuildHasher as _, RandomState},
    sync::OnceLock,
};

/// Names the seed of all dice, to repeat what failed.
const SEED: &str = "TUNE_TEST_SEED";

/// A stream of random numbers of its own for each name.
pub(crate) struct Dice(u64);

impl Dice {
    /// Throws differ between names and between runs of the tests; a failed test says how to repeat
    /// them.
    pub(crate) fn of(name: &str) -> Self {
        static SEEDED: OnceLock<u64> = OnceLock::new();
        let seed = *SEEDED.get_or_init(|| match env::var(SEED) {
            Ok(text) => text.parse().unwrap_or_else(|e| panic!("{SEED}: {e}")),
            Err(_) => RandomState::new().hash_one(0),
        });
        eprintln!("{name}: repeat with {SEED}={seed}");
        // FNV-1a over the name.
        let mixed = name.bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self(mixed)
    }

    /// A number below `n`, which is at least 1.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        // Steele's SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % n
    }
}
