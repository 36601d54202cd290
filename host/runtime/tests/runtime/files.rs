//! Files that are no plugins, or not for this host: refused before anything is compiled, with what
//! to do.

use tune_core::{Limits, Metering};
use tune_runtime::{ImportStatus, LoadError, LoadProblem, PluginKind, Snapshotable, inspect};

use crate::guests::{ZEROS, component, trainable, trainable_text};
use crate::{load, start};

fn refusal(bytes: &[u8]) -> LoadError {
    let inspected = inspect(bytes, &Limits::default());
    let error = load(bytes, Metering::Fuel).err().unwrap();
    if let Err(inspected) = inspected {
        assert_eq!(format!("guest: {inspected}"), error.to_string());
    }
    assert!(!error.hint.is_empty());
    error
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn files_that_are_no_components_are_refused_by_what_they_are() {
    let engine = wasmtime::Engine::default();
    let compiled = wasmtime::component::Component::from_binary(&engine, &wat("(component)"))
        .unwrap()
        .serialize()
        .unwrap();
    let embedded = wat(r#"(module (@custom "component-type:x" "..."))"#);
    for (bytes, wrong) in [
        (&b""[..], "empty"),
        (b"#!/bin/sh\n", "not WebAssembly"),
        (b"\0asm", "cut off"),
        (b"\0asm\x0a\0\x01\0", "invalid component"),
        (&compiled, "compiled code (.cwasm)"),
        (&wat("(module)"), "core WebAssembly module"),
        (&embedded, "core module that carries its interface"),
    ] {
        let error = refusal(bytes);
        assert_eq!(error.problem, LoadProblem::Load);
        assert!(error.message.contains(wrong), "{error}");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let whole = trainable(ZEROS, "");
    for end in (8..whole.len()).step_by(97) {
        let error = refusal(&whole[..end]);
        assert!(
            matches!(error.problem, LoadProblem::Load | LoadProblem::WrongKind),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_file_never_panics() {
    let whole = trainable(ZEROS, "");
    for at in 8..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        // Some of it is names and code, where it stays valid.
        drop(inspect(&damaged, &Limits::default()));
    }
}

#[test]
fn a_file_over_its_limit_is_refused_and_at_its_limit_is_not() {
    let bytes = trainable(ZEROS, "");
    let with = |component_bytes| Limits {
        component_bytes,
        ..Limits::default()
    };
    let size = bytes.len() as u64;
    assert_eq!(inspect(&bytes, &with(size)).unwrap().size, size);
    assert!(
        inspect(&bytes, &with(size - 1))
            .unwrap_err()
            .message
            .contains("are allowed")
    );
}

#[test]
fn custom_sections_are_bounded() {
    let with = |bytes: usize| {
        let mut guest = trainable(ZEROS, "");
        let name = b"\x04note";
        guest.push(0);
        let mut size = name.len() + bytes;
        while size >= 0x80 {
            guest.push((size as u8 & 0x7f) | 0x80);
            size >>= 7;
        }
        guest.push(size as u8);
        guest.extend_from_slice(name);
        guest.resize(guest.len() + bytes, 0);
        inspect(&guest, &Limits::default())
    };
    with(15 << 20).unwrap();
    assert!(
        with(17 << 20)
            .unwrap_err()
            .message
            .contains("bytes in custom sections")
    );
}

#[test]
fn a_component_that_is_no_plugin_says_what_it_exports() {
    let error = refusal(&wat("(component)"));
    assert_eq!(error.problem, LoadProblem::WrongKind);
    assert!(error.message.contains("it exports nothing"), "{error}");
    let other =
        wat(r#"(component (instance $i) (export "my:model/trainable@1.0.0" (instance $i)))"#);
    let error = refusal(&other);
    assert!(
        error.message.contains("`my:model/trainable@1.0.0`"),
        "{error}"
    );
    assert!(
        error.hint.contains("tune:plugin/trainable@0.1.0"),
        "{}",
        error.hint
    );
}

#[test]
fn a_plugin_of_another_contract_version_says_both() {
    let text = trainable_text(ZEROS, "", "0.3.0");
    let error = refusal(&component(&text, "trainable-plugin", "0.3.0", ""));
    assert_eq!(error.problem, LoadProblem::Version);
    assert_eq!(
        error.message,
        "guest: it is built for tune:plugin 0.3; this host speaks 0.1"
    );
}

#[test]
fn a_plugin_of_a_later_patch_that_needs_nothing_new_runs() {
    let text = trainable_text(ZEROS, "", "0.1.9");
    let guest = component(&text, "trainable-plugin", "0.1.9", "");
    let mut trial = load(&guest, Metering::Fuel)
        .unwrap()
        .trial(start(&Limits::default()))
        .unwrap();
    trial.setup(0).unwrap();
    trial.step(0).unwrap();
}

#[test]
fn an_unknown_import_is_named() {
    let additions = "interface sensors { read: func() -> u32; }
        world odd { import sensors; include trainable-plugin; }";
    let more = r#"(import "tune:plugin/sensors@0.1.0" "read" (func $read (result i32)))"#;
    let text = trainable_text(&format!("(drop (call $read)) {ZEROS}"), more, "0.1.0");
    let guest = component(&text, "odd", "0.1.0", additions);
    let error = refusal(&guest);
    assert_eq!(error.problem, LoadProblem::Import);
    assert!(
        error.message.contains("`tune:plugin/sensors@0.1.0`"),
        "{error}"
    );
    let imports = inspect(&guest, &Limits::default()).unwrap().imports;
    let status = |name: &str| &imports.iter().find(|i| i.name == name).unwrap().status;
    assert_eq!(*status("tune:plugin/log@0.1.0"), ImportStatus::Satisfied);
    assert_eq!(
        *status("tune:plugin/sensors@0.1.0"),
        ImportStatus::Unknown { near: None }
    );
}

#[test]
fn a_plugin_is_inspected_without_running_it() {
    let guest = trainable(ZEROS, "(func $f unreachable) (start $f)");
    let inspection = inspect(&guest, &Limits::default()).unwrap();
    assert_eq!(inspection.kind, PluginKind::Trainable);
    assert_eq!(inspection.contract, "0.1.0");
    assert_eq!(inspection.exports, ["tune:plugin/trainable@0.1.0"]);
    assert_eq!(inspection.hash, *blake3::hash(&guest).as_bytes());
    assert_eq!(inspection.snapshot, Snapshotable::Yes);
    assert!(!inspection.has_portable_state());
}

#[test]
fn constructs_that_rule_out_snapshots_are_named() {
    for (more, step, construct) in [
        (
            "(table $t 1 funcref)",
            "(table.set $t (i32.const 0) (ref.null func))",
            "table.set",
        ),
        (
            "(global $g (mut v128) (v128.const i64x2 0 0))",
            "",
            "mutable globals of type v128",
        ),
        (
            "(global $g (mut funcref) (ref.null func))",
            "",
            "mutable globals that hold references",
        ),
        ("(data $d \"x\")", "(data.drop $d)", "data.drop"),
    ] {
        let guest = trainable(&format!("{step} {ZEROS}"), more);
        let Snapshotable::No { constructs } = inspect(&guest, &Limits::default()).unwrap().snapshot
        else {
            panic!("{construct} was overlooked")
        };
        assert!(constructs.contains(&construct), "{constructs:?}");
        // It runs nevertheless.
        load(&guest, Metering::Fuel).unwrap();
    }
}

#[test]
fn features_that_are_switched_off_are_refused() {
    for more in [
        "(memory i64 1)",
        "(func (param i32) (drop (i32.atomic.load (local.get 0))))",
        "(type $s (struct))",
        "(func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))",
    ] {
        let text = format!("(component (core module (memory 1) {more}))");
        let Ok(bytes) = wat::parse_str(&text) else {
            panic!("{more}")
        };
        assert!(
            refusal(&bytes).message.contains("invalid component"),
            "{more}"
        );
    }
}

#[test]
fn a_plugin_used_as_another_kind_says_what_it_is() {
    let plugin = load(&trainable(ZEROS, ""), Metering::Fuel).unwrap();
    let setup = tune_core::records::Setup {
        space: vec![],
        objectives: vec![],
        constraints: vec![],
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 1,
        seed: 0,
        options: String::new(),
    };
    let error = plugin.searcher(&setup, &Limits::default()).err().unwrap();
    assert!(
        error
            .to_string()
            .contains("it is a trainable, not a searcher"),
        "{error}"
    );
}
