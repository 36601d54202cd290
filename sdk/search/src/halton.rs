//! The Halton sequence: coordinate i of point n is n written in the i-th prime base and mirrored at
//! the point (J. Halton, 1960). Random digits (J. Matousek, 1998, *On the L2-Discrepancy for Anchored
//! Boxes*) undo the correlation of neighbouring large bases.

use crate::MAX_DIMENSIONS;
use crate::filler::Points;
use crate::scramble::{Scramble, key, mix};

/// Digits beyond this change no `f64` in [0, 1).
const RESOLUTION: f64 = 1.0 / 9_007_199_254_740_992.0;

/// The sequence.
#[derive(Clone, Debug)]
pub struct Halton {
    primes: Vec<u64>,
    index: u64,
    scramble: Scramble,
}

impl Halton {
    /// In this many dimensions, at most [`MAX_DIMENSIONS`]; more count as those.
    #[must_use]
    pub fn new(dimensions: usize, scramble: Scramble) -> Self {
        Self {
            primes: primes(dimensions.min(MAX_DIMENSIONS)),
            index: u64::from(scramble == Scramble::None),
            scramble,
        }
    }
}

impl Points for Halton {
    fn next_point(&mut self) -> Vec<f64> {
        let index = self.index;
        self.index = index.wrapping_add(1);
        let at = |(dimension, base): (usize, &u64)| match self.scramble {
            Scramble::None => mirrored(index, *base, |_, digit| digit),
            Scramble::Shift(seed) => {
                let key = key(seed, dimension);
                mirrored(index, *base, |place, digit| {
                    (digit + mix(key ^ place) % base) % base
                })
            }
            Scramble::Owen(seed) => {
                let key = key(seed, dimension);
                mirrored(index, *base, |place, digit| {
                    let (factor, shift) = (mix(key ^ (2 * place)), mix(key ^ (2 * place + 1)));
                    // A factor that is not 0 permutes the digits, since the base is prime.
                    (digit * (1 + factor % (base - 1)) + shift % base) % base
                })
            }
        };
        self.primes.iter().enumerate().map(at).collect()
    }
}

/// The digits of `n`, changed and mirrored at the point; below 1.
fn mirrored(mut n: u64, base: u64, change: impl Fn(u64, u64) -> u64) -> f64 {
    let mut sum = 0.0;
    let mut unit = 1.0 / base as f64;
    let mut place = 0;
    while unit >= RESOLUTION {
        sum += change(place, n % base) as f64 * unit;
        n /= base;
        unit /= base as f64;
        place += 1;
    }
    sum.min(1.0 - RESOLUTION)
}

/// The first primes.
fn primes(count: usize) -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::with_capacity(count);
    let mut n = 2;
    while primes.len() < count {
        let mut small = primes.iter().take_while(|p| **p * **p <= n);
        if small.all(|p| n % p != 0) {
            primes.push(n);
        }
        n += 1;
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_points_are_those_of_the_definition() {
        let mut halton = Halton::new(3, Scramble::None);
        let expected = [
            [1.0 / 2.0, 1.0 / 3.0, 1.0 / 5.0],
            [1.0 / 4.0, 2.0 / 3.0, 2.0 / 5.0],
            [3.0 / 4.0, 1.0 / 9.0, 3.0 / 5.0],
            [1.0 / 8.0, 4.0 / 9.0, 4.0 / 5.0],
            [5.0 / 8.0, 7.0 / 9.0, 1.0 / 25.0],
        ];
        for point in expected {
            let got = halton.next_point();
            for (a, b) in got.iter().zip(point) {
                assert!((a - b).abs() < 1e-15, "{got:?}");
            }
        }
    }

    #[test]
    fn the_bases_are_the_first_primes() {
        let primes = primes(MAX_DIMENSIONS);
        assert_eq!(primes[..8], [2, 3, 5, 7, 11, 13, 17, 19]);
        assert_eq!(primes[1_023], 8_161);
    }

    #[test]
    fn however_it_is_scrambled_every_part_of_a_base_gets_its_share() {
        for scramble in [Scramble::Shift(5), Scramble::Owen(5), Scramble::Owen(6)] {
            let mut halton = Halton::new(4, scramble);
            let points: Vec<_> = (0..2 * 3 * 5 * 7).map(|_| halton.next_point()).collect();
            for (i, base) in [2, 3, 5, 7].into_iter().enumerate() {
                for part in 0..base {
                    let inside = |p: &&Vec<f64>| (p[i] * f64::from(base)) as u32 == part;
                    let count = points.iter().filter(inside).count();
                    assert_eq!(count, points.len() / base as usize, "{scramble:?} {base}");
                }
            }
        }
    }

    #[test]
    fn neighbouring_large_bases_are_correlated_only_without_scrambling() {
        let correlation = |scramble| {
            let mut halton = Halton::new(200, scramble);
            let points: Vec<_> = (0..500).map(|_| halton.next_point()).collect();
            let mean = |i: usize| points.iter().map(|p| p[i]).sum::<f64>() / 500.0;
            let (a, b) = (mean(198), mean(199));
            let sum = |i, j, a, b| points.iter().map(|p| (p[i] - a) * (p[j] - b)).sum::<f64>();
            let (i, j): (usize, usize) = (198, 199);
            sum(i, j, a, b) / (sum(i, i, a, a) * sum(j, j, b, b)).sqrt()
        };
        assert!(correlation(Scramble::None) > 0.9);
        assert!(correlation(Scramble::Owen(1)).abs() < 0.2);
    }
}
