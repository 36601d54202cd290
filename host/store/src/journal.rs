//! The journal: takes rows at once and makes them durable in groups, on a thread of its own.
//!
//! A lost tail is computed again bit for bit, so nobody waits for the disk but those who have
//! something to tell the outside: see [`Journal::wait_committed`].

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::writer::Writer;
use crate::{Attachments, Beside, Row, RunStatus, StoreError, check_artifact_name};

/// A group is committed this long after its first row at the latest: what a crash can cost.
const GROUP_TIME: Duration = Duration::from_millis(50);

/// A group has at most this many rows: it bounds memory, and the cost of a commit is long since
/// spread thin.
const GROUP_ROWS: usize = 4096;

/// Whoever appends waits when this many rows are behind, so that a slow disk slows the run down
/// instead of filling the memory.
const BACKLOG_ROWS: usize = 4 * GROUP_ROWS;

/// The same for bytes: twice the default artifact limit of a trial.
const BACKLOG_BYTES: usize = 128 << 20;

/// Is called on the journal's thread with rows that are committed, in order, each once.
pub type Subscriber = Box<dyn FnMut(&[Row]) + Send>;

/// The journal of a run, open for writing.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Std mutex and condition variables: held for some assignments, never over I/O.
    state: Mutex<State>,
    /// Told to the writer: there is something to do.
    work: Condvar,
    /// Told by the writer: something was done.
    progress: Condvar,
}

struct State {
    pending: Vec<(Row, Attachments)>,
    pending_bytes: usize,
    /// When the first pending row came.
    since: Option<Instant>,
    status: Option<RunStatus>,
    subscribers: Vec<Subscriber>,
    beside: Vec<Arc<dyn Beside>>,
    /// Sequence of the next row.
    next: u64,
    /// Rows that are durable.
    committed: u64,
    /// The writer is busy with rows or a status that are no longer pending.
    busy: bool,
    /// Do not wait for more.
    flush: bool,
    closing: bool,
    failed: Option<StoreError>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("pending", &self.pending.len())
            .field("next", &self.next)
            .field("committed", &self.committed)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Journal {
    pub(crate) fn start(mut writer: Writer, next: u64) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                pending: Vec::new(),
                pending_bytes: 0,
                since: None,
                status: None,
                subscribers: Vec::new(),
                beside: Vec::new(),
                next,
                committed: next,
                busy: false,
                flush: false,
                closing: false,
                failed: None,
            }),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let path = writer.path.clone();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                let ending = Ending(&theirs);
                while let Some(work) = theirs.take() {
                    writer.subscribers.extend(work.subscribers);
                    writer.budget.beside.extend(work.beside);
                    let count = work.rows.len() as u64;
                    theirs.done(count, writer.commit(work.rows, work.status));
                }
                writer.finish();
                drop(ending);
            })
            .map_err(|e| StoreError::io(&path, "starting the journal's thread", &e))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Hands a row over, with the log and artifact bytes that become durable with it. Returns at
    /// once unless the disk is far behind.
    ///
    /// # Errors
    /// The journal failed before, the row is not the next one, or an artifact has a bad name; then
    /// nothing of it is kept.
    pub fn append(&self, row: Row, attachments: Attachments) -> Result<(), StoreError> {
        for artifact in &attachments.artifacts {
            check_artifact_name(&artifact.name)?;
        }
        let mut state = self.shared.lock();
        while state.failed.is_none() && state.is_full() {
            state.flush = true;
            self.shared.work.notify_one();
            state = wait(&self.shared.progress, state);
        }
        state.check()?;
        if row.sequence != state.next {
            return Err(StoreError::OutOfOrder {
                expected: state.next,
                got: row.sequence,
            });
        }
        state.next += 1;
        state.pending_bytes += attachments.bytes() + row.bytes();
        state.pending.push((row, attachments));
        let first = state.since.is_none();
        if first {
            state.since = Some(Instant::now());
        }
        // Waking the writer for each row would cost more than the row.
        if first || state.pending.len() == GROUP_ROWS {
            self.shared.work.notify_one();
        }
        Ok(())
    }

    /// Sequence of the next row.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.shared.lock().next
    }

    /// How many rows are durable: those with a sequence below this.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.shared.lock().committed
    }

    /// Returns when the row with this sequence is durable; the group in the making is committed
    /// at once.
    ///
    /// # Errors
    /// The journal failed, or the row was never appended.
    pub fn wait_committed(&self, sequence: u64) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        if sequence >= state.next {
            return Err(StoreError::OutOfOrder {
                expected: state.next,
                got: sequence,
            });
        }
        while state.committed <= sequence {
            state.check()?;
            state.flush = true;
            self.shared.work.notify_one();
            state = wait(&self.shared.progress, state);
        }
        Ok(())
    }

    /// Makes everything durable that was appended.
    ///
    /// # Errors
    /// The journal failed.
    pub fn flush(&self) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        loop {
            state.check()?;
            if state.is_idle() {
                return Ok(());
            }
            state.flush = true;
            self.shared.work.notify_one();
            state = wait(&self.shared.progress, state);
        }
    }

    /// Notes down where the run stands, after all rows so far, and returns when it is durable.
    /// Appending to a run that is not running makes it "running" again without this.
    ///
    /// # Errors
    /// The journal failed.
    pub fn set_status(&self, status: RunStatus) -> Result<(), StoreError> {
        self.shared.lock().status = Some(status);
        self.flush()
    }

    /// Calls this with every group of rows from now on once it is committed, on the journal's
    /// thread: it must be quick, and hand long work on.
    pub fn subscribe(&self, subscriber: Subscriber) {
        self.shared.lock().subscribers.push(subscriber);
    }

    /// From now on counts what this writes into the directory of the run too, see
    /// [`RunDir::limit_disk`](crate::RunDir::limit_disk).
    pub fn count(&self, beside: Arc<dyn Beside>) {
        self.shared.lock().beside.push(beside);
    }

    /// Why nothing can be written any more, if so. All up to [`Journal::committed`] is kept.
    #[must_use]
    pub fn failed(&self) -> Option<StoreError> {
        self.shared.lock().failed.clone()
    }

    /// Commits what is pending and leaves the run as one plain file. Dropping the journal does the
    /// same without telling how it went.
    ///
    /// # Errors
    /// The journal failed, now or before.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.end();
        self.failed().map_or(Ok(()), Err)
    }

    fn end(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has set `failed`.
            drop(thread.join());
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end();
    }
}

