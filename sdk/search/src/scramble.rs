//! Randomness that is looked up instead of drawn: the same question always has the same answer, so
//! that a scrambled sequence needs no memory of what it answered before.

/// How a sequence is made random without losing its evenness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scramble {
    /// Not at all: the points of the books, without the first one, which is the corner 0.
    None,
    /// The same random digits are added to all points (digital shift).
    Shift(u64),
    /// Every digit is permuted depending on the digits before it (A. Owen, 1995, *Randomly Permuted
    /// (t,m,s)-Nets and (t,s)-Sequences*). Each point is uniform in the cube.
    Owen(u64),
}

/// 64 bits that depend on all bits of `x`: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014,
/// *Fast Splittable Pseudorandom Number Generators*).
pub(crate) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The key of one coordinate.
pub(crate) fn key(seed: u64, dimension: usize) -> u64 {
    mix(seed ^ mix(dimension as u64))
}

/// Flips each bit of `x` at random, depending on the bits above it.
pub(crate) fn owen(x: u32, key: u64) -> u32 {
    (0..u32::BITS).fold(0, |out, bit| {
        // The leading one tells prefixes of different lengths apart.
        let above = (u64::from(x) | 1 << u32::BITS) >> (bit + 1);
        let flip = (mix(key ^ mix(above)) >> 63) as u32;
        out | ((((x >> bit) & 1) ^ flip) << bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owen_scrambling_is_a_permutation_that_keeps_common_prefixes_common() {
        let key = key(3, 1);
        for shift in [0_u32, 8, 20] {
            let mut seen: Vec<u32> = (0..256_u32)
                .map(|x| owen(x << shift, key) >> shift)
                .collect();
            let high = |x: &u32| x >> 4;
            for (x, y) in seen.iter().enumerate() {
                let same = seen.iter().filter(|z| high(z) == high(y)).count();
                assert_eq!(same, 16, "{x}");
            }
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 256);
        }
    }

    #[test]
    fn keys_differ_by_seed_and_coordinate() {
        let keys = [key(0, 0), key(0, 1), key(1, 0), key(1, 1)];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys.iter().skip(i + 1).all(|b| a != b));
        }
    }
}
