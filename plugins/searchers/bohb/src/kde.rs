//! Kernel density estimates as BOHB has them: a product of one kernel a dimension, normal for numbers
//! on [0, 1] and that of Aitchison and Aitken (1976) for choices, with the bandwidths of the normal
//! reference rule.

use tune_plugin::{Stream, normal};

/// What a coordinate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// In [0, 1].
    Number,
    /// The position of one of so many alternatives.
    Choice(u64),
}

/// Densities below this count as this, so that their ratio is a number.
const LEAST: f64 = 1e-32;
/// Draws of a normal number within [0, 1] before one is taken from anywhere.
const ATTEMPTS: u32 = 100;

/// A density out of some points.
#[derive(Clone, Debug)]
pub(crate) struct Kde<'a> {
    axes: &'a [Axis],
    rows: Vec<Vec<f64>>,
    bandwidths: Vec<f64>,
}

impl<'a> Kde<'a> {
    /// Of rows without gaps, at least one.
    pub(crate) fn new(axes: &'a [Axis], rows: Vec<Vec<f64>>, least_bandwidth: f64) -> Self {
        let n = rows.len().max(1) as f64;
        let rate = libm::pow(n, -1.0 / (4.0 + axes.len() as f64));
        let bandwidth = |(i, axis): (usize, &Axis)| {
            let column = || rows.iter().filter_map(|row| row.get(i));
            let mean = column().sum::<f64>() / n;
            let deviation = (column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
            let h = (1.06 * deviation * rate).max(least_bandwidth);
            match axis {
                Axis::Number => h,
                // From there on all alternatives are alike.
                Axis::Choice(count) => h.min((count - 1) as f64 / *count as f64),
            }
        };
        Self {
            bandwidths: axes.iter().enumerate().map(bandwidth).collect(),
            axes,
            rows,
        }
    }

    /// At least 1e-32.
    pub(crate) fn density(&self, point: &[f64]) -> f64 {
        let of = |row: &Vec<f64>| {
            let dimensions = self
                .axes
                .iter()
                .zip(&self.bandwidths)
                .zip(row.iter().zip(point));
            dimensions
                .map(|((axis, h), (center, x))| match axis {
                    Axis::Number => libm::exp(normal::log_density((x - center) / h)) / h,
                    Axis::Choice(count) if x == center => 1.0 - h.min((count - 1) as f64),
                    Axis::Choice(count) => h / (count - 1).max(1) as f64,
                })
                .product::<f64>()
        };
        let sum: f64 = self.rows.iter().map(of).sum();
        (sum / self.rows.len().max(1) as f64).max(LEAST)
    }

    /// Draws around one of the rows, numbers `factor` times as wide as the bandwidths.
    pub(crate) fn sample(&self, factor: f64, stream: &mut Stream) -> Vec<f64> {
        let chosen = stream.below(self.rows.len() as u64) as usize;
        let row = self.rows.get(chosen).map_or(&[][..], Vec::as_slice);
        let dimensions = self.axes.iter().zip(&self.bandwidths).zip(row);
        dimensions
            .map(|((axis, h), center)| match axis {
                Axis::Number => (0..ATTEMPTS)
                    .map(|_| center + factor * h * stream.normal())
                    .find(|x| (0.0..=1.0).contains(x))
                    .unwrap_or_else(|| stream.unit()),
                Axis::Choice(_) if stream.unit() < 1.0 - h => *center,
                Axis::Choice(count) => stream.below(*count) as f64,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths_follow_the_normal_reference_rule() {
        let rows = vec![vec![0.2, 0.0], vec![0.4, 0.0], vec![0.9, 1.0]];
        let axes = [Axis::Number, Axis::Choice(2)];
        let kde = Kde::new(&axes, rows, 1e-3);
        // Standard deviation sqrt(0.26 / 3), and 3^(-1/6).
        let expected = 1.06 * (0.26_f64 / 3.0).sqrt() * libm::pow(3.0, -1.0 / 6.0);
        assert!((kde.bandwidths[0] - expected).abs() < 1e-12);
        let choice = 1.06 * (2.0_f64 / 9.0).sqrt() * libm::pow(3.0, -1.0 / 6.0);
        assert!((kde.bandwidths[1] - choice.min(0.5)).abs() < 1e-12);
    }

    #[test]
    fn a_density_of_numbers_and_choices_sums_to_one_over_everything() {
        let axes = [Axis::Number, Axis::Choice(3)];
        let kde = Kde::new(&axes, vec![vec![0.4, 0.0], vec![0.6, 2.0]], 0.02);
        let steps = 4_000;
        let mut sum = 0.0;
        for i in 0..steps {
            for k in 0..3 {
                let x = -1.0 + 3.0 * (f64::from(i) + 0.5) / f64::from(steps);
                sum += kde.density(&[x, f64::from(k)]) * 3.0 / f64::from(steps);
            }
        }
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn samples_lie_in_the_cube_and_near_the_rows() {
        let axes = [Axis::Number, Axis::Choice(4)];
        let kde = Kde::new(&axes, vec![vec![0.5, 3.0]; 9], 1e-3);
        let mut stream = Stream::new(1);
        for _ in 0..200 {
            let sample = kde.sample(3.0, &mut stream);
            assert!((sample[0] - 0.5).abs() < 0.02, "{sample:?}");
            assert!(sample[1] < 4.0);
        }
    }
}
