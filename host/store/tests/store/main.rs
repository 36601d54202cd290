//! The store from outside: what a runner and a reader see.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in helpers too, a test that cannot go on has failed"
)]

mod artifacts;
mod chunks;
mod chunks_model;
mod directory;
mod durability;
mod model;
mod throughput;

use std::path::Path;

use tune_store::{Artifact, Attachments, Header, LogOf, PluginRecord, Row};

fn header() -> Header {
    Header {
        format: tune_store::FORMAT,
        build: "tune-host 0.1.0".to_owned(),
        plan: r#"{"seed":7}"#.to_owned(),
        experiment: "name = \"digits\"\n".to_owned(),
        plugins: vec![PluginRecord {
            role: "searcher".to_owned(),
            name: "random".to_owned(),
            version: "0.1.0".to_owned(),
            hash: "ab".repeat(32),
        }],
        created_ms: 1_700_000_000_000,
        parent: None,
        extra: serde_json::Map::from_iter([("threads".to_owned(), 2.into())]),
    }
}

/// A row whose every field follows from its sequence, so that a mix-up shows.
fn row(sequence: u64) -> Row {
    Row {
        sequence,
        tick: u64::MAX - sequence,
        trial: (!sequence.is_multiple_of(5)).then_some((sequence % 3) as u32),
        kind: "report".to_owned(),
        body: vec![sequence as u8; (sequence % 300) as usize],
        wall_ms: 1_700_000_000_000 + sequence,
        step_us: sequence * 3,
        log_end: 0,
        // Most rows have nothing to say.
        usage: vec![7; sequence as usize % 3],
        digest: [sequence as u8; 32],
    }
}

fn log(of: LogOf, text: &str) -> Attachments {
    Attachments {
        logs: vec![(of, text.as_bytes().to_vec())],
        artifacts: Vec::new(),
    }
}

fn artifact(trial: u32, name: &str, bytes: &[u8], append: bool) -> Attachments {
    Attachments {
        logs: Vec::new(),
        artifacts: vec![Artifact {
            trial,
            name: name.to_owned(),
            bytes: bytes.to_vec(),
            append,
        }],
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
