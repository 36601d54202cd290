//! Pieces of a Parzen estimator on [0, 1]: weights by age, bandwidths by neighbours, the truncated
//! normal distribution. Pure functions of numbers, summed in a fixed order.

use tune_plugin::normal;

/// Kernels come in blocks of so many: loops over numbers of a known length become vector instructions, and what
/// would be left over costs as much one at a time as a block does.
pub(crate) const BLOCK: usize = 8;
/// Observations that keep their full weight, the newest ones.
const FULL_WEIGHT: usize = 25;
/// Kernels beyond which the smallest bandwidth shrinks no further.
const MAX_CLIP: usize = 100;
/// 2^64 divided by the golden ratio: odd, so that distinct places have distinct lots.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
/// 2^52: a number between 0 and 2^32 that is added to it is rounded to a whole one, which stands in its lowest bits.
const ROUND: f64 = 4_503_599_627_370_496.0;
/// Cells between 0 and 1 that are as wide as the narrowest bandwidth, both ends included.
const MAX_CELLS: usize = MAX_CLIP + 2;
/// The place of no centre.
const NONE: u32 = u32::MAX;
/// Half a standard normal beyond it has a mass below the precision of 1.
const WHOLE: f64 = 8.3;

/// Weights of the newest ones of `n` observations, the oldest first: a ramp from 1/n to 1, then 1 for the
/// newest 25.
pub(crate) fn ramp(n: usize, newest: usize) -> Vec<f64> {
    let old = n.saturating_sub(FULL_WEIGHT);
    let first = 1.0 / n.max(1) as f64;
    let slope = (1.0 - first) / old.saturating_sub(1).max(1) as f64;
    let weight = |i: usize| {
        if i < old {
            first + slope * i as f64
        } else {
            1.0
        }
    };
    with_room((n.saturating_sub(newest)..n).map(weight))
}

/// Weights of `n` observations that are all alike.
pub(crate) fn equal(n: usize) -> Vec<f64> {
    with_room(std::iter::repeat_n(1.0, n))
}

/// With room for what comes behind them, which is not to move them all.
fn with_room(numbers: impl ExactSizeIterator<Item = f64>) -> Vec<f64> {
    let mut all = Vec::with_capacity(padded(numbers.len()));
    all.extend(numbers);
    all
}

/// Kernels of so many observations with the prior, up to whole blocks.
pub(crate) fn padded(observations: usize) -> usize {
    (observations + 1).next_multiple_of(BLOCK)
}

/// Weights of `n` observations, the best first: ln(n + 1) - ln(rank), as CMA-ES weighs its better half,
/// 1 on average.
pub(crate) fn by_rank(n: usize) -> Vec<f64> {
    let log = |k: usize| libm::log(k as f64);
    let raw: Vec<f64> = (1..=n).map(|rank| log(n + 1) - log(rank)).collect();
    let sum: f64 = raw.iter().sum();
    with_room(raw.iter().map(|w| w * n as f64 / sum))
}

/// The smallest standard deviation of a kernel beside so many others.
pub(crate) fn narrowest(others: usize) -> f64 {
    1.0 / MAX_CLIP.min(others + 2) as f64
}

/// Writes the standard deviation of each kernel: the larger of the distances to its neighbours (the ends
/// of [0, 1] have one, except where there is only one kernel), at least `narrowest` and at most 1.
///
/// Of equal centres the outer two have the wide gaps. Which ones is told by `salt`, to be drawn for
/// each parameter: then most kernels are wide in some parameters and narrow in others, and discrete
/// spaces are searched a few parameters at a time. By age instead, the same two kernels were wide
/// in all of them, which does clearly worse.
///
/// Only gaps above `narrowest` count, and those lie between cells of [0, 1] that are narrower than that:
/// nothing is sorted, and the cost is O(n + 1 / `narrowest`).
pub(crate) fn bandwidths(sigmas: &mut [f64], centres: &[f64], narrowest: f64, salt: u64) {
    if let ([sigma], [centre]) = (&mut *sigmas, centres) {
        *sigma = centre.max(1.0 - centre).clamp(narrowest, 1.0);
        return;
    }
    let centre = |place: u32| centres.get(place as usize).copied().unwrap_or(0.0);
    let lot = |place: u32| (u64::from(place) ^ salt).wrapping_mul(MIX);
    let is_before = |a: u32, b: u32| {
        let order = centre(a).total_cmp(&centre(b));
        order.then_with(|| lot(a).cmp(&lot(b))).is_lt()
    };
    let cells = (1.0 / narrowest).ceil() + 1.0;
    // Places of the first and the last one of each cell.
    let mut ends = [[NONE; 2]; MAX_CELLS];
    for (place, centre) in (0..).zip(centres) {
        // Rounded, by the bits: a conversion is many instructions in the sandbox.
        let cell = (centre * cells + ROUND).to_bits() as u32;
        if let Some([first, last]) = ends.get_mut(cell as usize) {
            if *first == NONE || is_before(place, *first) {
                *first = place;
            }
            if *last == NONE || is_before(*last, place) {
                *last = place;
            }
        }
    }
    sigmas.fill(narrowest);
    let mut left = None;
    for [first, last] in ends.into_iter().filter(|[first, _]| *first != NONE) {
        if let Some(left) = left.replace(last) {
            let gap = centre(first) - centre(left);
            for place in [left, first] {
                // Not `f64::max`, which is a call in the sandbox.
                if let Some(sigma) = sigmas.get_mut(place as usize)
                    && gap > *sigma
                {
                    *sigma = gap;
                }
            }
        }
    }
}

