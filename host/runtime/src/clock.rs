//! The time that a guest sees: its own, not the machine's, so that a run repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2000-01-01T00:00:00Z in seconds of Unix time: where the wall clock of every trial starts.
pub(crate) const WALL_START_SECONDS: u64 = 946_684_800;
/// How far the clock goes on when it is read: a loop that waits for time to pass ends.
const PER_READ_NANOS: u64 = 1_000;

/// Both clocks of one instance. Moves to the trial's virtual time at the start of each step, by a
/// little with every read, and by sleeping; never back. Shared with the sleeps of the instance,
/// which the same thread runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Moves on to a point in time.
    pub(crate) fn advance_to(&self, nanos: u64) {
        self.0.fetch_max(nanos, Ordering::Relaxed);
    }

    /// Sets it, back too: the instance becomes another.
    pub(crate) fn restore(&self, nanos: u64) {
        self.0.store(nanos, Ordering::Relaxed);
    }

    /// The point in time after a span, without reading the clock.
    pub(crate) fn after(&self, nanos: u64) -> u64 {
        self.0.load(Ordering::Relaxed).saturating_add(nanos)
    }

    /// The monotonic clock, from 0.
    pub(crate) fn read_monotonic(&self) -> u64 {
        let now = self.after(0);
        self.advance_to(now.saturating_add(PER_READ_NANOS));
        now
    }

    /// The wall clock: seconds of Unix time and nanoseconds.
    pub(crate) fn read_wall(&self) -> (u64, u32) {
        const SECOND: u64 = 1_000_000_000;
        let now = self.read_monotonic();
        let nanos = u32::try_from(now % SECOND).unwrap_or(0);
        (WALL_START_SECONDS + now / SECOND, nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_moves_both_clocks_by_a_microsecond() {
        let clock = Clock::default();
        assert_eq!(clock.read_monotonic(), 0);
        assert_eq!(clock.read_wall(), (946_684_800, 1_000));
        assert_eq!(clock.read_monotonic(), 2_000);
    }

    #[test]
    fn a_step_that_starts_earlier_does_not_turn_the_clock_back() {
        let clock = Clock::default();
        clock.advance_to(5_000_000_123);
        clock.advance_to(7);
        assert_eq!(clock.read_wall(), (946_684_805, 123));
    }
}
