//! Countable ranges: a run of whole numbers `first..=last`, its cells on [0, 1], and the decimal
//! step that turns a number of the run into a value. Never panics, whatever the range.

use crate::Stream;

/// Above it neighbouring whole numbers are no longer distinct as `f64`.
pub(crate) const MAX_INDEX: f64 = 9_007_199_254_740_992.0;

/// Whole numbers from `first` to `last`, equally likely, or with mass ln((k + 1) / k) if `log`:
/// the rounded-down exponential of a uniform logarithm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lattice {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) log: bool,
}

impl Lattice {
    /// How many numbers; none if more than `u64` holds.
    pub(crate) fn count(self) -> Option<u64> {
        u64::try_from(i128::from(self.last) - i128::from(self.first) + 1).ok()
    }

    pub(crate) fn contains(self, k: i64) -> bool {
        (self.first..=self.last).contains(&k)
    }

    /// The part of [0, 1] that belongs to `k`.
    pub(crate) fn cell(self, k: i64) -> (f64, f64) {
        let bound = |offset: f64| {
            if self.log {
                libm::log1p(offset / self.first as f64) / self.log_width()
            } else {
                offset / self.width()
            }
        };
        let offset = i128::from(k) - i128::from(self.first);
        (bound(offset as f64), bound((offset + 1) as f64))
    }

    /// The number whose cell holds `u`.
    pub(crate) fn at(self, u: f64) -> i64 {
        let offset = if self.log {
            self.first as f64 * libm::expm1(u * self.log_width())
        } else {
            u * self.width()
        };
        i128::from(self.first)
            .saturating_add(offset as i128)
            .min(i128::from(self.last))
            .max(i128::from(self.first)) as i64
    }

    pub(crate) fn sample(self, stream: &mut Stream) -> i64 {
        if self.log {
            return self.at(stream.unit());
        }
        let offset = match self.count() {
            Some(count) => stream.below(count),
            None => stream.u64(),
        };
        self.first.wrapping_add_unsigned(offset)
    }

    /// The number at a position from 0.
    pub(crate) fn nth(self, index: u64) -> Option<i64> {
        let k = i64::try_from(i128::from(self.first) + i128::from(index)).ok()?;
        self.contains(k).then_some(k)
    }

    /// The position of a number from 0.
    pub(crate) fn position(self, k: i64) -> u64 {
        k.wrapping_sub(self.first) as u64
    }

    fn width(self) -> f64 {
        (i128::from(self.last) - i128::from(self.first) + 1) as f64
    }

    fn log_width(self) -> f64 {
        libm::log1p(self.width() / self.first as f64)
    }
}

/// A step as a fraction: 0.1 is 1/10, so that its third multiple is 0.3 and not
/// 0.30000000000000004.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    size: f64,
    numerator: f64,
    denominator: f64,
}

impl Step {
    pub(crate) fn new(size: f64) -> Self {
        let mut denominator = 1.0;
        // Powers of ten are exact up to 10^22.
        for _ in 0..=22 {
            let numerator = (size * denominator).round();
            if numerator / denominator == size && numerator < MAX_INDEX {
                return Self {
                    size,
                    numerator,
                    denominator,
                };
            }
            denominator *= 10.0;
        }
        Self {
            size,
            numerator: size,
            denominator: 1.0,
        }
    }

    /// The k-th multiple.
    pub(crate) fn times(self, k: i64) -> f64 {
        k as f64 * self.numerator / self.denominator
    }

    /// Which multiple `x` is, give or take rounding errors of whoever computed it.
    pub(crate) fn index(self, x: f64) -> Option<i64> {
        let k = (x / self.size).round();
        // Not a number counts as 0, which is then too far off.
        let k = k.clamp(-MAX_INDEX, MAX_INDEX) as i64;
        let slack = (1e-9 * self.size).max(4.0 * f64::EPSILON * x.abs());
        ((x - self.times(k)).abs() <= slack).then_some(k)
    }

    /// The nearest multiple.
    pub(crate) fn round(self, x: f64) -> f64 {
        self.times((x / self.size).round() as i64)
    }

    /// The multiples inside [low, high]; none if there are too many to tell apart. `first > last`
    /// if there is none.
    pub(crate) fn inside(self, low: f64, high: f64) -> Option<(i64, i64)> {
        // An end that is a multiple up to rounding errors is inside.
        let slack = |q: f64| 4.0 * f64::EPSILON * q.abs();
        // A quotient may underflow to 0, which is then not inside.
        let (above, below) = (low > 0.0, high < 0.0);
        let (low, high) = (low / self.size, high / self.size);
        if low.abs() > MAX_INDEX || high.abs() > MAX_INDEX {
            return None;
        }
        let first = (low - slack(low)).ceil();
        let last = (high + slack(high)).floor();
        let (first, last) = (first as i64, last as i64);
        Some((
            if above { first.max(1) } else { first },
            if below { last.min(-1) } else { last },
        ))
    }
}
