//! The shipped components are what they should be, and the same wherever they are built.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::{env, fs, path::Path, process::Command};

use tune_test_artifacts::Shape;

#[path = "../build/guests.rs"]
#[allow(
    dead_code,
    clippy::print_stdout,
    reason = "the test uses a part of the build script"
)]
mod guests;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn every_shipped_plugin_exports_one_kind_of_interface_and_its_manifest_names_it() {
    let mut names = Vec::new();
    let mut portable = Vec::new();
    for plugin in tune_embedded::all() {
        let shape = Shape::read(plugin.bytes).unwrap();
        let mut exports = shape.exports.clone();
        exports.retain(|export| export != "tune:plugin/portable-state@0.1.0");
        let [export] = exports.as_slice() else {
            panic!("{plugin:?} exports {:?}", shape.exports);
        };
        if exports.len() < shape.exports.len() {
            portable.push(plugin.name);
        }
        let kind = export
            .strip_prefix("tune:plugin/")
            .and_then(|rest| rest.strip_suffix("@0.1.0"))
            .unwrap();
        let folder = format!("{WORKSPACE}/plugins/{kind}s/{}", plugin.name);
        assert!(Path::new(&folder).is_dir(), "{plugin:?} is a {kind}");
        let manifest: serde_json::Value = serde_json::from_str(&shape.manifest.unwrap()).unwrap();
        assert_eq!(manifest["name"], plugin.name);
        assert_eq!(manifest["options"]["type"], "object");
        assert!(
            manifest["summary"].as_str().is_some_and(|s| !s.is_empty()),
            "{plugin:?}"
        );
        names.push(plugin.name);
    }
    assert_eq!(portable, ["digits-mlp"]);
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names.len(),
        tune_embedded::all().len(),
        "names are unique over all kinds"
    );
}

#[test]
fn no_shipped_plugin_holds_a_path_of_the_machine_that_built_it() {
    let workspace = fs::canonicalize(WORKSPACE).unwrap();
    let cargo_home = env::home_dir().unwrap().join(".cargo");
    for plugin in tune_embedded::all() {
        for path in [&workspace, &cargo_home] {
            let path = path.to_str().unwrap().as_bytes();
            let found = plugin.bytes.windows(path.len()).any(|w| w == path);
            assert!(!found, "{plugin:?}");
        }
    }
}

#[test]
fn plugins_built_in_another_folder_have_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("somewhere else");
    copy_sources(Path::new(WORKSPACE), &copy);
    let target_dir = folder.path().join("target");
    // All of them, as they are shipped: what is built together shares features of its dependencies.
    let packages: Vec<_> = tune_embedded::all().iter().map(package).collect();
    let selection: Vec<_> = packages
        .iter()
        .flat_map(|package| ["-p".to_owned(), package.clone()])
        .collect();
    let built = guests::Build {
        workspace: &copy,
        target_dir: &target_dir,
        selection: &selection,
        profile: &guests::SHIPPED,
    }
    .run()
    .unwrap_or_else(|_| panic!("the copy does not build"));
    for (plugin, package) in tune_embedded::all().iter().zip(&packages) {
        let there = fs::read(built.join(format!("{}.wasm", package.replace('-', "_")))).unwrap();
        assert!(
            plugin.bytes == there,
            "{plugin:?}: {} bytes there",
            there.len()
        );
    }
}

/// The package of a plugin.
fn package(plugin: &tune_embedded::EmbeddedPlugin) -> String {
    let name = plugin.name;
    let kind = ["trainable", "searcher", "scheduler"]
        .into_iter()
        .find(|kind| Path::new(&format!("{WORKSPACE}/plugins/{kind}s/{name}")).is_dir())
        .unwrap();
    format!("tune-{kind}-{name}")
}

/// All that git knows, or would know after the next commit: no build products.
fn copy_sources(from: &Path, to: &Path) {
    let list = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(from)
        .output()
        .unwrap();
    for name in String::from_utf8(list.stdout)
        .unwrap()
        .split_terminator('\0')
    {
        let target = to.join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        // A file that was just deleted is still in the index.
        let _ = fs::copy(from.join(name), target);
    }
}
