//! The layout of a matrix that the kernels work on.

/// Columns of a panel: four 128-bit registers.
pub const LANES: usize = 16;

/// One row of a panel.
pub type Lane = [f32; LANES];

/// Rows of a register tile, to which the rows of a matrix are padded.
pub(super) const TILE_ROWS: usize = 4;

/// A matrix cut into panels of [`LANES`] columns, each stored row after row. Rows are padded to a
/// multiple of 4 and columns to a multiple of 16, so that no kernel has an edge case; the padding
/// takes part in the arithmetic and is zero unless a caller writes to it.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    rows: usize,
    lanes: Vec<Lane>,
}

impl Panels {
    /// A zero matrix: activations of `rows` examples with `cols` features.
    #[must_use]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        let rows = rows.next_multiple_of(TILE_ROWS);
        Self {
            rows,
            lanes: vec![[0.0; LANES]; rows * cols.div_ceil(LANES)],
        }
    }

    /// A zero matrix of weights from `inputs` to `outputs` features; rows are padded to 16, as
    /// the features of its left operand are.
    #[must_use]
    pub fn weights(inputs: usize, outputs: usize) -> Self {
        Self::zeros(inputs.next_multiple_of(LANES), outputs)
    }

    /// Makes it a zero matrix of another shape, in the same memory if that suffices.
    pub fn reset(&mut self, rows: usize, cols: usize) {
        self.rows = rows.next_multiple_of(TILE_ROWS);
        self.lanes.clear();
        self.lanes
            .resize(self.rows * cols.div_ceil(LANES), [0.0; LANES]);
    }

    /// Rows, padding included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Panels from left to right; each is one [`Lane`] a row.
    pub fn panels(&self) -> impl ExactSizeIterator<Item = &[Lane]> {
        self.lanes.chunks_exact(self.rows.max(1))
    }

    /// As [`Panels::panels`], to write to.
    pub fn panels_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [Lane]> {
        self.lanes.chunks_exact_mut(self.rows.max(1))
    }

    /// All of it, for what is done element by element.
    #[must_use]
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// As [`Panels::lanes`], to write to.
    pub fn lanes_mut(&mut self) -> &mut [Lane] {
        &mut self.lanes
    }

    /// One element; none outside of the padded matrix.
    #[must_use]
    pub fn get(&self, row: usize, col: usize) -> Option<f32> {
        let lane = self.lane_index(row, col)?;
        self.lanes.get(lane)?.get(col % LANES).copied()
    }

    /// One element, to write to.
    pub fn get_mut(&mut self, row: usize, col: usize) -> Option<&mut f32> {
        let lane = self.lane_index(row, col)?;
        self.lanes.get_mut(lane)?.get_mut(col % LANES)
    }

    fn lane_index(&self, row: usize, col: usize) -> Option<usize> {
        (row < self.rows).then_some(col / LANES * self.rows + row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stand_where_their_panel_and_row_are() {
        let mut matrix = Panels::zeros(5, 17);
        assert_eq!((matrix.rows(), matrix.panels().len()), (8, 2));
        *matrix.get_mut(3, 16).unwrap() = 7.0;
        assert_eq!(matrix.panels().nth(1).unwrap()[3][0], 7.0);
        assert_eq!(matrix.get(3, 16), Some(7.0));
        assert_eq!(matrix.get(8, 0), None);
        assert_eq!(matrix.get(0, 32), None);
        matrix.reset(2, 16);
        assert_eq!(matrix.lanes(), [[0.0; LANES]; 4]);
    }
}
