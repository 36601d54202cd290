//! The direction of dependencies, as `host/ARCHITECTURE.md` draws it, against `cargo metadata`.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;

use crate::lab::workspace;

/// Which packages of the workspace a package may depend on, tests aside. A package that is not here
/// has no place yet.
const ALLOWED: [(&str, &[&str]); 28] = [
    ("tune-space", &[]),
    ("tune-model", &["tune-space"]),
    ("tune-search", &["tune-space"]),
    (
        "tune-searchers",
        &["tune-model", "tune-plugin", "tune-search"],
    ),
    ("tune-plugin-gpu", &["tune-plugin"]),
    ("tune-core", &["tune-space"]),
    (
        "tune-experiment",
        &["tune-core", "tune-space", "tune-table"],
    ),
    ("tune-gpu", &["tune-core"]),
    ("tune-snapshot", &[]),
    ("tune-runtime", &["tune-core", "tune-gpu", "tune-snapshot"]),
    ("tune-store", &["tune-core"]),
    (
        "tune-runner",
        &["tune-core", "tune-experiment", "tune-runtime", "tune-store"],
    ),
    ("tune-report", &["tune-core", "tune-model", "tune-store"]),
    (
        "tune-simulation",
        &["tune-core", "tune-plugin", "tune-space", "tune-table"],
    ),
    ("tune-protocol", &["tune-core", "tune-space"]),
    ("tune-study", &["tune-space", "tune-table"]),
    (
        "tune-host",
        &[
            "tune-core",
            "tune-embedded",
            "tune-experiment",
            "tune-protocol",
            "tune-report",
            "tune-runner",
            "tune-runtime",
            "tune-simulation",
            "tune-store",
            "tune-study",
            "tune-table",
        ],
    ),
    ("tune-plugin-macros", &[]),
    ("tune-plugin", &["tune-plugin-macros", "tune-space"]),
    ("tune-table", &["tune-space"]),
    ("tune-digits-model", &["tune-plugin"]),
    ("tune-embedded", &[]),
    ("tune-test-guests", &["tune-plugin", "tune-plugin-gpu"]),
    ("tune-test-artifacts", &[]),
    ("tune-e2e", &["tune-test-artifacts"]),
    // Schedulers under the engine; the shipped ones are dependencies of its tests alone.
    (
        "tune-algorithms",
        &["tune-core", "tune-plugin", "tune-simulation"],
    ),
    // What it tries, it tries in its tests.
    ("tune-fuzz", &[]),
    // Measures everything, and nothing stands on it.
    (
        "tune-bench",
        &[
            "tune-algorithms",
            "tune-test-guests",
            "tune-trainable-gpu-mlp",
            "tune-core",
            "tune-digits-model",
            "tune-embedded",
            "tune-experiment",
            "tune-plugin",
            "tune-report",
            "tune-runner",
            "tune-runtime",
            "tune-searchers",
            "tune-simulation",
            "tune-table",
            "tune-scheduler-asha",
            "tune-scheduler-fifo",
            "tune-scheduler-hyper-tune",
            "tune-scheduler-hyperband",
            "tune-scheduler-median-stopping",
            "tune-scheduler-pasha",
            "tune-scheduler-patient",
            "tune-scheduler-pb2",
            "tune-scheduler-pbt",
            "tune-scheduler-pbt-replay",
            "tune-scheduler-percentile",
            "tune-scheduler-threshold",
            "tune-scheduler-wilcoxon",
            "tune-searcher-bohb",
            "tune-searcher-evolution",
            "tune-searcher-halton",
            "tune-searcher-random",
            "tune-space",
            "tune-store",
            "tune-test-artifacts",
        ],
    ),
];

/// What a plugin may depend on, tests aside: what any author can.
const OF_PLUGINS: &[&str] = &[
    "tune-plugin",
    "tune-plugin-gpu",
    "tune-model",
    "tune-search",
    "tune-searchers",
    "tune-table",
    "tune-digits-model",
];

