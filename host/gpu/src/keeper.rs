//! The thread of a device: it notices what is done and what takes too long while nobody waits, and
//! at the end it is the one that drops the device. That can block for minutes when work is under way
//! that no driver can take back, so nobody ever waits for this thread.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Ended;

/// Devices that do not come to rest before no more are given out. Each holds a thread and its memory
/// on the device until its work ends.
pub const MAX_STUCK: usize = 4;
/// How long a device may be busy after its end before it counts as one that does not come to rest.
const REST: Duration = Duration::from_secs(2);
/// How long one wait for the device lasts: how late a deadline or an interruption is noticed.
pub(crate) const POLL: Duration = Duration::from_millis(10);

static STUCK: AtomicUsize = AtomicUsize::new(0);

/// Devices that do not come to rest now.
pub(crate) fn stuck() -> usize {
    STUCK.load(Ordering::Acquire)
}

/// Counts one as long as it lives.
pub(crate) struct Stuck;

impl Stuck {
    pub(crate) fn count() -> Self {
        STUCK.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        STUCK.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Limits of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) submission: Duration,
    pub(crate) step: Duration,
    pub(crate) trial: Duration,
}

struct Sent {
    number: u64,
    index: wgpu::SubmissionIndex,
    at: Instant,
}

/// What is under way on a device.
pub(crate) struct Flight {
    queued: VecDeque<Sent>,
    /// When the last one was seen to be done.
    last_done: Instant,
    busy_step: Duration,
    busy_trial: Duration,
    /// Why no more is to be expected of the device.
    pub(crate) ended: Option<Ended>,
    /// Everything that is to be dropped with the device; the thread ends then.
    leaving: Option<Box<dyn Any + Send>>,
}

/// Shared by the user of a device and its thread.
pub(crate) struct Shared {
    pub(crate) device: wgpu::Device,
    times: Times,
    // Std mutex: held for some assignments, never while the device is asked.
    flight: Mutex<Flight>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(device: wgpu::Device, times: Times, busy_trial: Duration) -> Arc<Self> {
        Arc::new(Self {
            device,
            times,
            flight: Mutex::new(Flight {
                queued: VecDeque::new(),
                last_done: Instant::now(),
                busy_step: Duration::ZERO,
                busy_trial,
                ended: None,
                leaving: None,
            }),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device is of no use any more, if it was until now.
    pub(crate) fn end(&self, why: Ended) {
        self.lock().ended.get_or_insert(why);
    }

    /// Something was submitted.
    pub(crate) fn sent(&self, number: u64, index: wgpu::SubmissionIndex) {
        self.lock().queued.push_back(Sent {
            number,
            index,
            at: Instant::now(),
        });
        self.changed.notify_all();
    }

    /// A step begins.
    pub(crate) fn begin_step(&self) {
        self.lock().busy_step = Duration::ZERO;
    }

    /// How long the device was busy: for this step, and in all.
    pub(crate) fn busy(&self) -> (Duration, Duration) {
        let flight = self.lock();
        (flight.busy_step, flight.busy_trial)
    }

    /// How many are under way, and the oldest of them.
    pub(crate) fn under_way(&self) -> (usize, Option<u64>) {
        let flight = self.lock();
        let oldest = flight.queued.front().map(|sent| sent.number);
        (flight.queued.len(), oldest)
    }

    /// Waits a little for one of those under way; whether it and all before it are done.
    pub(crate) fn poll(&self, number: u64) -> Result<bool, Ended> {
        let index = {
            let mut flight = self.lock();
            if let Some(ended) = &flight.ended {
                return Err(ended.clone());
            }
            let Some(sent) = flight.queued.iter().rfind(|sent| sent.number <= number) else {
                return Ok(true);
            };
            let index = sent.index.clone();
            self.judge(&mut flight)?;
            index
        };
        let waited = self.device.poll(wgpu::PollType::Wait {
            submission_index: Some(index),
            timeout: Some(POLL),
        });
        match waited {
            Ok(_) => {
                self.lock().done(number);
                Ok(true)
            }
            Err(wgpu::PollError::Timeout) => Ok(false),
            Err(error @ wgpu::PollError::WrongSubmissionIndex(..)) => {
                let ended = Ended::Lost(error.to_string());
                self.end(ended.clone());
                Err(ended)
            }
        }
    }

    /// What is under way has not taken too long.
    fn judge(&self, flight: &mut Flight) -> Result<(), Ended> {
        let running = flight.queued.front().map_or(Duration::ZERO, |sent| {
            sent.at.max(flight.last_done).elapsed()
        });
        let Times {
            submission,
            step,
            trial,
        } = self.times;
        for (name, limit, so_far) in [
            ("gpu_time_per_submission", submission, running),
            ("gpu_time_per_step", step, flight.busy_step + running),
            ("gpu_time_per_trial", trial, flight.busy_trial + running),
        ] {
            if so_far > limit {
                let ended = Ended::Deadline { name, limit };
                flight.ended.get_or_insert(ended.clone());
                return Err(ended);
            }
        }
        Ok(())
    }

    /// Gives all that belongs to the device to its thread.
    pub(crate) fn leave(&self, everything: Box<dyn Any + Send>) {
        self.lock().leaving = Some(everything);
        self.changed.notify_all();
    }

    /// The life of the thread.
    pub(crate) fn keep(self: Arc<Self>) {
        let leaving = loop {
            let oldest = {
                let mut flight = self.lock();
                loop {
                    if flight.leaving.is_some() || !flight.queued.is_empty() {
                        break;
                    }
                    flight = self
                        .changed
                        .wait(flight)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                if let Some(leaving) = flight.leaving.take() {
                    break leaving;
                }
                flight.queued.front().map(|sent| sent.number)
            };
            if let Some(number) = oldest
                && self.poll(number).is_err()
            {
                // Its user learns of it with the next call. Until it leaves there is nothing to do.
                self.await_leaving();
            }
        };
        let until = Instant::now() + REST;
        let at_rest = || {
            let idle = wgpu::PollType::Wait {
                submission_index: None,
                timeout: Some(POLL),
            };
            self.device.poll(idle).is_ok()
        };
        let mut rests = at_rest();
        while !rests && Instant::now() < until {
            rests = at_rest();
        }
        let _stuck = (!rests).then(Stuck::count);
        if !rests {
            // So that it takes no more work; what is under way goes on.
            self.device.destroy();
        }
        drop(leaving);
        drop(self);
    }

    fn await_leaving(&self) {
        let mut flight = self.lock();
        while flight.leaving.is_none() {
            flight = self
                .changed
                .wait(flight)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Flight {
    /// This one and all before it are done.
    fn done(&mut self, number: u64) {
        let now = Instant::now();
        while let Some(sent) = self.queued.front()
            && sent.number <= number
        {
            let busy = now.saturating_duration_since(sent.at.max(self.last_done));
            self.busy_step = self.busy_step.saturating_add(busy);
            self.busy_trial = self.busy_trial.saturating_add(busy);
            self.last_done = now;
            self.queued.pop_front();
        }
    }
}
