//! Sizes and durations as people write them: `"256 MiB"`, `"10 min"`, or a plain number of bytes or
//! seconds.

use std::{ops::RangeInclusive, time::Duration};

use crate::{item::Item, log::Log, tree::Kind};

/// Units of size in bytes. KB and the like are refused: half the world reads 1,000, half 1,024.
const SIZES: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Units of time in seconds, with the spellings that are taken.
const TIMES: [(&[&str], f64); 5] = [
    (&["ms"], 0.001),
    (&["s", "sec", "second", "seconds"], 1.0),
    (&["min", "m", "minute", "minutes"], 60.0),
    (&["h", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86_400.0),
];

const SIZE_HINT: &str = "write bytes, such as 1_048_576, or \"256 MiB\" (B, KiB, MiB, GiB, TiB)";
const TIME_HINT: &str = "write seconds, such as 90, or \"10 min\" (ms, s, min, h, d)";

/// A number of bytes in a range.
pub(crate) fn bytes(item: &Item<'_>, range: RangeInclusive<u64>, log: &mut Log) -> Option<u64> {
    let bytes = match &item.node.kind {
        Kind::Whole(number) => u64::try_from(*number).ok(),
        Kind::Text(text) => parse_bytes(text),
        _ => {
            item.wrong("a size", SIZE_HINT, log);
            return None;
        }
    };
    let Some(bytes) = bytes else {
        item.error(format!("`{}` is no size", item.path), SIZE_HINT, log);
        return None;
    };
    if !range.contains(&bytes) {
        item.error(
            format!("`{}` is {}, out of range", item.path, show_bytes(bytes)),
            format!(
                "it may be {} to {}",
                show_bytes(*range.start()),
                show_bytes(*range.end())
            ),
            log,
        );
        return None;
    }
    Some(bytes)
}

/// A size as people write it: `256 MiB`. None: it is none, or it has no unit.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let (_, scale) = SIZES.iter().find(|(name, _)| *name == unit)?;
    let bytes = number * *scale as f64;
    // Below 2^53 a real number is exact; no such memory exists above.
    (bytes.fract() == 0.0 && (0.0..9e15).contains(&bytes)).then_some(bytes as u64)
}

/// A duration in a range.
pub(crate) fn duration(
    item: &Item<'_>,
    range: RangeInclusive<Duration>,
    log: &mut Log,
) -> Option<Duration> {
    let seconds = match &item.node.kind {
        Kind::Whole(number) => Some(*number as f64),
        Kind::Real(number) => Some(*number),
        Kind::Text(text) => split(text).and_then(|(number, unit)| {
            let (_, scale) = TIMES.iter().find(|(names, _)| names.contains(&unit))?;
            Some(number * scale)
        }),
        _ => {
            item.wrong("a duration", TIME_HINT, log);
            return None;
        }
    };
    let duration = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
    let Some(duration) = duration else {
        item.error(format!("`{}` is no duration", item.path), TIME_HINT, log);
        return None;
    };
    if !range.contains(&duration) {
        item.error(
            format!("`{}` is {}, out of range", item.path, show_time(duration)),
            format!(
                "it may be {} to {}",
                show_time(*range.start()),
                show_time(*range.end())
            ),
            log,
        );
        return None;
    }
    Some(duration)
}

/// `"1.5 GiB"` as 1.5 and `GiB`.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.replace('_', "").parse().ok()?, unit.trim()))
}

/// A size in the largest unit that divides it.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let unit = SIZES
        .iter()
        .rev()
        .find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale));
    match unit {
        Some((name, scale)) => format!("{} {name}", bytes / scale),
        None => format!("{bytes} B"),
    }
}

/// A duration in the largest unit that divides it.
pub(crate) fn show_time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let unit = TIMES
        .iter()
        .rev()
        .find(|(_, scale)| seconds >= *scale && (seconds / scale).fract() == 0.0);
    match unit.and_then(|(names, scale)| Some((names.first()?, scale))) {
        Some((name, scale)) => format!("{} {name}", seconds / scale),
        None => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Node;

    fn read_bytes(kind: Kind) -> Option<u64> {
        let node = Node { at: 0, kind };
        bytes(&Item::root(&node), 0..=1 << 45, &mut Log::default())
    }

    fn read_time(kind: Kind) -> Option<Duration> {
        let node = Node { at: 0, kind };
        let day = Duration::from_secs(86_400);
        duration(
            &Item::root(&node),
            Duration::ZERO..=day,
            &mut Log::default(),
        )
    }

    #[test]
    fn sizes_have_binary_units_or_none() {
        let text = |t: &str| Kind::Text(t.to_owned());
        assert_eq!(read_bytes(text("256 MiB")), Some(256 << 20));
        assert_eq!(read_bytes(text("1.5GiB")), Some(3 << 29));
        assert_eq!(read_bytes(text("4_096 B")), Some(4096));
        assert_eq!(read_bytes(Kind::Whole(7)), Some(7));
        for wrong in ["256 MB", "256", "MiB", "-1 KiB", "0.3 B", "1 EiB", ""] {
            assert_eq!(read_bytes(text(wrong)), None, "{wrong}");
        }
        assert_eq!(read_bytes(Kind::Whole(-1)), None);
        assert_eq!(read_bytes(Kind::Real(1.0)), None);
        assert_eq!(read_bytes(text("64 TiB")), None);
    }

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        let text = |t: &str| Kind::Text(t.to_owned());
        let seconds = |s| Some(Duration::from_secs_f64(s));
        assert_eq!(read_time(text("10 min")), seconds(600.0));
        assert_eq!(read_time(text("2h")), seconds(7200.0));
        assert_eq!(read_time(text("250ms")), seconds(0.25));
        assert_eq!(read_time(Kind::Real(1.5)), seconds(1.5));
        for wrong in ["10", "ten min", "10 weeks", "2 d", "-1 s"] {
            assert_eq!(read_time(text(wrong)), None, "{wrong}");
        }
        assert_eq!(read_time(Kind::Real(f64::NAN)), None);
        assert_eq!(read_time(Kind::Whole(-1)), None);
    }

    #[test]
    fn quantities_are_shown_in_their_largest_unit() {
        assert_eq!(show_bytes(256 << 20), "256 MiB");
        assert_eq!(show_bytes(1000), "1000 B");
        assert_eq!(show_bytes(0), "0 B");
        assert_eq!(show_time(Duration::from_secs(600)), "10 min");
        assert_eq!(show_time(Duration::from_secs(90)), "90 s");
    }
}