/// The masses of a normal distribution below 0 and above 1.
#[inline]
pub(crate) fn outside(mean: f64, sigma: f64) -> (f64, f64) {
    let beyond = |distance: f64| {
        if distance > WHOLE * sigma {
            0.0
        } else {
            normal::cdf(-distance / sigma)
        }
    };
    (beyond(mean), beyond(1.0 - mean))
}

/// All of a normal distribution is on [0, 1], as far as the precision of 1 can tell.
#[inline]
pub(crate) fn is_inside(mean: f64, sigma: f64) -> bool {
    let reach = WHOLE * sigma;
    mean > reach && 1.0 - mean > reach
}

/// The point of the truncated normal distribution on [0, 1] below which a share `u` lies. `outside`: what the whole one
/// has below 0 and above 1.
pub(crate) fn truncated_quantile(mean: f64, sigma: f64, outside: (f64, f64), u: f64) -> f64 {
    let (below, above) = outside;
    let share = below + u * (1.0 - above - below);
    (mean + sigma * normal::quantile(share)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_cells(centres: &[f64], narrowest: f64, salt: u64) -> Vec<f64> {
        let mut sigmas = vec![0.0; centres.len()];
        bandwidths(&mut sigmas, centres, narrowest, salt);
        sigmas
    }

    #[test]
    fn weights_are_equal_up_to_25_and_then_ramp_up_from_one_nth() {
        assert_eq!(ramp(0, 0), [0.0; 0]);
        assert_eq!(ramp(25, 25), [1.0; 25]);
        assert_eq!(ramp(26, 26)[..2], [1.0 / 26.0, 1.0]);
        assert_eq!(ramp(30, 28), ramp(30, 30)[2..]);
        let w = ramp(30, 30);
        let old = [
            1.0 / 30.0,
            0.275,
            0.516_666_666_666_666_7,
            0.758_333_333_333_333_3,
            1.0,
        ];
        for (got, want) in w.iter().zip(old) {
            assert!((got - want).abs() < 1e-15, "{w:?}");
        }
        assert!(w[5..].iter().all(|x| *x == 1.0) && w.len() == 30);
    }

    #[test]
    fn weights_by_rank_are_logarithmic_and_1_on_average() {
        assert_eq!(by_rank(0), [0.0; 0]);
        assert_eq!(by_rank(1), [1.0]);
        // ln 4 - ln 1, ln 4 - ln 2, ln 4 - ln 3: they sum to ln(64 / 6).
        let want = [4.0_f64, 2.0, 4.0 / 3.0].map(|x| 3.0 * libm::log(x) / libm::log(64.0 / 6.0));
        for (got, want) in by_rank(3).iter().zip(want) {
            assert!((got - want).abs() < 1e-14, "{got} {want}");
        }
        assert!((by_rank(25).iter().sum::<f64>() - 25.0).abs() < 1e-12);
    }

    #[test]
    fn a_bandwidth_is_the_larger_gap_to_a_neighbour_within_the_clip() {
        // Sorted 0.1, 0.2, 0.6, 0.9: the ends have one gap each.
        let sigmas = by_cells(&[0.6, 0.1, 0.9, 0.2], narrowest(4), 0);
        let want = [0.4, 1.0 / 6.0, 0.3, 0.4];
        for (got, want) in sigmas.iter().zip(want) {
            assert!((got - want).abs() < 1e-15, "{sigmas:?}");
        }
        assert_eq!(by_cells(&[0.25], narrowest(1), 0), [0.75]);
        assert_eq!(by_cells(&[0.5, 0.5, 0.5], narrowest(98), 0), [0.01; 3]);
        assert_eq!(by_cells(&[0.5, 0.5], narrowest(500), 0), [0.01; 2]);
        assert_eq!(by_cells(&[], narrowest(0), 0), [0.0; 0]);
    }

    /// As the rule says it: every centre between its neighbours.
    fn by_sorting(centres: &[f64], narrowest: f64, salt: u64) -> Vec<f64> {
        let mut sorted: Vec<(f64, usize)> = centres.iter().copied().zip(0..).collect();
        let lot = |place: usize| (place as u64 ^ salt).wrapping_mul(MIX);
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then_with(|| lot(a.1).cmp(&lot(b.1))));
        let mut sigmas = vec![0.0; centres.len()];
        let mut left = None;
        for (i, (centre, place)) in sorted.iter().enumerate() {
            let right = sorted.get(i + 1).map(|next| next.0 - centre);
            let left = left.replace(*centre).map(|previous: f64| centre - previous);
            let sigma = match (left, right) {
                (Some(left), Some(right)) => left.max(right),
                (Some(gap), None) | (None, Some(gap)) => gap,
                (None, None) => centre.max(1.0 - centre),
            };
            if let Some(slot) = sigmas.get_mut(*place) {
                *slot = sigma.clamp(narrowest, 1.0);
            }
        }
        sigmas
    }

    #[test]
    fn bandwidths_are_those_of_sorted_neighbours_to_the_last_bit() {
        let mut stream = tune_plugin::Stream::new(4);
        for round in 0..3_000_u64 {
            let n = stream.below(if round % 10 == 0 { 400 } else { 12 }) as usize;
            // Coarse ones are often equal, fine ones never.
            let steps = [3, 20, 1_000, 1 << 40][(round % 4) as usize];
            let share = if round % 3 == 0 { 0.2 } else { 1.0 };
            let draw = |_| share * stream.below(steps + 1) as f64 / steps as f64;
            let centres: Vec<f64> = (0..n).map(draw).collect();
            let bits =
                |sigmas: Vec<f64>| -> Vec<u64> { sigmas.iter().map(|s| s.to_bits()).collect() };
            for narrowest in [narrowest(n), narrowest(2 * n), 1.0 / 3.0] {
                let (new, old) = (
                    by_cells(&centres, narrowest, round),
                    by_sorting(&centres, narrowest, round),
                );
                assert_eq!(bits(new), bits(old), "{centres:?}, {narrowest}");
            }
        }
    }

    #[test]
    fn which_of_equal_centres_is_wide_is_a_lottery_that_every_one_can_win() {
        let centres = [0.5, 0.1, 0.5, 0.5, 0.5, 0.9];
        let mut wide = [0; 6];
        let mut stream = tune_plugin::Stream::new(1);
        for _ in 0..4_000 {
            let sigmas = by_cells(&centres, narrowest(98), stream.u64());
            let winners = |i: &usize| sigmas[*i] == 0.4;
            assert_eq!((0..6).filter(winners).count(), 4);
            (0..6).filter(winners).for_each(|i| wide[i] += 1);
        }
        // Both ends always, and two of the four equal ones.
        assert_eq!((wide[1], wide[5]), (4_000, 4_000));
        for i in [0, 2, 3, 4] {
            assert!((1_200..2_800).contains(&wide[i]), "{wide:?}");
        }
    }

    #[test]
    fn the_truncated_quantile_inverts_the_truncated_distribution() {
        for (mean, sigma) in [(0.0, 0.01), (0.5, 1.0), (1.0, 0.3), (0.9, 0.02)] {
            let outside = outside(mean, sigma);
            let mass = 1.0 - outside.0 - outside.1;
            for u in [0.0, 1e-9, 0.3, 0.5, 0.99] {
                let x = truncated_quantile(mean, sigma, outside, u);
                let below = normal::cdf((x - mean) / sigma) - normal::cdf(-mean / sigma);
                assert!((below / mass - u).abs() < 1e-12, "{mean} {sigma} {u}");
            }
        }
    }
}
