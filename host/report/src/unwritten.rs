//! Bytes that derived files have yet to get. They are written up to a second after the rows that
//! they are made from; whoever bounds the directory of a run counts them from the moment when their
//! records are made.
//!
//! A record is counted with the most that its lines can take: what it really takes is known once it
//! is written, by looking at the files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::json::config_json;
use crate::outputs::Outputs;
use crate::{DerivedRecord, ReportView};

/// A number is written with so many bytes at most: a sign, 17 digits, a point, an exponent.
const NUMBER: u64 = 25;
/// A line of `result.json` beside metrics and configuration: `"trial_id":"000012","config":` and
/// brackets.
const JSON_LINE: u64 = 48;
/// A metric of `result.json` beside name and number: quotes, colon, comma.
const JSON_METRIC: u64 = 4;
/// A record of TensorBoard without metrics: lengths, checksums, time and step.
const TENSORBOARD_RECORD: u64 = 64;
/// A metric there beside its name: the prefix of its tag, a float, keys and lengths.
const TENSORBOARD_METRIC: u64 = 40;
/// What begins the files of a trial: the first record of TensorBoard.
const HEADER: u64 = 64;

/// Bytes that are yet to be written, at the most. Clones share one count.
#[derive(Clone, Debug)]
pub struct Unwritten {
    outputs: Outputs,
    /// Std mutex: held for a few sums.
    count: Arc<Mutex<Count>>,
}

#[derive(Debug, Default)]
struct Count {
    bytes: u64,
    /// Bytes of each trial's configuration in a line.
    configs: BTreeMap<u32, u64>,
    /// The files were given up: nothing more will be written.
    over: bool,
}

impl Unwritten {
    pub(crate) fn new(outputs: Outputs) -> Self {
        Self {
            outputs,
            count: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        // Consistent at every point where a holder could panic.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Counts a record that will be sent; says with how many bytes.
    #[must_use = "what is counted is to be sent, or to be removed"]
    pub fn add(&self, record: &DerivedRecord) -> u64 {
        let mut count = self.lock();
        if count.over {
            return 0;
        }
        let bytes = match record {
            DerivedRecord::Config { trial, config } => {
                let config = config_json(config);
                count
                    .configs
                    .insert(*trial, config.to_string().len() as u64);
                let pretty = serde_json::to_string_pretty(&config).map_or(0, |text| text.len());
                HEADER + pretty as u64
            }
            DerivedRecord::Report { trial, report } => {
                let config = count.configs.get(trial).copied().unwrap_or(0);
                report_bytes(self.outputs, report, config)
            }
            DerivedRecord::Ended { trial } => {
                count.configs.remove(trial);
                0
            }
        };
        count.bytes = count.bytes.saturating_add(bytes);
        bytes
    }

    /// Nothing more will be written.
    pub(crate) fn end(&self) {
        *self.lock() = Count {
            over: true,
            ..Count::default()
        };
    }

    /// So many are written, or never will be.
    pub(crate) fn remove(&self, bytes: u64) {
        let mut count = self.lock();
        count.bytes = count.bytes.saturating_sub(bytes);
    }
}

/// What the lines of a report take at most; `config` is the length of the trial's configuration.
fn report_bytes(outputs: Outputs, report: &ReportView, config: u64) -> u64 {
    let mut bytes = 0;
    if outputs.json {
        bytes += JSON_LINE + config;
    }
    if outputs.tensorboard {
        bytes += TENSORBOARD_RECORD;
    }
    for metric in &report.metrics {
        let name = metric.name.len() as u64;
        if outputs.json {
            // Quotes and backslashes take two; control characters are refused in names.
            bytes += 2 * name + NUMBER + JSON_METRIC;
        }
        if outputs.csv {
            // The name, if it heads a new column: quoted, and a comma.
            bytes += 2 * name + NUMBER + JSON_METRIC;
        }
        if outputs.tensorboard {
            bytes += name + TENSORBOARD_METRIC;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DerivedFiles;
    use tune_core::records::{Config, Metric, Value};

    /// Bytes of all files below.
    fn written(folder: &std::path::Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
        let size = |entry: std::fs::DirEntry| match entry.metadata().unwrap() {
            found if found.is_dir() => written(&entry.path()),
            found => found.len(),
        };
        entries.map(size).sum()
    }

    #[test]
    fn what_is_written_is_not_counted_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let files = DerivedFiles::start(dir.path(), Outputs::ALL, 0).unwrap();
        let config = Config::new();
        files.send(DerivedRecord::Config { trial: 0, config });
        for iteration in 0..1_000 {
            let metrics = Vec::new();
            let report = ReportView { iteration, metrics };
            // Of trial 1 nothing was said before.
            let trial = u32::from(iteration % 2 == 1);
            files.send(DerivedRecord::Report { trial, report });
        }
        let unwritten = files.unwritten().clone();
        assert!(unwritten.bytes() + written(dir.path()) > 1_000);
        files.sender().write_now();
        assert_eq!(unwritten.bytes(), 0);
        let before = written(dir.path());
        files.send(DerivedRecord::Ended { trial: 0 });
        files.finish().unwrap();
        assert_eq!((unwritten.bytes(), written(dir.path())), (0, before));
    }

    #[test]
    fn the_count_of_a_report_is_never_less_than_its_lines() {
        let values = [f64::MIN_POSITIVE, -f64::MAX, 1.0 / 3.0, f64::NAN, -1e-300];
        let report = ReportView {
            iteration: u64::MAX,
            metrics: (0..)
                .zip(values)
                .map(|(i, value)| Metric {
                    name: format!("a \"name\", \\ {i}").into(),
                    value,
                })
                .collect(),
        };
        let mut config = Config::new();
        config.insert("x", Value::Text("\"\n\u{1}".repeat(100)));
        for outputs in [
            Outputs {
                json: true,
                ..Outputs::NONE
            },
            Outputs {
                csv: true,
                ..Outputs::NONE
            },
            Outputs {
                tensorboard: true,
                ..Outputs::NONE
            },
            Outputs::ALL,
        ] {
            let dir = tempfile::tempdir().unwrap();
            let files = DerivedFiles::start(dir.path(), outputs, u64::MAX >> 30).unwrap();
            let count = Unwritten::new(outputs);
            let records = [
                DerivedRecord::Config {
                    trial: 0,
                    config: config.clone(),
                },
                DerivedRecord::Report {
                    trial: 0,
                    report: report.clone(),
                },
            ];
            let mut most = 0;
            for record in records {
                most += count.add(&record);
                files.send(record);
            }
            files.finish().unwrap();
            let taken = written(dir.path());
            assert!(0 < taken && taken <= most, "{outputs:?}: {taken} of {most}");
        }
    }
}
