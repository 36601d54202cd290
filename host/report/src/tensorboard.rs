//! TensorBoard event files: the framing of TFRecord around `Event` messages of protobuf, written by
//! hand, since three fields are not worth a code generator.
//!
//! `Event { wall_time = 1: double, step = 2: int64, file_version = 3: string, summary = 5 }`,
//! `Summary { value = 1: repeated Value }`, `Value { tag = 1: string, simple_value = 2: float }`.

use crate::ReportView;

/// What the first event of a file says.
const FILE_VERSION: &str = "brain.Event:2";

/// As Ray Tune names its scalars, so that saved dashboards go on working.
const TAG_PREFIX: &str = "ray/tune/";

/// Not scalars worth a chart, or the axes of one; Ray Tune leaves them out too.
const LEFT_OUT: [&str; 3] = ["training_iteration", "time_total_s", "timestamp"];

const DOUBLE: u8 = 1;
const BYTES: u8 = 2;
const FLOAT: u8 = 5;
const VARINT: u8 = 0;

/// The first record of a file. `wall_time` is Unix time in seconds.
pub(crate) fn file_header(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, DOUBLE);
    event.extend(wall_time.to_le_bytes());
    bytes(&mut event, 3, FILE_VERSION.as_bytes());
    framed(&event)
}

/// The record of a report: all its metrics at the step of its iteration. Its time is the metric
/// `timestamp`, 0 without it.
pub(crate) fn scalars(report: &ReportView) -> Vec<u8> {
    let mut summary = Vec::new();
    for metric in &report.metrics {
        if LEFT_OUT.contains(&metric.name.as_str()) {
            continue;
        }
        let mut value = Vec::new();
        bytes(
            &mut value,
            1,
            format!("{TAG_PREFIX}{}", metric.name).as_bytes(),
        );
        key(&mut value, 2, FLOAT);
        // TensorBoard keeps floats of 32 bits.
        value.extend((metric.value as f32).to_le_bytes());
        bytes(&mut summary, 1, &value);
    }
    let mut event = Vec::new();
    key(&mut event, 1, DOUBLE);
    event.extend(report.get("timestamp").unwrap_or(0.0).to_le_bytes());
    key(&mut event, 2, VARINT);
    varint(&mut event, report.iteration);
    bytes(&mut event, 5, &summary);
    framed(&event)
}

/// A TFRecord: length, its checksum, the data, its checksum.
fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_checksum(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_checksum(data).to_le_bytes());
    record
}

/// crc32c, rotated and shifted as TFRecord wants it: a checksum of data with checksums in it would
/// otherwise be weak.
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

fn key(out: &mut Vec<u8>, field: u8, wire_type: u8) {
    out.push((field << 3) | wire_type);
}

fn bytes(out: &mut Vec<u8>, field: u8, data: &[u8]) {
    key(out, field, BYTES);
    varint(out, data.len() as u64);
    out.extend(data);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::records::Metric;

    #[test]
    fn checksums_are_those_of_tfrecord() {
        // crc32c of "123456789" is the check value of its specification.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        // The length 24 of the first record of any file that TensorFlow writes, and its checksum
        // there.
        assert_eq!(
            masked_checksum(&24_u64.to_le_bytes()).to_le_bytes(),
            [0xa3, 0x7f, 0x4b, 0x22]
        );
    }

    #[test]
    fn a_report_is_encoded_to_known_bytes() {
        let metric = |name: &str, value| Metric {
            name: name.into(),
            value,
        };
        let record = scalars(&ReportView {
            iteration: 300,
            metrics: vec![
                metric("training_iteration", 300.0),
                metric("timestamp", 2.0),
                metric("a", 1.5),
            ],
        });
        let event = [
            &[0x09, 0, 0, 0, 0, 0, 0, 0, 0x40][..], // wall_time: 2.0
            &[0x10, 0xac, 0x02],                    // step: 300
            &[0x2a, 19, 0x0a, 17],                  // summary, its one value
            &[0x0a, 10],
            b"ray/tune/a",
            &[0x15, 0, 0, 0xc0, 0x3f], // 1.5 as a float
        ]
        .concat();
        assert_eq!(record[..8], (event.len() as u64).to_le_bytes());
        assert_eq!(record[12..12 + event.len()], event);
        assert_eq!(record.len(), event.len() + 16);
    }
}
