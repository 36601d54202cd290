//! Wilcoxon's signed-rank test (F. Wilcoxon, 1945) and Holm's correction for many tests (S. Holm, 1979).

use tune_space::normal;

/// Pairs up to which the distribution is counted out.
const EXACT: usize = 50;

/// How likely ranks as uneven as those of these differences are if neither sign is more likely: two-sided.
/// Differences of 0 are left out; with ties or more than 50 pairs by the normal approximation with
/// its correction for ties.
#[must_use]
pub fn signed_rank(differences: &[f64]) -> f64 {
    let mut pairs: Vec<f64> = differences
        .iter()
        .copied()
        .filter(|d| *d != 0.0 && d.is_finite())
        .collect();
    pairs.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = pairs.len();
    if n == 0 {
        return 1.0;
    }
    let (mut positive, mut ties) = (0.0, 0.0);
    let mut place = 0.0;
    for equal in pairs.chunk_by(|a, b| a.abs() == b.abs()) {
        let count = equal.len() as f64;
        let rank = place + (count + 1.0) / 2.0;
        positive += rank * equal.iter().filter(|d| **d > 0.0).count() as f64;
        ties += count * (count * count - 1.0);
        place += count;
    }
    let total = place * (place + 1.0) / 2.0;
    let less = positive.min(total - positive);
    if n <= EXACT && ties == 0.0 {
        return (2.0 * at_most(n, less as usize)).min(1.0);
    }
    let variance = place * (place + 1.0) * (2.0 * place + 1.0) / 24.0 - ties / 48.0;
    if variance <= 0.0 {
        return 1.0;
    }
    (2.0 * normal::cdf((less - total / 2.0) / variance.sqrt())).min(1.0)
}

/// The probability that the ranks 1 to n, each counted or not by a fair coin, sum to at most this.
fn at_most(n: usize, sum: usize) -> f64 {
    // ways[s]: the probability of the sum s, after each rank.
    let mut ways = vec![0.0; n * (n + 1) / 2 + 1];
    if let Some(none) = ways.first_mut() {
        *none = 1.0;
    }
    for rank in 1..=n {
        for s in (0..ways.len()).rev() {
            let with = s.checked_sub(rank).and_then(|s| ways.get(s)).copied();
            if let Some(way) = ways.get_mut(s) {
                *way = 0.5 * (*way + with.unwrap_or(0.0));
            }
        }
    }
    ways.iter().take(sum + 1).sum()
}

/// The probabilities of several tests, corrected for there being several: at most the desired share of
/// all families has a wrong finding.
#[must_use]
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = probabilities.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut corrected = vec![1.0; probabilities.len()];
    let mut worst: f64 = 0.0;
    for (rank, (index, p)) in order.into_iter().enumerate() {
        worst = worst.max((p * (probabilities.len() - rank) as f64).min(1.0));
        if let Some(place) = corrected.get_mut(index) {
            *place = worst;
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_samples_have_the_probabilities_of_the_tables() {
        // Critical values of the two-sided test at 5 %: 2 of 7, 8 of 10, 52 of 20.
        for (n, critical) in [(7, 2), (10, 8), (20, 52)] {
            assert!(2.0 * at_most(n, critical) <= 0.05);
            assert!(2.0 * at_most(n, critical + 1) > 0.05);
        }
        // All of five on one side: 2 of 32.
        assert_eq!(signed_rank(&[1.0, 2.0, 3.0, 4.0, 5.0]), 0.0625);
        assert_eq!(signed_rank(&[-1.0, -2.0, -3.0, -4.0, -5.0]), 0.0625);
        // T+ = 3 of 15: sums 0, 1, 2, 3 can be had in 1, 1, 1, 2 ways.
        assert_eq!(signed_rank(&[1.0, 2.0, -3.0, -4.0, -5.0]), 0.3125);
    }

    #[test]
    fn ties_and_zeros_use_the_normal_approximation_with_its_correction() {
        // n = 6 of 8, ranks 1.5 1.5 3.5 3.5 5.5 5.5, T+ = 5, mean 10.5,
        // variance 6 * 7 * 13 / 24 - 3 * 6 / 48 = 22.375, z = -1.162 75.
        let differences = [1.0, -1.0, -2.0, 2.0, -3.0, -3.0, 0.0, 0.0];
        assert!((signed_rank(&differences) - 0.244_931).abs() < 1e-4);
        assert_eq!(signed_rank(&[0.0, 0.0]), 1.0);
        assert_eq!(signed_rank(&[]), 1.0);
    }

    #[test]
    fn exact_and_approximate_agree_where_both_can_be_had() {
        let differences: Vec<f64> = (1..=EXACT as i32)
            .map(|i| f64::from(if i % 3 == 0 { -i } else { i }))
            .collect();
        let exact = signed_rank(&differences);
        let mut tied = differences.clone();
        tied[0] = 2.0;
        assert!((signed_rank(&tied) / exact - 1.0).abs() < 0.1, "{exact}");
    }

    #[test]
    fn holm_multiplies_by_how_many_are_left_and_never_falls() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        for (a, b) in corrected.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }
}
