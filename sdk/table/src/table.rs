//! A whole table in memory.

use tune_space::{Config, Parameter, Report, Space};

use crate::{
    About, CURVES_FILE, Catalogue, Curve, MAX_CURVES_BYTES, Row, TableError,
    configurations::unwritable,
    curve::{self, Sequence},
    lines::{Lines, header},
    sampler,
};

/// A table: every configuration and its curve.
#[derive(Clone, Debug)]
pub struct Table {
    catalogue: Catalogue,
    curves: Vec<Curve>,
}

impl Table {
    /// Reads the three files.
    ///
    /// # Errors
    /// What is wrong first, and where.
    pub fn parse(about: &[u8], configurations: &[u8], curves: &[u8]) -> Result<Self, TableError> {
        let catalogue = Catalogue::parse(about, configurations)?;
        let curves = read_curves(curves, &catalogue)?;
        Ok(Self { catalogue, curves })
    }

    /// A table out of what it holds; rows with ascending ids, none twice and none with the values of
    /// an earlier one, each with a curve. `about.space` is filled in.
    ///
    /// # Errors
    /// Why these rows are no table, in one sentence.
    pub fn new(
        mut about: About,
        parameters: Vec<Parameter>,
        constants: Config,
        rows: Vec<(Row, Curve)>,
    ) -> Result<Self, String> {
        let space = Space::new(parameters).map_err(|error| error.to_string())?;
        if let Some(reason) = space.parameters().iter().find_map(unwritable) {
            return Err(reason);
        }
        about.space = sampler::write(&space, &constants);
        if rows.is_empty() {
            return Err("it has no rows".to_owned());
        }
        if let Some((row, _)) = rows.iter().find(|(_, curve)| curve.is_empty()) {
            return Err(format!("configuration {} has no curve", row.id));
        }
        let (rows, curves): (Vec<Row>, Vec<Curve>) = rows.into_iter().unzip();
        for (row, next) in rows.iter().zip(rows.iter().skip(1)) {
            if row.id >= next.id {
                return Err(format!("configuration {} comes after {}", next.id, row.id));
            }
        }
        for row in &rows {
            let error = space.check(&row.config).err();
            if let Some(error) = error {
                return Err(format!("configuration {}: {error}", row.id));
            }
        }
        Ok(Self {
            catalogue: Catalogue::from_parts(about, space, constants, rows),
            curves,
        })
    }

    /// All but the curves.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The curves, in the order of the rows.
    #[must_use]
    pub fn curves(&self) -> &[Curve] {
        &self.curves
    }

    /// What a trial with the configuration of this row reports at a step, counted from 1.
    #[must_use]
    pub fn report(&self, row: usize, t: u64) -> Option<Report> {
        let curve = self.curves.get(row)?;
        curve.report(&self.catalogue.about.metrics, t)
    }

    /// Values of the metric that is optimised, step by step.
    pub fn objective(&self, row: usize) -> impl Iterator<Item = f64> {
        let about = &self.catalogue.about;
        let place = about.metrics.iter().position(|m| *m == about.metric);
        let curve = self.curves.get(row);
        let steps = 1..=curve.map_or(0, |curve| curve.len() as u64);
        steps.filter_map(move |t| curve?.step(t)?.values.get(place?).copied())
    }
}

fn read_curves(bytes: &[u8], catalogue: &Catalogue) -> Result<Vec<Curve>, TableError> {
    if bytes.len() as u64 > MAX_CURVES_BYTES {
        let what = format!("a file of {} bytes", bytes.len());
        let hint = format!("at most {MAX_CURVES_BYTES} are allowed");
        return Err(TableError::new(CURVES_FILE, (1, 1), what, hint));
    }
    let metrics = &catalogue.about.metrics;
    let mut lines = Lines::new(CURVES_FILE, bytes);
    header(&mut lines, CURVES_FILE, &curve::columns(metrics))?;
    let mut curves: Vec<Curve> = Vec::with_capacity(catalogue.rows.len());
    let mut sequence = Sequence::default();
    while let Some(line) = lines.next_line() {
        let line = line?;
        let row = curve::step_row(&line, metrics.len())?;
        if sequence.follow(&line, &row)? {
            let expected = catalogue.rows.get(curves.len()).map(|row| row.id);
            match expected {
                Some(expected) if expected == row.id => {}
                Some(expected) if expected < row.id => {
                    return Err(line.error(
                        1,
                        format!("configuration {expected} has no curve"),
                        "add its rows here, or remove it from configurations.csv",
                    ));
                }
                _ => {
                    return Err(line.error(
                        1,
                        format!("configuration {} is not in configurations.csv", row.id),
                        "add it there, or remove its rows here",
                    ));
                }
            }
            curves.push(Curve::default());
        }
        if let Some(curve) = curves.last_mut() {
            curve.push(row.cost, &row.values);
        }
    }
    match catalogue.rows.get(curves.len()) {
        None => Ok(curves),
        Some(row) => Err(TableError::new(
            CURVES_FILE,
            lines.end(),
            format!("configuration {} has no curve", row.id),
            "add its rows here, or remove it from configurations.csv",
        )),
    }
}
