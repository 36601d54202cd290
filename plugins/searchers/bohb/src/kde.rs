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
    /// Logarithm of a row's density at the row itself, all dimensions together.
    peak: f64,
    /// What another alternative adds to that logarithm, by dimension; 0 for numbers.
    apart: Vec<f64>,
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
        let bandwidths: Vec<f64> = axes.iter().enumerate().map(bandwidth).collect();
        let logarithms = axes.iter().zip(&bandwidths).map(|(axis, h)| match axis {
            Axis::Number => (normal::log_density(0.0) - libm::log(*h), 0.0),
            Axis::Choice(count) => {
                let others = (count - 1).max(1) as f64;
                let same = libm::log(1.0 - h);
                (same, libm::log(h / others) - same)
            }
        });
        let (peaks, apart): (Vec<f64>, _) = logarithms.unzip();
        Self {
            peak: peaks.iter().sum(),
            apart,
            bandwidths,
            axes,
            rows,
        }
    }

    /// At least 1e-32. One exponential a row: this is where all the time goes.
    pub(crate) fn density(&self, point: &[f64]) -> f64 {
        let of = |row: &Vec<f64>| {
            let kernels = self.axes.iter().zip(&self.bandwidths).zip(&self.apart);
            let lower = kernels.zip(row.iter().zip(point));
            let lower = lower.map(|(((axis, h), apart), (center, x))| match axis {
                Axis::Number => {
                    let z = (x - center) / h;
                    -0.5 * z * z
                }
                Axis::Choice(_) if x == center => 0.0,
                Axis::Choice(_) => *apart,
            });
            libm::exp(self.peak + lower.sum::<f64>())
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
    fn a_density_is_the_mean_of_products_of_kernels() {
        let axes = [Axis::Number, Axis::Choice(3)];
        let rows = vec![vec![0.4, 0.0], vec![0.6, 2.0]];
        let kde = Kde::new(&axes, rows, 0.02);
        let (h, k) = (kde.bandwidths[0], kde.bandwidths[1]);
        let number = |z: f64| libm::exp(normal::log_density(z)) / h;
        let expected = (number(0.1 / h) * (1.0 - k) + number(-0.1 / h) * k / 2.0) / 2.0;
        assert!((kde.density(&[0.5, 0.0]) / expected - 1.0).abs() < 1e-12);
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
