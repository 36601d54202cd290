//! The three matrix products of a dense layer: forward, gradient of the weights, and (through a
//! transposed copy of the weights) gradient of the inputs.
//!
//! Each element of a result is one sum in ascending order of the inner index. Each register tile is
//! computed in a function of its own, without a call in it and never inlined: a call anywhere in
//! its caller would make the compiler of the host keep all sums in memory. Two rounds at once halve
//! the fuel checks; measured, four are slower because the sums no longer fit into registers.

use super::{LANES, Lane, Panels, panels::TILE_ROWS};

/// Sums of four rows and one panel.
type Tile = [Lane; TILE_ROWS];

/// Rounds between two fuel checks; divides [`LANES`] and [`TILE_ROWS`].
const UNROLL: usize = 2;

/// `out = a b + bias`. `a` is n x k, `b` k x m made by [`Panels::weights`], `out` n x m, `bias` one
/// lane for each panel of `out`.
pub fn multiply_add(a: &Panels, b: &Panels, bias: &[Lane], out: &mut Panels) {
    for ((b_panel, bias), out_panel) in b.panels().zip(bias).zip(out.panels_mut()) {
        let (tiles, _) = out_panel.as_chunks_mut();
        for (i, tile) in tiles.iter_mut().enumerate() {
            *tile = [*bias; TILE_ROWS];
            add_inner_products(tile, a.lanes(), a.rows(), i * TILE_ROWS, b_panel);
        }
    }
}

/// Adds (four rows of `a` from `first`) times (one panel of `b`).
#[expect(
    clippy::indexing_slicing,
    reason = "fixed-size arrays and constant bounds: no check is left"
)]
#[inline(never)]
fn add_inner_products(sums: &mut Tile, a: &[Lane], rows: usize, first: usize, b: &[Lane]) {
    let mut acc = *sums;
    let mut from = first;
    for b in b.as_chunks::<LANES>().0 {
        let Some(a) = a.get(from..).and_then(<[Lane]>::first_chunk::<TILE_ROWS>) else {
            break;
        };
        let mut k = 0;
        while k < LANES {
            for k in [k, k + 1] {
                for r in 0..TILE_ROWS {
                    for c in 0..LANES {
                        acc[r][c] += a[r][k] * b[k][c];
                    }
                }
            }
            k += UNROLL;
        }
        from += rows;
    }
    *sums = acc;
}

/// `out = transposed(a) b`: the gradient of weights from inputs `a`, n x k, and gradients `b`,
/// n x m. `out` is k x m, made by [`Panels::weights`].
pub fn multiply_transposed(a: &Panels, b: &Panels, out: &mut Panels) {
    for (b_panel, out_panel) in b.panels().zip(out.panels_mut()) {
        for (a_panel, block) in a.panels().zip(out_panel.as_chunks_mut::<LANES>().0) {
            let (tiles, _) = block.as_chunks_mut();
            for (tile, quarter) in tiles.iter_mut().zip(0..) {
                match quarter {
                    0 => outer_products::<0>(tile, a_panel, b_panel),
                    1 => outer_products::<4>(tile, a_panel, b_panel),
                    2 => outer_products::<8>(tile, a_panel, b_panel),
                    _ => outer_products::<12>(tile, a_panel, b_panel),
                }
            }
        }
    }
}

/// Sum over all rows of (four columns of `a` from `FIRST`) times (all columns of `b`).
#[expect(
    clippy::indexing_slicing,
    reason = "fixed-size arrays and constant bounds: no check is left"
)]
#[inline(never)]
fn outer_products<const FIRST: usize>(sums: &mut Tile, a: &[Lane], b: &[Lane]) {
    let mut acc = Tile::default();
    let rows = a.len().min(b.len());
    let mut row = 0;
    while row + UNROLL <= rows {
        let (a, b) = (&a[row..row + UNROLL], &b[row..row + UNROLL]);
        for k in 0..UNROLL {
            for r in 0..TILE_ROWS {
                for c in 0..LANES {
                    acc[r][c] += a[k][FIRST + r] * b[k][c];
                }
            }
        }
        row += UNROLL;
    }
    *sums = acc;
}

/// `out` = the transpose of `a`; both made by [`Panels::weights`].
#[expect(
    clippy::indexing_slicing,
    reason = "fixed-size arrays and constant bounds: checked when compiled"
)]
pub fn transpose(a: &Panels, out: &mut Panels) {
    for (p, a_panel) in a.panels().enumerate() {
        for (block, out_panel) in a_panel.as_chunks::<LANES>().0.iter().zip(out.panels_mut()) {
            if let Some(to) = out_panel.as_chunks_mut::<LANES>().0.get_mut(p) {
                for r in 0..LANES {
                    for c in 0..LANES {
                        to[c][r] = block[r][c];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, cols: usize, mut zero: Panels, seed: u64) -> Panels {
        let mut stream = tune_space::Stream::new(seed);
        for row in 0..rows {
            for col in 0..cols {
                *zero.get_mut(row, col).unwrap() = stream.normal() as f32;
            }
        }
        zero
    }

    fn sum(terms: impl Iterator<Item = (Option<f32>, Option<f32>)>, start: f32) -> f32 {
        terms.fold(start, |sum, (x, y)| sum + x.unwrap() * y.unwrap())
    }

    #[test]
    fn products_equal_the_plain_sums_in_every_bit_at_any_shape() {
        for (n, k, m) in [
            (1, 1, 1),
            (4, 16, 16),
            (7, 64, 10),
            (32, 33, 47),
            (3, 100, 5),
        ] {
            let a = random(n, k, Panels::zeros(n, k), 1);
            let b = random(k, m, Panels::weights(k, m), 2);
            let bias = random(1, m, Panels::zeros(1, m), 3);
            let lanes: Vec<Lane> = bias.panels().map(|panel| panel[0]).collect();
            let mut out = Panels::zeros(n, m);
            multiply_add(&a, &b, &lanes, &mut out);
            let mut gradient = Panels::weights(k, m);
            multiply_transposed(&a, &out, &mut gradient);
            let mut turned = Panels::weights(m, k);
            transpose(&b, &mut turned);
            for col in 0..m {
                for row in 0..n {
                    let terms = (0..k).map(|i| (a.get(row, i), b.get(i, col)));
                    let expected = sum(terms, bias.get(0, col).unwrap());
                    assert_eq!(out.get(row, col), Some(expected), "{n} {k} {m}");
                }
                for row in 0..k {
                    // Padding rows of `a` are zero, whatever `out` holds there.
                    let terms = (0..n).map(|i| (a.get(i, row), out.get(i, col)));
                    assert_eq!(gradient.get(row, col), Some(sum(terms, 0.0)), "{n} {k} {m}");
                    assert_eq!(turned.get(col, row), b.get(row, col));
                }
            }
        }
    }
}
