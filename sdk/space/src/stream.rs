//! The random stream of a run's parts: ChaCha8 with our own distributions on top, so that neither
//! a new version of a crate nor another platform changes what is drawn. Never reads a clock or the
//! operating system.

use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::normal;

/// Numbers of a mantissa: 53 bits are all that an `f64` in [0, 1) can hold evenly.
const UNIT: f64 = 1.0 / 9_007_199_254_740_992.0;

/// A pinned stream of random numbers.
#[derive(Debug)]
pub struct Stream(ChaCha8Rng);

impl Clone for Stream {
    fn clone(&self) -> Self {
        Self(ChaCha8Rng::deserialize_state(&self.0.serialize_state()))
    }
}

impl Stream {
    /// The stream of a seed. Equal seeds give equal streams everywhere.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Hashed, so that neighbouring seeds share no bits of the key.
        Self(ChaCha8Rng::from_seed(
            *blake3::hash(&seed.to_le_bytes()).as_bytes(),
        ))
    }

    /// The stream of a seed as it was at a [`Self::position`].
    #[must_use]
    pub fn at(seed: u64, position: u128) -> Self {
        let mut stream = Self::new(seed);
        stream.0.set_word_pos(position);
        stream
    }

    /// How far it has come, in a unit of its own: for state that outlives the process.
    #[must_use]
    pub fn position(&self) -> u128 {
        self.0.get_word_pos()
    }

    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number below `n`, each equally likely; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Lemire: the high half of a product, rejecting the few low halves that would favour some.
        let rejected = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.u64()) * u128::from(n);
            if product as u64 >= rejected {
                return (product >> 64) as u64;
            }
        }
    }

    /// A real number in [0, 1), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.u64() >> 11) as f64 * UNIT
    }

    /// A standard normal number, within 8.3 standard deviations.
    pub fn normal(&mut self) -> f64 {
        normal::quantile(((self.u64() >> 11) as f64 + 0.5) * UNIT)
    }

    /// An index drawn in proportion to its weight. Weights that are not positive numbers count as
    /// 0; none if all do.
    pub fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let usable = |w: &f64| if *w > 0.0 && w.is_finite() { *w } else { 0.0 };
        let total: f64 = weights.iter().map(usable).sum();
        let mut rest = self.unit() * total;
        let mut last = None;
        for (index, weight) in weights.iter().map(usable).enumerate() {
            if weight > 0.0 {
                last = Some(index);
                if rest < weight {
                    return last;
                }
                rest -= weight;
            }
        }
        last
    }

    /// Puts the items in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// A seed from everything that it shall depend on: run seed, role, path, trial, generation. Each
/// part is hashed with its length, so that parts cannot run into each other.
#[must_use]
pub fn derive_seed(parts: &[&[u8]]) -> u64 {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut seed = [0; 8];
    hash.finalize_xof().fill(&mut seed);
    u64::from_le_bytes(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_pinned() {
        let mut s = Stream::new(7);
        assert_eq!(s.u64(), 0x4efd_e632_c18b_1d67);
        assert_eq!(s.u64(), 0x9b9a_8000_71f1_af2e);
        assert_eq!(s.below(1000), 635);
        assert_eq!(s.unit(), 0.734_819_894_613_299_1);
        assert_eq!(s.normal(), 0.358_081_406_771_314_56);
        assert_eq!(derive_seed(&[b"run", b"trial"]), 0x1dc1_0ebc_3917_615b);
    }

    #[test]
    fn a_stream_goes_on_from_a_position() {
        let mut stream = Stream::new(7);
        for _ in 0..37 {
            stream.unit();
        }
        let mut same = Stream::at(7, stream.position());
        assert_eq!(same.u64(), stream.u64());
        // So does a copy, and leaves the original where it is.
        let mut copy = stream.clone();
        let next = [copy.u64(), copy.u64()];
        assert_eq!([stream.u64(), stream.u64()], next);
        assert_eq!(Stream::at(7, 0).u64(), Stream::new(7).u64());
        // Any number is some position: it may come from a damaged file.
        Stream::at(7, u128::MAX).u64();
    }

    #[test]
    fn whole_numbers_below_a_bound_are_equally_likely_and_reach_both_ends() {
        let mut stream = Stream::new(1);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[stream.below(6) as usize] += 1;
        }
        assert!(
            counts.iter().all(|c| (9_500..10_500).contains(c)),
            "{counts:?}"
        );
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
        // A bound just above 2^63: without rejection half of the numbers were twice as likely.
        let bound = (1 << 63) + 1;
        let low = (0..20_000)
            .filter(|_| stream.below(bound) < bound / 2)
            .count();
        assert!((9_500..10_500).contains(&low), "{low}");
    }

    #[test]
    fn normal_numbers_have_mean_0_variance_1_and_kurtosis_3() {
        let mut stream = Stream::new(2);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / f64::from(n);
        assert!(moment(1).abs() < 0.02);
        assert!((moment(2) - 1.0).abs() < 0.02);
        assert!((moment(4) - 3.0).abs() < 0.1);
    }

    #[test]
    fn weights_are_respected_and_useless_ones_never_chosen() {
        let mut stream = Stream::new(3);
        let mut counts = [0; 5];
        for _ in 0..40_000 {
            counts[stream.weighted(&[1.0, 0.0, 3.0, f64::NAN, -1.0]).unwrap()] += 1;
        }
        assert!((9_500..10_500).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[1] + counts[3] + counts[4], 0);
        assert_eq!(stream.weighted(&[0.0, f64::INFINITY]), None);
        assert_eq!(stream.weighted(&[]), None);
    }

    #[test]
    fn a_shuffle_reaches_every_order_equally_often() {
        let mut stream = Stream::new(4);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6_000 {
            let mut items = [0, 1, 2];
            stream.shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|c| (850..1_150).contains(c)),
            "{counts:?}"
        );
    }

    #[test]
    fn parts_of_a_seed_do_not_run_into_each_other() {
        assert_ne!(derive_seed(&[b"ab", b"c"]), derive_seed(&[b"a", b"bc"]));
        assert_ne!(derive_seed(&[b"a"]), derive_seed(&[b"a", b""]));
    }
}