/// The only packages that name wasmtime. The fuzzer runs generated components, which are no plugins,
/// with and without instrumentation.
const ON_WASMTIME: [&str; 3] = ["tune-runtime", "tune-snapshot", "tune-fuzz"];

/// The only packages with a build script: both build components.
const WITH_BUILD_SCRIPT: [&str; 2] = ["tune-embedded", "tune-test-artifacts"];

struct Package {
    name: String,
    folder: String,
    /// Name and kind (`normal`, `build`, `dev`) of everything that it depends on.
    dependencies: Vec<(String, String)>,
    has_build_script: bool,
}

/// The packages of the workspace.
fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let package = |package: &Value| {
        let manifest = text(&package["manifest_path"]);
        let folder = Path::new(&manifest).parent().unwrap();
        let folder = folder.strip_prefix(workspace()).unwrap();
        let dependency = |dependency: &Value| {
            let kind = dependency["kind"].as_str().unwrap_or("normal");
            (text(&dependency["name"]), kind.to_owned())
        };
        Package {
            name: text(&package["name"]),
            folder: folder.to_str().unwrap().to_owned(),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(dependency)
                .collect(),
            has_build_script: list(&package["targets"])
                .iter()
                .any(|target| target["kind"][0] == "custom-build"),
        }
    };
    list(&metadata["packages"]).iter().map(package).collect()
}

fn allowed(package: &Package) -> &'static [&'static str] {
    let listed = ALLOWED.iter().find(|(name, _)| *name == package.name);
    match listed {
        Some((_, allowed)) => allowed,
        None if package.folder.starts_with("plugins/") => OF_PLUGINS,
        None => panic!(
            "{} has no place in the direction of dependencies",
            package.name
        ),
    }
}

#[test]
fn packages_depend_on_each_other_in_one_direction() {
    let packages = packages();
    assert!(packages.len() > 20, "only {} packages", packages.len());
    let ours = |name: &str| packages.iter().any(|p| p.name == name);
    let mut wrong = Vec::new();
    for package in &packages {
        for (name, kind) in &package.dependencies {
            if kind != "dev" && ours(name) && !allowed(package).contains(&name.as_str()) {
                wrong.push(format!("{} -> {name}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "not allowed: {wrong:?}");
}

#[test]
fn the_allowed_direction_has_no_circle() {
    // What depends on nothing is taken away, again and again; a circle would be left.
    let mut left: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    while let Some(free) = left
        .iter()
        .find(|(_, on)| on.iter().all(|name| !left.contains_key(name)))
        .map(|(name, _)| *name)
    {
        left.remove(free);
    }
    assert!(left.is_empty(), "{:?}", left.keys());
}

#[test]
fn nothing_depends_on_the_command_not_even_a_test() {
    for package in packages() {
        let found = package
            .dependencies
            .iter()
            .find(|(name, _)| name == "tune-host");
        assert_eq!(found, None, "{}", package.name);
    }
}

#[test]
fn only_runtime_and_snapshot_and_their_fuzzer_name_wasmtime() {
    for package in packages() {
        let found = package
            .dependencies
            .iter()
            .find(|(name, _)| name.starts_with("wasmtime"));
        if !ON_WASMTIME.contains(&package.name.as_str()) {
            assert_eq!(found, None, "{}", package.name);
        }
    }
}

#[test]
fn the_core_names_no_crate_with_files_clocks_or_randomness() {
    let packages = packages();
    let core = packages.iter().find(|p| p.name == "tune-core").unwrap();
    for (name, kind) in &core.dependencies {
        let pure = [
            "tune-space",
            "serde",
            "serde_json",
            "thiserror",
            "blake3",
            "exmex",
            "postcard",
            "libm",
        ];
        assert!(kind == "dev" || pure.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn build_scripts_stand_only_where_components_are_built() {
    for package in packages() {
        let expected = WITH_BUILD_SCRIPT.contains(&package.name.as_str());
        assert_eq!(package.has_build_script, expected, "{}", package.name);
    }
}
