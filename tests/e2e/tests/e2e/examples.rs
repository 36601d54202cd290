//! The plugins of `examples/`, built by their own command as any author would, dropped into a
//! directory, and used by name.

use std::{env, fs, path::Path, process::Command};

use crate::{
    experiment::Experiment,
    lab::{Lab, workspace},
};

/// Builds an example and returns its component.
fn build(example: &str) -> Vec<u8> {
    let folder = workspace().join("examples").join(example);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Nothing of the build that runs this test may reach the author's.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"];
        if inherited.contains(&&*text) || text.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(&name);
        }
    }
    let status = cargo
        .current_dir(&folder)
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip2"])
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .unwrap();
    assert!(status.success(), "{example} does not build");
    let file = format!("wasm32-wasip2/release/{}.wasm", example.replace('-', "_"));
    fs::read(target.join(file)).unwrap()
}

#[test]
fn plugins_dropped_into_a_directory_are_used_by_name() {
    let lab = Lab::new();
    lab.write("plugins-of-mine/line_fit.wasm", build("line-fit"));
    lab.write("plugins-of-mine/patience.wasm", build("patience"));
    lab.write("plugins-of-mine/climber.wasm", build("climber"));
    lab.write("plugins-of-mine/laggards.wasm", build("laggards"));
    let listed = lab
        .tune(&["plugin", "list", "--plugins", "plugins-of-mine"])
        .exits(0)
        .stdout;
    for name in [
        "line-fit",
        "patience",
        "climber",
        "laggards",
        "digits-mlp",
        "tpe",
    ] {
        assert!(listed.contains(name), "no {name} in\n{listed}");
    }

    let line_fit = Experiment::of("line-fit")
        .trials(8)
        .top("max_t = 40")
        .space("lr = { loguniform = [1e-3, 10.0] }");
    let experiment = line_fit
        .clone()
        .table("[searcher]\nplugin = \"climber\"\nn_startup_trials = 8")
        .table("[scheduler]\nplugin = \"patience\"\npatience = 2");
    lab.run(&experiment, &["--plugins", "plugins-of-mine"])
        .exits(0);
    let run = lab.show("exp");
    // Too large a rate makes the loss grow: that is stopped after two reports without a better one.
    assert!(run["counts"]["stopped"].as_u64().unwrap() >= 1, "{run}");
    assert!(run["counts"]["finished"].as_u64().unwrap() >= 1, "{run}");
    for trial in run["trials"].as_array().unwrap() {
        if trial["config"]["lr"].as_f64().unwrap() > 3.0 {
            assert_eq!(
                (&trial["status"], &trial["iterations"]),
                (&"stopped".into(), &3.into())
            );
        }
    }

    // The scheduler of docs/writing-a-scheduler.md.
    let laggards = line_fit
        .named("laggards")
        .table("[scheduler]\nplugin = \"laggards\"\nworst = 50\nothers = 1");
    lab.run(&laggards, &["--plugins", "plugins-of-mine"])
        .exits(0);
    let counts = &lab.show("laggards")["counts"];
    assert!(counts["stopped"].as_u64().unwrap() >= 1, "{counts}");
    assert!(counts["finished"].as_u64().unwrap() >= 1, "{counts}");

    // The environment names a directory as well; without either, the names are unknown.
    let file = lab.file(&experiment.clone().named("by-environment"));
    let mut command = lab.command(&["run", &file]);
    command.env("TUNE_HOST_PLUGINS", "plugins-of-mine");
    assert!(command.status().unwrap().success());
    assert_eq!(lab.digest("by-environment"), lab.digest("exp"));
    lab.run(&experiment, &["--name", "without"])
        .exits(2)
        .says(&["line-fit", "hint"]);

    // Its plugins are found again by a resume from the same directory.
    lab.tune(&[
        "resume",
        "exp",
        "--trials",
        "9",
        "--plugins",
        "plugins-of-mine",
    ])
    .exits(0);
    assert_eq!(lab.show("exp")["trials"].as_array().unwrap().len(), 9);
}

#[test]
fn a_plugin_in_a_directory_goes_before_a_shipped_one_of_its_name() {
    let lab = Lab::new();
    lab.run(&Experiment::branin(3), &["--name", "shipped"])
        .exits(0);
    // Other bytes under the same name: the plan's hash differs, so do all rows.
    let mut bytes = fs::read(tune_test_artifacts::SEARCHER_WAITS).unwrap();
    let from = b"\"searcher-waits\"";
    let at = bytes
        .windows(from.len())
        .position(|part| part == from)
        .unwrap();
    bytes[at..at + from.len()].copy_from_slice(b"\"random\"        ");
    lab.write("others/random.wasm", bytes);
    lab.run(
        &Experiment::branin(3),
        &["--name", "mine", "--plugins", "others"],
    )
    .exits(4)
    .says(&["deadlock"]);
}
