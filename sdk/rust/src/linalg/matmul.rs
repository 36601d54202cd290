//! The three matrix products of a dense layer: forward, gradient of the weights, and (through a
//! transposed copy of the weights) gradient of the inputs.
//!
//! Each element of a result is one sum in ascending order of the inner index.

use super::{LANES, Lane, Panels, panels::TILE_ROWS};

type Tile = [Lane; TILE_ROWS];

/// `out = a b + bias`. `a` is n x k, `b` k x m made by [`Panels::weights`], `out` n x m, `bias` one
/// lane for each panel of `out`.
pub fn multiply_add(a: &Panels, b: &Panels, bias: &[Lane], out: &mut Panels) {
    for ((b_panel, bias), out_panel) in b.panels().zip(bias).zip(out.panels_mut()) {
        let (blocks, _) = b_panel.as_chunks::<LANES>();
        let (tiles, _) = out_panel.as_chunks_mut::<TILE_ROWS>();
        for (i, tile) in tiles.iter_mut().enumerate() {
            let mut sums = [*bias; TILE_ROWS];
            for (a_panel, block) in a.panels().zip(blocks) {
                if let Some(a_tile) = a_panel.as_chunks().0.get(i) {
                    add_block(&mut sums, a_tile, block);
                }
            }
            *tile = sums;
        }
    }
}

/// 4 x 16 sums plus the product of 4 x 16 and 16 x 16 elements.
#[expect(
    clippy::indexing_slicing,
    reason = "fixed-size arrays and constant bounds: checked when compiled"
)]
#[inline]
fn add_block(sums: &mut Tile, a: &Tile, b: &[Lane; LANES]) {
    let mut acc = *sums;
    for k in 0..LANES {
        for r in 0..TILE_ROWS {
            for c in 0..LANES {
                acc[r][c] += a[r][k] * b[k][c];
            }
        }
    }
    *sums = acc;
}

/// `out = transposed(a) b`: the gradient of weights from inputs `a`, n x k, and gradients `b`,
/// n x m. `out` is k x m, made by [`Panels::weights`].
pub fn multiply_transposed(a: &Panels, b: &Panels, out: &mut Panels) {
    for (b_panel, out_panel) in b.panels().zip(out.panels_mut()) {
        for (a_panel, block) in a.panels().zip(out_panel.as_chunks_mut::<LANES>().0) {
            let (tiles, _) = block.as_chunks_mut::<TILE_ROWS>();
            for (tile, quarter) in tiles.iter_mut().zip(0..) {
                *tile = match quarter {
                    0 => outer_products::<0>(a_panel, b_panel),
                    1 => outer_products::<1>(a_panel, b_panel),
                    2 => outer_products::<2>(a_panel, b_panel),
                    _ => outer_products::<3>(a_panel, b_panel),
                };
            }
        }
    }
}

/// Sum over all rows of (columns 4 `QUARTER`.. of `a`) times (all columns of `b`).
#[expect(
    clippy::indexing_slicing,
    reason = "fixed-size arrays and constant bounds: checked when compiled"
)]
#[inline]
fn outer_products<const QUARTER: usize>(a: &[Lane], b: &[Lane]) -> Tile {
    let mut acc = [[0.0; LANES]; TILE_ROWS];
    let tiles = a.as_chunks::<TILE_ROWS>().0.iter();
    for (a, b) in tiles.zip(b.as_chunks::<TILE_ROWS>().0) {
        for k in 0..TILE_ROWS {
            for r in 0..TILE_ROWS {
                for c in 0..LANES {
                    acc[r][c] += a[k][QUARTER * TILE_ROWS + r] * b[k][c];
                }
            }
        }
    }
    acc
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
