//! `exp(-x)` for kernels, which take a third of the time of a Gaussian process: additions and multiplications
//! alone, in a fixed order, so that it is equal bit for bit everywhere and the compiler can inline it and put
//! several into one instruction, as it cannot with `libm::exp`.

/// From here on the result counts as 0: `exp(-700)` is 1e-304, and what is beyond 708 has no normal float.
const NOTHING: f64 = 700.0;
/// 1.5 * 2^52: a float that is added to it is rounded to a whole number, which stands in its lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts. The first ends with 21 zero bits, so that its product with a whole number up to 1,010 is
/// exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1 / k! for odd and for even k up to 13: the next term is below 1e-17 where they are summed, up to ln(2) / 2.
const ODD: [f64; 7] = [
    1.0,
    1.0 / 6.0,
    1.0 / 120.0,
    1.0 / 5_040.0,
    1.0 / 362_880.0,
    1.0 / 39_916_800.0,
    1.0 / 6_227_020_800.0,
];
const EVEN: [f64; 7] = [
    1.0,
    1.0 / 2.0,
    1.0 / 24.0,
    1.0 / 720.0,
    1.0 / 40_320.0,
    1.0 / 3_628_800.0,
    1.0 / 479_001_600.0,
];

/// `exp(-x)` of a number that is not negative, within 2 units of the last place; NaN of NaN.
#[must_use]
#[inline]
pub fn decay(x: f64) -> f64 {
    let (least, whole, power) = halvings(x);
    let t = (-least - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let square = t * t;
    let (mut odd, mut even) = (0.0, 0.0);
    for (a, b) in ODD.iter().zip(&EVEN).rev() {
        odd = odd * square + a;
        even = even * square + b;
    }
    let value = (t * odd + even) * power;
    if x < NOTHING {
        value
    } else if x.is_nan() {
        x
    } else {
        0.0
    }
}

/// `exp(-x)` of a number that is not negative, within 1e-8 of it, in a good half of the time: for sums of weights. From 700
/// on, and of NaN, it is `exp(-700)`, which no sum beside 1 can tell from 0.
#[must_use]
#[inline]
pub fn rough_decay(x: f64) -> f64 {
    let (least, whole, power) = halvings(x);
    let t = -least - whole * std::f64::consts::LN_2;
    let square = t * t;
    let (mut odd, mut even) = (0.0, 0.0);
    let ([a, b, c, d, ..], [e, f, g, h, ..]) = (ODD, EVEN);
    for (a, b) in [(d, h), (c, g), (b, f), (a, e)] {
        odd = odd * square + a;
        even = even * square + b;
    }
    (t * odd + even) * power
}

/// `x`, but at most [`NOTHING`]; the power of two next to its `exp(-x)`: the exponent and the number.
#[inline]
fn halvings(x: f64) -> (f64, f64, f64) {
    // Not `min`, which is a call in the sandbox.
    let least = if x < NOTHING { x } else { NOTHING };
    let shifted = ROUND - least * std::f64::consts::LOG2_E;
    // 2^whole by its bits: the exponent of 1 is 1023.
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    (least, shifted - ROUND, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_libm_says_up_to_two_units_of_the_last_place() {
        let mut x = 1e-12;
        while x < NOTHING {
            let (got, want) = (decay(x), libm::exp(-x));
            assert!(
                (got - want).abs() <= 2.0 * f64::EPSILON * want,
                "{x}: {got} {want}"
            );
            x *= 1.000_7;
        }
    }

    #[test]
    fn the_rough_one_is_what_libm_says_within_a_hundred_millionth() {
        let mut x = 1e-12;
        while x < NOTHING {
            let (got, want) = (rough_decay(x), libm::exp(-x));
            assert!((got - want).abs() <= 1e-8 * want, "{x}: {got} {want}");
            x *= 1.000_7;
        }
        assert_eq!(rough_decay(0.0), 1.0);
        for x in [NOTHING, 1e300, f64::INFINITY, f64::NAN] {
            assert_eq!(1.0 + rough_decay(x), 1.0);
        }
    }

    #[test]
    fn its_ends_are_one_and_nothing() {
        assert_eq!(decay(0.0), 1.0);
        assert_eq!([NOTHING, 1e300, f64::INFINITY].map(decay), [0.0; 3]);
        assert!(decay(f64::NAN).is_nan());
    }
}
