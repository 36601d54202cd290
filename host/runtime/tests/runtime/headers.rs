//! Headers that somebody has changed: refused by name, or harmless; never a panic.

use serde_json::{Value, json};
use tune_core::records::{Config, FailureKind};
use tune_core::{Limits, Metering};
use tune_runtime::{Image, Plugin, Snapshot, SnapshotError, SnapshotHeader, Tracking};
use tune_test_artifacts as guests;

use crate::snapshots::plugin;
use crate::start;

struct Good {
    plugin: Plugin,
    header: Value,
    memories: Vec<Image>,
}

fn good() -> Good {
    let plugin = plugin(guests::TRIAL_EVERYTHING, Tracking::detect(), Metering::Fuel);
    let mut trial = plugin.trial(start(&Limits::default())).unwrap();
    trial.setup(0).unwrap();
    for _ in 0..3 {
        trial.step(0).unwrap();
    }
    let snapshot = trial.snapshot().unwrap();
    Good {
        plugin,
        header: serde_json::to_value(snapshot.header()).unwrap(),
        memories: snapshot.memories().to_vec(),
    }
}

impl Good {
    fn snapshot(&self, header: &Value) -> Result<Snapshot, String> {
        let header: SnapshotHeader =
            serde_json::from_value(header.clone()).map_err(|e| e.to_string())?;
        Snapshot::from_parts(header, self.memories.clone()).map_err(|e| e.to_string())
    }

    /// Reads, restores and runs with a part of the header replaced.
    fn with(&self, pointer: &str, value: Value) -> Result<(), String> {
        let mut header = self.header.clone();
        *header.pointer_mut(pointer).unwrap() = value;
        self.run(&header)
    }

    fn run(&self, header: &Value) -> Result<(), String> {
        let snapshot = self.snapshot(header)?;
        let start = start(&Limits::default());
        let restored = self.plugin.restore_trial(start, &snapshot, 0);
        let mut trial = restored.map_err(|fault| {
            assert_ne!(fault.kind, FailureKind::HostBug, "{}", fault.details());
            fault.to_string()
        })?;
        // Whatever it does now, it does it in its sandbox.
        drop(trial.step(0));
        Ok(())
    }
}

#[test]
fn what_contradicts_itself_or_the_plugin_is_refused_by_name() {
    let good = good();
    good.run(&good.header).unwrap();
    let zeros = |count| vec![0; count];
    let line = "x".repeat(3_000);
    for (pointer, value, said) in [
        ("/format", json!(1), "this tune-host reads"),
        ("/instrumentation", json!(99), "this tune-host reads"),
        ("/wasmtime", json!("9".repeat(100)), "version"),
        ("/component", json!(zeros(32)), "another file"),
        ("/globals", json!([]), "number of memories or globals"),
        ("/globals", json!(zeros(5)), "number of memories or globals"),
        ("/globals", json!(zeros(200_000)), "too many globals"),
        ("/memories", json!([]), "other lengths"),
        ("/memories", json!([65536, 65536]), "other lengths"),
        ("/memories", json!([1]), "a length that no memory has"),
        (
            "/memories",
            json!([1_u64 << 62]),
            "a length that no memory has",
        ),
        ("/memories", json!(vec![65536; 99]), "too many memories"),
        ("/dirty_bytes", json!(u64::MAX), "than it has"),
        ("/handles/free", json!([7]), "free handles"),
        ("/handles/slots", json!(vec![Value::Null; 2_000]), "handles"),
        (
            "/handles/slots",
            json!([{"Ready": {"stream": 0}}]),
            "waits for no stream",
        ),
        ("/store/log/left", json!(u64::MAX), "may still be logged"),
        ("/store/log/recent", json!([line]), "last log lines"),
        ("/store/log/recent", json!(vec![""; 11]), "last log lines"),
        (
            "/store/artifacts",
            json!({"../x": 1}),
            "no name of an artifact",
        ),
        (
            "/store/artifacts",
            json!({"a": u64::MAX, "b": 1}),
            "over the limits",
        ),
    ] {
        let error = good.with(pointer, value).unwrap_err();
        assert!(error.contains(said), "{pointer}: {error}");
    }
}

