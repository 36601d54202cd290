//! Eigenvalues and eigenvectors of symmetric matrices: reflections make the matrix tridiagonal, and rotations
//! (QL with implicit shifts) make that diagonal. R. S. Martin, C. Reinsch, J. H. Wilkinson (1968), *Householder's
//! Tridiagonalization of a Symmetric Matrix*; A. Dubrulle, R. S. Martin, J. H. Wilkinson (1968), *The Implicit QL
//! Algorithm*. Sequentially and in a fixed order; a matrix of `n` rows costs about `8 n^3` operations.

#![expect(
    clippy::indexing_slicing,
    reason = "rows and columns run below the size that the matrix was made with"
)]

use super::square::{LANES, Square, change};

/// Sweeps for one eigenvalue at most; two are usual.
const MAX_SWEEPS: usize = 60;

/// Eigenvalues of a symmetric matrix, and its eigenvectors as rows.
pub(super) fn eigen(matrix: &Square) -> (Vec<f64>, Square) {
    let mut a = matrix.clone();
    let reflections = make_tridiagonal(&mut a);
    let n = a.size();
    let mut diagonal = a.diagonal();
    // One more, so that the last row has an end too.
    let mut beside: Vec<f64> = (1..n).map(|i| a.at(i - 1, i)).chain([0.0]).collect();
    let mut vectors = product(n, &reflections).transposed();
    make_diagonal(&mut diagonal, &mut beside, &mut vectors);
    (diagonal, vectors)
}

/// The reflection `1 - scale v v^T` of the last axes.
struct Reflection {
    v: Vec<f64>,
    scale: f64,
}

/// Makes everything zero but the diagonal and what stands beside it, by reflections of all axes but the first one,
/// but the first two, and so on.
fn make_tridiagonal(a: &mut Square) -> Vec<Reflection> {
    (0..a.size().saturating_sub(2))
        .map(|k| {
            let mut v = a.row(k)[k + 1..].to_vec();
            let first = v[0];
            let others: f64 = v[1..].iter().map(|x| x * x).sum();
            if others == 0.0 {
                return Reflection { v, scale: 0.0 };
            }
            let length = (first * first + others).sqrt();
            // Away from the axis, so that no digits are lost.
            let end = if first > 0.0 { -length } else { length };
            v[0] -= end;
            let scale = 1.0 / (length * (length + first.abs()));
            // What is left of it after a reflection from both sides.
            let mut w = vec![0.0; v.len()];
            a.add_rows(k + 1, &v, &mut w);
            w.iter_mut().for_each(|w| *w *= scale);
            let along: f64 = w.iter().zip(&v).map(|(w, v)| w * v).sum();
            let half = 0.5 * scale * along;
            w.iter_mut().zip(&v).for_each(|(w, v)| *w -= half * v);
            for (i, (v_i, w_i)) in v.iter().zip(&w).enumerate() {
                let row = &mut a.row_mut(k + 1 + i)[k + 1..];
                change(row, [&w, &v], |x, w, v| x - (v_i * w + w_i * v));
            }
            a.row_mut(k)[k + 1] = end;
            Reflection { v, scale }
        })
        .collect()
}

/// The product of the reflections.
fn product(n: usize, reflections: &[Reflection]) -> Square {
    let mut q = Square::unit(n);
    for (k, Reflection { v, scale }) in reflections.iter().enumerate().rev() {
        if *scale == 0.0 {
            continue;
        }
        let mut sums = vec![0.0; v.len()];
        q.add_rows(k + 1, v, &mut sums);
        for (i, v) in v.iter().enumerate() {
            let factor = scale * v;
            let row = &mut q.row_mut(k + 1 + i)[k + 1..];
            change(row, [&sums, &sums], |x, sum, _| x - factor * sum);
        }
    }
    q
}

/// Makes a tridiagonal matrix diagonal, and turns the rows of `vectors` along.
fn make_diagonal(d: &mut [f64], e: &mut [f64], vectors: &mut Square) {
    for l in 0..d.len() {
        for _ in 0..MAX_SWEEPS {
            // Up to the next element that is as good as zero beside its neighbours.
            let is_zero = |m: &usize| {
                *m + 1 == d.len() || e[*m].abs() <= f64::EPSILON * (d[*m].abs() + d[*m + 1].abs())
            };
            let m = (l..d.len()).find(is_zero).unwrap_or(l);
            if m == l {
                break;
            }
            sweep(d, e, vectors, l, m);
        }
    }
}

