//! `progress.csv`: a line a report, a column a metric. A metric that comes up late gets a column
//! too: the lines before it have an empty cell there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tune_core::records::Name;

use crate::ReportView;

/// What stands in the file so far, but for its rows.
#[derive(Debug, Default)]
pub(crate) struct ProgressCsv {
    columns: Vec<Name>,
    /// Bytes of the header line in the file; 0 before the file is made.
    header_bytes: usize,
}

impl ProgressCsv {
    /// Adds reports to the file. The first call replaces a file that is there.
    pub(crate) fn append(&mut self, path: &Path, reports: &[ReportView]) -> io::Result<()> {
        let before = self.columns.len();
        for metric in reports.iter().flat_map(|r| &r.metrics) {
            if !self.columns.contains(&metric.name) {
                self.columns.push(metric.name.clone());
            }
        }
        let mut rows = String::new();
        for report in reports {
            self.row(report, &mut rows);
        }
        if self.header_bytes > 0 && before == self.columns.len() {
            return File::options()
                .append(true)
                .open(path)?
                .write_all(rows.as_bytes());
        }
        let mut text = self.header();
        let header_bytes = text.len();
        if self.header_bytes > 0 {
            // Cells are numbers, so that lines and rows are the same thing below the header.
            let old = fs::read_to_string(path)?;
            let empty = ",".repeat(self.columns.len() - before);
            for line in old.get(self.header_bytes..).unwrap_or_default().lines() {
                text.push_str(line);
                text.push_str(&empty);
                text.push('\n');
            }
        }
        text.push_str(&rows);
        self.header_bytes = header_bytes;
        fs::write(path, text)
    }

    fn header(&self) -> String {
        let cells: Vec<String> = self.columns.iter().map(|name| quoted(name)).collect();
        cells.join(",") + "\n"
    }

    fn row(&self, report: &ReportView, out: &mut String) {
        for (index, name) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            // Reports name their metrics in the same order nearly always.
            let metric = report
                .metrics
                .get(index)
                .filter(|m| m.name == *name)
                .or_else(|| report.metrics.iter().find(|m| m.name == *name));
            if let Some(metric) = metric {
                out.push_str(&cell(metric.value));
            }
        }
        out.push('\n');
    }
}

/// NaN is not the same as nothing: pandas and R read `nan`, `inf` and `-inf`.
fn cell(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        crate::number::exact(value)
    }
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::records::Metric;

    fn report(metrics: &[(&str, f64)]) -> ReportView {
        ReportView {
            iteration: 1,
            metrics: metrics
                .iter()
                .map(|&(name, value)| Metric {
                    name: name.into(),
                    value,
                })
                .collect(),
        }
    }

    #[test]
    fn late_columns_are_added_to_the_lines_before_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("progress.csv");
        std::fs::write(&path, "left by an earlier run\n").unwrap();
        let mut csv = ProgressCsv::default();
        csv.append(&path, &[report(&[("a", 1.0), ("odd,\"name\n", 0.1)])])
            .unwrap();
        csv.append(&path, &[report(&[("odd,\"name\n", f64::NAN)])])
            .unwrap();
        csv.append(
            &path,
            &[
                report(&[("late", 2.0), ("a", f64::NEG_INFINITY)]),
                report(&[("later", 1e-7)]),
            ],
        )
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "a,\"odd,\"\"name\n\",late,later\n1,0.1,,\n,nan,,\n-inf,,2,\n,,,1e-7\n"
        );
    }
}
