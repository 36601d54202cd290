//! The trainable `table`: instead of training it reports the recorded curve of its configuration, and
//! says that each step took as long as it took when it was recorded. A run on a table decides what a
//! run with training would have decided, in a fraction of the time.
//!
//! Needs the data set `table`, a directory as `docs/tables.md` describes it, and the grant
//! `virtual-cost`. The space of the experiment is that of the table or a part of it; parameters may be
//! constants. The constant `lookup` says which row stands for a configuration that was not recorded:
//! `"nearest"` (the default) or `"exact"`, which refuses it.
//!
//! A trial reads the description, the configurations, and of the curves its own one.

use tune_plugin::{Config, Failure, Name, Report, Trainable, TrialInfo, data};
use tune_table::{
    ABOUT_FILE, CONFIGURATIONS_FILE, CURVES_FILE, Catalogue, Curve, MAX_ABOUT_BYTES,
    MAX_CONFIGURATIONS_BYTES, Match, Reader, Source,
};

/// Under which the files are read: the data set `table` must be granted.
const DATA_SET: &str = "table";

/// A trial: a curve, and how far it was told.
#[derive(Clone, Debug)]
pub struct Table {
    metrics: Vec<Name>,
    curve: Curve,
    t: u64,
}

impl Trainable for Table {
    const NAME: &'static str = "table";
    const SUMMARY: &'static str = "Reports recorded curves with their cost instead of training";
    const GRANTS: &'static [&'static str] = &["data", "virtual-cost"];

    fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let about = read(ABOUT_FILE, MAX_ABOUT_BYTES)?;
        let configurations = read(CONFIGURATIONS_FILE, MAX_CONFIGURATIONS_BYTES)?;
        let bad = |error: tune_table::TableError| Failure::BadData(error.to_string());
        let catalogue = Catalogue::parse(&about, &configurations).map_err(bad)?;
        let row = catalogue
            .find(config, Match::Nearest)
            .map_err(|error| Failure::BadConfig(error.to_string()))?;
        let row = catalogue
            .rows()
            .get(row)
            .ok_or_else(|| Failure::BadData("the table has no rows".to_owned()))?;
        let curve = Reader::new(&catalogue, &mut Curves)
            .curve(row.id)
            .map_err(bad)?;
        Ok(Self {
            metrics: catalogue.about().metrics.clone(),
            curve,
            t: 0,
        })
    }

    fn step(&mut self) -> Result<Report, Failure> {
        self.t += 1;
        self.curve
            .report(&self.metrics, self.t)
            .ok_or_else(|| Failure::BadData("the curve has no steps".to_owned()))
    }
}

/// A whole file of the data set, if it is no larger than a table may have it.
fn read(file: &str, max_bytes: u64) -> Result<Vec<u8>, Failure> {
    let name = format!("{DATA_SET}/{file}");
    let size = data::size(&name)?;
    if size > max_bytes {
        return Err(Failure::BadData(format!(
            "{file} has {size} bytes: at most {max_bytes} are allowed"
        )));
    }
    Ok(data::read_all(&name)?)
}

/// `curves.csv` of the data set.
struct Curves;

impl Source for Curves {
    fn size(&mut self) -> Result<u64, String> {
        data::size(&format!("{DATA_SET}/{CURVES_FILE}")).map_err(|e| e.to_string())
    }

    fn read(&mut self, offset: u64, max_len: u32) -> Result<Vec<u8>, String> {
        let name = format!("{DATA_SET}/{CURVES_FILE}");
        data::read(&name, offset, max_len).map_err(|e| e.to_string())
    }
}

tune_plugin::export_trainable!(Table);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_table::crossing;

    const INFO: TrialInfo = TrialInfo {
        trial: 0,
        seed: 0,
        workers: 1,
        restoring: false,
    };

    /// A table on the disk, which the trial may read.
    fn mounted(edit: impl Fn(String) -> String) -> (tune_table::Table, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let table = crossing(20, 5);
        for (file, text) in table.to_files(None) {
            std::fs::write(dir.path().join(file), edit(text)).unwrap();
        }
        data::native::mount(DATA_SET, dir.path());
        (table, dir)
    }

    #[test]
    fn a_trial_reports_the_curve_of_its_configuration_step_by_step() {
        let (table, _dir) = mounted(|text| text);
        for (index, row) in table.catalogue().rows().iter().enumerate() {
            let mut trial = Table::setup(&INFO, &row.config).unwrap();
            for t in 1..=5 {
                assert_eq!(Some(trial.step().unwrap()), table.report(index, t));
            }
        }
    }

    #[test]
    fn a_configuration_that_was_not_recorded_has_the_curve_of_the_nearest_unless_that_is_refused() {
        let (table, _dir) = mounted(|text| text);
        let mut config = table.catalogue().rows()[7].config.clone();
        let quality = config.f64("quality").unwrap();
        config.insert("quality", quality * 0.999);
        let mut trial = Table::setup(&INFO, &config).unwrap();
        assert_eq!(Some(trial.step().unwrap()), table.report(7, 1));
        config.insert("lookup", "exact");
        let refused = Table::setup(&INFO, &config).unwrap_err();
        assert!(matches!(refused, Failure::BadConfig(_)), "{refused}");
    }

    #[test]
    fn a_table_that_is_damaged_is_named_with_the_place() {
        let (table, _dir) = mounted(|text| text.replace("0.", "O."));
        let error = Table::setup(&INFO, &table.catalogue().rows()[0].config).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(".json:") || text.contains(".csv:"), "{text}");
    }
}
