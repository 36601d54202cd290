//! What the coordinates of points are, and the loops over them that the time of a Gaussian process goes into: of a
//! point and a block of eight, without a branch or a call, several in one instruction. All points are placed.

use std::ops::Range;

use crate::packed::{LANES, Lanes};

/// Stands for no alternative: all positions are 0 or more.
const NO_ALTERNATIVE: f64 = -1.0;

/// What the coordinates of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Real numbers, ordered alternatives too.
    Number,
    /// Positions of alternatives: two are equal or not (Hamming).
    Category,
}

impl Axis {
    /// The squared distance of two coordinates, and its derivative by the first. NaN stands for an
    /// inactive parameter. Among categories it is one more. Among numbers it is in the middle: that it
    /// is inactive shows on the axis that this depends on, and results with other active parameters
    /// tell of those that both have.
    #[must_use]
    pub fn distance(self, a: f64, b: f64) -> (f64, f64) {
        match self {
            Self::Number => {
                let off = placed(a) - placed(b);
                (off * off, if a.is_nan() { 0.0 } else { 2.0 * off })
            }
            Self::Category => {
                let is_equal = a == b || a.is_nan() && b.is_nan();
                (f64::from(u8::from(!is_equal)), 0.0)
            }
        }
    }

    /// The coordinate that is compared in place of one that may be inactive.
    pub(crate) fn placed(self, u: f64) -> f64 {
        match self {
            Self::Number => placed(u),
            Self::Category if u.is_nan() => NO_ALTERNATIVE,
            Self::Category => u,
        }
    }
}

/// Where a number is that may be inactive.
fn placed(u: f64) -> f64 {
    if u.is_nan() { 0.5 } else { u }
}

/// The axes of points, with neighbours that are alike in one loop.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    all: Vec<Axis>,
    runs: Vec<(Axis, Range<usize>)>,
}

impl Axes {
    pub(crate) fn new(all: Vec<Axis>) -> Self {
        let mut runs: Vec<(Axis, Range<usize>)> = Vec::new();
        for (place, axis) in all.iter().enumerate() {
            match runs.last_mut() {
                Some((last, run)) if last == axis => run.end = place + 1,
                _ => runs.push((*axis, place..place + 1)),
            }
        }
        Self { all, runs }
    }

    pub(crate) fn all(&self) -> &[Axis] {
        &self.all
    }

    /// The sums of the weighted distances of a point from those of a block, axis after axis.
    pub(crate) fn distances(&self, weights: &[f64], a: &[f64], block: &[Lanes]) -> Lanes {
        let mut sums = [0.0; LANES];
        for (axis, run) in &self.runs {
            let (weights, a, block) = (part(weights, run), part(a, run), part(block, run));
            match axis {
                Axis::Number => add_weighted(&mut sums, weights, a, block, squared),
                Axis::Category => add_weighted(&mut sums, weights, a, block, unequal),
            }
        }
        sums
    }

    /// Adds to the sums of each axis the distances of a point from those of a block, each times its factor.
    pub(crate) fn add_distances(
        &self,
        sums: &mut [Lanes],
        factors: &Lanes,
        a: &[f64],
        block: &[Lanes],
    ) {
        for (axis, run) in &self.runs {
            let (a, block) = (part(a, run), part(block, run));
            let sums = sums.get_mut(run.clone()).unwrap_or_default();
            match axis {
                Axis::Number => add_factored(sums, factors, a, block, squared),
                Axis::Category => add_factored(sums, factors, a, block, unequal),
            }
        }
    }

    /// The same with the differences of numbers.
    pub(crate) fn add_offs(&self, sums: &mut [Lanes], factors: &Lanes, a: &[f64], block: &[Lanes]) {
        for (axis, run) in &self.runs {
            if *axis == Axis::Number {
                let sums = sums.get_mut(run.clone()).unwrap_or_default();
                add_factored(sums, factors, part(a, run), part(block, run), |a, b| a - b);
            }
        }
    }
}

fn part<'a, T>(of: &'a [T], run: &Range<usize>) -> &'a [T] {
    of.get(run.clone()).unwrap_or_default()
}

#[inline]
fn squared(a: f64, b: f64) -> f64 {
    (a - b) * (a - b)
}

#[inline]
fn unequal(a: f64, b: f64) -> f64 {
    if a == b { 0.0 } else { 1.0 }
}

#[inline]
fn add_weighted(
    sums: &mut Lanes,
    weights: &[f64],
    a: &[f64],
    block: &[Lanes],
    distance: impl Fn(f64, f64) -> f64,
) {
    let mut lanes = *sums;
    let mut add = |w: &f64, a: &f64, block: &Lanes| {
        for (sum, b) in lanes.iter_mut().zip(block) {
            *sum += w * distance(*a, *b);
        }
    };
    // Two a round, since a round in the sandbox costs the look at its fuel.
    let (pairs_w, last_w) = weights.as_chunks::<2>();
    let ((pairs_a, last_a), (pairs, last)) = (a.as_chunks::<2>(), block.as_chunks::<2>());
    for (([w, w_next], [a, a_next]), [block, next]) in pairs_w.iter().zip(pairs_a).zip(pairs) {
        add(w, a, block);
        add(w_next, a_next, next);
    }
    for ((w, a), block) in last_w.iter().zip(last_a).zip(last) {
        add(w, a, block);
    }
    *sums = lanes;
}

#[inline]
fn add_factored(
    sums: &mut [Lanes],
    factors: &Lanes,
    a: &[f64],
    block: &[Lanes],
    distance: impl Fn(f64, f64) -> f64,
) {
    for ((sums, a), block) in sums.iter_mut().zip(a).zip(block) {
        for ((sum, factor), b) in sums.iter_mut().zip(factors).zip(block) {
            *sum += factor * distance(*a, *b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_are_alike_are_in_one_run() {
        use Axis::{Category, Number};
        let axes = Axes::new(vec![Number, Number, Category, Number]);
        let runs = [(Number, 0..2), (Category, 2..3), (Number, 3..4)];
        assert_eq!((axes.runs, axes.all.len()), (runs.to_vec(), 4));
    }

    #[test]
    fn categories_are_equal_or_not_and_inactive_is_equal_to_inactive() {
        let (nan, category) = (f64::NAN, Axis::Category);
        assert_eq!(category.distance(0.0, 3.0).0, category.distance(1.0, 2.0).0);
        for axis in [Axis::Number, category] {
            assert_eq!(axis.distance(nan, nan), (0.0, 0.0));
            assert_eq!(axis.distance(0.2, 0.2).0, 0.0);
            assert_eq!(axis.distance(nan, 0.25).1, 0.0);
        }
        assert_eq!(category.distance(nan, 2.0), (1.0, 0.0));
        assert_eq!(Axis::Number.distance(nan, 0.25).0, 0.0625);
        assert_eq!(Axis::Number.distance(0.25, nan), (0.0625, -0.5));
    }
}
