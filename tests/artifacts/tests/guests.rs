//! Every guest is a component of the kind that its suite says.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use tune_test_artifacts::{Shape, foreach_scheduler, foreach_searcher, foreach_trial};

fn shape(path: &str) -> Shape {
    Shape::read(&std::fs::read(path).unwrap()).unwrap()
}

/// The name in the manifest is that of the file, with hyphens.
fn check(guest: &str, path: &str, interface: &str) {
    let mut shape = shape(path);
    // What a trainable may export beside.
    shape
        .exports
        .retain(|e| e != "tune:plugin/portable-state@0.1.0");
    assert_eq!(
        shape.exports,
        [format!("tune:plugin/{interface}@0.1.0")],
        "{guest}"
    );
    let manifest: serde_json::Value = serde_json::from_str(&shape.manifest.unwrap()).unwrap();
    assert_eq!(manifest.get("name").unwrap(), &guest.replace('_', "-"));
    assert!(
        shape.module_sections.iter().any(|s| s == "name"),
        "{guest} keeps function names"
    );
}

#[test]
fn every_guest_exports_one_interface_and_carries_its_manifest() {
    macro_rules! trainable {
        ($guest:ident $path:literal) => {
            check(stringify!($guest), $path, "trainable")
        };
    }
    macro_rules! searcher {
        ($guest:ident $path:literal) => {
            check(stringify!($guest), $path, "searcher")
        };
    }
    macro_rules! scheduler {
        ($guest:ident $path:literal) => {
            check(stringify!($guest), $path, "scheduler")
        };
    }
    foreach_trial!(trainable);
    foreach_searcher!(searcher);
    foreach_scheduler!(scheduler);
}

#[test]
fn a_guest_imports_of_the_contract_only_what_it_uses() {
    let ours = |path| {
        let mut imports = shape(path).imports;
        imports.retain(|name| name.starts_with("tune:plugin/"));
        imports.sort();
        imports
    };
    let log = "tune:plugin/log@0.1.0";
    let types = "tune:plugin/types@0.1.0";
    // `types` carries definitions only.
    assert_eq!(ours(tune_test_artifacts::TRIAL_NOOP), [log, types]);
    assert_eq!(
        ours(tune_test_artifacts::TRIAL_DATA),
        ["tune:plugin/data@0.1.0", log, types]
    );
    assert_eq!(
        ours(tune_test_artifacts::TRIAL_ARTIFACTS),
        ["tune:plugin/artifact@0.1.0", log, types]
    );
    assert_eq!(ours(tune_test_artifacts::SEARCHER_WAITS), [log, types]);
    assert_eq!(ours(tune_test_artifacts::SCHEDULER_IDLES), [log, types]);
}

#[test]
fn no_guest_imports_files_or_sockets() {
    for path in [
        tune_test_artifacts::TRIAL_NOOP,
        tune_test_artifacts::TRIAL_PROBE,
        tune_test_artifacts::TRIAL_PRINTS_GIGABYTE,
    ] {
        let shape = shape(path);
        let refused =
            |name: &&String| name.starts_with("wasi:sockets") || name.starts_with("wasi:http");
        assert_eq!(shape.imports.iter().find(refused), None, "{path}");
    }
}
