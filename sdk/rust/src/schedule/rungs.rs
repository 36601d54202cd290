//! The levels at which successive halving compares trials.

use tune_space::OptionError;

use super::{Ratio, refused};

/// Most levels: one trial cannot be compared at more points than this, whatever the options say.
pub const MAX_RUNGS: usize = 1_000;

/// All `grace x factor^k` below `max_t`, and then `max_t` itself: (1, 3, 81) gives 1, 3, 9, 27, 81.
/// Without `max_t` they go on as long as a float counts whole numbers exactly (2^53). Beside them
/// the factor, exactly.
///
/// Exact rational arithmetic as far as 128 bits go; from there on a level has more digits than a
/// float can tell apart, and the nearest float is taken.
///
/// # Errors
/// Names the option `grace_period` if `grace` is not positive or above `max_t`, and
/// `reduction_factor` if `factor` is not above 1 or would give more than [`MAX_RUNGS`].
pub fn levels(
    grace: f64,
    factor: f64,
    max_t: Option<f64>,
) -> Result<(Vec<f64>, Ratio), OptionError> {
    let end = max_t.unwrap_or(9_007_199_254_740_992.0);
    let (first, step) = checked(grace, factor, end)?;
    let below = powers(first, step).map(Ratio::to_f64);
    let below = below.take_while(|level| *level < end).take(MAX_RUNGS + 1);
    let mut levels: Vec<f64> = below.collect();
    if levels.len() > MAX_RUNGS {
        let message = format!("{factor} gives more than {MAX_RUNGS} rungs");
        return Err(wrong_factor(message));
    }
    levels.extend(max_t);
    Ok((levels, step))
}

/// first x factor^k for k = 0, 1, ..
pub(super) fn powers(first: Ratio, factor: Ratio) -> impl Iterator<Item = Ratio> {
    std::iter::successors(Some(first), move |power| Some(*power * factor))
}

/// The options `grace_period` and `reduction_factor` exactly, if they can be used.
pub(super) fn checked(grace: f64, factor: f64, end: f64) -> Result<(Ratio, Ratio), OptionError> {
    let first = Ratio::from_decimal(grace)
        .filter(|_| grace <= end)
        .ok_or_else(|| {
            let message = format!("{grace} is not above 0 and at most `max_t`, which is {end}");
            refused(
                "grace_period",
                message,
                "it is the first rung, in units of `time_attr`",
            )
        })?;
    let step = Ratio::from_decimal(factor).filter(|_| factor > 1.0);
    let step = step.ok_or_else(|| wrong_factor(format!("{factor} is not above 1")))?;
    Ok((first, step))
}

pub(super) fn wrong_factor(message: String) -> OptionError {
    refused("reduction_factor", message, "2, 3 and 4 are usual")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(grace: f64, max_t: f64, factor: f64) -> Vec<f64> {
        levels(grace, factor, Some(max_t)).unwrap().0
    }

    #[test]
    fn the_rungs_are_powers_and_then_the_end() {
        assert_eq!(of(1.0, 100.0, 4.0), [1.0, 4.0, 16.0, 64.0, 100.0]);
        assert_eq!(of(1.0, 81.0, 3.0), [1.0, 3.0, 9.0, 27.0, 81.0]);
        assert_eq!(of(10.0, 100.0, 3.0), [10.0, 30.0, 90.0, 100.0]);
        assert_eq!(of(2.5, 100.0, 3.0), [2.5, 7.5, 22.5, 67.5, 100.0]);
        assert_eq!(of(1.0, 10.0, 2.0), [1.0, 2.0, 4.0, 8.0, 10.0]);
        assert_eq!(of(5.0, 5.0, 2.0), [5.0]);
    }

    #[test]
    fn the_last_power_is_the_end_where_float_logarithms_lose_it() {
        assert_eq!(of(1.0, 1000.0, 10.0), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(of(10.0, 12.1, 1.1), [10.0, 11.0, 12.1]);
        assert_eq!(of(0.1, 2.7, 3.0), [0.1, 0.3, 0.9, 2.7]);
    }

    #[test]
    fn without_an_end_the_rungs_go_on_and_their_number_is_bounded() {
        let (endless, _) = levels(1.0, 4.0, None).unwrap();
        assert_eq!(endless.len(), 27);
        assert_eq!(endless.last(), Some(&4_503_599_627_370_496.0));
        // Far past 128 bits the levels still grow.
        assert!(of(1.0, 1e6, 1.1).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_gives_no_rungs_is_refused_by_the_name_of_the_option() {
        for (grace, factor, key) in [
            (1.0, 1.000_001, "reduction_factor"),
            (1.0, 1.0, "reduction_factor"),
            (1.0, f64::NAN, "reduction_factor"),
            (0.0, 2.0, "grace_period"),
            (11.0, 2.0, "grace_period"),
        ] {
            let error = levels(grace, factor, Some(10.0)).unwrap_err();
            assert_eq!(error.key, key, "{error:?}");
        }
    }
}
