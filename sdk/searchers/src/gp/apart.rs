//! Results of the neighbourhood that the model of the whole space learns of too: those apart from all others.
//!
//! Dozens of nearly equal points would soon be half of its results. The median would be among them, all that is
//! far away would be flattened as what is below it, and their differences would count as noise.

use tune_model::Axis;

/// Closer together, in units of the ranges, two points count as one. Between 0.02 and 0.1 the study does not
/// tell them apart.
const APART: f64 = 0.05;

/// Points, none of which was added close to another one.
pub(crate) struct Apart {
    axes: Vec<Axis>,
    points: Vec<Vec<f64>>,
}

impl Apart {
    /// With some to begin with, however close.
    pub(crate) fn new(axes: Vec<Axis>, points: impl Iterator<Item = Vec<f64>>) -> Self {
        let points = points.collect();
        Self { axes, points }
    }

    /// Adds a point that is not close to any; whether it did.
    pub(crate) fn takes(&mut self, point: Vec<f64>) -> bool {
        let is_close = |other: &Vec<f64>| {
            let pairs = self.axes.iter().zip(point.iter().zip(other));
            // Active and inactive are apart, wherever the number is.
            let squares = pairs.map(|(axis, (a, b))| {
                if a.is_nan() == b.is_nan() {
                    axis.distance(*a, *b).0
                } else {
                    1.0
                }
            });
            squares.sum::<f64>() < APART * APART
        };
        let is_apart = !self.points.iter().any(is_close);
        if is_apart {
            self.points.push(point);
        }
        is_apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_points_count_once_and_another_choice_is_not_close() {
        let axes = vec![Axis::Number, Axis::Category];
        let mut apart = Apart::new(axes, std::iter::once(vec![0.5, 0.0]));
        assert!(!apart.takes(vec![0.54, 0.0]));
        assert!(apart.takes(vec![0.56, 0.0]));
        assert!(!apart.takes(vec![0.58, 0.0]));
        assert!(apart.takes(vec![0.5, 1.0]));
        // Inactive is far from active.
        assert!(apart.takes(vec![f64::NAN, 1.0]) && !apart.takes(vec![f64::NAN, 1.0]));
    }
}
