//! The Cholesky factor of a symmetric positive definite matrix: what a Gaussian process is fitted
//! and asked with. Never inverts what it can solve.

use crate::packed::{Lanes, Packed, TOGETHER, add_all_scaled, add_scaled, dot};

/// The first jitter as a share of the mean diagonal element: some hundred times what rounding errors
/// of 1,000 rows amount to.
const FIRST_JITTER: f64 = 1e-10;
/// Beyond this share the matrix is not nearly positive definite, it is wrong.
const LAST_JITTER: f64 = 1e-4;
/// Columns that are made at once, so that those before them are read once for all of them; a multiple of
/// [`TOGETHER`].
const PANEL: usize = 8;

/// A lower triangle `L` with `L L' = A`.
#[derive(Clone, Debug)]
pub struct Cholesky {
    factor: Packed,
    jitter: f64,
}

impl Cholesky {
    /// Factors a matrix as it is, in `n^3 / 6` multiplications. None if it is not positive definite
    /// as far as floats can tell, or not finite.
    #[must_use]
    pub fn new(matrix: &Packed) -> Option<Self> {
        let size = matrix.size();
        let mut columns = matrix.columns();
        for first in (0..size).step_by(PANEL) {
            let begin = |column: usize| column * size - column * column.saturating_sub(1) / 2;
            let (done, mut rest) = columns.split_at_mut(begin(first));
            let mut panel: Vec<&mut [f64]> = Vec::with_capacity(PANEL);
            for column in first..size.min(first + PANEL) {
                let (own, others) = rest.split_at_mut(size - column);
                panel.push(own);
                rest = others;
            }
            for group in (0..first).step_by(TOGETHER) {
                let tails = std::array::from_fn(|k| {
                    let column = begin(group + k);
                    let tail = column + first - (group + k)..column + size - (group + k);
                    done.get(tail).unwrap_or_default()
                });
                subtract(tails, &mut panel);
            }
            if !eliminate_columns(&mut panel) {
                return None;
            }
        }
        Some(Self {
            factor: Packed::of_columns(matrix.size(), &columns),
            jitter: 0.0,
        })
    }

    /// Factors a matrix that is positive definite up to rounding errors: where it is not, the
    /// diagonal is lifted by 1e-10 of its mean, then by ten times as much, up to 1e-4 of it. None
    /// if that does not help either, or the matrix is not finite.
    #[must_use]
    pub fn with_jitter(matrix: &Packed) -> Option<Self> {
        if let Some(exact) = Self::new(matrix) {
            return Some(exact);
        }
        let mean = matrix.diagonal().sum::<f64>() / matrix.size() as f64;
        if !(mean.is_finite() && mean > 0.0) {
            return None;
        }
        let mut share = FIRST_JITTER;
        // The margin: ten times a float is not exactly the next power.
        while share < 2.0 * LAST_JITTER {
            let mut lifted = matrix.clone();
            lifted.lift(share * mean);
            if let Some(mut factor) = Self::new(&lifted) {
                factor.jitter = share * mean;
                return Some(factor);
            }
            share *= 10.0;
        }
        None
    }

    /// What was added to the diagonal elements.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Rows, and columns.
    #[must_use]
    pub fn size(&self) -> usize {
        self.factor.size()
    }

    /// The factor itself.
    #[must_use]
    pub fn factor(&self) -> &Packed {
        &self.factor
    }

    /// Makes it the factor of the matrix with one more row and column, in `n^2 / 2`
    /// multiplications. `row` ends with the diagonal element, to which the same jitter is added.
    /// False, and nothing changes, if that matrix is not positive definite or the row has another
    /// length.
    pub fn append(&mut self, row: &[f64]) -> bool {
        if row.len() != self.size() + 1 {
            return false;
        }
        let mut row = row.to_vec();
        if let Some(diagonal) = row.last_mut() {
            *diagonal += self.jitter;
        }
        let fits = eliminate(|j| self.factor.row(j), &mut row);
        if fits {
            self.factor.push(&row);
        }
        fits
    }

    /// Makes it the factor of the matrix plus `v v'`, in `n^2` multiplications. Missing elements of
    /// `v` count as 0.
    pub fn update(&mut self, v: &[f64]) {
        // Row by row: the rotations of all earlier columns first, then the one that clears the rest.
        let mut rotations: Vec<(f64, f64)> = Vec::with_capacity(self.size());
        for i in 0..self.size() {
            let mut rest = v.get(i).copied().unwrap_or(0.0);
            let (_, row) = self.factor.before(i);
            let Some((diagonal, row)) = row.split_last_mut() else {
                return;
            };
            for (element, (c, s)) in row.iter_mut().zip(&rotations) {
                let turned = c * *element + s * rest;
                rest = c * rest - s * *element;
                *element = turned;
            }
            let length = libm::hypot(*diagonal, rest);
            rotations.push((*diagonal / length, rest / length));
            *diagonal = length;
        }
    }