#[test]
fn a_memory_smaller_than_the_plugin_begins_with_is_refused() {
    let good = good();
    let mut header = good.header.clone();
    *header.pointer_mut("/memories").unwrap() = json!([65536]);
    *header.pointer_mut("/dirty_bytes").unwrap() = json!(0);
    let header = serde_json::from_value(header).unwrap();
    let image = Image::builder(65536).unwrap().finish().unwrap();
    let snapshot = Snapshot::from_parts(header, vec![image]).unwrap();
    let start = start(&Limits::default());
    let fault = good
        .plugin
        .restore_trial(start, &snapshot, 0)
        .err()
        .unwrap();
    assert!(fault.message.contains("smaller"), "{fault}");
}

#[test]
fn more_than_the_limits_allow_is_refused_by_the_limit() {
    let good = good();
    let snapshot = good.snapshot(&good.header).unwrap();
    let mut start = start(&Limits::default());
    start.limits.memory_bytes = snapshot.byte_len();
    good.plugin
        .restore_trial(start.clone(), &snapshot, 0)
        .unwrap();
    start.limits.memory_bytes -= 1;
    let fault = good
        .plugin
        .restore_trial(start.clone(), &snapshot, 0)
        .err()
        .unwrap();
    assert_eq!(fault.kind, FailureKind::Memory, "{fault}");
    start.limits = Limits::default();
    let mut trial = good.plugin.restore_trial(start, &snapshot, 0).unwrap();
    trial.step(0).unwrap();
}

#[test]
fn another_version_of_wasmtime_is_told_and_not_refused() {
    let good = good();
    let mut header = good.header.clone();
    *header.pointer_mut("/wasmtime").unwrap() = json!("1.2.3");
    let snapshot = good.snapshot(&header).unwrap();
    assert!(!snapshot.same_build());
    assert_eq!(snapshot.header().wasmtime(), "1.2.3");
    good.run(&header).unwrap();
}

#[test]
fn handles_that_the_plugin_cannot_hold_are_refused() {
    // It imports nothing that has handles.
    let bytes = crate::guests::trainable(crate::guests::ZEROS, "");
    let plugin = crate::load(&bytes, Metering::Fuel).unwrap();
    let mut trial = plugin.trial(start(&Limits::default())).unwrap();
    trial.setup(0).unwrap();
    trial.step(0).unwrap();
    let snapshot = trial.snapshot().unwrap();
    let mut header = serde_json::to_value(snapshot.header()).unwrap();
    *header.pointer_mut("/handles/slots").unwrap() = json!(["Input"]);
    let header = serde_json::from_value(header).unwrap();
    let forged = Snapshot::from_parts(header, snapshot.memories().to_vec()).unwrap();
    let error = trial.restore_over(&forged, 0).unwrap_err();
    assert!(matches!(error, SnapshotError::Damaged(_)), "{error}");
    // It has ended; a good state brings it back.
    assert!(trial.step(0).is_err());
    trial.restore_over(&snapshot, 0).unwrap();
    trial.step(0).unwrap();
}

#[test]
fn a_header_with_any_number_changed_does_no_harm() {
    let good = good();
    fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Number(_) => found.push(path.to_owned()),
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    numbers(item, &format!("{path}/{i}"), found);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    numbers(field, &format!("{path}/{key}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    numbers(&good.header, "", &mut found);
    found.retain(|path| !path.starts_with("/component"));
    assert!(found.len() > 10, "{found:?}");
    let mut refused = 0;
    for path in &found {
        for value in [0, 1, 77, u64::from(u32::MAX), u64::MAX] {
            refused += usize::from(good.with(path, json!(value)).is_err());
        }
    }
    assert!(refused > 0);
}

#[test]
fn the_configuration_of_the_start_does_not_reach_a_restored_trial() {
    let good = good();
    let snapshot = good.snapshot(&good.header).unwrap();
    let mut other = start(&Limits::default());
    other.info.seed = 1234;
    other.config = Config::new();
    let mut a = good.plugin.restore_trial(other, &snapshot, 0).unwrap();
    let start = start(&Limits::default());
    let mut b = good.plugin.restore_trial(start, &snapshot, 0).unwrap();
    assert_eq!(a.step(0).unwrap(), b.step(0).unwrap());
}
