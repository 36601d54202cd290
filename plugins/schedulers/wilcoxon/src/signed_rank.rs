//! The one-sided Wilcoxon signed-rank test with split zeros, as `scipy.stats.wilcoxon` computes it
//! with `zero_method = "zsplit"`: exactly up to 50 differences, or up to 13 if there are ties or
//! zeros among them; else by the normal approximation, corrected for ties and not for continuity.

/// The probability of signed ranks that speak at least as much for differences above zero, if
/// positive and negative ones are equally likely. Infinite differences are the largest; NaN is zero.
pub(crate) fn p_greater(differences: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = differences
        .iter()
        .map(|d| if d.is_nan() { 0.0 } else { *d })
        .collect();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = sorted.len() as f64;
    // Twice the ranks, so that the mean rank of a tie is a whole number.
    let mut ranks = Vec::with_capacity(sorted.len());
    let (mut positive, mut tied, mut ties) = (0, false, 0.0);
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let rank = 2 * ranks.len() + group.len() + 1;
        let size = group.len() as f64;
        ties += size * size * size - size;
        tied |= group.len() > 1 || group.contains(&0.0);
        for difference in group {
            // A zero counts half for each side, whatever its sign would be.
            positive += if *difference == 0.0 {
                rank
            } else {
                2 * rank * usize::from(*difference > 0.0)
            };
            ranks.push(if *difference == 0.0 { 0 } else { rank });
        }
    }
    let zeros: f64 = sorted
        .iter()
        .zip(&ranks)
        .filter(|(_, rank)| **rank == 0)
        .map(|_| 1.0)
        .sum();
    if n <= 13.0 || (n <= 50.0 && !tied) {
        // Ranks of zeros are the smallest: 1 to `zeros`, of which half counts.
        exact(&ranks, (positive as f64 - zeros * (zeros + 1.0)) / 2.0)
    } else {
        let mean = n * (n + 1.0) / 4.0;
        let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0;
        let z = (positive as f64 / 4.0 - mean) / libm::sqrt(variance);
        libm::erfc(z / core::f64::consts::SQRT_2) / 2.0
    }
}

