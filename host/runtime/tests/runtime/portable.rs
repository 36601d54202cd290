//! State in a form for other versions of a plugin: carried whole, and bounded.

use std::io::{self, Read};

use tune_core::records::{Change, Config, FailureKind, Value};
use tune_core::{Limits, Metering, PluginFault};
use tune_runtime::{Plugin, Tracking, Trial, inspect};
use tune_test_artifacts as guests;

use crate::guests::{ZEROS, component, trainable, trainable_text};
use crate::snapshots::plugin;
use crate::{load, start};

fn ballast(mb: i64, restoring: bool) -> (Plugin, Trial) {
    let plugin = plugin(guests::TRIAL_BALLAST, Tracking::detect(), Metering::Fuel);
    let mut start = start(&Limits::default());
    start.config.insert("mb", mb);
    start.info.restoring = restoring;
    let mut trial = plugin.trial(start).unwrap();
    trial.setup(0).unwrap();
    (plugin, trial)
}

/// What a copy of it saves.
fn saved(plugin: &Plugin, trial: &mut Trial) -> Vec<u8> {
    let snapshot = trial.snapshot().unwrap();
    let start = start(&Limits::default());
    let mut copy = plugin.restore_trial(start, &snapshot, 0).unwrap();
    let state = save(&mut copy);
    assert_eq!((copy.fuel_burned(), copy.own_fuel()), (0, 0));
    state
}

fn save(trial: &mut Trial) -> Vec<u8> {
    let mut state = Vec::new();
    let bytes = trial
        .save_portable(&mut |chunk| {
            assert!(chunk.len() <= 1 << 20);
            state.extend_from_slice(chunk);
        })
        .unwrap();
    assert_eq!(bytes, state.len() as u64);
    state
}

#[test]
fn what_is_saved_is_restored_and_costs_no_fuel() {
    let (plugin, mut trial) = ballast(3, false);
    assert!(plugin.has_portable_state() && trial.has_portable_state());
    for _ in 0..3 {
        trial.step(0).unwrap();
    }
    let state = saved(&plugin, &mut trial);
    assert!(state.len() > 3 << 20);
    let (_, mut other) = ballast(3, true);
    let setup = other.fuel_burned();
    other.restore_portable(&mut state.as_slice()).unwrap();
    assert_eq!(other.fuel_burned(), setup);
    assert_eq!(other.step(0).unwrap(), trial.step(0).unwrap());
    assert!(other.fuel_burned() > setup);
    assert_eq!(saved(&plugin, &mut other), saved(&plugin, &mut trial));
    // Asked itself it answers the same, and its fuel is untouched by that.
    let fuel = (trial.fuel_burned(), trial.own_fuel());
    assert_eq!(save(&mut trial), save(&mut other));
    assert_eq!((trial.fuel_burned(), trial.own_fuel()), fuel);
}

#[test]
fn a_change_by_way_of_portable_state_counts_to_the_next_step() {
    let change = Change {
        config: [("mb", Value::from(2)), ("rate", Value::from(4.0))]
            .into_iter()
            .fold(Config::new(), |mut config, (name, value)| {
                config.insert(name, value);
                config
            }),
        seed: 5,
        workers: 1,
    };
    let changed = |state_taken: bool| {
        let (plugin, mut trial) = ballast(2, false);
        trial.step(0).unwrap();
        trial.step(0).unwrap();
        let plain = trial.fuel_burned();
        if state_taken {
            saved(&plugin, &mut trial);
        }
        trial.reconfigure_portably(&change, 0).unwrap();
        assert!(trial.snapshot().is_err(), "it belongs to a step");
        let report = trial.step(0).unwrap();
        // Saving, setting up and restoring belong to the step.
        assert!(trial.fuel_burned() > plain + 1_000_000);
        // 1 / (rate x step) of its third step.
        assert_eq!(report.metrics[0].value, 1.0 / (4.0 * 3.0));
        let step = trial.fuel_burned();
        let snapshot = trial.snapshot().unwrap();
        (
            report,
            step,
            trial.own_fuel(),
            snapshot.state_hash().unwrap(),
        )
    };
    assert_eq!(changed(false), changed(false));
    assert_eq!(changed(true), changed(false));
}

#[test]
fn without_the_export_there_is_none() {
    let bytes = trainable(ZEROS, "");
    let plugin = load(&bytes, Metering::Fuel).unwrap();
    assert!(!plugin.has_portable_state());
    let mut trial = plugin.trial(start(&Limits::default())).unwrap();
    trial.setup(0).unwrap();
    trial.step(0).unwrap();
    let fault = trial.save_portable(&mut |_| ()).unwrap_err();
    assert_eq!(fault.kind, FailureKind::Reconfigure);
    assert!(fault.hint.contains("portable-state"), "{fault}");
    trial.step(0).unwrap();
}

/// A trainable whose chunks are made by this code: `local 0` is the offset, `local 1` the longest
/// length; the answer has its list at 2052.
fn liar_bytes(save: &str) -> Vec<u8> {
    let more = format!(
        r#"(func (export "tune:plugin/portable-state@0.1.0#save-chunk")
            (param i64 i32) (result i32)
            (i32.store (i32.const 2048) (i32.const 0))
            {save}
            i32.const 2048)
        (func (export "tune:plugin/portable-state@0.1.0#restore-chunk")
            (param i64 i32 i32) (result i32)
            (if (i32.and (i32.eqz (local.get 2)) (i64.eqz (local.get 0))) (then unreachable))
            {ZEROS})"#
    );
    let module = trainable_text(ZEROS, &more, "0.1.0");
    component(&module, "portable-trainable-plugin", "0.1.0", "")
}

