//! A text table that fits a width: the least important columns go first, and it says which.

use crate::style::Style;
use crate::text::{clean, columns, cut, fit};

/// Wider cells are cut: one long text must not push the numbers off the screen.
const MAX_CELL: usize = 32;

/// Between two columns.
const GAP: &str = "  ";

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its title.
    pub title: String,
    /// Numbers stand right.
    pub right: bool,
    /// Columns with a larger number are left out first when the width does not do; those with 0
    /// stay.
    pub rank: usize,
    /// Its cells are states, and coloured as such.
    pub is_state: bool,
}

impl Column {
    /// A column of texts.
    #[must_use]
    pub fn text(title: impl Into<String>, rank: usize) -> Self {
        Self {
            title: title.into(),
            right: false,
            rank,
            is_state: false,
        }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(title: impl Into<String>, rank: usize) -> Self {
        Self {
            right: true,
            ..Self::text(title, rank)
        }
    }

    /// A column of states.
    #[must_use]
    pub fn state(title: impl Into<String>) -> Self {
        Self {
            is_state: true,
            ..Self::text(title, 0)
        }
    }
}

/// A table: cells are cleaned, so that they may come from anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each with a cell for each column; what is missing is empty.
    pub rows: Vec<Vec<String>>,
    /// A row that stands out, if any.
    pub marked: Option<usize>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            marked: None,
        }
    }

    /// The lines of the table, none wider than `width` columns unless the columns that always
    /// stay need more. If columns were left out, a last line names them.
    #[must_use]
    pub fn render(&self, width: usize, color: bool) -> Vec<String> {
        let (mut lines, left_out) = self.render_part(width, color);
        if !left_out.is_empty() {
            let names = format!("not shown: {}", left_out.join(", "));
            lines.push(Style::Dim.paint(&cut(&names, width), color));
        }
        lines
    }

    /// The same without the last line; the titles of what was left out instead.
    pub(crate) fn render_part(&self, width: usize, color: bool) -> (Vec<String>, Vec<String>) {
        let cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| clean(cell).into_owned()).collect())
            .collect();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let widest = cells
                    .iter()
                    .filter_map(|row| row.get(i))
                    .map(|c| columns(c));
                widest
                    .chain([columns(&clean(&column.title))])
                    .max()
                    .unwrap_or(0)
                    .min(MAX_CELL)
            })
            .collect();
        let (shown, hidden) = self.choose(&widths, width);

        let mut lines = Vec::with_capacity(cells.len() + 1);
        let titles = shown.iter().filter_map(|&i| {
            let column = self.columns.get(i)?;
            Some(fit(&clean(&column.title), *widths.get(i)?, column.right))
        });
        lines.push(Style::Bold.paint(join(titles).trim_end(), color));
        for (index, row) in cells.iter().enumerate() {
            let line = shown.iter().filter_map(|&i| {
                let column = self.columns.get(i)?;
                let cell = row.get(i).map_or("", String::as_str);
                let text = fit(cell, *widths.get(i)?, column.right);
                Some(if column.is_state {
                    Style::of_state(cell).paint(&text, color)
                } else if self.marked == Some(index) {
                    Style::Bold.paint(&text, color)
                } else {
                    text
                })
            });
            lines.push(join(line).trim_end().to_owned());
        }
        let hidden = hidden
            .into_iter()
            .filter_map(|i| self.columns.get(i))
            .map(|column| clean(&column.title).into_owned())
            .collect();
        (lines, hidden)
    }

    /// Which columns are shown and which are not, both in their order.
    fn choose(&self, widths: &[usize], width: usize) -> (Vec<usize>, Vec<usize>) {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_by_key(|&i| self.columns.get(i).map_or(0, |c| c.rank));
        let (mut shown, mut hidden) = (Vec::new(), Vec::new());
        let mut used = 0;
        for i in order {
            let stays = self.columns.get(i).is_some_and(|c| c.rank == 0);
            let gap = if shown.is_empty() { 0 } else { GAP.len() };
            let with = used + gap + widths.get(i).copied().unwrap_or(0);
            // Once one is left out, so are all less important ones.
            if stays || (with <= width && hidden.is_empty()) {
                used = with;
                shown.push(i);
            } else {
                hidden.push(i);
            }
        }
        shown.sort_unstable();
        hidden.sort_unstable();
        (shown, hidden)
    }
}

fn join(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            Column::number("trial", 0),
            Column::state("status"),
            Column::number("accuracy", 1),
            Column::text("optimizer", 3),
            Column::number("lr", 2),
        ]);
        for row in [
            ["0", "finished", "0.9", "adam", "0.001"],
            ["10", "running", "0.95", "sgd\u{1b}[31m", "0.1"],
        ] {
            table.rows.push(row.map(str::to_owned).to_vec());
        }
        table
    }

    #[test]
    fn columns_are_aligned_and_cells_are_harmless() {
        let lines = table().render(80, false);
        assert_eq!(
            lines,
            [
                "trial  status    accuracy  optimizer     lr",
                "    0  finished       0.9  adam       0.001",
                "   10  running       0.95  sgd\u{fffd}[31m     0.1",
            ]
        );
    }

    #[test]
    fn the_least_important_columns_are_left_out_and_named() {
        let lines = table().render(33, false);
        assert_eq!(
            lines,
            [
                "trial  status    accuracy     lr",
                "    0  finished       0.9  0.001",
                "   10  running       0.95    0.1",
                "not shown: optimizer",
            ]
        );
        for width in [16, 20, 30, 40] {
            for line in table().render(width, false) {
                assert!(columns(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn colours_do_not_change_the_columns() {
        let painted = table().render(80, true);
        assert!(
            painted[1].contains("\u{1b}[32mfinished\u{1b}[0m"),
            "{painted:?}"
        );
        assert!(!table().render(80, false).concat().contains('\u{1b}'));
    }
}
