//! Exponential and hyperbolic tangent in f32 without branches or table look-ups, so that loops over
//! them become vector code; the same bits everywhere, unlike those of the platform's libm.

/// Adding and subtracting it rounds to a whole number: 1.5 x 2^23.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has so few bits that a multiple of it is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Below it e^x is no longer a normal number.
const LOWEST: f32 = -87.0;
/// Above it e^x is no longer finite.
const HIGHEST: f32 = 88.0;
/// 1/2! to 1/6!: on [-ln 2 / 2, ln 2 / 2] the rest of the series is below 1e-7.
const SERIES: [f32; 5] = [
    0.5,
    0.166_666_67,
    0.041_666_668,
    0.008_333_334,
    0.001_388_889,
];

/// e^x, within 3 units in the last place; x is taken as at least -87 and at most 88. NaN gives e^-87.
#[must_use]
#[inline]
pub fn exp(x: f32) -> f32 {
    // Comparisons, not `clamp`: one vector instruction each.
    let x = if x > LOWEST { x } else { LOWEST };
    let x = if x < HIGHEST { x } else { HIGHEST };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let [a, b, c, d, e] = SERIES;
    let series = a + r * (b + r * (c + r * (d + r * e)));
    // The low bits of `shifted` are n; the exponent field starts at bit 23.
    let power = f32::from_bits(shifted.to_bits().wrapping_shl(23).wrapping_add(127 << 23));
    (1.0 + (r + r * r * series)) * power
}

/// tanh x, within 2e-7.
#[must_use]
#[inline]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_the_last_places_over_its_whole_range() {
        for i in -87_000..=88_000 {
            let x = i as f32 / 1000.0;
            let expected = libm::exp(f64::from(x));
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 3.6e-7, "{x}: {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e9), exp(-87.0));
        assert!(exp(f32::INFINITY).is_finite());
        assert!(exp(f32::NAN) < 1e-37);
    }

    #[test]
    fn the_tangent_is_right_and_saturates() {
        for i in -20_000..=20_000 {
            let x = i as f32 / 1000.0;
            let error = (f64::from(tanh(x)) - libm::tanh(f64::from(x))).abs();
            assert!(error < 2e-7, "{x}: {error}");
        }
        assert_eq!((tanh(50.0), tanh(-50.0), tanh(0.0)), (1.0, -1.0, 0.0));
    }
}
