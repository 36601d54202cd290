//! Lower triangles of square matrices, row after row, and the two loops that all linear algebra here
//! is made of. The order of every sum is fixed, so that host and sandbox agree in the last bit.

/// Partial sums of a dot product: eight fill the vector units of today's processors and of WebAssembly,
/// and the number is part of the result.
const LANES: usize = 8;

/// The sum of the products, in eight interleaved partial sums.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (a.get(..n).unwrap_or(a), b.get(..n).unwrap_or(b));
    let mut sums = [0.0; LANES];
    // Blocks of a length that the compiler knows: the inner loop is two vector instructions.
    let ((blocks_a, rest_a), (blocks_b, rest_b)) = (a.as_chunks(), b.as_chunks());
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    for (x, y) in blocks_a.iter().zip(blocks_b) {
        let (x, y): (&[f64; LANES], &[f64; LANES]) = (x, y);
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Adds `factor` times `x` to `y`.
pub fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
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

    /// The triangle whose row `i` is `row(i)`, of `i + 1` elements.
    pub(crate) fn by_rows(size: usize, mut row: impl FnMut(usize) -> Vec<f64>) -> Self {
        let mut data = Vec::with_capacity(start(size));
        for i in 0..size {
            data.extend(row(i));
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
        let (before, row) = packed.before(2);
        assert_eq!(
            (before.row(1), &*row),
            (&[10.0, 11.5][..], &[20.0, 21.0, 22.5][..])
        );
    }
}