fn liar(save: &str, limits: &Limits) -> Trial {
    let plugin = load(&liar_bytes(save), Metering::Fuel).unwrap();
    let mut trial = plugin.trial(start(limits)).unwrap();
    trial.setup(0).unwrap();
    trial.step(0).unwrap();
    trial
}

/// A list of this length at address 0.
fn list(length: &str) -> String {
    format!("(i32.store (i32.const 2052) (i32.const 0)) (i32.store (i32.const 2056) {length})")
}

fn refused(save: &str, limits: &Limits) -> Box<PluginFault> {
    let mut trial = liar(save, limits);
    let fault = trial.save_portable(&mut |_| ()).unwrap_err();
    assert_eq!(fault.operation, "save-chunk");
    assert!(trial.step(0).is_err(), "it has ended");
    fault
}

#[test]
fn a_state_without_end_is_refused_at_the_memory_limit() {
    let limits = Limits {
        memory_bytes: 4 << 20,
        ..Limits::default()
    };
    let fault = refused(&list("(i32.const 60000)"), &limits);
    assert_eq!(fault.kind, FailureKind::BadValue, "{fault}");
    assert!(fault.message.contains("has no end"), "{fault}");
}

#[test]
fn a_chunk_longer_than_asked_for_is_refused() {
    let grown = "(drop (memory.grow (i32.const 32)))";
    let long = list("(i32.add (local.get 1) (i32.const 1))");
    let fault = refused(&format!("{grown}{long}"), &Limits::default());
    assert_eq!(fault.kind, FailureKind::BadValue, "{fault}");
    assert!(fault.message.contains("1048577 bytes"), "{fault}");
}

#[test]
fn a_save_that_spins_runs_out_of_the_fuel_of_a_step() {
    let limits = Limits {
        fuel_per_step: 1_000_000,
        ..Limits::default()
    };
    let fault = refused("(loop $again (br $again))", &limits);
    assert_eq!(fault.kind, FailureKind::OutOfFuel, "{fault}");
    assert!(fault.message.contains("(fuel_per_step)"), "{fault}");
}

#[test]
fn an_empty_state_is_a_state() {
    let mut trial = liar(&list("(i32.const 0)"), &Limits::default());
    assert_eq!(trial.save_portable(&mut |_| panic!()).unwrap(), 0);
    trial.step(0).unwrap();
}

#[test]
fn a_state_that_is_too_long_or_cannot_be_read_or_is_refused_ends_the_trial() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no disk"))
        }
    }
    let limits = Limits {
        memory_bytes: 3 << 19,
        ..Limits::default()
    };
    let cases: [(&mut dyn Read, FailureKind, &str); 3] = [
        (
            &mut io::repeat(1),
            FailureKind::BadValue,
            "more than the 1572864",
        ),
        (&mut Broken, FailureKind::BadValue, "no disk"),
        (&mut io::empty(), FailureKind::Trap, "must not be reached"),
    ];
    for (source, kind, said) in cases {
        // Room for one chunk.
        let room = "(drop (memory.grow (i32.const 20)))";
        let mut trial = liar(&format!("{room}{}", list("(i32.const 0)")), &limits);
        trial.save_portable(&mut |_| ()).unwrap();
        let fault = trial.restore_portable(source).unwrap_err();
        assert_eq!(fault.kind, kind, "{fault}");
        assert!(fault.message.contains(said), "{fault}");
        assert!(trial.step(0).is_err());
    }
}

#[test]
fn an_inspection_says_whether_states_can_be_copied_or_ported() {
    let limits = Limits::default();
    let inspection = inspect(&liar_bytes(""), &limits).unwrap();
    assert!(inspection.has_portable_state());
    assert_eq!(inspection.snapshot, tune_runtime::Snapshotable::Yes);
    assert!(
        !inspect(&trainable(ZEROS, ""), &limits)
            .unwrap()
            .has_portable_state()
    );
}

#[test]
fn an_export_of_that_name_has_the_functions_of_the_contract() {
    let name = "tune:plugin/portable-half1@0.1.0";
    let half = format!(r#"(func (export "{name}#x"))"#);
    let module = trainable_text(ZEROS, &half, "0.1.0");
    let world = "interface portable-half1 { x: func(); }
        world halves { include trainable-plugin; export portable-half1; }";
    let bytes = component(&module, "halves", "0.1.0", world);
    // Names of the same length: the component is as good with the other one.
    let named = |other: &str| {
        let mut bytes = bytes.clone();
        while let Some(at) = bytes.windows(name.len()).position(|w| w == name.as_bytes()) {
            bytes[at..at + name.len()].copy_from_slice(other.as_bytes());
        }
        load(&bytes, Metering::Fuel)
    };
    assert!(
        !named("tune:plugin/portable-other@0.1.0")
            .unwrap()
            .has_portable_state()
    );
    let error = named("tune:plugin/portable-state@0.1.0").err().unwrap();
    assert!(
        error
            .message
            .contains("no `save-chunk`, no `restore-chunk`"),
        "{error}"
    );
    let error = named("tune:plugin/portable-state@0.2.0").err().unwrap();
    assert!(error.message.contains("another contract"), "{error}");
}