struct Work {
    rows: Vec<(Row, Attachments)>,
    status: Option<RunStatus>,
    subscribers: Vec<Subscriber>,
    beside: Vec<Arc<dyn Beside>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent at every point where a holder could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a group; `None` when there will be no more.
    fn take(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            let nothing = state.pending.is_empty() && state.status.is_none();
            if state.closing && (nothing || state.failed.is_some()) {
                return None;
            }
            if nothing || state.failed.is_some() {
                state.flush = false;
                state = wait(&self.work, state);
                continue;
            }
            let hurried = state.flush || state.closing || state.status.is_some();
            let age = state.since.map(|since| since.elapsed());
            match age {
                _ if hurried || state.pending.len() >= GROUP_ROWS => break,
                Some(age) if age >= GROUP_TIME => break,
                Some(age) => {
                    state = self
                        .work
                        .wait_timeout(state, GROUP_TIME.saturating_sub(age))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
                None => state = wait(&self.work, state),
            }
        }
        let mut rows = mem::take(&mut state.pending);
        if rows.len() > GROUP_ROWS {
            state.pending = rows.split_off(GROUP_ROWS);
        }
        let taken: usize = rows.iter().map(|(row, a)| a.bytes() + row.bytes()).sum();
        state.pending_bytes = state.pending_bytes.saturating_sub(taken);
        state.since = (!state.pending.is_empty()).then(Instant::now);
        // A status comes after all rows that were appended before it.
        let last = state.pending.is_empty();
        state.flush &= !last;
        let status = if last { state.status.take() } else { None };
        state.busy = true;
        Some(Work {
            rows,
            status,
            subscribers: mem::take(&mut state.subscribers),
            beside: mem::take(&mut state.beside),
        })
    }

    fn done(&self, rows: u64, outcome: Result<(), StoreError>) {
        let mut state = self.lock();
        state.busy = false;
        match outcome {
            Ok(()) => state.committed += rows,
            Err(error) => state.fail(error),
        }
        self.progress.notify_all();
    }
}

impl State {
    fn check(&self) -> Result<(), StoreError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn is_full(&self) -> bool {
        self.pending.len() >= BACKLOG_ROWS || self.pending_bytes >= BACKLOG_BYTES
    }

    fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.status.is_none() && !self.busy
    }

    fn fail(&mut self, error: StoreError) {
        self.pending = Vec::new();
        self.pending_bytes = 0;
        self.since = None;
        self.status = None;
        self.failed.get_or_insert(error);
    }
}

/// Whatever ends the thread, nobody waits for it in vain.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy = false;
        if thread::panicking() || !state.closing {
            state.fail(StoreError::Closed);
        }
        self.0.progress.notify_all();
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}
