//! Random rotations, by which functions of several numbers lose the axes that searchers like.

use tune_space::Stream;

/// An orthogonal matrix: the rows are unit vectors at right angles.
#[derive(Clone, Debug)]
pub(crate) struct Rotation(Vec<Vec<f64>>);

impl Rotation {
    /// Drawn evenly among all: Gram and Schmidt's procedure on normal numbers, as in BBOB.
    pub(crate) fn draw(dims: usize, stream: &mut Stream) -> Self {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(dims);
        for _ in 0..dims {
            let mut row: Vec<f64> = (0..dims).map(|_| stream.normal()).collect();
            // Twice, so that what rounding left of the earlier rows goes too.
            for _ in 0..2 {
                for other in &rows {
                    let along = dot(&row, other);
                    for (a, b) in row.iter_mut().zip(other) {
                        *a -= along * b;
                    }
                }
            }
            let length = dot(&row, &row).sqrt();
            for a in &mut row {
                *a /= length;
            }
            rows.push(row);
        }
        Self(rows)
    }

    /// The vector, turned.
    pub(crate) fn turn(&self, x: &[f64]) -> Vec<f64> {
        self.0.iter().map(|row| dot(row, x)).collect()
    }

    /// The vector, turned the other way.
    #[cfg(test)]
    pub(crate) fn turn_back(&self, x: &[f64]) -> Vec<f64> {
        let column = |i: usize| self.0.iter().zip(x).map(|(row, a)| row[i] * a).sum();
        (0..x.len()).map(column).collect()
    }
}

/// The product of two vectors, summed in order.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unit_vectors_at_right_angles() {
        let rotation = Rotation::draw(10, &mut Stream::new(3));
        for (i, a) in rotation.0.iter().enumerate() {
            for (j, b) in rotation.0.iter().enumerate() {
                let expected = f64::from(u8::from(i == j));
                assert!((dot(a, b) - expected).abs() < 1e-14, "{i} {j}");
            }
        }
    }

    #[test]
    fn turning_there_and_back_changes_nothing() {
        let rotation = Rotation::draw(4, &mut Stream::new(5));
        let x = [1.0, -2.0, 0.5, 3.0];
        for (a, b) in rotation.turn_back(&rotation.turn(&x)).iter().zip(x) {
            assert!((a - b).abs() < 1e-14);
        }
    }
}
