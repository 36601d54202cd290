//! Small square matrices, sequentially and in a fixed order.

#![expect(
    clippy::indexing_slicing,
    reason = "rows and columns run below the size that the matrix was made with"
)]

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
        self.add_rows(0, v, &mut sums);
        sums
    }

    /// Adds the rows from one on to `sums`, each as often as `v` says, without the columns before it.
    pub(crate) fn add_rows(&self, from: usize, v: &[f64], sums: &mut [f64]) {
        let row = |i: usize| &self.row(from + i)[from..];
        // Two at once, so that the sums are read and written once for both.
        let (pairs, last) = v.as_chunks::<2>();
        for (i, [f, g]) in pairs.iter().enumerate() {
            let rows = [row(2 * i), row(2 * i + 1)];
            change(sums, rows, |sum, x, y| (sum + f * x) + g * y);
        }
        if let [f] = last {
            let row = row(v.len() - 1);
            change(sums, [row, row], |sum, x, _| sum + f * x);
        }
    }

    /// [`Self::sum_of_rows`] of a symmetric matrix with several vectors side by side, equal bit for bit.
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

    pub(crate) fn multiply(&mut self, factor: f64) {
        self.elements.iter_mut().for_each(|x| *x *= factor);
    }

    /// Adds the products of all pairs of numbers of each vector, as often as its factor says. What is symmetric stays
    /// so to the last bit.
    pub(crate) fn add_squares<'a>(&mut self, vectors: impl Iterator<Item = (f64, &'a [f64])>) {
        let vectors: Vec<(f64, &[f64])> = vectors.collect();
        // Two at once, so that the matrix is read and written once for both.
        let (pairs, last) = vectors.as_chunks::<2>();
        let alone = last.iter().map(|(f, a)| [(*f, *a), (0.0, *a)]);
        for [(f, a), (g, b)] in pairs.iter().copied().chain(alone) {
            let rows = self.elements.chunks_exact_mut(self.n.max(1));
            for (row, (a_i, b_i)) in rows.zip(a.iter().zip(b)) {
                change(row, [a, b], |x, a, b| x + (f * (a_i * a) + g * (b_i * b)));
            }
        }
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.elements[row * self.n..][..self.n]
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.elements[row * self.n..][..self.n]
    }

    /// A row and the next one.
    pub(crate) fn two_rows(&mut self, row: usize) -> (&mut [f64], &mut [f64]) {
        self.elements[row * self.n..][..2 * self.n].split_at_mut(self.n)
    }
}

#[inline]
fn add_scaled(sums: &mut Lanes, factor: f64, v: &Lanes) {
    for (sum, x) in sums.iter_mut().zip(v) {
        *sum += factor * x;
    }
}

/// Changes a row by what stands in two others. Blocks of a length that the compiler knows become vector instructions.
#[inline]
pub(crate) fn change(row: &mut [f64], [a, b]: [&[f64]; 2], next: impl Fn(f64, f64, f64) -> f64) {
    let (row, end) = row.as_chunks_mut::<LANES>();
    let ((a, a_end), (b, b_end)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for ((row, a), b) in row.iter_mut().zip(a).zip(b) {
        for ((x, a), b) in row.iter_mut().zip(a).zip(b) {
            *x = next(*x, *a, *b);
        }
    }
    for ((x, a), b) in end.iter_mut().zip(a_end).zip(b_end) {
        *x = next(*x, *a, *b);
    }
}

#[cfg(test)]
mod tests {
    use tune_space::Stream;

    use super::*;

    #[test]
    fn vectors_side_by_side_give_what_each_gives_to_the_last_bit() {
        let mut stream = Stream::new(3);
        for n in [1, 3, 8, 21] {
            let mut a = Square::new(n, |_, _| 0.0);
            let v: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
            let w: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
            a.add_squares([(0.3, v.as_slice()), (1.7, &w), (0.9, &v)].into_iter());
            assert_eq!(a, a.transposed());
            let lanes: Vec<Lanes> = (0..n)
                .map(|_| std::array::from_fn(|_| stream.normal()))
                .collect();
            let mut products = Vec::new();
            a.times_lanes(&lanes, &mut products);
            for lane in 0..LANES {
                let of = |all: &[Lanes]| all.iter().map(|x| x[lane]).collect::<Vec<f64>>();
                assert_eq!(of(&products), a.sum_of_rows(&of(&lanes)));
            }
        }
    }
}
