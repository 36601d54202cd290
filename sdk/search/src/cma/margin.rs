//! The margin of parameters on a grid: R. Hamano, S. Saito, M. Nomura, S. Shirakawa (2022), *CMA-ES
//! with Margin: Lower-Bounding Marginal Probability for Mixed-Integer Black-Box Optimization*. Without
//! it the distribution becomes narrower than a cell of the grid and never leaves it again.

use tune_space::normal;

/// Moves the mean and changes the width of one coordinate, whose standard deviation is
/// `spread x width`, so that each neighbour of the cell of the mean is reached with a probability of
/// at least `share` / 2, or `share` where there is one neighbour.
pub(super) fn keep(
    mean: &mut f64,
    width: &mut f64,
    spread: f64,
    cell: (Option<f64>, Option<f64>),
    share: f64,
) {
    // Farther out nothing is changed: a spread of 0 or no number.
    if spread <= 0.0 || !spread.is_finite() {
        return;
    }
    let beyond = |border: f64| normal::cdf(-(border - *mean).abs() / (spread * *width));
    match cell {
        (None, None) => {}
        (Some(border), None) | (None, Some(border)) => {
            if beyond(border) < share {
                let reach = -normal::quantile(share) * spread * *width;
                *mean = border + reach.min((*mean - border).abs()) * (*mean - border).signum();
            }
        }
        (Some(low), Some(high)) => {
            let (below, above) = (beyond(low), beyond(high));
            let inside = 1.0 - below - above;
            let half = share / 2.0;
            if below >= half && above >= half {
                return;
            }
            // Each side gets its share, and what is too much by that is taken from all in
            // proportion.
            let (raised_below, raised_above) = (below.max(half), above.max(half));
            let excess = raised_below + raised_above + inside - 1.0;
            let spare = raised_below + raised_above + inside - 3.0 * half;
            let lowered = |p: f64| p - excess / spare.max(f64::MIN_POSITIVE) * (p - half);
            let to = |p: f64| -normal::quantile(lowered(p).clamp(half.min(0.49), 0.49));
            let (to_low, to_high) = (to(raised_below), to(raised_above));
            *width = (high - low) / (spread * (to_low + to_high));
            *mean = low + spread * *width * to_low;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beyond(mean: f64, deviation: f64, border: f64) -> f64 {
        normal::cdf(-(border - mean).abs() / deviation)
    }

    #[test]
    fn both_neighbours_of_a_cell_are_reached_with_half_of_the_share_each() {
        let (mut mean, mut width) = (0.52, 1.0);
        keep(&mut mean, &mut width, 0.001, (Some(0.4), Some(0.6)), 0.1);
        assert!((beyond(mean, 0.001 * width, 0.4) - 0.05).abs() < 1e-9);
        assert!((beyond(mean, 0.001 * width, 0.6) - 0.05).abs() < 1e-9);
        assert!((0.4..=0.6).contains(&mean));
    }

    #[test]
    fn the_only_neighbour_is_reached_with_the_whole_share() {
        let (mut mean, mut width) = (0.02, 1.0);
        keep(&mut mean, &mut width, 0.01, (None, Some(0.1)), 0.1);
        assert!((beyond(mean, 0.01, 0.1) - 0.1).abs() < 1e-9);
        assert_eq!(width, 1.0);
        assert!(mean < 0.1);
    }

    #[test]
    fn a_wide_distribution_is_left_alone() {
        let (mut mean, mut width) = (0.5, 1.0);
        keep(&mut mean, &mut width, 0.3, (Some(0.4), Some(0.6)), 0.1);
        assert_eq!((mean, width), (0.5, 1.0));
        keep(&mut mean, &mut width, f64::NAN, (Some(0.4), Some(0.6)), 0.1);
        assert_eq!((mean, width), (0.5, 1.0));
    }
}
