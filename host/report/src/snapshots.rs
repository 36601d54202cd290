//! The snapshots of a run: whose state each holds, what it takes on the disk, and what that is of the
//! whole.

use serde_json::{Value, json};
use tune_store::{SnapshotInfo, SnapshotOf, Usage};

use crate::runs::age;
use crate::short;
use crate::table::{Column, Table};

/// A snapshot of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotView {
    /// As the store tells it.
    pub info: SnapshotInfo,
    /// The iteration of the state, if it is a trial's.
    pub iteration: Option<u64>,
}

/// A table of snapshots in the order given, and what all of them take. `now_ms` is Unix time in
/// milliseconds, for ages.
#[must_use]
pub fn snapshots_table(
    snapshots: &[SnapshotView],
    usage: &Usage,
    now_ms: u64,
    width: usize,
    color: bool,
) -> Vec<String> {
    let mut table = Table::new(vec![
        Column::text("of", 0),
        Column::number("iter", 0),
        Column::number("handover", 1),
        Column::number("state", 0),
        Column::number("written", 0),
        Column::number("ratio", 2),
        Column::text("why", 4),
        Column::text("age", 3),
    ]);
    for SnapshotView { info, iteration } in snapshots {
        table.rows.push(vec![
            name_of(info.key.of),
            iteration.map(|i| i.to_string()).unwrap_or_default(),
            info.key.sequence.to_string(),
            size(info.bytes),
            size(info.new_bytes),
            times(info.bytes, info.new_bytes),
            info.purpose.to_string(),
            age(now_ms.saturating_sub(info.wall_ms) / 1000),
        ]);
    }
    let mut lines = table.render(width, color);
    lines.push(format!(
        "{} snapshot{}, {} of state on {} of disk ({})",
        usage.snapshots,
        if usage.snapshots == 1 { "" } else { "s" },
        size(usage.logical_bytes),
        size(usage.disk_bytes),
        times(usage.logical_bytes, usage.disk_bytes),
    ));
    lines
}

/// `{"snapshots", "totals"}`: each snapshot is `{"id", "of", "trial", "iteration", "reports",
/// "sequence", "purpose", "bytes", "new_bytes", "wall_ms"}`, where `of` is "trial", "searcher",
/// "scheduler" or "imported"; the totals are `{"snapshots", "logical_bytes", "unique_bytes",
/// "disk_bytes", "ratio"}`.
#[must_use]
pub fn snapshots_json(snapshots: &[SnapshotView], usage: &Usage) -> Value {
    let all: Vec<Value> = snapshots
        .iter()
        .map(|SnapshotView { info, iteration }| {
            let (of, trial, reports) = match info.key.of {
                SnapshotOf::Trial { trial, reports } => ("trial", Some(trial), Some(reports)),
                SnapshotOf::Searcher => ("searcher", None, None),
                SnapshotOf::Scheduler => ("scheduler", None, None),
                SnapshotOf::Imported => ("imported", None, None),
            };
            json!({
                "id": info.id,
                "of": of,
                "trial": trial,
                "iteration": iteration,
                "reports": reports,
                "sequence": info.key.sequence,
                "purpose": info.purpose.name(),
                "bytes": info.bytes,
                "new_bytes": info.new_bytes,
                "wall_ms": info.wall_ms,
            })
        })
        .collect();
    json!({
        "snapshots": all,
        "totals": {
            "snapshots": usage.snapshots,
            "logical_bytes": usage.logical_bytes,
            "unique_bytes": usage.unique_bytes,
            "disk_bytes": usage.disk_bytes,
            "ratio": usage.ratio(),
        },
    })
}

fn name_of(of: SnapshotOf) -> String {
    match of {
        SnapshotOf::Trial { trial, .. } => format!("trial {trial}"),
        SnapshotOf::Searcher => "searcher".to_owned(),
        SnapshotOf::Scheduler => "scheduler".to_owned(),
        SnapshotOf::Imported => "imported".to_owned(),
    }
}

/// How many bytes of state stand on one byte of disk.
fn times(state: u64, disk: u64) -> String {
    if disk == 0 {
        return "-".to_owned();
    }
    let ratio = state as f64 / disk as f64;
    // More digits would claim more than such a number says.
    format!("{}x", short((ratio * 10.0).round() / 10.0))
}

/// A size in binary units for people: 1.5 MiB.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut count = bytes as f64 / 1024.0;
    let mut unit = "KiB";
    for larger in UNITS.iter().skip(1) {
        if count < 1024.0 {
            break;
        }
        count /= 1024.0;
        unit = larger;
    }
    format!("{count:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_store::{Purpose, SnapshotKey};

    fn views() -> [SnapshotView; 2] {
        let of_trial = SnapshotOf::Trial {
            trial: 3,
            reports: 7,
        };
        let info = SnapshotInfo {
            id: 1,
            key: SnapshotKey {
                of: of_trial,
                sequence: 40,
            },
            purpose: Purpose::Periodic,
            bytes: 12 << 20,
            new_bytes: 1 << 20,
            wall_ms: 1_000,
        };
        let searcher = SnapshotInfo {
            id: 2,
            key: SnapshotKey {
                of: SnapshotOf::Searcher,
                sequence: 41,
            },
            bytes: 1_000,
            new_bytes: 0,
            ..info
        };
        [(info, Some(12)), (searcher, None)]
            .map(|(info, iteration)| SnapshotView { info, iteration })
    }

    const USAGE: Usage = Usage {
        snapshots: 2,
        logical_bytes: (12 << 20) + 1_000,
        unique_bytes: 3 << 20,
        disk_bytes: 2 << 20,
    };

    #[test]
    fn snapshots_show_what_they_take() {
        assert_eq!(
            snapshots_table(&views(), &USAGE, 61_000, 100, false),
            [
                "of        iter  handover     state  written  ratio  why       age",
                "trial 3     12        40  12.0 MiB  1.0 MiB    12x  periodic  1 min ago",
                "searcher              41    1000 B      0 B      -  periodic  1 min ago",
                "2 snapshots, 12.0 MiB of state on 2.0 MiB of disk (6x)",
            ]
        );
    }

    #[test]
    fn the_json_form_of_snapshots() {
        let json = snapshots_json(&views(), &USAGE);
        assert_eq!(
            json["snapshots"][0],
            json!({
                "id": 1, "of": "trial", "trial": 3, "iteration": 12, "reports": 7, "sequence": 40,
                "purpose": "periodic", "bytes": 12 << 20, "new_bytes": 1 << 20, "wall_ms": 1000,
            })
        );
        assert_eq!(json["snapshots"][1]["trial"], Value::Null);
        assert_eq!(json["totals"]["unique_bytes"], 3 << 20);
    }

    #[test]
    fn sizes_are_told_in_their_unit() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
