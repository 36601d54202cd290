//! The event files: read by a small decoder of our own, and by the real TensorBoard where Python
//! has it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tune_report::{DerivedFiles, Outputs};

use crate::{CREATED_S, EVENTS, config, report};

fn write_run(root: &Path) {
    let files = DerivedFiles::start(root, Outputs::ALL, CREATED_S).unwrap();
    files.send(config(3, 0.5));
    files.send(report(3, 1, &[("loss", 0.5), ("accuracy", 0.25)]));
    files.send(report(3, 200, &[("loss", -1.5), ("late/ä", f64::INFINITY)]));
    files.finish().unwrap();
}

/// Tag, step, wall time, value.
type Scalar = (String, u64, f64, f32);

/// The fields of a message: number, and its varint, its fixed bytes or its content.
fn fields(mut data: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fn varint(data: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = data[0];
            *data = &data[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let (number, length) = match key & 7 {
            0 => (varint(&mut data), 0),
            1 => (0, 8),
            2 => (0, varint(&mut data) as usize),
            5 => (0, 4),
            other => panic!("wire type {other}"),
        };
        let (content, rest) = data.split_at(length);
        found.push((key >> 3, number, content.to_vec()));
        data = rest;
    }
    found
}

fn scalars(mut file: &[u8]) -> Vec<Scalar> {
    let mut found = Vec::new();
    while !file.is_empty() {
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let event = fields(&file[12..12 + length]);
        file = &file[12 + length + 4..];
        let get = |number| event.iter().find(|f| f.0 == number);
        let wall_time = f64::from_le_bytes(get(1).unwrap().2[..].try_into().unwrap());
        let Some((_, _, summary)) = get(5) else {
            assert_eq!(get(3).unwrap().2, b"brain.Event:2");
            continue;
        };
        for (_, _, value) in fields(summary) {
            let value = fields(&value);
            let tag = String::from_utf8(value[0].2.clone()).unwrap();
            let simple = f32::from_le_bytes(value[1].2[..].try_into().unwrap());
            found.push((tag, get(2).unwrap().1, wall_time, simple));
        }
    }
    found
}

#[test]
fn scalars_come_back_from_an_event_file() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path());
    let file = fs::read(dir.path().join("000003").join(EVENTS)).unwrap();
    let at =
        |tag: &str, step: u64, value: f32| (tag.to_owned(), step, (CREATED_S + step) as f64, value);
    assert_eq!(
        scalars(&file),
        [
            at("ray/tune/loss", 1, 0.5),
            at("ray/tune/accuracy", 1, 0.25),
            at("ray/tune/loss", 200, -1.5),
            at("ray/tune/late/ä", 200, f32::INFINITY),
        ]
    );
}

const READ_IT: &str = r#"
import sys
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except Exception as error:
    print("skipped:", error)
    sys.exit(77)
accumulator = EventAccumulator(sys.argv[1])
accumulator.Reload()
for tag in sorted(accumulator.Tags()["scalars"]):
    for event in accumulator.Scalars(tag):
        print(tag, event.step, event.wall_time, event.value)
"#;

#[test]
fn the_real_tensorboard_reads_the_event_files() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path());
    // Another Python, such as one of a virtual environment, can be named.
    let python = std::env::var_os("TUNE_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let run = Command::new(python)
        .env("PYTHONIOENCODING", "utf-8")
        .args(["-c", READ_IT])
        .arg(dir.path().join("000003"))
        .output();
    let output = match run {
        Ok(output) if output.status.code() == Some(77) => {
            println!("{}", String::from_utf8_lossy(&output.stdout));
            return;
        }
        Ok(output) => output,
        Err(error) => {
            println!("skipped: no Python: {error}");
            return;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "ray/tune/accuracy 1 1700000001.0 0.25",
            "ray/tune/late/ä 200 1700000200.0 inf",
            "ray/tune/loss 1 1700000001.0 0.5",
            "ray/tune/loss 200 1700000200.0 -1.5",
        ],
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