    /// Solves `L z = b` in place. `b` has as many elements as there are rows.
    pub fn forward(&self, b: &mut [f64]) {
        // Two rows at once: the second does not wait for the first.
        for i in (0..self.size()).step_by(2) {
            let (solved, rest) = b.split_at_mut(i.min(b.len()));
            match (rest, self.factor.row(i), self.factor.row(i + 1)) {
                ([x, y, ..], [upper @ .., own], [lower @ .., beside, last]) => {
                    *x = (*x - dot(upper, solved)) / own;
                    *y = (*y - dot(lower, solved) - beside * *x) / last;
                }
                ([x, ..], [row @ .., own], _) => *x = (*x - dot(row, solved)) / own,
                _ => {}
            }
        }
    }

    /// [`Self::forward`] of eight at once, side by side.
    pub(crate) fn forward_lanes(&self, b: &mut [Lanes]) {
        for i in (0..self.size()).step_by(2) {
            let (solved, rest) = b.split_at_mut(i.min(b.len()));
            match (rest, self.factor.row(i), self.factor.row(i + 1)) {
                ([x, y, ..], [upper @ .., own], [lower @ .., beside, last]) => {
                    subtract_two([x, y], [upper, lower], solved);
                    x.iter_mut().for_each(|x| *x /= own);
                    subtract_lanes(y, *beside, x);
                    y.iter_mut().for_each(|y| *y /= last);
                }
                ([x, ..], [row @ .., own], _) => {
                    for (element, solved) in row.iter().zip(solved) {
                        subtract_lanes(x, *element, solved);
                    }
                    x.iter_mut().for_each(|x| *x /= own);
                }
                _ => {}
            }
        }
    }

    /// Solves `L' z = b` in place.
    pub fn backward(&self, b: &mut [f64]) {
        let end = self.size().min(b.len());
        let whole = end - end % TOGETHER;
        for i in (whole..end).rev() {
            self.backward_one(i, 0, b);
        }
        // The others so many at once, so that what is before them is read once for all.
        for first in (0..whole).step_by(TOGETHER).rev() {
            let (before, here) = b.split_at_mut(first);
            for i in (first..first + TOGETHER).rev() {
                self.backward_one(i, first, here);
            }
            let row = |k: usize| self.factor.row(first + k).get(..first);
            let rows = std::array::from_fn(|k| row(k).unwrap_or_default());
            let solved = std::array::from_fn(|k| here.get(k).map_or(0.0, |x| -x));
            add_all_scaled(before, solved, rows);
        }
    }

    /// Solves for one element, and subtracts its part from those before it. `b` begins with the first that
    /// counts.
    fn backward_one(&self, i: usize, first: usize, b: &mut [f64]) {
        let (before, rest) = b.split_at_mut(i - first);
        if let ([element, ..], [row @ .., diagonal]) = (rest, self.factor.row(i)) {
            *element /= diagonal;
            add_scaled(before, -*element, row.get(first..).unwrap_or_default());
        }
    }

    /// Solves `A z = b` in place.
    pub fn solve(&self, b: &mut [f64]) {
        self.forward(b);
        self.backward(b);
    }

    /// The logarithm of the determinant of the matrix.
    #[must_use]
    pub fn log_determinant(&self) -> f64 {
        2.0 * self.factor.diagonal().map(libm::log).sum::<f64>()
    }

    /// The inverse of the matrix, in `n^3 / 3` multiplications: for gradients, which need all of it.
    #[must_use]
    pub fn inverse(&self) -> Packed {
        let size = self.size();
        // The inverse of L, row by row.
        let mut inverse = Packed::new(size, |_, _| 0.0);
        for (i, row) in self.factor.rows().enumerate() {
            let (before, here) = inverse.before(i);
            let Some((diagonal, row)) = row.split_last() else {
                continue;
            };
            let (groups, rest) = row.as_chunks();
            for (group, elements) in groups.iter().enumerate() {
                let rows = std::array::from_fn(|k| before.row(TOGETHER * group + k));
                add_all_scaled(here, elements.map(|element| -element / diagonal), rows);
            }
            let done = row.len() - rest.len();
            for (k, element) in rest.iter().enumerate() {
                add_scaled(here, -element / diagonal, before.row(done + k));
            }
            if let Some(last) = here.last_mut() {
                *last = 1.0 / diagonal;
            }
        }
        // Its transpose times itself.
        let mut product = Packed::new(size, |_, _| 0.0);
        for first in (0..size).step_by(TOGETHER) {
            let rows: [&[f64]; TOGETHER] = std::array::from_fn(|k| inverse.row(first + k));
            for i in 0..size.min(first + TOGETHER) {
                let elements = rows.map(|row| row.get(i).copied().unwrap_or(0.0));
                add_all_scaled(product.before(i).1, elements, rows);
            }
        }
        product
    }
}

