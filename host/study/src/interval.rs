//! How far a mean could be off: the bootstrap (B. Efron, 1979).

use tune_space::Stream;

/// Samples that are drawn: enough for the second digit of the ends.
const SAMPLES: usize = 2_000;

/// The 95 % interval of the mean of these numbers, by percentiles of means of samples with
/// replacement; none of no numbers.
#[must_use]
pub fn interval(numbers: &[f64], seed: u64) -> Option<(f64, f64)> {
    let mut stream = Stream::new(seed);
    let count = numbers.len();
    let mut means: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let draw = |_| {
                let index = stream.below(count as u64) as usize;
                numbers.get(index).copied().unwrap_or(0.0)
            };
            (0..count).map(draw).sum::<f64>() / count.max(1) as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| {
        means
            .get((share * (SAMPLES - 1) as f64).round() as usize)
            .copied()
    };
    (count > 0).then_some((at(0.025)?, at(0.975)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_many_numbers_is_that_of_the_normal_distribution() {
        let mut stream = Stream::new(4);
        let numbers: Vec<f64> = (0..400).map(|_| 3.0 + stream.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 400.0;
        let (low, high) = interval(&numbers, 1).unwrap();
        // 1.96 / sqrt(400).
        assert!((mean - low - 0.098).abs() < 0.015, "{low}");
        assert!((high - mean - 0.098).abs() < 0.015, "{high}");
    }

    #[test]
    fn equal_numbers_leave_no_doubt_and_none_have_no_mean() {
        assert_eq!(interval(&[2.0; 9], 1), Some((2.0, 2.0)));
        assert_eq!(interval(&[], 1), None);
    }
}
