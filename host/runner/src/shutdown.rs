//! Two requests to stop: finish what runs, then at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::Thread;

/// How urgently the run is to stop. Shared with the handler of Ctrl-C.
#[derive(Debug, Default)]
pub struct Shutdown {
    level: AtomicU8,
    /// The coordinator, woken by a request. A std mutex: held for one assignment or one `unpark`.
    waiter: Mutex<Option<Thread>>,
}

impl Shutdown {
    /// Asks to stop. First: steps in flight are finished. Second: at once. Returns which it was,
    /// from 1.
    pub fn request(&self) -> u8 {
        let level = self
            .level
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |l| {
                Some(l.saturating_add(1))
            })
            .map_or(u8::MAX, |before| before.saturating_add(1));
        if let Ok(waiter) = self.waiter.lock()
            && let Some(thread) = waiter.as_ref()
        {
            thread.unpark();
        }
        level
    }

    /// Asked to stop at all.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.level.load(Ordering::SeqCst) >= 1
    }

    /// Asked to stop at once.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.level.load(Ordering::SeqCst) >= 2
    }

    pub(crate) fn wake_on_request(&self) {
        if let Ok(mut waiter) = self.waiter.lock() {
            *waiter = Some(std::thread::current());
        }
    }
}
