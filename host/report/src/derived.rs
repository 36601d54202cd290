//! Files for other tools, in the layout of Ray Tune: `trials/000012/` with `params.json`,
//! `result.json`, `progress.csv` and `events.out.tfevents.*`.
//!
//! They are made from committed rows by a thread of their own that the run never waits for, at most
//! once a second a trial, and can be made again from the journal at any time. So nothing is synced,
//! and an error here ends the files, never the run.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tune_core::records::Config;

use crate::csv::ProgressCsv;
use crate::json::{config_json, json_number};
use crate::outputs::Outputs;
use crate::unwritten::Unwritten;
use crate::{ReportView, tensorboard};

/// Files of a trial that goes on are written this often: people look no faster, and ten thousand
/// reports then cost one write.
const INTERVAL: Duration = Duration::from_secs(1);

/// The thread rests so long once it has taken all there was: waking it for each record would cost
/// the run more than making the record.
const REST: Duration = Duration::from_millis(5);

/// What the files are made from, in the order of the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum DerivedRecord {
    /// A trial was created, or its configuration changed.
    Config {
        /// Which trial.
        trial: u32,
        /// The whole configuration.
        config: Config,
    },
    /// A trial reported.
    Report {
        /// Which trial.
        trial: u32,
        /// With the host's metrics; `timestamp` is Unix time in seconds.
        report: ReportView,
    },
    /// A trial is over: its files are completed at once. What comes for it later is ignored.
    Ended {
        /// Which trial.
        trial: u32,
    },
}

/// Why derived files are not complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot write {path}: {message}. The run is not affected; `tune-host resume` makes these files again",
    path = path.display()
)]
pub struct DerivedError {
    /// The file or directory.
    pub path: PathBuf,
    /// As the system says it.
    pub message: String,
}

/// What the thread is told.
#[derive(Debug)]
enum Order {
    /// A record, and the bytes that it was counted with.
    Record(DerivedRecord, u64),
    /// Write all that there is; who asks hears when it is done.
    WriteNow(SyncSender<()>),
}

/// A handle through which records reach the thread.
#[derive(Clone, Debug)]
pub struct DerivedSender {
    orders: Sender<Order>,
    unwritten: Unwritten,
}

impl DerivedSender {
    /// Hands a record over, with the bytes that [`Unwritten::add`] counted it with; never waits.
    pub fn send(&self, record: DerivedRecord, bytes: u64) {
        // After an error the thread is gone, and `finish` tells why.
        if self.orders.send(Order::Record(record, bytes)).is_err() {
            self.unwritten.remove(bytes);
        }
    }

    /// Returns when all that was sent so far is in the files, or the thread is gone.
    pub fn write_now(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        if self.orders.send(Order::WriteNow(done)).is_ok() {
            // An error: the thread is gone, and nothing will be written any more.
            wait.recv().unwrap_or_default();
        }
    }
}

/// The thread that writes derived files.
#[derive(Debug)]
pub struct DerivedFiles {
    sender: DerivedSender,
    thread: JoinHandle<Result<(), DerivedError>>,
}

impl DerivedFiles {
    /// Starts with the directory `trials/` of a run, which is made if it is missing. The files of
    /// each trial are made anew, so a run that is resumed sends all its records again.
    /// `created_s`, Unix time in seconds of the creation of the run, names the event files.
    ///
    /// # Errors
    /// The directory cannot be made, or no thread can be started.
    pub fn start(
        trials_dir: impl Into<PathBuf>,
        outputs: Outputs,
        created_s: u64,
    ) -> Result<Self, DerivedError> {
        let root = trials_dir.into();
        let failed = |error: &io::Error| DerivedError {
            path: root.clone(),
            message: error.to_string(),
        };
        fs::create_dir_all(&root).map_err(|e| failed(&e))?;
        let (orders, receiver) = mpsc::channel();
        let sender = DerivedSender {
            orders,
            unwritten: Unwritten::new(outputs),
        };
        let files = Files {
            unwritten: sender.unwritten.clone(),
            root: root.clone(),
            outputs,
            created_s,
            trials: BTreeMap::new(),
            due: VecDeque::new(),
        };
        let thread = thread::Builder::new()
            .name("derived-files".to_owned())
            .spawn(move || {
                let unwritten = files.unwritten.clone();
                let ended = files.run(&receiver);
                unwritten.end();
                ended
            })
            .map_err(|e| failed(&e))?;
        Ok(Self { sender, thread })
    }