/// Rotations from the axis `m` down to `l`, which make the element beside `l` smaller.
fn sweep(d: &mut [f64], e: &mut [f64], vectors: &mut Square, l: usize, m: usize) {
    let length = |x: f64, y: f64| (x * x + y * y).sqrt();
    let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
    let shift = e[l] / (g + length(g, 1.0).copysign(g));
    let mut g = d[m] - d[l] + shift;
    let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
    for i in (l..m).rev() {
        let (f, b) = (s * e[i], c * e[i]);
        let r = length(f, g);
        e[i + 1] = r;
        if r == 0.0 {
            // It has fallen apart here.
            d[i + 1] -= p;
            e[m] = 0.0;
            return;
        }
        (s, c) = (f / r, g / r);
        let h = d[i + 1] - p;
        let t = (d[i] - h) * s + 2.0 * c * b;
        p = s * t;
        d[i + 1] = h + p;
        g = c * t - b;
        let (low, high) = vectors.two_rows(i);
        rotate(low, high, c, s);
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0.0;
}

fn rotate(low: &mut [f64], high: &mut [f64], c: f64, s: f64) {
    let turn = |x: &mut f64, y: &mut f64| (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    let (low, low_end) = low.as_chunks_mut::<LANES>();
    let (high, high_end) = high.as_chunks_mut::<LANES>();
    for (low, high) in low.iter_mut().zip(high) {
        low.iter_mut().zip(high).for_each(|(x, y)| turn(x, y));
    }
    let ends = low_end.iter_mut().zip(high_end);
    ends.for_each(|(x, y)| turn(x, y));
}

#[cfg(test)]
mod tests {
    use tune_space::Stream;

    use super::*;

    /// The matrix, the lengths of the vectors and their right angles come back.
    fn check(a: &Square) {
        let n = a.size();
        let (values, vectors) = eigen(a);
        let largest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        for i in 0..n {
            for j in 0..n {
                let of = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
                let back = of(&|k| vectors.at(k, i) * values[k] * vectors.at(k, j));
                let near = 1e-13 * largest.max(1.0);
                assert!((back - a.at(i, j)).abs() < near, "{n} {i} {j}");
                let dot = of(&|k| vectors.at(i, k) * vectors.at(j, k));
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn eigenvectors_are_orthonormal_and_give_the_matrix_back() {
        let mut stream = Stream::new(2);
        for n in [0, 1, 2, 3, 5, 8, 30, 67] {
            let half = Square::new(n, |_, _| stream.normal());
            check(&Square::new(n, |i, j| half.at(i, j) + half.at(j, i)));
            // Of few different eigenvalues, and with axes of very different lengths.
            let u: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
            let unit = Square::unit(n);
            check(&Square::new(n, |i, j| unit.at(i, j) + u[i] * u[j]));
            let length = |i: usize| libm::pow(10.0, -(i as f64) / 4.0);
            check(&Square::new(n, |i, j| length(i) * u[i] * length(j) * u[j]));
        }
    }

    #[test]
    fn what_is_diagonal_stays_as_it_is() {
        for n in [1, 2, 3, 9] {
            let a = Square::new(n, |i, j| if i == j { 3.0 - i as f64 } else { 0.0 });
            assert_eq!(eigen(&a), (a.diagonal(), Square::unit(n)));
        }
    }

    #[test]
    fn a_known_matrix_has_its_known_eigenvalues() {
        // -1, 2, -1 on three diagonals: 2 - 2 cos(k pi / (n + 1)).
        let n = 7;
        let a = Square::new(n, |i, j| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        });
        let (mut values, _) = eigen(&a);
        values.sort_by(f64::total_cmp);
        for (k, value) in values.iter().enumerate() {
            let angle = std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64;
            assert!((value - (2.0 - 2.0 * libm::cos(angle))).abs() < 1e-14);
        }
    }

    #[test]
    fn what_is_not_a_number_ends_the_search() {
        for x in [f64::NAN, f64::INFINITY, 1e300, 1e-300] {
            let (values, vectors) = eigen(&Square::new(3, |i, j| if i == j { 1.0 } else { x }));
            assert_eq!((values.len(), vectors.size()), (3, 3));
        }
    }
}
