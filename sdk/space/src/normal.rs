//! The standard normal distribution: distribution function, its logarithm and its inverse. Through
//! `libm` only, so that guests and hosts agree in the last bit.

/// 1 / sqrt(2).
const FRAC_1_SQRT_2: f64 = std::f64::consts::FRAC_1_SQRT_2;
/// ln sqrt(2 pi).
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;
/// Below it `erfc` comes near to its underflow (at -37.5) and the series is exact to 1e-12.
const TAIL: f64 = -35.0;

/// Logarithm of the density at `z`.
#[must_use]
pub fn log_density(z: f64) -> f64 {
    -0.5 * z * z - LN_SQRT_2_PI
}

/// Probability of a value at or below `z`.
#[must_use]
pub fn cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Logarithm of [`cdf`], exact to about 1e-12 in both tails.
#[must_use]
pub fn log_cdf(z: f64) -> f64 {
    if z > 0.0 {
        libm::log1p(-cdf(-z))
    } else if z > TAIL {
        libm::log(cdf(z))
    } else {
        let r = 1.0 / (z * z);
        let series = r * (-1.0 + r * (3.0 + r * (-15.0 + r * (105.0 - r * 945.0))));
        log_density(z) - libm::log(-z) + libm::log1p(series)
    }
}

/// Logarithm of the probability of a value between `a` and `b`, where `a <= b`; minus infinity for
/// an empty interval.
#[must_use]
pub fn log_mass(a: f64, b: f64) -> f64 {
    if a >= b {
        return f64::NEG_INFINITY;
    }
    // By symmetry to the left, where differences of probabilities keep their digits.
    let (a, b) = if a > 0.0 { (-b, -a) } else { (a, b) };
    if b > 0.0 {
        return libm::log1p(-(cdf(a) + cdf(-b)));
    }
    let upper = log_cdf(b);
    upper + libm::log1p(-libm::exp(log_cdf(a) - upper))
}

/// The value below which a share `p` lies: Wichura's algorithm AS 241 (Applied Statistics 37,
/// 1988), relative error about 1e-16. Infinite at 0 and 1, NaN outside.
#[must_use]
pub fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(r, &CENTRE_A) / polynomial(r, &CENTRE_B);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-libm::log(tail)).sqrt();
    let magnitude = if r <= 5.0 {
        polynomial(r - 1.6, &MIDDLE_C) / polynomial(r - 1.6, &MIDDLE_D)
    } else {
        polynomial(r - 5.0, &FAR_E) / polynomial(r - 5.0, &FAR_F)
    };
    if q < 0.0 { -magnitude } else { magnitude }
}

fn polynomial(x: f64, coefficients: &[f64; 8]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// Coefficients as published, from the constant term up.
const CENTRE_A: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const CENTRE_B: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_854,
];
const MIDDLE_C: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    7.745_450_142_783_414e-4,
];
const MIDDLE_D: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const FAR_E: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    0.001_242_660_947_388_078_4,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_F: [f64; 8] = [
    1.0,
    0.599_832_206_555_887_9,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64, relative: f64) {
        assert!(
            (got - want).abs() <= relative * want.abs(),
            "{got:e} instead of {want:e}"
        );
    }

    #[test]
    fn the_distribution_function_has_its_tabulated_values() {
        close(cdf(0.0), 0.5, 0.0);
        close(cdf(1.0), 0.841_344_746_068_542_9, 1e-15);
        close(cdf(-1.959_963_984_540_054), 0.025, 1e-14);
        close(cdf(-10.0), 7.619_853_024_160_527e-24, 1e-13);
    }

    #[test]
    fn the_quantile_function_has_its_tabulated_values() {
        close(quantile(0.975), 1.959_963_984_540_054, 1e-15);
        close(quantile(0.25), -0.674_489_750_196_081_7, 1e-15);
        close(quantile(0.001), -3.090_232_306_167_813_5, 1e-15);
        close(quantile(1e-20), -9.262_340_089_798_408, 1e-15);
        assert_eq!(quantile(0.5), 0.0);
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert!(quantile(-0.1).is_nan() && quantile(1.1).is_nan() && quantile(f64::NAN).is_nan());
    }

    #[test]
    fn quantile_and_distribution_function_undo_each_other_down_to_1e_minus_300() {
        for exponent in 1..300 {
            let p = 10_f64.powi(-exponent);
            // The distribution function itself is steep there: z times the error of z.
            close(cdf(quantile(p)), p, 1e-12);
        }
        for i in 1..1000 {
            let p = f64::from(i) / 1000.0;
            close(cdf(quantile(p)), p, 2e-15);
        }
    }

    #[test]
    fn the_logarithm_is_smooth_across_the_tail_and_right_far_out() {
        close(log_cdf(-40.0), -804.608_442_013_754, 1e-12);
        close(log_cdf(TAIL + 1e-12), log_cdf(TAIL), 1e-12);
        close(log_cdf(8.0), -6.220_960_574_271_786e-16, 1e-10);
        close(log_cdf(-2.0), libm::log(cdf(-2.0)), 1e-15);
    }

    #[test]
    fn masses_of_neighbouring_intervals_add_up_and_mirror() {
        for (a, b, c) in [(-3.0, 0.5, 2.0), (-60.0, -59.0, -40.0), (5.0, 6.0, 9.0)] {
            let whole = log_mass(a, c);
            let parts = libm::exp(log_mass(a, b) - whole) + libm::exp(log_mass(b, c) - whole);
            close(parts, 1.0, 1e-12);
            close(log_mass(-c, -a), whole, 1e-14);
        }
        assert_eq!(log_mass(1.0, 1.0), f64::NEG_INFINITY);
    }
}
