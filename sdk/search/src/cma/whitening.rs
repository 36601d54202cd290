//! Coordinates in units of a distribution.

use std::sync::Arc;

use super::square::{LANES, Square};

/// How far a distribution reaches in which direction.
#[derive(Clone, Debug)]
pub(super) enum Spread {
    /// By coordinate.
    Lengths(Vec<f64>),
    /// C^(-1/2).
    InverseRoot(Arc<Square>),
}

/// Turns points into coordinates in which a distribution is round, around 0 and 1 wide: of a point that is drawn from
/// it the square has about as many units as there are dimensions.
#[derive(Clone, Debug)]
pub struct Whitening {
    mean: Vec<f64>,
    /// By coordinate of a point.
    widths: Vec<f64>,
    spread: Spread,
}

impl Whitening {
    pub(super) fn new(mean: Vec<f64>, widths: Vec<f64>, spread: Spread) -> Self {
        Self {
            mean,
            widths,
            spread,
        }
    }

    /// How many coordinates there are.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.mean.len()
    }

    /// The coordinates of a point.
    #[must_use]
    pub fn of(&self, x: &[f64]) -> Vec<f64> {
        self.whitened(&self.way_to(x))
    }

    /// The way from the mean to a point, in widths.
    pub(super) fn way_to(&self, x: &[f64]) -> Vec<f64> {
        let places = x.iter().zip(&self.mean).zip(&self.widths);
        places.map(|((x, m), w)| (x - m) / w).collect()
    }

    /// The coordinates of such a way: C^(-1/2) y.
    pub(super) fn whitened(&self, y: &[f64]) -> Vec<f64> {
        match &self.spread {
            Spread::Lengths(lengths) => y.iter().zip(lengths).map(|(y, l)| y / l).collect(),
            Spread::InverseRoot(root) => root.sum_of_rows(y),
        }
    }

    /// [`Self::of`] many points, equal bit for bit: one after the other, each of as many numbers as there are
    /// dimensions. Of points that have fewer the others are in the middle.
    #[must_use]
    pub fn of_all(&self, points: &[&[f64]]) -> Vec<f64> {
        let n = self.dimensions();
        let mut all = vec![0.0; points.len() * n];
        let mut lanes = vec![[0.0; LANES]; n];
        let mut products = Vec::with_capacity(n);
        let blocks = all.chunks_mut(LANES * n.max(1));
        for (block, points) in blocks.zip(points.chunks(LANES)) {
            let coordinates = self.mean.iter().zip(&self.widths).enumerate();
            for (lanes, (i, (mean, width))) in lanes.iter_mut().zip(coordinates) {
                for (lane, point) in lanes.iter_mut().zip(points) {
                    *lane = point.get(i).copied().unwrap_or(*mean);
                }
                lanes.iter_mut().for_each(|x| *x = (*x - mean) / width);
            }
            let turned = match &self.spread {
                Spread::Lengths(lengths) => {
                    for (lanes, length) in lanes.iter_mut().zip(lengths) {
                        lanes.iter_mut().for_each(|y| *y /= length);
                    }
                    &lanes
                }
                Spread::InverseRoot(root) => {
                    root.times_lanes(&lanes, &mut products);
                    &products
                }
            };
            for (k, point) in block.chunks_exact_mut(n.max(1)).enumerate() {
                for (y, lanes) in point.iter_mut().zip(turned) {
                    *y = lanes.get(k).copied().unwrap_or_default();
                }
            }
        }
        all
    }
}