/// The share of all choices of signs whose positive ranks have at least this sum.
fn exact(ranks: &[usize], least: f64) -> f64 {
    // How many choices give each sum; at most 2^50, which floats count exactly.
    let mut choices = vec![1.0];
    for rank in ranks {
        let mut with = vec![0.0; choices.len() + rank];
        for (sum, count) in choices.iter().enumerate() {
            for place in [sum, sum + rank] {
                if let Some(place) = with.get_mut(place) {
                    *place += count;
                }
            }
        }
        choices = with;
    }
    let above = choices
        .iter()
        .enumerate()
        .filter(|(sum, _)| *sum as f64 >= least);
    let (above, all) = (
        above.map(|(_, count)| count).sum::<f64>(),
        choices.iter().sum::<f64>(),
    );
    above / all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(differences: &[f64], expected: f64) {
        let p = p_greater(differences);
        assert!(
            (p - expected).abs() < 1e-12 * expected.max(1e-3),
            "{p} {expected}"
        );
    }

    /// `scipy.stats.wilcoxon(d, alternative="greater", zero_method="zsplit").pvalue`, scipy 1.17.1.
    #[test]
    fn p_values_are_those_of_scipy() {
        close(&[1.0, 2.0, 3.0], 0.125);
        close(&[0.5, -0.25, 0.125, 2.0], 0.1875);
        close(&[0.0, 1.0, 2.0, -3.0, 4.0], 0.25);
        close(&[1.0, 1.0, -1.0, 2.0, 2.0, 0.0, 0.0], 0.125);
        close(&[0.0, 0.0, 0.0], 1.0);
        close(
            &[
                0.2, 0.4, 0.4, -0.1, 0.9, 1.5, -0.3, 2.5, 0.0, 0.7, 0.6, 0.1, 0.8,
            ],
            0.0029296875,
        );
        close(
            &[
                0.341, 0.765, -0.161, 0.653, 1.226, 0.711, 1.862, -0.585, 0.367, -0.405, -0.484,
                0.116, 0.521, 0.719, 0.808, 2.534, 1.163, -1.295, 0.504, -0.323,
            ],
            0.0133209228515625,
        );
        close(
            &[
                0.0, 0.0, 3.0, 4.0, 3.0, 4.0, 4.0, 0.0, -2.0, 4.0, 2.0, 0.0, 3.0, 1.0,
            ],
            0.004801133296572473,
        );
        close(
            &[
                2.0, -1.0, -1.0, -1.0, 1.0, 0.0, -2.0, 2.0, 0.0, -2.0, 0.0, 2.0, 3.0, 0.0, 2.0,
                -1.0, 1.0, 1.0, 2.0, 0.0, 1.0, 1.0, -1.0, -1.0, 0.0, 0.0, -2.0, -2.0, -2.0, 1.0,
            ],
            0.37723677413021484,
        );
        close(
            &[
                -45.0, -7.5, 29.0, -34.5, 2.0, 39.5, -25.0, 12.5, 49.0, -14.5, 22.0, -41.5, -5.0,
                32.5, -32.0, 5.5, 42.0, -21.5, 15.0, 52.5, -12.0, 25.5, -39.0, -1.5, 35.0, -28.5,
                8.0, 45.5, -19.0, 18.5, 55.0, -8.5, 28.0, -35.5, 1.0, 38.5, -26.0, 11.5, 48.0,
                -15.5, 21.0, -42.5, -6.0, 31.5, -33.0, 4.5, 41.0, -22.5, 14.0, 51.5,
            ],
            0.12454244953458282,
        );
        close(
            &[
                -40.0, -2.75, 34.5, -30.0, 7.25, 44.5, -20.0, 17.25, 54.5, -10.0, 27.25, -36.5,
                0.0, 37.25, -26.5, 10.0, 47.25, -16.5, 20.0, 57.25, -6.5, 30.0, -33.75, 3.5, 40.0,
                -23.75, 13.5, 50.0, -13.75, 23.5, 60.0, -3.75, 33.5, -31.0, 6.25, 43.5, -21.0,
                16.25, 53.5, -11.0, 26.25, -37.5, -1.0, 36.25, -27.5, 9.0, 46.25, -17.5, 19.0,
                56.25, -7.5,
            ],
            0.018505523289085477,
        );
        close(
            &[
                -30.0, -1.0, 28.0, -26.0, 3.0, 32.0, -22.0, 7.0, 36.0, -18.0, 11.0, 40.0, -14.0,
                15.0, 44.0, -10.0, 19.0, 48.0, -6.0, 23.0, 52.0, -2.0, 27.0, -27.0, 2.0, 31.0,
                -23.0, 6.0, 35.0, -19.0, 10.0, 39.0, -15.0, 14.0, 43.0, -11.0, 18.0, 47.0, -7.0,
                22.0, 51.0, -3.0, 26.0, -28.0, 1.0, 30.0, -24.0, 5.0, 34.0, -20.0, 9.0, 38.0,
                -16.0, 13.0, 42.0, -12.0, 17.0, 46.0, -8.0, 21.0, 50.0, -4.0, 25.0, -29.0, 0.0,
                29.0, -25.0, 4.0, 33.0, -21.0,
            ],
            0.0010928879929212047,
        );
    }

    #[test]
    fn by_hand_of_three_the_one_choice_of_eight() {
        close(&[1.0, 2.0, 3.0], 1.0 / 8.0);
        close(&[-1.0, 2.0, 3.0], 2.0 / 8.0);
        close(&[-1.0, -2.0, -3.0], 1.0);
    }

    #[test]
    fn infinite_differences_are_the_largest_and_nan_is_none() {
        close(&[f64::INFINITY, 1.0, 2.0], 1.0 / 8.0);
        close(&[f64::NEG_INFINITY, 1.0, 2.0], 5.0 / 8.0);
        assert_eq!(
            p_greater(&[f64::NAN, 1.0, 2.0]),
            p_greater(&[0.0, 1.0, 2.0])
        );
        assert_eq!(p_greater(&[f64::NAN; 20]), 0.5);
    }
}
