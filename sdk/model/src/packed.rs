//! Lower triangles of square matrices, row after row, and the loops that all linear algebra here is made
//! of. The order of every sum is fixed, so that host and sandbox agree in the last bit.

/// Partial sums of a dot product: eight fill the vector units of today's processors and of WebAssembly,
/// and the number is part of the result.
pub(crate) const LANES: usize = 8;

/// Numbers that are handled at once.
pub(crate) type Lanes = [f64; LANES];

/// Rows that are added to another one at once: it is read and written once for all of them.
pub(crate) const TOGETHER: usize = 4;

/// The sum of the products, in eight interleaved partial sums.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (a.get(..n).unwrap_or(a), b.get(..n).unwrap_or(b));
    let mut sums = [0.0; LANES];
    // Blocks of a length that the compiler knows: the inner loops are vector instructions. Two a round, since
    // a round in the sandbox costs the look at its fuel.
    let ((blocks_a, rest_a), (blocks_b, rest_b)) = (a.as_chunks(), b.as_chunks());
    let ((pairs_a, last_a), (pairs_b, last_b)) = (blocks_a.as_chunks::<2>(), blocks_b.as_chunks());
    for ([x, x_next], [y, y_next]) in pairs_a.iter().zip(pairs_b) {
        add_products(&mut sums, x, y);
        add_products(&mut sums, x_next, y_next);
    }
    if let (Some(x), Some(y)) = (last_a.first(), last_b.first()) {
        add_products(&mut sums, x, y);
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}

#[inline]
fn add_products(sums: &mut Lanes, x: &Lanes, y: &Lanes) {
    for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
        *sum += x * y;
    }
}

/// Adds `factor` times `x` to `y`.
pub fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    let n = y.len().min(x.len());
    let (y, x) = (y.get_mut(..n).unwrap_or_default(), x.get(..n).unwrap_or(x));
    let ((blocks_y, rest_y), (blocks_x, rest_x)) =
        (y.as_chunks_mut::<LANES>(), x.as_chunks::<LANES>());
    for (y, x) in blocks_y.iter_mut().zip(blocks_x) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += factor * x;
        }
    }
    for (y, x) in rest_y.iter_mut().zip(rest_x) {
        *y += factor * x;
    }
}

/// Adds each `x` times its factor to `y`, one after the other: equal bit for bit to [`add_scaled`] of each.
/// Beyond its end an `x` is 0.
pub(crate) fn add_all_scaled(y: &mut [f64], factors: [f64; TOGETHER], x: [&[f64]; TOGETHER]) {
    let shortest = x.iter().map(|x| x.len()).min().unwrap_or(0);
    let (y, rest) = y.split_at_mut(shortest.min(y.len()));
    let common = x.map(|x| x.get(..y.len()).unwrap_or_default());
    let ([a, b, c, d], [fa, fb, fc, fd]) = (common, factors);
    let add = |y: &mut f64, a: f64, b: f64, c: f64, d: f64| {
        *y = (((*y + fa * a) + fb * b) + fc * c) + fd * d;
    };
    let (blocks, ends) = y.as_chunks_mut::<LANES>();
    let ((a, a_end), (b, b_end)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let ((c, c_end), (d, d_end)) = (c.as_chunks::<LANES>(), d.as_chunks::<LANES>());
    for ((((y, a), b), c), d) in blocks.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        for ((((y, a), b), c), d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            add(y, *a, *b, *c, *d);
        }
    }
    for ((((y, a), b), c), d) in ends.iter_mut().zip(a_end).zip(b_end).zip(c_end).zip(d_end) {
        add(y, *a, *b, *c, *d);
    }
    if !rest.is_empty() {
        for (factor, x) in factors.iter().zip(x) {
            add_scaled(rest, *factor, x.get(shortest..).unwrap_or_default());
        }
    }
}

/// The lower triangle of a square matrix, diagonal included: of a symmetric one that is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packed {
    size: usize,
    data: Vec<f64>,
}

/// Where a row begins.
fn start(row: usize) -> usize {
    row * (row + 1) / 2
}

impl Packed {
    /// The triangle whose element at row `i` and column `j <= i` is `element(i, j)`.
    #[must_use]
    pub fn new(size: usize, mut element: impl FnMut(usize, usize) -> f64) -> Self {
        let mut data = Vec::with_capacity(start(size));
        for i in 0..size {
            data.extend((0..=i).map(|j| element(i, j)));
        }
        Self { size, data }
    }

    /// The triangle of these rows, each of one element more than the one before.
    pub(crate) fn of_rows(rows: impl ExactSizeIterator<Item = Vec<f64>>) -> Self {
        let size = rows.len();
        Self::of(size, rows.flatten().collect())
    }

