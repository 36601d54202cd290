//! `[snapshots]`: when states of trials are written to the disk, and which of them are kept. Changes
//! no decision: a run with other snapshots has the same results.

use std::ops::RangeInclusive;

use crate::{item::Item, log::Log, plan::Snapshots, quantity::bytes};

/// States of one trial that are kept at most: each is listed in memory while the run goes on.
pub(crate) const MAX_KEEP: u32 = 10_000;
/// Iterations between two states at most; a longer interval is a slip of the pen.
pub(crate) const MAX_INTERVAL: u64 = 1_000_000_000;
/// The smallest disk quota that holds a state of the smallest trial with its journal; above a PiB
/// it is a slip of the pen.
pub(crate) const DISK_RANGE: RangeInclusive<u64> = (1 << 20)..=(1 << 50);

/// Every key of the table, in the order of the reference.
const KEYS: [&str; 6] = [
    "keep",
    "keep_best",
    "interval",
    "at_end",
    "max_overhead",
    "disk",
];

/// `[snapshots]`.
pub(crate) fn read(root: &Item<'_>, log: &mut Log) -> Snapshots {
    let mut snapshots = Snapshots::default();
    let Some(table) = root.get("snapshots") else {
        return snapshots;
    };
    if !table.is_table("write [snapshots] and keep = 1", log) {
        return snapshots;
    }
    table.only(&KEYS, log);
    let count = |key: &str, low: u32, log: &mut Log| {
        let range = i128::from(low)..=i128::from(MAX_KEEP);
        u32::try_from(table.get(key)?.whole(range, log)?).ok()
    };
    // None kept would leave nothing to go on from.
    snapshots.keep = count("keep", 1, log).unwrap_or(snapshots.keep);
    snapshots.keep_best = count("keep_best", 0, log).unwrap_or(snapshots.keep_best);
    if let Some(item) = table.get("at_end") {
        snapshots.at_end = item.flag(log).unwrap_or(snapshots.at_end);
    }
    if let Some(item) = table.get("max_overhead")
        && let Some(share) = item.number(log)
    {
        if (0.0..=1.0).contains(&share) {
            snapshots.max_overhead = share;
        } else {
            item.error(
                format!("`snapshots.max_overhead` is {share}, out of range"),
                "a share of the time of the steps: 0.05 is 5 %, 0 writes none while the run goes on",
                log,
            );
        }
    }
    if let Some(item) = table.get("interval")
        && let Some(interval) = item.whole(1..=i128::from(MAX_INTERVAL), log)
    {
        snapshots.interval = u64::try_from(interval).ok();
        if snapshots.max_overhead == 0.0 {
            item.key_error(
                "`snapshots.interval` with max_overhead = 0",
                "max_overhead = 0 writes no states at intervals: remove one of the two",
                log,
            );
        }
    }
    if let Some(item) = table.get("disk") {
        snapshots.disk_bytes = bytes(&item, DISK_RANGE, log);
    }
    snapshots
}
