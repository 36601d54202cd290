//! Feeds derived files with what is committed: a record waits until its row is durable, so that the
//! files never tell of a result that a crash takes back.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tune_report::{DerivedError, DerivedFiles, DerivedRecord, DerivedSender, Outputs, Unwritten};
use tune_store::{Beside, Journal, Row};

/// Records on their way to the derived files.
#[derive(Debug)]
pub(crate) struct Feed {
    files: DerivedFiles,
    held: Arc<Mutex<Held>>,
}

/// Shared with the journal's thread. A std mutex: held for moving records only.
#[derive(Debug)]
struct Held {
    /// In the order of the rows that they came with, and the bytes that they are counted with.
    waiting: VecDeque<(u64, DerivedRecord, u64)>,
    /// Rows below this are durable.
    committed: u64,
    /// None once the files are to be completed.
    sender: Option<DerivedSender>,
}

impl Held {
    fn release(&mut self) {
        while let Some((sequence, ..)) = self.waiting.front()
            && *sequence < self.committed
        {
            if let (Some((_, record, bytes)), Some(sender)) =
                (self.waiting.pop_front(), &self.sender)
            {
                sender.send(record, bytes);
            }
        }
    }
}

/// What the files have yet to get, for whoever bounds the directory of the run.
struct Counted {
    unwritten: Unwritten,
    held: Arc<Mutex<Held>>,
}

impl Beside for Counted {
    fn unwritten(&self) -> u64 {
        self.unwritten.bytes()
    }

    fn write_now(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = held.sender.clone();
        // Not while it is locked: the files take their time.
        drop(held);
        if let Some(sender) = sender {
            sender.write_now();
        }
    }
}

impl Feed {
    /// Starts to write the files of a run; none if it wants none.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub(crate) fn start(
        run: &Path,
        outputs: Outputs,
        created_ms: u64,
        journal: &Journal,
    ) -> Result<Option<Self>, DerivedError> {
        if outputs.is_none() {
            return Ok(None);
        }
        let files = DerivedFiles::start(run.join("trials"), outputs, created_ms / 1000)?;
        let held = Arc::new(Mutex::new(Held {
            waiting: VecDeque::new(),
            committed: journal.committed(),
            sender: Some(files.sender()),
        }));
        let theirs = Arc::clone(&held);
        journal.subscribe(Box::new(move |rows: &[Row]| {
            let mut held = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = rows.last() {
                held.committed = last.sequence + 1;
            }
            held.release();
        }));
        journal.count(Arc::new(Counted {
            unwritten: files.unwritten().clone(),
            held: Arc::clone(&held),
        }));
        Ok(Some(Self { files, held }))
    }

    /// Hands over what came with a row.
    pub(crate) fn send(&self, sequence: u64, records: impl IntoIterator<Item = DerivedRecord>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let unwritten = self.files.unwritten();
        held.waiting.extend(records.into_iter().map(|record| {
            let bytes = unwritten.add(&record);
            (sequence, record, bytes)
        }));
        held.release();
    }

    /// Completes the files with what is durable by now.
    ///
    /// # Errors
    /// The first error that came up.
    pub(crate) fn finish(self) -> Result<(), DerivedError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.sender = None;
        drop(held);
        self.files.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::records::{Config, Metric};
    use tune_report::ReportView;
    use tune_store::{Attachments, Header, RunDir};

    fn row(sequence: u64) -> Row {
        Row {
            sequence,
            tick: 0,
            trial: Some(0),
            kind: "report".to_owned(),
            body: Vec::new(),
            wall_ms: 0,
            step_us: 0,
            log_end: 0,
            usage: Vec::new(),
            digest: [0; 32],
        }
    }

    fn report(iteration: u64) -> DerivedRecord {
        DerivedRecord::Report {
            trial: 0,
            report: ReportView {
                iteration,
                metrics: vec![Metric {
                    name: "loss".into(),
                    value: iteration as f64,
                }],
            },
        }
    }

    #[test]
    fn files_hold_what_is_committed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let (_run, journal) = RunDir::create(&path, &Header::default()).unwrap();
        let outputs = Outputs {
            json: true,
            ..Outputs::NONE
        };
        let feed = Feed::start(&path, outputs, 0, &journal).unwrap().unwrap();
        let config = DerivedRecord::Config {
            trial: 0,
            config: Config::new(),
        };
        journal.append(row(0), Attachments::none()).unwrap();
        feed.send(0, [config, report(1)]);
        journal.append(row(1), Attachments::none()).unwrap();
        journal.flush().unwrap();
        feed.send(1, [report(2)]);
        // Its row never reaches the journal.
        feed.send(2, [report(3)]);
        journal.close().unwrap();
        feed.finish().unwrap();
        let text = std::fs::read_to_string(path.join("trials/000000/result.json")).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
