//! States that cannot be copied: said why, and the trial goes on where it can.

use tune_core::records::{Config, FailureKind};
use tune_core::{Limits, Metering};
use tune_runtime::{SnapshotError, Tracking};
use tune_test_artifacts as guests;

use crate::guests::{ZEROS, trainable};
use crate::snapshots::{begun, plugin};
use crate::{load, start};

#[test]
fn a_trial_that_has_failed_cannot_be_copied_but_can_be_replaced() {
    let plugin = plugin(guests::TRIAL_TRAPS_AT, Tracking::detect(), Metering::Fuel);
    let mut config = Config::new();
    config.insert("step", 3);
    let mut trial = begun(&plugin, &config, 1);
    let snapshot = trial.snapshot().unwrap();
    trial.step(0).unwrap();
    assert_eq!(trial.step(0).unwrap_err().kind, FailureKind::Trap);
    assert!(matches!(trial.snapshot(), Err(SnapshotError::Ended)));
    trial.restore_over(&snapshot, 0).unwrap();
    trial.step(0).unwrap();
    trial.snapshot().unwrap();
}

#[test]
fn in_mid_step_there_is_no_state_to_copy() {
    let plugin = plugin(guests::TRIAL_NOOP, Tracking::detect(), Metering::Fuel);
    let mut trial = plugin.trial(start(&Limits::default())).unwrap();
    assert!(matches!(trial.snapshot(), Err(SnapshotError::InStep)));
    trial.setup(0).unwrap();
    assert!(matches!(trial.snapshot(), Err(SnapshotError::InStep)));
    trial.step(0).unwrap();
    trial.snapshot().unwrap();
}

#[test]
fn constructs_out_of_reach_are_named() {
    let bytes = trainable(
        ZEROS,
        "(table $t 1 funcref) (func (table.set $t (i32.const 0) (ref.null func)))",
    );
    let mut trial = load(&bytes, Metering::Fuel)
        .unwrap()
        .trial(start(&Limits::default()))
        .unwrap();
    trial.setup(0).unwrap();
    trial.step(0).unwrap();
    let error = trial.snapshot().unwrap_err();
    assert!(error.to_string().contains("table.set"), "{error}");
    trial.step(0).unwrap();
}

#[test]
fn a_handle_that_cannot_be_made_again_is_named_and_does_no_harm() {
    let plugin = plugin(guests::TRIAL_RESOLVES, Tracking::detect(), Metering::Fuel);
    let config = Config::new();
    let mut trial = begun(&plugin, &config, 1);
    let before = trial.snapshot().unwrap();
    trial.step(0).unwrap();
    let error = trial.snapshot().unwrap_err();
    assert!(error.to_string().contains("a network"), "{error}");
    trial.step(0).unwrap();
    // Over it goes a state in which there is none.
    trial.restore_over(&before, 0).unwrap();
    assert_eq!(
        trial.snapshot().unwrap().state_hash().unwrap(),
        before.state_hash().unwrap()
    );
}

#[test]
fn a_memory_larger_than_the_component_allows_is_refused() {
    let bytes = trainable(ZEROS, "(memory $small 1 2)");
    let plugin = load(&bytes, Metering::Fuel).unwrap();
    let mut trial = plugin.trial(start(&Limits::default())).unwrap();
    trial.setup(0).unwrap();
    trial.step(0).unwrap();
    let snapshot = trial.snapshot().unwrap();
    let mut header = serde_json::to_value(snapshot.header()).unwrap();
    let lengths = header.get_mut("memories").unwrap();
    let mut memories = snapshot.memories().to_vec();
    for (length, memory) in lengths
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(&mut memories)
    {
        *length = (3 << 16).into();
        *memory = tune_runtime::Image::builder(3 << 16)
            .unwrap()
            .finish()
            .unwrap();
    }
    let header = serde_json::from_value(header).unwrap();
    let forged = tune_runtime::Snapshot::from_parts(header, memories).unwrap();
    let error = trial.restore_over(&forged, 0).unwrap_err();
    assert!(matches!(error, SnapshotError::Damaged(_)), "{error}");
}