    /// The triangle of these elements, row after row.
    pub(crate) fn of(size: usize, data: Vec<f64>) -> Self {
        debug_assert_eq!(data.len(), start(size));
        Self { size, data }
    }

    /// The elements column after column, each from its diagonal element down.
    pub(crate) fn columns(&self) -> Vec<f64> {
        let mut data = vec![0.0; self.data.len()];
        for (i, row) in self.rows().enumerate() {
            let mut place = i;
            for (j, element) in row.iter().enumerate() {
                if let Some(slot) = data.get_mut(place) {
                    *slot = *element;
                }
                place += self.size - 1 - j;
            }
        }
        data
    }

    /// Undoes [`Self::columns`].
    pub(crate) fn of_columns(size: usize, columns: &[f64]) -> Self {
        let mut data = Vec::with_capacity(columns.len());
        for i in 0..size {
            let mut place = i;
            for j in 0..=i {
                data.extend(columns.get(place));
                place += size - 1 - j;
            }
        }
        Self { size, data }
    }

    /// Rows, and columns.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// A row up to its diagonal element; empty past the last one.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        let from = start(row);
        self.data.get(from..=from + row).unwrap_or_default()
    }

    /// All rows, from the first, which has one element.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &[f64]> + ExactSizeIterator {
        (0..self.size).map(|row| self.row(row))
    }

    /// The diagonal elements.
    pub fn diagonal(&self) -> impl Iterator<Item = f64> {
        self.rows().filter_map(|row| row.last().copied())
    }

    /// The rows before one, and that one to be changed.
    pub(crate) fn before(&mut self, row: usize) -> (Rows<'_>, &mut [f64]) {
        let from = start(row).min(self.data.len());
        let (done, rest) = self.data.split_at_mut(from);
        let here = rest.get_mut(..=row).unwrap_or_default();
        (Rows(done), here)
    }

    /// Adds a row at the end; it has one element more than there are rows.
    pub(crate) fn push(&mut self, row: &[f64]) {
        debug_assert_eq!(row.len(), self.size + 1);
        self.data.extend_from_slice(row);
        self.size += 1;
    }

    /// Adds a number to every diagonal element.
    pub(crate) fn lift(&mut self, by: f64) {
        for row in 0..self.size {
            if let Some(element) = self.before(row).1.last_mut() {
                *element += by;
            }
        }
    }
}

/// The first rows of a triangle.
pub(crate) struct Rows<'a>(&'a [f64]);

impl Rows<'_> {
    pub(crate) fn row(&self, row: usize) -> &[f64] {
        let from = start(row);
        self.0.get(from..=from + row).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_product_counts_every_element_whatever_the_length() {
        for n in 0..40 {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            let expected = a.iter().map(|x| x * x).sum::<f64>();
            assert_eq!(dot(&a, &a), expected, "{n}");
            assert_eq!(dot(&a, &[]), 0.0);
        }
    }

    #[test]
    fn rows_that_are_added_at_once_are_as_if_one_after_the_other() {
        let row = |n: usize, k: usize| -> Vec<f64> {
            (0..n).map(|i| libm::sin((i + 7 * k) as f64)).collect()
        };
        for n in 0..40 {
            let rows: Vec<Vec<f64>> = (0..TOGETHER).map(|k| row(n + k, k)).collect();
            let factors = [0.3, -1.7, 1e-3, 2.5];
            let mut one_by_one = row(n + 2, 9);
            let mut at_once = one_by_one.clone();
            for (factor, x) in factors.iter().zip(&rows) {
                add_scaled(&mut one_by_one, *factor, x);
            }
            let rows = [&rows[0][..], &rows[1], &rows[2], &rows[3]];
            add_all_scaled(&mut at_once, factors, rows);
            assert_eq!(at_once, one_by_one, "{n}");
        }
    }

    #[test]
    fn rows_are_where_they_were_put() {
        let mut packed = Packed::new(3, |i, j| (10 * i + j) as f64);
        assert_eq!(packed.row(2), [20.0, 21.0, 22.0]);
        assert_eq!(packed.row(3), [0.0; 0]);
        packed.push(&[30.0, 31.0, 32.0, 33.0]);
        packed.lift(0.5);
        assert_eq!(
            packed.diagonal().collect::<Vec<_>>(),
            [0.5, 11.5, 22.5, 33.5]
        );
        assert_eq!(Packed::of_columns(4, &packed.columns()), packed);
        assert_eq!(packed.columns()[..5], [0.5, 10.0, 20.0, 30.0, 11.5]);
        let (before, row) = packed.before(2);
        assert_eq!(
            (before.row(1), &*row),
            (&[10.0, 11.5][..], &[20.0, 21.0, 22.5][..])
        );
    }
}
