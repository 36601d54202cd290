//! Small square matrices and the eigenvectors of symmetric ones, sequentially and in a fixed order.

#![expect(
    clippy::indexing_slicing,
    reason = "rows and columns run below the size that the matrix was made with"
)]

/// Rotations of all pairs at most; a symmetric matrix of 100 needs about ten.
const MAX_SWEEPS: usize = 60;
/// Vectors that are multiplied at once: as many as fill the vector units of today's processors and of WebAssembly.
pub(crate) const LANES: usize = 8;

/// The same element of several vectors.
pub(crate) type Lanes = [f64; LANES];

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

    pub(crate) fn diagonal(&self) -> Vec<f64> {
        (0..self.n).map(|i| self.at(i, i)).collect()
    }

    /// The sum of the rows, each as often as `v` says.
    pub(crate) fn sum_of_rows(&self, v: &[f64]) -> Vec<f64> {
        let mut sums = vec![-0.0; self.n];
        for (row, factor) in self.rows().zip(v) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x * factor;
            }
        }
        sums
    }

    /// The product of each row with a vector.
    pub(crate) fn times(&self, v: &[f64]) -> Vec<f64> {
        let product = |row: &[f64]| row.iter().zip(v).map(|(x, y)| x * y).sum();
        self.rows().map(product).collect()
    }

    /// [`Self::times`] of several vectors side by side, equal bit for bit.
    pub(crate) fn times_lanes(&self, v: &[Lanes], products: &mut Vec<Lanes>) {
        products.clear();
        let rows = self.rows();
        // Two rows at once, so that the vectors are read once for both.
        for (row, next) in rows.clone().step_by(2).zip(rows.skip(1).step_by(2)) {
            let (mut sums, mut next_sums) = ([-0.0; LANES], [-0.0; LANES]);
            // Two a round, since a round in the sandbox costs the look at its fuel; more do not fit in its registers.
            let ((row, end), (next, next_end)) = (row.as_chunks::<2>(), next.as_chunks::<2>());
            let (v, v_end) = v.as_chunks::<2>();
            for ((row, next), v) in row.iter().zip(next).zip(v) {
                for ((x, next), v) in row.iter().zip(next).zip(v) {
                    add_scaled(&mut sums, *x, v);
                    add_scaled(&mut next_sums, *next, v);
                }
            }
            for ((x, next), v) in end.iter().zip(next_end).zip(v_end) {
                add_scaled(&mut sums, *x, v);
                add_scaled(&mut next_sums, *next, v);
            }
            products.extend([sums, next_sums]);
        }
        if self.n % 2 == 1
            && let Some(row) = self.rows().next_back()
        {
            let mut sums = [-0.0; LANES];
            row.iter()
                .zip(v)
                .for_each(|(x, v)| add_scaled(&mut sums, *x, v));
            products.push(sums);
        }
    }

    pub(crate) fn transposed(&self) -> Self {
        Self::new(self.n, |i, j| self.at(j, i))
    }

    fn rows(&self) -> impl DoubleEndedIterator<Item = &[f64]> + Clone {
        self.elements.chunks_exact(self.n.max(1))
    }

    /// Eigenvalues of a symmetric matrix, and its eigenvectors as rows: the method of Jacobi.
    pub(crate) fn eigen(&self) -> (Vec<f64>, Self) {
        let n = self.n;
        // The matrix and its transpose, so that its columns stand in a row too.
        let (mut a, mut transposed) = (self.clone(), self.transposed());
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
                    if let Some(turn) = Turn::new(a.at(p, p), a.at(q, q), a.at(p, q)) {
                        turn.turn(transposed.two_rows(p, q));
                        a.set_columns(p, q, &transposed);
                        turn.turn(a.two_rows(p, q));
                        transposed.set_columns(p, q, &a);
                        turn.turn(vectors.two_rows(p, q));
                    }
                }
            }
        }
        (a.diagonal(), vectors)
    }

    /// The rows `p` and, after it, `q`.
    fn two_rows(&mut self, p: usize, q: usize) -> (&mut [f64], &mut [f64]) {
        let (before, after) = self.elements.split_at_mut(q * self.n);
        (&mut before[p * self.n..][..self.n], &mut after[..self.n])
    }

    /// Makes two columns what these rows of the other matrix are.
    fn set_columns(&mut self, p: usize, q: usize, other: &Self) {
        let n = self.n;
        let (at_p, at_q) = (&other.elements[p * n..][..n], &other.elements[q * n..][..n]);
        let rows = self.elements.chunks_exact_mut(n.max(1));
        for (row, (x, y)) in rows.zip(at_p.iter().zip(at_q)) {
            row[p] = *x;
            row[q] = *y;
        }
    }
}

#[inline]
fn add_scaled(sums: &mut Lanes, factor: f64, v: &Lanes) {
    for (sum, x) in sums.iter_mut().zip(v) {
        *sum += factor * x;
    }
}

/// A rotation of two axes.
struct Turn {
    c: f64,
    s: f64,
}

impl Turn {
    /// The one that makes the element off the diagonal zero; none if it is.
    fn new(app: f64, aqq: f64, apq: f64) -> Option<Self> {
        if apq == 0.0 {
            return None;
        }
        let theta = (aqq - app) / (2.0 * apq);
        let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
        let c = 1.0 / (t * t + 1.0).sqrt();
        Some(Self { c, s: t * c })
    }

    fn turn(&self, (p, q): (&mut [f64], &mut [f64])) {
        // Blocks of a length that the compiler knows become vector instructions.
        let ((p, p_rest), (q, q_rest)) = (p.as_chunks_mut::<8>(), q.as_chunks_mut::<8>());
        for (p, q) in p.iter_mut().zip(q) {
            self.turn_each(p, q);
        }
        self.turn_each(p_rest, q_rest);
    }

    #[inline]
    fn turn_each(&self, p: &mut [f64], q: &mut [f64]) {
        for (x, y) in p.iter_mut().zip(q) {
            (*x, *y) = (self.c * *x - self.s * *y, self.s * *x + self.c * *y);
        }
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
                    let back = of(&|k| vectors.at(k, i) * values[k] * vectors.at(k, j));
                    assert!((back - a.at(i, j)).abs() < 1e-10, "{n} {i} {j}");
                    let dot = of(&|k| vectors.at(i, k) * vectors.at(j, k));
                    assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn vectors_side_by_side_give_what_each_gives_to_the_last_bit() {
        let mut stream = Stream::new(3);
        for n in [1, 3, 8, 21] {
            let a = Square::new(n, |_, _| stream.normal());
            let lanes: Vec<Lanes> = (0..n)
                .map(|_| std::array::from_fn(|_| stream.normal()))
                .collect();
            let (mut rows, mut columns) = (Vec::new(), Vec::new());
            a.times_lanes(&lanes, &mut rows);
            a.transposed().times_lanes(&lanes, &mut columns);
            for lane in 0..LANES {
                let of = |all: &[Lanes]| all.iter().map(|x| x[lane]).collect::<Vec<f64>>();
                assert_eq!(of(&rows), a.times(&of(&lanes)));
                assert_eq!(of(&columns), a.sum_of_rows(&of(&lanes)));
            }
        }
    }

    #[test]
    fn what_is_not_a_number_ends_the_search() {
        let (values, _) = Square::new(3, |_, _| f64::NAN).eigen();
        assert_eq!(values.len(), 3);
    }
}