    /// A handle that records can be sent through from another thread, such as the journal's. The
    /// files are not complete before all handles are dropped.
    #[must_use]
    pub fn sender(&self) -> DerivedSender {
        self.sender.clone()
    }

    /// What is yet to be written.
    #[must_use]
    pub fn unwritten(&self) -> &Unwritten {
        &self.sender.unwritten
    }

    /// Hands a record over; never waits.
    pub fn send(&self, record: DerivedRecord) {
        let bytes = self.sender.unwritten.add(&record);
        self.sender.send(record, bytes);
    }

    /// Completes all files and returns when they are.
    ///
    /// # Errors
    /// The first error that came up; the thread stopped writing then.
    pub fn finish(self) -> Result<(), DerivedError> {
        drop(self.sender);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_else(|_| {
            Err(DerivedError {
                path: PathBuf::from("trials"),
                message: "the writing thread failed; this is a defect of tune-host".to_owned(),
            })
        })
    }
}

struct Files {
    unwritten: Unwritten,
    root: PathBuf,
    outputs: Outputs,
    created_s: u64,
    trials: BTreeMap<u32, TrialFiles>,
    /// Trials with something to write, and when: the earliest first.
    due: VecDeque<(Instant, u32)>,
}

struct TrialFiles {
    dir: PathBuf,
    config: Value,
    config_changed: bool,
    pending: Vec<ReportView>,
    /// Bytes that what is to be written was counted with.
    counted: u64,
    csv: ProgressCsv,
    /// Files of this run's own making are there.
    begun: bool,
    is_due: bool,
}

