//! The Sobol sequence with the direction numbers of S. Joe and F. Kuo (2008), *Constructing Sobol
//! Sequences with Better Two-Dimensional Projections*, set "new-joe-kuo-6", in Gray-code order
//! (Antonov and Saleev, 1979).
//!
//! Copyright of the direction numbers: (c) 2008, Frances Y. Kuo and Stephen Joe, under the BSD
//! 3-clause licence.

use crate::filler::Points;
use crate::scramble::{Scramble, key, mix, owen};

/// For dimensions 2 to 1,024, a line each: dimension, degree s of the primitive polynomial, its
/// inner coefficients a as bits, and the initial direction numbers m. As published.
const JOE_KUO: &str = include_str!("joe-kuo-6.txt");
/// Binary digits of a coordinate: the sequence repeats after 2^32 points.
const BITS: usize = u32::BITS as usize;
/// 2^-32.
const UNIT: f64 = 1.0 / 4_294_967_296.0;

/// The sequence. From the first 2^k points on, every box of the cube whose sides are halved k times in
/// all holds its share of them, in the pairs of dimensions that the direction numbers are made for.
#[derive(Clone, Debug)]
pub struct Sobol {
    /// By coordinate.
    directions: Vec<[u32; BITS]>,
    /// The present point, not scrambled.
    state: Vec<u32>,
    index: u32,
    scramble: Scramble,
}

impl Sobol {
    /// In this many dimensions, at most [`crate::MAX_DIMENSIONS`]; more count as those.
    #[must_use]
    pub fn new(dimensions: usize, scramble: Scramble) -> Self {
        let first = std::iter::once(scaled(&[1; BITS]));
        let rest = JOE_KUO
            .lines()
            .skip(1)
            .map(|line| scaled(&recurrence(line)));
        let directions: Vec<_> = first.chain(rest).take(dimensions).collect();
        let mut sobol = Self {
            state: vec![0; directions.len()],
            directions,
            index: 0,
            scramble,
        };
        if scramble == Scramble::None {
            sobol.advance();
        }
        sobol
    }

    fn advance(&mut self) {
        let changed = self.index.trailing_ones() as usize;
        for (x, directions) in self.state.iter_mut().zip(&self.directions) {
            // After the last of 2^32 points the sequence begins again.
            *x ^= directions.get(changed).copied().unwrap_or(*x);
        }
        self.index = self.index.wrapping_add(1);
    }
}

impl Points for Sobol {
    fn next_point(&mut self) -> Vec<f64> {
        let at = |(dimension, x): (usize, &u32)| match self.scramble {
            Scramble::None => f64::from(*x) * UNIT,
            Scramble::Shift(seed) => {
                let key = key(seed, dimension);
                (f64::from(x ^ (key >> 32) as u32) + f64::from(key as u32) * UNIT) * UNIT
            }
            Scramble::Owen(seed) => {
                let key = key(seed, dimension);
                // Below the digits of the sequence a point is anywhere.
                let rest = (mix(key ^ u64::from(*x)) >> 32) as u32;
                (f64::from(owen(*x, key)) + f64::from(rest) * UNIT) * UNIT
            }
        };
        let point = self.state.iter().enumerate().map(at).collect();
        self.advance();
        point
    }
}

/// All direction numbers of a line of the table; of a line that cannot be read, those of the first
/// dimension.
fn recurrence(line: &str) -> [u32; BITS] {
    let mut m = [1_u32; BITS];
    let numbers: Vec<u32> = line
        .split_ascii_whitespace()
        .skip(1)
        .map_while(|word| word.parse().ok())
        .collect();
    let [degree, coefficients, initial @ ..] = numbers.as_slice() else {
        return m;
    };
    let degree = *degree as usize;
    for k in 0..BITS {
        let of = |i: usize| m.get(i).copied().unwrap_or(0);
        let next = match (initial.get(k), k.checked_sub(degree)) {
            (Some(given), _) => *given,
            (None, Some(start)) => (1..degree).fold(of(start) ^ (of(start) << degree), |sum, i| {
                let coefficient = (coefficients >> (degree - 1 - i)) & 1;
                sum ^ (coefficient * (of(k - i) << i))
            }),
            (None, None) => 1,
        };
        if let Some(place) = m.get_mut(k) {
            *place = next;
        }
    }
    m
}

/// As binary fractions of 32 digits.
fn scaled(m: &[u32; BITS]) -> [u32; BITS] {
    let mut v = *m;
    for (k, v) in v.iter_mut().enumerate() {
        *v <<= BITS - 1 - k;
    }
    v
}

#[cfg(test)]
mod tests;
