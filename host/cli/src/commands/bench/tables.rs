//! The tables to compare on: directories, those in the binary, and the family by formula.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tune_table::{
    ABOUT_FILE, CONFIGURATIONS_FILE, CURVES_FILE, MAX_ABOUT_BYTES, MAX_CONFIGURATIONS_BYTES,
    MAX_CURVES_BYTES, Table,
};

use crate::failure::Failure;

/// Tables in the binary: name, and the three files.
const SHIPPED: [(&str, [&str; 3]); 2] = [
    (
        "digits-mlp",
        [
            include_str!("../../../../../data/tables/digits-mlp/table.json"),
            include_str!("../../../../../data/tables/digits-mlp/configurations.csv"),
            include_str!("../../../../../data/tables/digits-mlp/curves.csv"),
        ],
    ),
    (
        "digits-softmax",
        [
            include_str!("../../../../../data/tables/digits-softmax/table.json"),
            include_str!("../../../../../data/tables/digits-softmax/configurations.csv"),
            include_str!("../../../../../data/tables/digits-softmax/curves.csv"),
        ],
    ),
];
/// The family by formula.
const FAMILY: &str = "crossing";
/// As many configurations and steps as the recorded tables have.
const FAMILY_SIZE: (u32, u32) = (432, 81);
/// Tables in one comparison at most.
const MAX_TABLES: usize = 64;

/// The tables of these names or directories; all in the binary if there are none.
pub(super) fn open(wanted: &[String]) -> Result<Vec<Table>, Failure> {
    if wanted.len() > MAX_TABLES {
        return Err(Failure::usage(format!(
            "{} tables\n  hint: compare on at most {MAX_TABLES} at once",
            wanted.len()
        )));
    }
    if wanted.is_empty() {
        let names = SHIPPED.iter().map(|(name, _)| *name).chain([FAMILY]);
        return names
            .map(shipped)
            .map(|table| table.unwrap_or_else(unknown))
            .collect();
    }
    let mut tables: Vec<Table> = Vec::new();
    for name in wanted {
        let table = match shipped(name) {
            Some(table) if !Path::new(name).is_dir() => table?,
            _ => read(Path::new(name))?,
        };
        let name = &table.catalogue().about().name;
        if tables
            .iter()
            .any(|other| other.catalogue().about().name == *name)
        {
            return Err(Failure::usage(format!(
                "two tables are named `{name}`\n  hint: name each table once, or change `name` in table.json"
            )));
        }
        tables.push(table);
    }
    Ok(tables)
}

/// The table of the binary that is a problem for searchers.
pub(super) fn digits() -> Result<Table, Failure> {
    shipped("digits-mlp").unwrap_or_else(unknown)
}

fn unknown() -> Result<Table, Failure> {
    Err(Failure::usage("a table of the binary is not there"))
}

fn shipped(name: &str) -> Option<Result<Table, Failure>> {
    if name == FAMILY {
        let (configurations, steps) = FAMILY_SIZE;
        return Some(Ok(tune_table::crossing(configurations, steps)));
    }
    let (_, [about, configurations, curves]) = SHIPPED.iter().find(|(known, _)| *known == name)?;
    let files = [about, configurations, curves].map(|text| text.as_bytes());
    let [about, configurations, curves] = files;
    Some(Table::parse(about, configurations, curves).map_err(Failure::from))
}

fn read(dir: &Path) -> Result<Table, Failure> {
    if !dir.is_dir() {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        return Err(Failure::usage(format!(
            "there is no table {}\n  hint: name a directory that `tune-host export RUN --table DIR` \
             wrote, or one of {}, {FAMILY}",
            dir.display(),
            names.join(", ")
        )));
    }
    let file = |name: &str, max: u64| {
        let path = dir.join(name);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Failure::usage(format!(
                "cannot read {}: {error}\n  hint: a table is a directory with {ABOUT_FILE}, \
                 {CONFIGURATIONS_FILE} and {CURVES_FILE}",
                path.display()
            ))),
        }
    };
    Table::parse(
        &file(ABOUT_FILE, MAX_ABOUT_BYTES)?,
        &file(CONFIGURATIONS_FILE, MAX_CONFIGURATIONS_BYTES)?,
        &file(CURVES_FILE, MAX_CURVES_BYTES)?,
    )
    .map_err(|error| Failure::usage(format!("{}/{error}", dir.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_binary_are_right_and_large_enough() {
        for table in open(&[]).unwrap() {
            let catalogue = table.catalogue();
            assert!(catalogue.rows().len() >= 400, "{}", catalogue.about().name);
            assert!(table.curves().iter().all(|curve| curve.len() == 81));
        }
    }
}
