//! When a snapshot is worth its time: how often they are wanted, and what they cost against the
//! steps that they would save. Wall time decides here, so nothing here may reach a decision of the
//! engine.

use std::time::Duration;

/// When snapshots are written, and how many are kept. No policy changes a digest: what a lost or
/// skipped snapshot costs is the replay of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPolicy {
    /// Reports of a trial between two snapshots of it. By default none: as soon as repeating the
    /// trial's steps would cost so much more than a snapshot that `max_share` allows it.
    pub interval: Option<u64>,
    /// The newest snapshots that are kept of each live trial and of the searcher and scheduler, at
    /// least 1, the default. Those that a live, kept or best state is built from are kept too.
    pub keep: u32,
    /// How many of the best trials keep snapshots after their end. By default 1.
    pub keep_best: u32,
    /// A trial that ends among the best `keep_best` has its last state written. By default true.
    pub at_end: bool,
    /// What snapshots may cost of the time of steps, capturing and writing together. By default
    /// 0.05. 0 writes none, infinity writes every one that is wanted, whatever it costs.
    pub max_share: f64,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        Self {
            interval: None,
            keep: 1,
            keep_best: 1,
            at_end: true,
            max_share: 0.05,
        }
    }
}

impl SnapshotPolicy {
    /// Nothing is written unless memory is short.
    #[must_use]
    pub fn none() -> Self {
        Self {
            at_end: false,
            max_share: 0.0,
            ..Self::default()
        }
    }
}

/// What a snapshot costs before one was measured: two syncs of a disk, ...
const FIXED_SECONDS: f64 = 0.02;
/// ... and hashing, packing and writing this many bytes a second.
const BYTES_PER_SECOND: f64 = 400e6;
/// Weight of the newest measurement.
const NEWEST: f64 = 0.3;

/// Time spent on snapshots against time spent on steps, of one process.
#[derive(Debug)]
pub(crate) struct Share {
    max: f64,
    steps: f64,
    snapshots: f64,
    /// Measured over modelled cost.
    scale: f64,
}

impl Share {
    pub(crate) fn new(max: f64) -> Self {
        Self {
            max: if max.is_nan() { 0.0 } else { max.max(0.0) },
            steps: 0.0,
            snapshots: 0.0,
            scale: 1.0,
        }
    }

    /// Nothing is written but what memory has no room for, and last states.
    pub(crate) fn is_nothing(&self) -> bool {
        self.max == 0.0
    }

    /// A step, or calls of the searcher and scheduler, took this long.
    pub(crate) fn worked(&mut self, took: Duration) {
        self.steps += took.as_secs_f64();
    }

    /// Part of the cost of a snapshot.
    pub(crate) fn spent(&mut self, took: Duration) {
        self.snapshots += took.as_secs_f64();
    }

    /// A snapshot of so many bytes took this long to write: what the next ones will cost.
    pub(crate) fn measured(&mut self, bytes: u64, took: Duration) {
        self.spent(took);
        let ratio = took.as_secs_f64() / modelled(bytes);
        self.scale = NEWEST * ratio + (1.0 - NEWEST) * self.scale;
    }

    /// What a snapshot of so many bytes will take.
    pub(crate) fn estimate(&self, bytes: u64) -> Duration {
        Duration::try_from_secs_f64(self.cost(bytes)).unwrap_or(Duration::MAX)
    }

    fn cost(&self, bytes: u64) -> f64 {
        self.scale * modelled(bytes)
    }

    /// Snapshots of this size fit into the share of time. `queued`: how many are already wanted
    /// and not measured.
    pub(crate) fn allows(&self, bytes: u64, queued: usize) -> bool {
        self.max == f64::INFINITY
            || self.snapshots + self.cost(bytes) * (queued as f64 + 1.0) <= self.max * self.steps
    }

    /// Repeating work of `since` would cost so much more than a snapshot that taking one at every
    /// such moment stays within the share.
    pub(crate) fn is_due(&self, bytes: u64, since: Duration) -> bool {
        self.max == f64::INFINITY || self.cost(bytes) <= self.max * since.as_secs_f64()
    }

    /// Repeating work of `since` would cost more than a snapshot: what to do when an instance must
    /// go anyway.
    pub(crate) fn is_worth(&self, bytes: u64, since: Duration) -> bool {
        self.max == f64::INFINITY || self.cost(bytes) <= since.as_secs_f64()
    }
}

fn modelled(bytes: u64) -> f64 {
    FIXED_SECONDS + bytes as f64 / BYTES_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_share_of_nothing_allows_nothing_and_an_infinite_one_everything() {
        let mut none = Share::new(0.0);
        none.worked(Duration::from_secs(3600));
        assert!(!none.allows(MIB, 0));
        assert!(!none.is_due(MIB, Duration::from_secs(3600)));
        let all = Share::new(f64::INFINITY);
        assert!(all.allows(MIB, 1000) && all.is_due(MIB, Duration::ZERO));
        assert!(!Share::new(f64::NAN).allows(0, 0));
    }

    #[test]
    fn snapshots_taken_whenever_they_are_due_stay_within_the_share() {
        let mut share = Share::new(0.05);
        let (mut taken, mut since) = (0, Duration::ZERO);
        let cost = Duration::from_millis(40);
        for _ in 0..10_000 {
            let step = Duration::from_millis(100);
            share.worked(step);
            since += step;
            if share.is_due(MIB, since) && share.allows(MIB, 0) {
                share.measured(MIB, cost);
                since = Duration::ZERO;
                taken += 1;
            }
        }
        let (spent, worked) = (0.040 * f64::from(taken), 1000.0);
        assert!(taken > 500, "{taken}");
        assert!(spent <= 0.0501 * worked, "{spent}");
    }

    #[test]
    fn a_slow_disk_makes_snapshots_rarer() {
        let mut share = Share::new(0.05);
        let since = Duration::from_secs(1);
        assert!(share.is_due(MIB, since));
        share.measured(MIB, Duration::from_secs(2));
        assert!(!share.is_due(MIB, since));
        assert!(!share.is_worth(100 * MIB, since));
    }

    #[test]
    fn what_waits_to_be_written_counts_too() {
        let mut share = Share::new(0.05);
        share.worked(Duration::from_secs(1));
        assert!(share.allows(MIB, 0));
        assert!(!share.allows(MIB, 10));
    }
}
