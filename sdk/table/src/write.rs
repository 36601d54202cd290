//! A table as files.

use crate::{
    ABOUT_FILE, CONFIGURATIONS_FILE, CURVES_FILE, Table, configurations,
    curve::{columns, write_number},
    lines::write_cell,
};

/// The files of a table, by name.
pub type Files = [(&'static str, String); 3];

impl Table {
    /// The files that [`Table::parse`] reads as this table. With `digits`, metrics are rounded to so
    /// many significant digits; else they are exact.
    #[must_use]
    pub fn to_files(&self, digits: Option<usize>) -> Files {
        let catalogue = self.catalogue();
        let metrics = &catalogue.about().metrics;
        let mut curves = String::new();
        for (index, column) in columns(metrics).iter().enumerate() {
            if index > 0 {
                curves.push(',');
            }
            write_cell(&mut curves, column);
        }
        curves.push('\n');
        for (row, curve) in catalogue.rows().iter().zip(self.curves()) {
            for t in 1..=curve.len() as u64 {
                let Some(step) = curve.step(t) else { break };
                curves.push_str(&format!("{},{t},{}", row.id, step.cost));
                for value in step.values {
                    curves.push(',');
                    write_number(&mut curves, *value, digits);
                }
                curves.push('\n');
            }
        }
        [
            (ABOUT_FILE, catalogue.about().text()),
            (
                CONFIGURATIONS_FILE,
                configurations::write(catalogue.space(), catalogue.rows()),
            ),
            (CURVES_FILE, curves),
        ]
    }
}
