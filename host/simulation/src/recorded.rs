//! Curves of a table, as the trainable `table` reports them.

use tune_core::{Failed, StepEnd};
use tune_space::{Config, FailureKind, TrialId};
use tune_table::{Match, Table};

use crate::Curves;

/// The curves of a table: a trial has the curve of the row that stands for its configuration.
#[derive(Debug)]
pub struct Recorded<'a> {
    table: &'a Table,
    /// The configuration of every trial and its row, by trial.
    rows: Vec<Option<(Config, usize)>>,
}

impl<'a> Recorded<'a> {
    /// The curves of this table, of whose trials none has begun.
    #[must_use]
    pub fn new(table: &'a Table) -> Self {
        Self {
            table,
            rows: Vec::new(),
        }
    }

    fn row(&mut self, trial: TrialId, config: &Config) -> Result<usize, String> {
        let index = trial as usize;
        if self.rows.len() <= index {
            self.rows.resize(index + 1, None);
        }
        if let Some(Some((known, row))) = self.rows.get(index)
            && known == config
        {
            return Ok(*row);
        }
        let found = self.table.catalogue().find(config, Match::Nearest);
        let row = found.map_err(|error| error.to_string())?;
        if let Some(place) = self.rows.get_mut(index) {
            *place = Some((config.clone(), row));
        }
        Ok(row)
    }
}

impl Curves for Recorded<'_> {
    fn step(&mut self, trial: TrialId, config: &Config, iteration: u64) -> StepEnd {
        let report = self.row(trial, config).and_then(|row| {
            let report = self.table.report(row, iteration);
            report.ok_or_else(|| "the curve has no steps".to_owned())
        });
        StepEnd {
            result: report.map_err(|message| Failed {
                kind: FailureKind::Reported,
                message,
            }),
            fuel: 0,
            memory_bytes: 0,
        }
    }
}