impl Files {
    fn run(mut self, orders: &Receiver<Order>) -> Result<(), DerivedError> {
        loop {
            let now = Instant::now();
            while let Some(&(when, trial)) = self.due.front()
                && when <= now
            {
                self.due.pop_front();
                self.write(trial)?;
            }
            let order = match self.due.front() {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((when, _)) => orders.recv_timeout(when.saturating_duration_since(now)),
            };
            match order {
                Ok(order) => {
                    self.carry_out(order)?;
                    orders
                        .try_iter()
                        .try_for_each(|order| self.carry_out(order))?;
                    thread::park_timeout(REST);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.write_all()
    }

    fn carry_out(&mut self, order: Order) -> Result<(), DerivedError> {
        match order {
            Order::Record(record, bytes) => self.take(record, bytes),
            Order::WriteNow(done) => {
                self.write_all()?;
                // Who asked does not wait any more: nobody needs to know.
                done.send(()).unwrap_or_default();
                Ok(())
            }
        }
    }

    fn write_all(&mut self) -> Result<(), DerivedError> {
        let all: Vec<u32> = self.trials.keys().copied().collect();
        all.into_iter().try_for_each(|trial| self.write(trial))
    }

    fn take(&mut self, record: DerivedRecord, bytes: u64) -> Result<(), DerivedError> {
        let trial = match record {
            DerivedRecord::Config { trial, config } => {
                let root = &self.root;
                let files = self.trials.entry(trial).or_insert_with(|| TrialFiles {
                    dir: root.join(format!("{trial:06}")),
                    config: Value::Null,
                    config_changed: true,
                    pending: Vec::new(),
                    counted: 0,
                    csv: ProgressCsv::default(),
                    begun: false,
                    is_due: false,
                });
                files.counted = files.counted.saturating_add(bytes);
                // Reports so far belong to the configuration so far.
                if !files.pending.is_empty() {
                    files
                        .write(self.outputs, self.created_s, trial)
                        .map_err(|e| files.failed(&e))?;
                }
                files.config = config_json(&config);
                files.config_changed = true;
                trial
            }
            DerivedRecord::Report { trial, report } => {
                let Some(files) = self.trials.get_mut(&trial) else {
                    self.unwritten.remove(bytes);
                    return Ok(());
                };
                files.counted = files.counted.saturating_add(bytes);
                files.pending.push(report);
                trial
            }
            DerivedRecord::Ended { trial } => {
                self.unwritten.remove(bytes);
                self.write(trial)?;
                self.trials.remove(&trial);
                return Ok(());
            }
        };
        if let Some(files) = self.trials.get_mut(&trial)
            && !files.is_due
        {
            files.is_due = true;
            self.due.push_back((Instant::now() + INTERVAL, trial));
        }
        Ok(())
    }

    fn write(&mut self, trial: u32) -> Result<(), DerivedError> {
        let Some(files) = self.trials.get_mut(&trial) else {
            return Ok(());
        };
        files.is_due = false;
        files
            .write(self.outputs, self.created_s, trial)
            .map_err(|e| files.failed(&e))?;
        self.unwritten.remove(std::mem::take(&mut files.counted));
        Ok(())
    }
}

impl TrialFiles {
    fn failed(&self, error: &io::Error) -> DerivedError {
        DerivedError {
            path: self.dir.clone(),
            message: error.to_string(),
        }
    }

    fn write(&mut self, outputs: Outputs, created_s: u64, trial: u32) -> io::Result<()> {
        let first = !self.begun;
        if first {
            fs::create_dir(&self.dir).or_else(|error| {
                if error.kind() == io::ErrorKind::AlreadyExists {
                    Ok(())
                } else {
                    Err(error)
                }
            })?;
            self.begun = true;
        }
        if outputs.json && self.config_changed {
            let text = serde_json::to_string_pretty(&self.config)? + "\n";
            fs::write(self.dir.join("params.json"), text)?;
        }
        self.config_changed = false;
        let reports = std::mem::take(&mut self.pending);
        if reports.is_empty() && !first {
            return Ok(());
        }
        if outputs.json {
            let mut lines = Vec::new();
            for report in &reports {
                result_line(&mut lines, report, trial, &self.config)?;
            }
            put(&self.dir.join("result.json"), &lines, first)?;
        }
        if outputs.csv && !reports.is_empty() {
            self.csv.append(&self.dir.join("progress.csv"), &reports)?;
        }
        if outputs.tensorboard {
            let mut records = Vec::new();
            if first {
                records.extend(tensorboard::file_header(created_s as f64));
            }
            for report in &reports {
                records.extend(tensorboard::scalars(report));
            }
            let name = format!("events.out.tfevents.{created_s:010}.tune-host");
            put(&self.dir.join(name), &records, first)?;
        }
        Ok(())
    }
}

/// A line of `result.json`: metrics by name, and the configuration, as Ray Tune has it. Written
/// piece by piece: a hundred thousand lines must not build a hundred thousand trees.
fn result_line(
    out: &mut Vec<u8>,
    report: &ReportView,
    trial: u32,
    config: &Value,
) -> io::Result<()> {
    out.push(b'{');
    for metric in &report.metrics {
        serde_json::to_writer(&mut *out, &metric.name)?;
        write!(out, ":{},", json_number(metric.value))?;
    }
    write!(out, "\"trial_id\":\"{trial:06}\",\"config\":{config}}}")?;
    out.push(b'\n');
    Ok(())
}

/// Begins a file or appends to it.
fn put(path: &Path, bytes: &[u8], first: bool) -> io::Result<()> {
    let mut options = File::options();
    if first {
        options.write(true).create(true).truncate(true);
    } else {
        options.append(true);
    }
    options.open(path)?.write_all(bytes)
}
