//! The levels at which successive halving compares trials.

use super::Ratio;

/// Most levels: one trial cannot be compared at more points than this, whatever the options say.
pub const MAX_RUNGS: usize = 1_000;

/// All `grace x factor^k` below `max_t`, and then `max_t` itself: (1, 3, 81) gives 1, 3, 9, 27, 81.
/// Without `max_t` they go on as long as a float counts whole numbers exactly (2^53).
///
/// Exact rational arithmetic as far as 128 bits go; from there on a level has more digits than a
/// float can tell apart, and the nearest float is taken. None if `grace` is not positive, `factor`
/// not above 1, or there would be more than [`MAX_RUNGS`].
#[must_use]
pub fn levels(grace: f64, factor: f64, max_t: Option<f64>) -> Option<Vec<f64>> {
    let end = max_t.unwrap_or(9_007_199_254_740_992.0);
    let step = Ratio::from_decimal(factor).filter(|_| factor > 1.0)?;
    let mut exact = Some(Ratio::from_decimal(grace)?);
    let mut level = grace;
    let mut levels = Vec::new();
    while level < end {
        if levels.len() == MAX_RUNGS {
            return None;
        }
        levels.push(level);
        exact = exact.and_then(|x| x.checked_mul(step));
        level = exact.map_or(level * factor, Ratio::to_f64);
    }
    levels.extend(max_t);
    Some(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(grace: f64, max_t: f64, factor: f64) -> Vec<f64> {
        levels(grace, factor, Some(max_t)).unwrap()
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
        let endless = levels(1.0, 4.0, None).unwrap();
        assert_eq!(endless.len(), 27);
        assert_eq!(endless.last(), Some(&4_503_599_627_370_496.0));
        assert_eq!(levels(1.0, 1.000_001, Some(1e9)), None);
        assert_eq!(levels(1.0, 1.0, Some(10.0)), None);
        assert_eq!(levels(0.0, 2.0, Some(10.0)), None);
        // Far past 128 bits the levels still grow.
        assert!(of(1.0, 1e6, 1.1).is_sorted_by(|a, b| a < b));
    }
}
