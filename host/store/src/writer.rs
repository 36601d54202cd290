//! The writer: makes groups of rows durable in the right order. Runs on the journal's thread.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::artifacts::Artifacts;
use crate::budget::{Budget, Need};
use crate::lock::Lock;
use crate::logs::Logs;
use crate::schema::{Database, Group, needs_running};
use crate::{Attachments, LogOf, Row, RunStatus, StoreError, Subscriber};

pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) database: Database,
    pub(crate) logs: Logs,
    pub(crate) artifacts: Artifacts,
    pub(crate) budget: Budget,
    /// As it stands in the database.
    pub(crate) status: RunStatus,
    pub(crate) subscribers: Vec<Subscriber>,
    /// Dropped last: no other process may write before this one is through.
    pub(crate) lock: Arc<Lock>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Commits a group: log and artifact bytes first, then the rows, then what others may see.
    pub(crate) fn commit(
        &mut self,
        items: Vec<(Row, Attachments)>,
        status: Option<RunStatus>,
    ) -> Result<(), StoreError> {
        let mut need = Need::default();
        for (row, attachments) in &items {
            need.rows += 1;
            need.row_bytes += row.bytes() as u64;
            need.log_bytes += attachments.log_bytes() as u64;
            need.artifact_bytes += attachments.artifact_bytes() as u64;
        }
        let mut for_logs = if items.is_empty() {
            0
        } else {
            self.budget.admit(need)?
        };
        let mut rows = Vec::with_capacity(items.len());
        let mut log_bytes: BTreeMap<LogOf, Vec<u8>> = BTreeMap::new();
        let mut writes = Vec::new();
        for (mut row, attachments) in items {
            for (log, mut bytes) in attachments.logs {
                if bytes.len() as u64 > for_logs {
                    bytes = self.budget.instead(log).to_vec();
                }
                for_logs = for_logs.saturating_sub(bytes.len() as u64);
                if !bytes.is_empty() {
                    self.logs.grow(log, bytes.len());
                    log_bytes.entry(log).or_default().extend(bytes);
                }
            }
            row.log_end = row.trial.map_or(0, |t| self.logs.length(LogOf::Trial(t)));
            writes.extend(attachments.artifacts.into_iter().map(|a| (row.sequence, a)));
            rows.push(row);
        }
        let status = status.or_else(|| {
            // Whoever resumes a run need not remember to say so.
            (!rows.is_empty() && needs_running(&self.status)).then(RunStatus::running)
        });

        self.logs
            .write(&log_bytes)
            .map_err(|e| StoreError::io(&self.path, "the logs", &e))?;
        let stored = self
            .artifacts
            .store(writes)
            .map_err(|e| StoreError::io(&self.path, "artifacts", &e))?;
        self.database.commit(&Group {
            rows: &rows,
            artifacts: &stored,
            log_lengths: log_bytes
                .keys()
                .map(|&log| (log, self.logs.length(log)))
                .collect(),
            status: status.as_ref(),
        })?;
        if let Some(status) = status {
            self.status = status;
        }
        self.artifacts
            .publish(&stored)
            .map_err(|e| StoreError::io(&self.path, "artifacts", &e))?;
        if !rows.is_empty() {
            for subscriber in &mut self.subscribers {
                subscriber(&rows);
            }
        }
        Ok(())
    }

    /// Leaves the run as one plain file and lets go of the lock.
    pub(crate) fn finish(self) {
        self.database.settle();
        drop(self.lock);
    }
}
