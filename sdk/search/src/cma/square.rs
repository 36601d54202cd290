//! Small square matrices and the eigenvectors of symmetric ones, sequentially and in a fixed order.

#![expect(
    clippy::indexing_slicing,
    reason = "rows and columns run below the size that the matrix was made with"
)]

/// Rotations of all pairs at most; a symmetric matrix of 100 needs about ten.
const MAX_SWEEPS: usize = 60;

/// A square matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Square {
    n: usize,
    elements: Vec<f64>,
}

impl Square {
    pub(crate) fn new(n: usize, mut element: impl FnMut(usize, usize) -> f64) -> Self {
        let places = (0..n).flat_map(|row| (0..n).map(move |column| (row, column)));
        Self {
            n,
            elements: places.map(|(row, column)| element(row, column)).collect(),
        }
    }

    pub(crate) fn unit(n: usize) -> Self {
        Self::new(n, |row, column| f64::from(u8::from(row == column)))
    }

    pub(crate) fn size(&self) -> usize {
        self.n
    }

    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        self.elements[row * self.n + column]
    }

    pub(crate) fn set(&mut self, row: usize, column: usize, value: f64) {
        self.elements[row * self.n + column] = value;
    }

    pub(crate) fn diagonal(&self) -> Vec<f64> {
        (0..self.n).map(|i| self.at(i, i)).collect()
    }

    /// The product with a vector.
    pub(crate) fn times(&self, v: &[f64]) -> Vec<f64> {
        let row = |i| (0..self.n).map(|j| self.at(i, j) * v[j]).sum();
        (0..self.n).map(row).collect()
    }

    /// The product of the transpose with a vector.
    pub(crate) fn transposed_times(&self, v: &[f64]) -> Vec<f64> {
        let column = |j| (0..self.n).map(|i| self.at(i, j) * v[i]).sum();
        (0..self.n).map(column).collect()
    }

    /// Eigenvalues of a symmetric matrix, and its eigenvectors as columns: the method of Jacobi.
    pub(crate) fn eigen(&self) -> (Vec<f64>, Self) {
        let n = self.n;
        let mut a = self.clone();
        let mut vectors = Self::unit(n);
        for _ in 0..MAX_SWEEPS {
            let off: f64 = (0..n)
                .flat_map(|i| (0..i).map(move |j| (i, j)))
                .map(|(i, j)| a.at(i, j) * a.at(i, j))
                .sum();
            let on: f64 = a.diagonal().iter().map(|x| x * x).sum();
            let is_diagonal = off <= on * 1e-30;
            if is_diagonal || off.is_nan() {
                break;
            }
            for p in 0..n {
                for q in p + 1..n {
                    rotate(&mut a, &mut vectors, p, q);
                }
            }
        }
        (a.diagonal(), vectors)
    }
}

/// Makes the elements (p, q) and (q, p) zero.
fn rotate(a: &mut Square, vectors: &mut Square, p: usize, q: usize) {
    let (app, aqq, apq) = (a.at(p, p), a.at(q, q), a.at(p, q));
    if apq == 0.0 {
        return;
    }
    let theta = (aqq - app) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..a.size() {
        let (akp, akq) = (a.at(k, p), a.at(k, q));
        a.set(k, p, c * akp - s * akq);
        a.set(k, q, s * akp + c * akq);
    }
    for k in 0..a.size() {
        let (apk, aqk) = (a.at(p, k), a.at(q, k));
        a.set(p, k, c * apk - s * aqk);
        a.set(q, k, s * apk + c * aqk);
        let (vkp, vkq) = (vectors.at(k, p), vectors.at(k, q));
        vectors.set(k, p, c * vkp - s * vkq);
        vectors.set(k, q, s * vkp + c * vkq);
    }
}

#[cfg(test)]
mod tests {
    use tune_space::Stream;

    use super::*;

    #[test]
    fn eigenvectors_are_orthonormal_and_give_the_matrix_back() {
        let mut stream = Stream::new(2);
        for n in [1, 2, 5, 30] {
            let half = Square::new(n, |_, _| stream.normal());
            let a = Square::new(n, |i, j| half.at(i, j) + half.at(j, i));
            let (values, vectors) = a.eigen();
            for i in 0..n {
                for j in 0..n {
                    let of = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
                    let back = of(&|k| vectors.at(i, k) * values[k] * vectors.at(j, k));
                    assert!((back - a.at(i, j)).abs() < 1e-10, "{n} {i} {j}");
                    let dot = of(&|k| vectors.at(k, i) * vectors.at(k, j));
                    assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_ends_the_search() {
        let (values, _) = Square::new(3, |_, _| f64::NAN).eigen();
        assert_eq!(values.len(), 3);
    }
}
