//! The points that a process knows values at, as its kernel compares them: one after the other, and in blocks
//! that are compared at once.

use crate::{
    packed::{LANES, Lanes},
    points::Points,
};

/// Points, with the same coordinate of eight of them side by side.
#[derive(Clone, Debug)]
pub struct Known {
    points: Points,
    /// Block after block its coordinates; those of points that the last one does not have are 0.
    blocks: Vec<Lanes>,
}

impl Known {
    /// None yet, of this many coordinates.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            points: Points::new(width),
            blocks: Vec::new(),
        }
    }

    /// Adds a point.
    pub fn push(&mut self, point: &[f64]) {
        let (place, width) = (self.points.len(), self.points.width());
        self.points.push(point);
        if place % LANES == 0 {
            self.blocks.resize(self.blocks.len() + width, [0.0; LANES]);
        }
        let block = self.blocks.get_mut(place / LANES * width..);
        let coordinates = block.into_iter().flatten().zip(self.points.get(place));
        for (lanes, coordinate) in coordinates {
            if let Some(lane) = lanes.get_mut(place % LANES) {
                *lane = *coordinate;
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// One after the other.
    #[must_use]
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// The coordinates of one block after the other.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &[Lanes]> {
        self.blocks.chunks_exact(self.points.width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_the_same_coordinate_of_eight_points_side_by_side() {
        let mut known = Known::new(2);
        assert!(known.is_empty() && known.blocks().next().is_none());
        for i in 0..10 {
            known.push(&[f64::from(i), -f64::from(i)]);
        }
        assert_eq!((known.len(), known.blocks().count()), (10, 2));
        let first = known.blocks().next().unwrap();
        assert_eq!(first[1], [-0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0]);
        let last = known.blocks().last().unwrap();
        assert_eq!(last[0], [8.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(known.points().get(9), [9.0, -9.0]);
    }
}
