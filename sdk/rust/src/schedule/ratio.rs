//! Rational numbers, as exact as the decimal text that a user wrote.
//!
//! With floats, 10 x 1.1 lies above 11 and the logarithm of 1000 to base 10 below 3: a rung would be
//! missed. Never used for measured values.

use std::ops::Mul;

/// A rational number that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u128,
    denominator: u128,
}

impl Ratio {
    /// One.
    pub const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };
    /// One half: the median.
    pub const HALF: Self = Self {
        numerator: 1,
        denominator: 2,
    };

    /// The shortest decimal number that reads back as `x`: 0.1 is one tenth. None for what is not
    /// positive and finite, or needs more than 128 bits.
    #[must_use]
    pub fn from_decimal(x: f64) -> Option<Self> {
        if !(x.is_finite() && x > 0.0) {
            return None;
        }
        let text = x.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let numerator = format!("{whole}{fraction}").parse().ok()?;
        let denominator = 10_u128.checked_pow(fraction.len().try_into().ok()?)?;
        Some(Self::reduced(numerator, denominator))
    }

    /// n / d; none if one of them is 0.
    #[must_use]
    pub fn new(n: u64, d: u64) -> Option<Self> {
        (n > 0 && d > 0).then(|| Self::reduced(n.into(), d.into()))
    }

    /// A share given in per cent, 0 to 100, as exact as its decimal text.
    #[must_use]
    pub fn from_percent(percent: f64) -> Option<Self> {
        if percent == 0.0 {
            return Some(Self::reduced(0, 1));
        }
        let percent = Self::from_decimal(percent).filter(|_| percent <= 100.0)?;
        Some(percent * Self::reduced(1, 100))
    }

    fn reduced(numerator: u128, denominator: u128) -> Self {
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self {
            numerator: numerator / a.max(1),
            denominator: denominator / a.max(1),
        }
    }

    /// The product; none if it needs more than 128 bits.
    fn checked_mul(self, other: Self) -> Option<Self> {
        // Crosswise first: the smallest numbers that can be multiplied.
        let left = Self::reduced(self.numerator, other.denominator);
        let right = Self::reduced(other.numerator, self.denominator);
        Some(Self {
            numerator: left.numerator.checked_mul(right.numerator)?,
            denominator: left.denominator.checked_mul(right.denominator)?,
        })
    }

    /// 1 / x.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self {
            numerator: self.denominator,
            denominator: self.numerator,
        }
    }

    /// 1 - x; 0 if x is above 1.
    #[must_use]
    pub fn complement(self) -> Self {
        Self {
            numerator: self.denominator.saturating_sub(self.numerator),
            denominator: self.denominator,
        }
    }

    /// n x, split into its whole part and the rest in [0, 1).
    #[must_use]
    pub fn times(self, n: usize) -> (usize, f64) {
        let product = self.numerator.saturating_mul(n as u128);
        let whole = product / self.denominator;
        let rest = (product % self.denominator) as f64 / self.denominator as f64;
        (whole.try_into().unwrap_or(usize::MAX), rest)
    }

    /// The largest whole number that is not above it; what does not fit is [`u64::MAX`].
    #[must_use]
    pub fn floor(self) -> u64 {
        let whole = self.numerator / self.denominator;
        whole.try_into().unwrap_or(u64::MAX)
    }

    /// The smallest whole number that is not below it; what does not fit is [`u64::MAX`].
    #[must_use]
    pub fn ceil(self) -> u64 {
        let whole = self.numerator.div_ceil(self.denominator);
        whole.try_into().unwrap_or(u64::MAX)
    }

    /// The nearest float (exact operands up to 2^53).
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// Exact as far as 128 bits go; from there on the nearest float, between 1e-38 and 1e38.
impl Mul for Ratio {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let near = (self.to_f64() * other.to_f64()).clamp(1e-38, 1e38);
        let exact = self.checked_mul(other);
        exact
            .or_else(|| Self::from_decimal(near))
            .unwrap_or(Self::ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(x: f64) -> Ratio {
        Ratio::from_decimal(x).unwrap()
    }

    #[test]
    fn a_decimal_is_taken_as_written() {
        let tenth = ratio(0.1);
        assert_eq!((tenth.numerator, tenth.denominator), (1, 10));
        assert_eq!(ratio(2.5).to_f64(), 2.5);
        assert_eq!((ratio(10.0) * ratio(1.1)).to_f64(), 11.0);
        for x in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 5e-324] {
            assert_eq!(Ratio::from_decimal(x), None, "{x}");
        }
    }

    #[test]
    fn a_product_past_128_bits_is_the_nearest_float() {
        let e = ratio(std::f64::consts::E);
        let powers = std::iter::successors(Some(e), |power| Some(*power * e));
        let near = powers.take(40).zip(1..).all(|(power, k)| {
            let float = std::f64::consts::E.powi(k);
            (power.to_f64() / float - 1.0).abs() < 1e-14
        });
        assert!(near);
        let vast = ratio(1e38);
        assert_eq!((vast * vast).to_f64(), 1e38);
        assert_eq!((vast.inverse() * vast.inverse()).to_f64(), 1e-38);
    }

    #[test]
    fn per_cent_are_hundredths_as_written() {
        let exact = |x: f64| Ratio::from_percent(x).map(|r| (r.numerator, r.denominator));
        assert_eq!(exact(0.0), Some((0, 1)));
        assert_eq!(exact(100.0), Some((1, 1)));
        assert_eq!(exact(33.3), Some((333, 1000)));
        for wrong in [-1.0, 100.1, f64::NAN] {
            assert_eq!(Ratio::from_percent(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn multiples_split_into_whole_and_rest() {
        let third = ratio(3.0).inverse();
        assert_eq!(third.times(8).0, 2);
        assert_eq!(third.times(9), (3, 0.0));
        assert_eq!(third.complement().times(2), (1, 1.0 / 3.0));
        assert_eq!(Ratio::HALF.times(5), (2, 0.5));
        let half_of_nine = Ratio::new(9, 2).unwrap();
        assert_eq!((half_of_nine.floor(), half_of_nine.ceil()), (4, 5));
        assert_eq!((ratio(3.0).floor(), ratio(3.0).ceil()), (3, 3));
        assert_eq!(Ratio::new(0, 1).or(Ratio::new(1, 0)), None);
    }
}
