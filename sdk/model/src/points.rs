//! Observations: places in the unit cube, one after the other, and values of mean 0 and spread 1.

/// Points of equal width, one row each.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    width: usize,
    data: Vec<f64>,
}

impl Points {
    /// None yet, of this many coordinates (at least 1; more than a point gives are 0).
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            width: width.max(1),
            data: Vec::new(),
        }
    }

    /// These coordinates of one point after the other; what is no whole point at the end is left out.
    #[must_use]
    pub fn of(width: usize, mut data: Vec<f64>) -> Self {
        let width = width.max(1);
        data.truncate(data.len() - data.len() % width);
        Self { width, data }
    }

    /// Adds a point.
    pub fn push(&mut self, point: &[f64]) {
        let missing = self.width.saturating_sub(point.len());
        self.data.extend(point.iter().take(self.width));
        self.data.extend(std::iter::repeat_n(0.0, missing));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / self.width
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Coordinates of a point.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// All points, in the order in which they were added.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[f64]> + ExactSizeIterator {
        self.data.chunks_exact(self.width)
    }

    /// A point by position; empty past the last one.
    #[must_use]
    pub fn get(&self, position: usize) -> &[f64] {
        let from = position.saturating_mul(self.width);
        let range = from..from.saturating_add(self.width);
        self.data.get(range).unwrap_or_default()
    }
}

impl<'a> FromIterator<&'a [f64]> for Points {
    /// As wide as the first.
    fn from_iter<I: IntoIterator<Item = &'a [f64]>>(points: I) -> Self {
        let mut points = points.into_iter().peekable();
        let mut all = Self::new(points.peek().map_or(1, |first| first.len()));
        points.for_each(|point| all.push(point));
        all
    }
}

/// Mean and standard deviation of values, for standardising them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standard {
    /// Of the finite values; 0 if there are none.
    pub mean: f64,
    /// Of the finite values. Where they are all alike, their magnitude, at least 1, so that what
    /// rounding errors make of equal values stays nothing.
    pub deviation: f64,
}

impl Standard {
    /// Of the finite values among these.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let finite = || values.iter().filter(|v| v.is_finite());
        let n = finite().count().max(1) as f64;
        // Divided first: the sum of large values could overflow.
        let mean = finite().map(|v| v / n).sum::<f64>();
        let variance = finite().map(|v| (v - mean) * ((v - mean) / n)).sum::<f64>();
        let deviation = variance.sqrt();
        let magnitude = finite().fold(0.0_f64, |m, v| m.max(v.abs()));
        // The share that rounding errors leave of equal values; or it has overflowed.
        let alike = !(deviation > 1e-14 * magnitude && deviation.is_finite());
        Self {
            mean,
            deviation: if alike { magnitude.max(1.0) } else { deviation },
        }
    }

    /// A value in units of the deviation from the mean.
    #[must_use]
    pub fn scaled(self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    /// Undoes [`Self::scaled`].
    #[must_use]
    pub fn unscaled(self, value: f64) -> f64 {
        self.mean + self.deviation * value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_keep_their_order_and_width() {
        let points: Points = [&[1.0, 2.0][..], &[3.0], &[4.0, 5.0, 6.0]]
            .into_iter()
            .collect();
        assert_eq!(points.len(), 3);
        assert_eq!(points.get(1), [3.0, 0.0]);
        assert_eq!(points.iter().next_back(), Some(&[4.0, 5.0][..]));
        assert_eq!(points.get(3), [0.0; 0]);
    }

    #[test]
    fn standardised_values_have_mean_0_and_deviation_1_and_equal_ones_are_0() {
        let standard = Standard::of(&[1.0, f64::NAN, 3.0, f64::INFINITY]);
        assert_eq!((standard.mean, standard.deviation), (2.0, 1.0));
        assert_eq!(standard.unscaled(standard.scaled(7.0)), 7.0);
        for value in [0.0, 0.1, 1e300, -1e-300] {
            let standard = Standard::of(&[value; 7]);
            assert!(standard.scaled(value).abs() < 1e-12, "{value} {standard:?}");
        }
        assert_eq!(Standard::of(&[]).scaled(5.0), 5.0);
        assert_eq!(Standard::of(&[f64::MAX, f64::MIN]).mean, 0.0);
    }
}