/// Subtracts the parts of what is solved from two rows.
fn subtract_two([x, y]: [&mut Lanes; 2], [upper, lower]: [&[f64]; 2], solved: &[Lanes]) {
    let (mut left, mut below) = (*x, *y);
    // Two a round, since a round in the sandbox costs the look at its fuel; more do not fit in its registers.
    let ((upper, upper_rest), (lower, lower_rest)) =
        (upper.as_chunks::<2>(), lower.as_chunks::<2>());
    let (solved, rest) = solved.as_chunks::<2>();
    for ((upper, lower), solved) in upper.iter().zip(lower).zip(solved) {
        for ((upper, lower), solved) in upper.iter().zip(lower).zip(solved) {
            subtract_lanes(&mut left, *upper, solved);
            subtract_lanes(&mut below, *lower, solved);
        }
    }
    for ((upper, lower), solved) in upper_rest.iter().zip(lower_rest).zip(rest) {
        subtract_lanes(&mut left, *upper, solved);
        subtract_lanes(&mut below, *lower, solved);
    }
    (*x, *y) = (left, below);
}

#[inline]
fn subtract_lanes(left: &mut Lanes, element: f64, solved: &Lanes) {
    for (left, solved) in left.iter_mut().zip(solved) {
        *left -= element * solved;
    }
}

/// Subtracts the part of some columns of the factor, from the first row of a panel on, from the columns of
/// that panel.
fn subtract(mut tails: [&[f64]; TOGETHER], panel: &mut [&mut [f64]]) {
    for column in panel {
        let factors = tails.map(|tail| -tail.first().copied().unwrap_or(0.0));
        add_all_scaled(column, factors, tails);
        tails = tails.map(|tail| tail.get(1..).unwrap_or_default());
    }
}

/// Turns columns of the matrix into those of its factor, all before them subtracted. False if the matrix is
/// not positive definite.
fn eliminate_columns(panel: &mut [&mut [f64]]) -> bool {
    for place in 0..panel.len() {
        let (before, rest) = panel.split_at_mut(place);
        let Some(column) = rest.first_mut() else {
            break;
        };
        for (off, other) in (1..).zip(before.iter().rev()) {
            let tail = other.get(off..).unwrap_or_default();
            add_scaled(column, -tail.first().copied().unwrap_or(0.0), tail);
        }
        let Some((diagonal, below)) = column.split_first_mut() else {
            return false;
        };
        let left = *diagonal;
        *diagonal = left.sqrt();
        below.iter_mut().for_each(|element| *element /= *diagonal);
        if !(left > 0.0 && left.is_finite()) {
            return false;
        }
    }
    true
}

