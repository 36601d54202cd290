//! Numbers for people: four significant digits, and never a wrong one.

/// Larger whole numbers are shown with an exponent.
const WHOLE_UP_TO: f64 = 1e7;

/// A number in at most four significant digits; whole numbers below ten million as they are.
#[must_use]
pub fn short(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if x.fract() == 0.0 && x.abs() < WHOLE_UP_TO {
        // Without the sign of a negative zero.
        return format!("{}", x + 0.0);
    }
    // The exponent after rounding, so that 0.99996 becomes 1, not 1.0000.
    let scientific = format!("{x:.3e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..7).contains(&exponent) {
        let decimals = usize::try_from(3 - exponent).unwrap_or(0);
        trimmed(&format!("{x:.decimals$}"))
    } else {
        format!("{}e{exponent}", trimmed(digits))
    }
}

fn trimmed(digits: &str) -> String {
    if digits.contains('.') {
        digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        digits.to_owned()
    }
}

/// A number that reads back as the same one, whole ones without a fraction; for files.
pub(crate) fn exact(x: f64) -> String {
    // Whole numbers up to 2^53 are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if x.fract() == 0.0 && x.abs() <= EXACT {
        format!("{}", x + 0.0)
    } else {
        format!("{x:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_four_significant_digits() {
        for (x, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.975_812, "0.9758"),
            (0.999_96, "1"),
            (-12.345_6, "-12.35"),
            (0.000_123_456, "0.0001235"),
            (0.000_012_345_6, "1.235e-5"),
            (1234.56, "1235"),
            (123_456.7, "123457"),
            (9_999_999.0, "9999999"),
            (1e7, "1e7"),
            (12_345_678.9, "1.235e7"),
            (2.5e-300, "2.5e-300"),
            (f64::MAX, "1.798e308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(short(x), expected, "{x:?}");
        }
    }

    #[test]
    fn numbers_in_files_read_back_the_same() {
        for x in [
            0.1,
            1.0,
            -3.0,
            1e300,
            5e-324,
            9_007_199_254_740_993.0,
            1.0 / 3.0,
        ] {
            assert_eq!(exact(x).parse::<f64>().unwrap().to_bits(), x.to_bits());
        }
        assert_eq!(exact(27.0), "27");
    }
}
