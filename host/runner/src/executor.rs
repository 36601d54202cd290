//! Trial threads: they run errands first, then the step that begins first in virtual time, and hand
//! back what came of it. They never wait for one another, so one thread is enough.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use tune_core::records::TrialId;
use tune_runtime::Trial;

use crate::errand::{Captured, Errand, Ran};
use crate::factory::Factory;
use crate::job::{Done, Job};

/// How often a thread with nothing to do lets others run before it sleeps, after a brisk step:
/// waking it costs more than such a step.
const TURNS_BEFORE_SLEEP: u32 = 20;

/// A step shorter than this is brisk. After longer ones a thread sleeps at once: one that sleeps is
/// run as soon as it is woken, one that lets others run waits for its next slice of milliseconds.
const BRISK: Duration = Duration::from_micros(100);

/// What trial threads have to tell.
pub(crate) enum News {
    /// A step ended.
    Ended(Box<Done>),
    /// A state was captured before a step.
    Captured(Captured),
    /// An errand is done.
    Ran(Ran),
}

/// Jobs ordered by (tick, trial).
struct Queued(Job);

impl Queued {
    fn key(&self) -> (u64, TrialId) {
        (self.0.tick, self.0.trial)
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[derive(Default)]
struct Queue {
    /// Before steps: they give memory back, or a step waits for them.
    errands: VecDeque<Errand>,
    jobs: BinaryHeap<Reverse<Queued>>,
    /// Instances that are not needed any more. Giving their memory back takes as long as handing a
    /// result over, so the coordinator leaves it to the trial threads.
    #[expect(
        clippy::vec_box,
        reason = "they come boxed, and are moved under a lock"
    )]
    spent: Vec<Box<Trial>>,
    /// Threads that wait. A thread that does not wait looks into the queue before it does: it
    /// need not be woken, which costs more than a short step.
    idle: usize,
    closed: bool,
}

/// What a trial thread does next.
enum Task {
    /// Run an errand.
    Errand(Errand),
    /// Run a step, then drop an instance: each job makes at most one, so they cannot pile up.
    Step(Job, Option<Box<Trial>>),
    /// Drop an instance: there is nothing to run.
    Clear(Box<Trial>),
}

impl Shared {
    /// Changes the queue and wakes a thread for it if one waits.
    fn give(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = lock(&self.queue);
        change(&mut queue);
        if queue.idle > 0 {
            self.ready.notify_one();
        }
    }

    fn tell(&self, news: News) {
        lock(&self.inbox).push(news);
        self.coordinator.unpark();
    }
}

impl Queue {
    fn next(&mut self) -> Option<Task> {
        if let Some(errand) = self.errands.pop_front() {
            return Some(Task::Errand(errand));
        }
        let spent = self.spent.pop();
        match self.jobs.pop() {
            Some(Reverse(Queued(job))) => Some(Task::Step(job, spent)),
            None => spent.map(Task::Clear),
        }
    }
}

struct Shared {
    // Std mutexes: held for a push or a pop, never across a step.
    queue: Mutex<Queue>,
    ready: Condvar,
    inbox: Mutex<Vec<News>>,
    coordinator: Thread,
}

/// A lock that a panicking holder cannot poison: the data are whole between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The trial threads of a run.
pub(crate) struct Executor {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The last step that ended was.
    brisk: bool,
}

impl Executor {
    /// Starts `threads` threads. The calling thread is unparked for all that they have to tell.
    pub(crate) fn new(threads: usize, factory: &Arc<Factory>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            ready: Condvar::new(),
            inbox: Mutex::default(),
            coordinator: std::thread::current(),
        });
        let mut executor = Self {
            shared,
            threads: Vec::new(),
            brisk: false,
        };
        for i in 0..threads {
            let (shared, factory) = (Arc::clone(&executor.shared), Arc::clone(factory));
            let thread = std::thread::Builder::new()
                .name(format!("trials-{i}"))
                .spawn(move || work(&shared, &factory))?;
            executor.threads.push(thread);
        }
        Ok(executor)
    }

    pub(crate) fn push(&self, job: Job) {
        self.shared
            .give(|queue| queue.jobs.push(Reverse(Queued(job))));
    }

    pub(crate) fn send(&self, errand: Errand) {
        self.shared.give(|queue| queue.errands.push_back(errand));
    }

    /// Drops an instance on a trial thread.
    pub(crate) fn clear(&self, instance: Box<Trial>) {
        self.shared.give(|queue| queue.spent.push(instance));
    }

    /// Takes back the jobs that no thread has begun.
    pub(crate) fn withdraw(&self) -> Vec<Job> {
        let mut queue = lock(&self.shared.queue);
        queue.jobs.drain().map(|Reverse(Queued(job))| job).collect()
    }

    /// Returns when there is news, at the latest after `longest`, or when unparked.
    pub(crate) fn wait(&self, longest: Duration) {
        let turns = if self.brisk { TURNS_BEFORE_SLEEP } else { 0 };
        for _ in 0..turns {
            if !lock(&self.shared.inbox).is_empty() {
                return;
            }
            std::thread::yield_now();
        }
        std::thread::park_timeout(longest);
    }

    /// What happened since the last call, in the order in which it did.
    pub(crate) fn news(&mut self) -> Vec<News> {
        let news = std::mem::take(&mut *lock(&self.shared.inbox));
        if let Some(News::Ended(last)) = news.last() {
            self.brisk = last.took < BRISK;
        }
        news
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        {
            let mut queue = lock(&self.shared.queue);
            queue.closed = true;
            queue.jobs.clear();
            queue.errands.clear();
        }
        self.shared.ready.notify_all();
        for thread in self.threads.drain(..) {
            // A trial thread does not panic: guests are caught below it. If it did, the run has
            // already ended and there is nobody left to tell.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared, factory: &Factory) {
    let mut brisk = false;
    loop {
        let task = {
            let mut queue = lock(&shared.queue);
            let mut turns = if brisk { TURNS_BEFORE_SLEEP } else { 0 };
            loop {
                if let Some(task) = queue.next() {
                    break task;
                }
                if queue.closed {
                    return;
                }
                if turns > 0 {
                    turns -= 1;
                    drop(queue);
                    std::thread::yield_now();
                    queue = lock(&shared.queue);
                    continue;
                }
                queue.idle += 1;
                queue = shared
                    .ready
                    .wait(queue)
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                queue.idle -= 1;
            }
        };
        // Guests are caught below; catching here is for defects of the host itself, which cost one
        // trial or one snapshot.
        match task {
            Task::Errand(errand) => {
                let lost = errand.lost();
                let ran = catch_unwind(AssertUnwindSafe(|| factory.run_errand(errand)));
                shared.tell(News::Ran(ran.unwrap_or(lost)));
            }
            Task::Step(job, spent) => {
                let lost = Done::lost(&job);
                let captured = |captured| shared.tell(News::Captured(captured));
                let done = catch_unwind(AssertUnwindSafe(|| factory.run(job, &captured)));
                let done = done.unwrap_or(lost);
                brisk = done.took < BRISK;
                shared.tell(News::Ended(Box::new(done)));
                drop(spent);
            }
            Task::Clear(instance) => drop(instance),
        }
    }
}
