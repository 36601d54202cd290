//! Files that are no plugins, or none of this host: rejected by name, with the reason, before a run
//! begins.

use std::fs;

use crate::{
    experiment::Experiment,
    lab::{Finished, Lab},
};

/// `plugin check` and `run` both reject the bytes.
#[track_caller]
fn rejected(bytes: impl AsRef<[u8]>, parts: &[&str]) -> Finished {
    let lab = Lab::new();
    lab.write("mine.wasm", bytes);
    lab.tune(&["plugin", "check", "mine.wasm"])
        .exits(3)
        .says(parts)
        .says(&["mine.wasm"]);
    let said = lab
        .run(&Experiment::of("./mine.wasm"), &[])
        .exits(3)
        .says(parts)
        .says(&["hint"]);
    assert!(!lab.path("runs").exists(), "{said}");
    said
}

/// A good component.
fn component() -> Vec<u8> {
    fs::read(tune_test_artifacts::TRIAL_NOOP).unwrap()
}

/// The component with every place of these bytes replaced by others of the same length.
fn patched(from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component();
    let places: Vec<usize> = (0..=bytes.len() - from.len())
        .filter(|&at| bytes[at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn a_text_file() {
    rejected("print('hello')\n", &["the file is not WebAssembly"]);
}

#[test]
fn an_empty_file() {
    rejected("", &["empty"]);
}

#[test]
fn a_plain_core_module() {
    rejected(
        b"\0asm\x01\0\0\0",
        &["core WebAssembly module", "wasm32-wasip2"],
    );
}

#[test]
fn a_truncated_component() {
    let bytes = component();
    rejected(&bytes[..bytes.len() / 2], &["ends too early"]);
}

#[test]
fn a_component_of_another_world() {
    rejected(
        patched(b"tune:plugin/", b"nope:plugin/"),
        &["it is no plugin", "nope:plugin/trainable", "tune:plugin"],
    );
}

#[test]
fn a_component_of_a_newer_interface() {
    rejected(
        patched(b"/trainable@0.1.0", b"/trainable@0.9.0"),
        &["built for tune:plugin 0.9", "speaks 0.1"],
    );
}

#[test]
fn a_component_that_imports_what_is_newer() {
    rejected(
        patched(b"tune:plugin/log@0.1.0", b"tune:plugin/log@0.9.0"),
        &["tune:plugin/log@0.9.0", "newer"],
    );
}

#[test]
fn a_component_that_imports_what_nobody_knows() {
    rejected(
        patched(b"tune:plugin/log@0.1.0", b"tune:plugin/gut@0.1.0"),
        &["tune:plugin/gut@0.1.0", "does not have"],
    );
}

#[test]
fn a_file_that_is_not_there() {
    let lab = Lab::new();
    lab.run(&Experiment::of("./none.wasm"), &[])
        .exits(2)
        .says(&["none.wasm", "hint"]);
    lab.tune(&["plugin", "check", "none.wasm"])
        .exits(2)
        .says(&["none.wasm"]);
}

#[test]
fn a_component_of_the_wrong_kind_by_path() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::SEARCHER_WAITS);
    lab.run(&experiment, &[])
        .exits(2)
        .says(&["searcher-waits", "searcher", "trainable", "hint"]);
}

#[test]
fn a_good_component_is_accepted_and_described() {
    let lab = Lab::new();
    lab.write("mine.wasm", component());
    lab.tune(&["plugin", "check", "mine.wasm"]).exits(0);
    let said = lab.tune(&["plugin", "inspect", "mine.wasm"]).exits(0);
    for part in ["trial-noop", "trainable", "0.1.0", "Reports loss 0 once"] {
        assert!(said.stdout.contains(part), "{said}");
    }
}
