//! What a process says of the values at several points together. Made once, as it costs far more
//! than a draw; never draws random numbers itself.

use crate::{
    cholesky::Cholesky,
    packed::{Packed, dot},
};

/// A joint normal distribution, as [`crate::Gp::joint`] makes it.
#[derive(Clone, Debug)]
pub struct Joint {
    means: Vec<f64>,
    factor: Cholesky,
}

impl Joint {
    /// With as many means as the covariance has rows. None if that is not positive definite, even
    /// with jitter.
    pub(crate) fn new(means: Vec<f64>, covariance: &Packed) -> Option<Self> {
        let factor = Cholesky::with_jitter(covariance)?;
        Some(Self { means, factor })
    }

    /// How many points it is of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.means.len()
    }

    /// It is of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.means.is_empty()
    }

    /// A draw of the values, in the order of the points, in `m^2 / 2` multiplications; `normals` are
    /// as many independent standard normal numbers.
    #[must_use]
    pub fn draw(&self, normals: &[f64]) -> Vec<f64> {
        let rows = self.factor.factor().rows().zip(&self.means);
        rows.map(|(row, mean)| mean + dot(row, normals)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_the_mean_and_the_factor_times_the_normal_numbers() {
        // [4 2; 2 5] = [2 0; 1 2] [2 1; 0 2].
        let covariance = Packed::new(2, |i, j| [[4.0, 2.0], [2.0, 5.0]][i][j]);
        let joint = Joint::new(vec![10.0, 20.0], &covariance).unwrap();
        assert_eq!(joint.draw(&[0.0, 0.0]), [10.0, 20.0]);
        assert_eq!(joint.draw(&[1.0, -3.0]), [12.0, 15.0]);
        assert_eq!(joint.len(), 2);
        let none = Joint::new(Vec::new(), &Packed::default()).unwrap();
        assert!(none.is_empty() && none.draw(&[]).is_empty());
        let wrong = Packed::new(2, |i, j| if i == j { 1.0 } else { 2.0 });
        assert!(Joint::new(vec![0.0; 2], &wrong).is_none());
    }
}
