//! Positive rational numbers, as exact as the decimal text that a user wrote.
//!
//! With floats, 10 x 1.1 lies above 11 and the logarithm of 1000 to base 10 below 3: a rung would be
//! missed. Never used for measured values.

/// A positive rational number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u128,
    denominator: u128,
}

impl Ratio {
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
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
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

    /// The nearest float (exact operands up to 2^53).
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
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
        assert_eq!(ratio(10.0).checked_mul(ratio(1.1)).unwrap().to_f64(), 11.0);
        for x in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 5e-324] {
            assert_eq!(Ratio::from_decimal(x), None, "{x}");
        }
    }

    #[test]
    fn multiples_split_into_whole_and_rest() {
        let third = ratio(3.0).inverse();
        assert_eq!(third.times(8).0, 2);
        assert_eq!(third.times(9), (3, 0.0));
        assert_eq!(third.complement().times(2), (1, 1.0 / 3.0));
        assert_eq!(Ratio::HALF.times(5), (2, 0.5));
    }
}
