//! The line between a step that runs on a trial thread and whoever waits for it: how far it is, and
//! that it should stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Why a call was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Interrupted {
    /// By [`Control::cancel`].
    #[error("the call was cancelled by the host")]
    Cancelled,
    /// At its wall deadline.
    #[error("the wall deadline has passed")]
    Deadline,
}

/// The limit that the wall time of a step comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallLimit {
    /// `wall_per_step`.
    Step,
    /// What is left of `wall_per_trial`.
    Trial,
}

impl WallLimit {
    /// Its key in `[limits]`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Step => "wall_per_step",
            Self::Trial => "wall_per_trial",
        }
    }
}

/// Shared by a trial, the thread that runs it, and the thread that decides.
#[derive(Debug)]
pub struct Control {
    cancelled: AtomicBool,
    /// Nanoseconds after `epoch`; `u64::MAX` is none.
    deadline: AtomicU64,
    /// Nanoseconds from the arming to the deadline.
    wall: AtomicU64,
    /// They are what is left of the trial's.
    is_rest_of_trial: AtomicBool,
    epoch: Instant,
    burned: AtomicU64,
    publishes: AtomicBool,
    /// Burned fuel at which `waker` is unparked; `u64::MAX` is none.
    wake_at: AtomicU64,
    // Std mutexes: held for one assignment.
    waker: Mutex<Option<Thread>>,
    parked: Mutex<Option<Thread>>,
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// Nothing burned, no deadline, not cancelled, publishing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            deadline: AtomicU64::new(u64::MAX),
            wall: AtomicU64::new(u64::MAX),
            is_rest_of_trial: AtomicBool::new(false),
            epoch: Instant::now(),
            burned: AtomicU64::new(0),
            publishes: AtomicBool::new(true),
            wake_at: AtomicU64::new(u64::MAX),
            waker: Mutex::new(None),
            parked: Mutex::new(None),
        }
    }

    /// Begins a step: nothing burned yet, and it must be over in `wall`, a limit of a step.
    pub fn arm(&self, wall: Duration) {
        self.arm_by(wall, WallLimit::Step);
    }

    /// The same, with the limit that `wall` comes from: whoever passes it is told.
    pub fn arm_by(&self, wall: Duration, limit: WallLimit) {
        let is_rest = limit == WallLimit::Trial;
        self.is_rest_of_trial.store(is_rest, Ordering::Release);
        let nanos = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        self.wall.store(nanos, Ordering::Release);
        let end = self.epoch.elapsed().saturating_add(wall).as_nanos();
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        self.deadline.store(end, Ordering::Release);
        self.burned.store(0, Ordering::Release);
    }

    /// Ends the running call, and every later one, with an error at the next function entry, loop
    /// turn (after at most a million units of fuel) or host call.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        if let Some(thread) = lock(&self.parked).as_ref() {
            thread.unpark();
        }
    }

    /// [`Control::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// A lower bound of the fuel that the present step has burned; it only grows until the next
    /// [`Control::arm`].
    #[must_use]
    pub fn burned(&self) -> u64 {
        self.burned.load(Ordering::Acquire)
    }

    /// Whether burned fuel is published: not while earlier steps are replayed.
    pub fn publish(&self, publishes: bool) {
        self.publishes.store(publishes, Ordering::Release);
    }

    /// Unparks a thread once the step has burned this much. It may be unparked without reason.
    pub fn set_wake(&self, burned_threshold: u64, thread: Thread) {
        *lock(&self.waker) = Some(thread);
        self.wake_at.store(burned_threshold, Ordering::SeqCst);
        // The step may have passed the threshold before it was set.
        if self.burned.load(Ordering::SeqCst) >= burned_threshold {
            self.wake();
        }
    }

    fn wake(&self) {
        self.wake_at.store(u64::MAX, Ordering::SeqCst);
        if let Some(thread) = lock(&self.waker).take() {
            thread.unpark();
        }
    }

    /// Called by a running step.
    pub(crate) fn publish_burned(&self, burned: u64) {
        if self.publishes.load(Ordering::Acquire) {
            self.burned.store(burned, Ordering::SeqCst);
            if burned >= self.wake_at.load(Ordering::SeqCst) {
                self.wake();
            }
        }
    }

    /// Whether a call may go on.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        if self.is_cancelled() {
            Err(Interrupted::Cancelled)
        } else if self.remaining() == Some(Duration::ZERO) {
            Err(Interrupted::Deadline)
        } else {
            Ok(())
        }
    }

    /// The time that the present step was given.
    pub(crate) fn wall(&self) -> Duration {
        Duration::from_nanos(self.wall.load(Ordering::Acquire))
    }

    /// Where that comes from.
    pub(crate) fn wall_limit(&self) -> WallLimit {
        if self.is_rest_of_trial.load(Ordering::Acquire) {
            WallLimit::Trial
        } else {
            WallLimit::Step
        }
    }

    /// Time to the deadline; none without one.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        match self.deadline.load(Ordering::Acquire) {
            u64::MAX => None,
            end => Some(Duration::from_nanos(end).saturating_sub(self.epoch.elapsed())),
        }
    }

    /// The thread to unpark when the call is cancelled while it waits.
    pub(crate) fn set_parked(&self, thread: Option<Thread>) {
        *lock(&self.parked) = thread;
    }
}

/// A lock that a panicking holder cannot poison: the data are one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_burned_is_published_and_begins_again_with_each_step() {
        let control = Control::new();
        control.publish_burned(7);
        assert_eq!(control.burned(), 7);
        control.arm(Duration::from_secs(60));
        assert_eq!(control.burned(), 0);
        control.publish(false);
        control.publish_burned(9);
        assert_eq!(control.burned(), 0);
    }

    #[test]
    fn a_cancelled_call_may_not_go_on_even_when_armed_again() {
        let control = Control::new();
        assert_eq!(control.check(), Ok(()));
        control.cancel();
        control.arm(Duration::from_secs(60));
        assert_eq!(control.check(), Err(Interrupted::Cancelled));
    }

    #[test]
    fn a_deadline_of_nothing_has_passed() {
        let control = Control::new();
        control.arm(Duration::ZERO);
        assert_eq!(control.check(), Err(Interrupted::Deadline));
        control.arm(Duration::MAX);
        assert_eq!(control.check(), Ok(()));
    }

    #[test]
    fn a_waiting_thread_is_woken_whether_the_threshold_was_passed_before_or_after() {
        for before in [true, false] {
            let control = std::sync::Arc::new(Control::new());
            let waiting = std::sync::Arc::clone(&control);
            let waiter = std::thread::spawn(move || {
                while waiting.burned() < 10 {
                    std::thread::park();
                }
            });
            if before {
                control.publish_burned(10);
            }
            control.set_wake(10, waiter.thread().clone());
            control.publish_burned(10);
            waiter.join().unwrap();
        }
    }
}