/// Turns a row of the matrix into the row of its factor, given the rows of the factor before it.
/// False if the matrix is not positive definite.
fn eliminate<'a>(before: impl Fn(usize) -> &'a [f64], row: &mut [f64]) -> bool {
    let Some((diagonal, row)) = row.split_last_mut() else {
        return false;
    };
    for j in 0..row.len() {
        let (done, rest) = row.split_at_mut(j);
        if let (Some(element), Some((pivot, above))) = (rest.first_mut(), before(j).split_last()) {
            *element = (*element - dot(done, above)) / pivot;
        }
    }
    let left = *diagonal - dot(row, row);
    *diagonal = left.sqrt();
    left > 0.0 && left.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_space::Stream;

    /// A random positive definite matrix.
    fn matrix(size: usize, seed: u64) -> Packed {
        let mut stream = Stream::new(seed);
        let rows: Vec<Vec<f64>> = (0..size)
            .map(|_| (0..size).map(|_| stream.normal()).collect())
            .collect();
        Packed::new(size, |i, j| {
            dot(&rows[i], &rows[j]) + if i == j { 0.1 } else { 0.0 }
        })
    }

    fn at(matrix: &Packed, i: usize, j: usize) -> f64 {
        matrix.row(i.max(j))[i.min(j)]
    }

    fn product(factor: &Cholesky) -> Packed {
        let rows: Vec<&[f64]> = factor.factor().rows().collect();
        Packed::new(rows.len(), |i, j| dot(rows[i], rows[j]))
    }

    fn close(a: &Packed, b: &Packed, tolerance: f64) {
        assert_eq!(a.size(), b.size());
        for (a, b) in a.rows().flatten().zip(b.rows().flatten()) {
            assert!((a - b).abs() <= tolerance, "{a} {b}");
        }
    }

    #[test]
    fn a_factor_by_hand() {
        // [4 2; 2 5] = [2 0; 1 2] [2 1; 0 2].
        let factor = Cholesky::new(&Packed::new(2, |i, j| [[4.0, 0.0], [2.0, 5.0]][i][j])).unwrap();
        assert_eq!(factor.factor().row(0), [2.0]);
        assert_eq!(factor.factor().row(1), [1.0, 2.0]);
        assert!((factor.log_determinant() - libm::log(16.0)).abs() < 1e-15);
        let mut b = [8.0, 9.0];
        factor.solve(&mut b);
        assert_eq!(b, [1.375, 1.25]);
    }

    #[test]
    fn the_factor_times_itself_is_the_matrix_and_its_solutions_solve_it() {
        for size in [1, 2, 7, 8, 9, 40] {
            let matrix = matrix(size, size as u64);
            let factor = Cholesky::new(&matrix).unwrap();
            close(&product(&factor), &matrix, 1e-10);
            let wanted: Vec<f64> = (0..size).map(|i| i as f64 - 3.0).collect();
            let mut b: Vec<f64> = (0..size)
                .map(|i| (0..size).map(|j| at(&matrix, i, j) * wanted[j]).sum())
                .collect();
            factor.solve(&mut b);
            for (b, wanted) in b.iter().zip(&wanted) {
                assert!((b - wanted).abs() < 1e-6, "{b} {wanted}");
            }
        }
    }

    #[test]
    fn the_inverse_times_the_matrix_is_the_identity() {
        let matrix = matrix(23, 5);
        let inverse = Cholesky::new(&matrix).unwrap().inverse();
        for i in 0..23 {
            for j in 0..23 {
                let sum: f64 = (0..23)
                    .map(|k| at(&matrix, i, k) * at(&inverse, k, j))
                    .sum();
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((sum - expected).abs() < 1e-7, "{i} {j} {sum}");
            }
        }
    }

    #[test]
    fn rows_that_are_appended_give_the_factor_of_the_whole() {
        let whole = matrix(30, 6);
        let first = Packed::new(20, |i, j| whole.row(i)[j]);
        let mut grown = Cholesky::new(&first).unwrap();
        for i in 20..30 {
            assert!(grown.append(whole.row(i)));
        }
        close(
            grown.factor(),
            Cholesky::new(&whole).unwrap().factor(),
            1e-9,
        );
        // A copy of an earlier row makes the matrix singular; another length is refused.
        let mut row = whole.row(29).to_vec();
        row.push(whole.row(29)[29]);
        row[29] = whole.row(29)[29];
        assert!(!grown.append(&row[..3]));
        row[30] -= 1e-3;
        assert!(!grown.append(&row));
        assert_eq!(grown.size(), 30);
    }

    #[test]
    fn an_update_adds_the_square_of_a_vector() {
        let matrix = matrix(17, 7);
        let mut factor = Cholesky::new(&matrix).unwrap();
        let v: Vec<f64> = (0..17).map(|i| f64::from(i) / 5.0 - 1.0).collect();
        factor.update(&v);
        let expected = Packed::new(17, |i, j| matrix.row(i)[j] + v[i] * v[j]);
        close(&product(&factor), &expected, 1e-9);
    }

    #[test]
    fn a_nearly_singular_matrix_is_lifted_as_little_as_needed_and_a_wrong_one_refused() {
        let ones = Packed::new(50, |_, _| 1.0);
        assert!(Cholesky::new(&ones).is_none());
        let lifted = Cholesky::with_jitter(&ones).unwrap();
        assert!(
            (1e-11..1e-9).contains(&lifted.jitter()),
            "{}",
            lifted.jitter()
        );
        assert_eq!(Cholesky::with_jitter(&matrix(5, 1)).unwrap().jitter(), 0.0);
        let negative = Packed::new(2, |i, j| if i == j { 1.0 } else { 2.0 });
        assert!(Cholesky::with_jitter(&negative).is_none());
        assert!(Cholesky::with_jitter(&Packed::new(3, |_, _| f64::NAN)).is_none());
        assert!(Cholesky::with_jitter(&Packed::default()).is_some());
    }
}
