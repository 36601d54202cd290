//! Files made to hurt whoever reads them, links that lead out, and files that change meanwhile.
//! `plugin check` and `run` refuse them before anything of them runs, and say why.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::text::Text;
use crate::{
    experiment::Experiment,
    lab::{Finished, Lab},
};

/// Both refuse the bytes, and no run is begun.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, parts: &[&str]) {
    let lab = Lab::new();
    lab.write("mine.wasm", bytes);
    lab.tune(&["plugin", "check", "mine.wasm"])
        .exits(3)
        .says(parts);
    let said = lab
        .run(&Experiment::of("./mine.wasm"), &[])
        .exits(3)
        .says(parts)
        .says(&["mine", "hint"]);
    assert!(said.stderr.len() < 64 << 10, "{} bytes", said.stderr.len());
    assert!(!lab.path("runs").exists(), "{said}");
}

fn noop() -> Vec<u8> {
    fs::read(tune_test_artifacts::TRIAL_NOOP).unwrap()
}

/// An unsigned number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A section of a component.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"))
}

// --- what is no plugin ---------------------------------------------------------------------------

#[test]
fn custom_section_of_a_hundred_megabytes() {
    let mut bytes = noop();
    bytes.extend(section(
        0,
        &[b"\x04bomb", vec![0; 100 << 20].as_slice()].concat(),
    ));
    refused(&bytes, &["bytes, 67108864 are allowed", "component_bytes"]);
}

#[test]
fn custom_section_longer_than_the_file() {
    let mut bytes = noop();
    bytes.extend([0, 0xff, 0xff, 0xff, 0xff, 0x0f, 4]);
    refused(&bytes, &["mine.wasm"]);
}

#[test]
fn a_million_empty_sections() {
    let mut bytes = noop();
    bytes.extend([0, 1, 0].repeat(1_000_000));
    // Nobody reads them: as good a plugin as before, and no slower to refuse.
    let lab = Lab::new();
    lab.write("mine.wasm", bytes);
    lab.tune(&["plugin", "check", "mine.wasm"]).exits(0);
}

#[test]
fn types_nested_ten_thousand_deep() {
    let mut types = String::from("(type $t0 (list u8))");
    for i in 1..10_000 {
        types += &format!("(type $t{i} (list $t{}))", i - 1);
    }
    refused(wat(&format!("(component {types})")), &["nest"]);
}

#[test]
fn components_nested_a_thousand_deep() {
    // Written by hand: who writes text nests as deeply as who reads it.
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..1_000 {
        bytes = [b"\0asm\x0d\0\x01\0", section(4, &bytes).as_slice()].concat();
    }
    refused(bytes, &["mine.wasm"]);
}

#[test]
fn types_that_double_at_each_level() {
    let mut types = String::from("(type $t0 (tuple u8 u8))");
    for i in 1..90 {
        types += &format!("(type $t{i} (tuple $t{0} $t{0}))", i - 1);
    }
    refused(wat(&format!("(component {types})")), &["size"]);
}

#[test]
fn text_format() {
    refused("(component)", &["the file is not WebAssembly"]);
}

#[test]
fn compiled_code_by_another_name() {
    // As the host keeps it for itself: code in the cache, without the hash in front.
    let lab = Lab::new();
    let cache = lab.path("cache");
    lab.write("mine.wasm", noop());
    let mut command = lab.command(&["run", &lab.file(&Experiment::of("./mine.wasm"))]);
    let done = command.env("XDG_CACHE_HOME", &cache).output().unwrap();
    assert!(done.status.success());
    let code = lab
        .tree("cache")
        .into_values()
        .max_by_key(Vec::len)
        .unwrap();
    let code = code.get(32..).unwrap();
    assert!(code.starts_with(b"\x7fELF"));
    refused(code, &["compiled code (.cwasm)"]);
}

#[test]
fn both_a_searcher_and_a_scheduler() {
    let functions = [
        "init",
        "suggest",
        "observe",
        "complete",
        "seed-with",
        "regret-bound",
    ];
    let component = |name: &str| {
        let made = functions
            .map(|f| format!("(export {f:?} (func $f))"))
            .join("");
        format!(
            "(instance $i_{name} {made}) (export \"tune:plugin/{name}@0.1.0\" (instance $i_{name}))"
        )
    };
    let bytes = wat(&format!(
        "(component (core module $m (func (export \"f\"))) (core instance $m (instantiate $m))
            (func $f (canon lift (core func $m \"f\"))) {} {})",
        component("searcher"),
        component("scheduler")
    ));
    refused(bytes, &["both", "searcher", "scheduler"]);
}

#[test]
fn functions_of_other_types_than_the_contract() {
    let functions = ["setup", "step", "reconfigure"];
    let made = functions
        .map(|f| format!("(export {f:?} (func $f))"))
        .join("");
    let bytes = wat(&format!(
        "(component (core module $m (func (export \"f\"))) (core instance $m (instantiate $m))
            (func $f (canon lift (core func $m \"f\")))
            (instance $i {made}) (export \"tune:plugin/trainable@0.1.0\" (instance $i)))"
    ));
    let lab = Lab::new();
    lab.write("mine.wasm", bytes);
    let said = lab.run(&Experiment::of("./mine.wasm"), &[]);
    assert!(matches!(said.code, Some(1 | 3)), "{said}");
    said.says(&["types", "hint"]);
}

#[test]
fn import_that_nobody_knows() {
    let text = Text {
        interfaces: "interface machine { format-disk: func(); }",
        more: r#"(import "tune:plugin/machine@0.1.0" "format-disk" (func))"#,
        world: "import machine;",
        ..Text::default()
    };
    refused(text.component(), &["tune:plugin/machine", "does not have"]);
}

#[test]
fn import_of_a_newer_wasi() {
    let text = Text {
        more: r#"(import "wasi:clocks/monotonic-clock@0.2.99" "sleep-well" (func))"#,
        world: "import wasi:clocks/monotonic-clock@0.2.99;",
        ..Text::default()
    };
    refused(text.component(), &["wasi:clocks/monotonic-clock@0.2.99"]);
}

// --- links and paths -----------------------------------------------------------------------------

/// The plugins that can be named, from this directory.
fn listed(lab: &Lab) -> Finished {
    lab.tune(&["plugin", "list", "--plugins", "plugins"])
        .exits(0)
}

#[test]
fn link_in_the_plugin_directory() {
    let lab = Lab::new();
    fs::create_dir(lab.path("plugins")).unwrap();
    symlink(
        Path::new(tune_test_artifacts::TRIAL_NOOP),
        lab.path("plugins/noop.wasm"),
    )
    .unwrap();
    let said = listed(&lab).says(&["noop.wasm", "links are not followed"]);
    assert!(!said.stdout.contains("trial-noop"), "{said}");
}

#[test]
fn compiled_code_in_the_plugin_directory() {
    let lab = Lab::new();
    lab.write("plugins/mine.cwasm", noop());
    listed(&lab).says(&["mine.cwasm", "compiled code is not loaded"]);
}

#[test]
fn pipe_in_the_plugin_directory() {
    let lab = Lab::new();
    fs::create_dir(lab.path("plugins")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(lab.path("plugins/pipe.wasm"))
        .status();
    assert!(made.unwrap().success());
    // It does not wait for somebody to write.
    listed(&lab).says(&["pipe.wasm", "not a plain file"]);
}

fn data(lab: &Lab) -> Finished {
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_DATA)
        .table("[[data]]\nname = \"numbers\"\npath = \"data\"");
    lab.run(&experiment, &[])
}

#[test]
fn link_out_of_the_data() {
    for target in ["../secret", "/etc/passwd", ".."] {
        let lab = Lab::new();
        lab.write("data/a.bin", [1]);
        lab.write("secret", "secret");
        symlink(target, lab.path("data/link")).unwrap();
        let said = data(&lab);
        assert!(matches!(said.code, Some(2)), "{target}: {said}");
        said.says(&["link: ", "outside", "hint"]);
        assert!(!lab.path("runs/exp").exists(), "{target}");
    }
}

#[test]
fn link_that_leads_to_itself() {
    let lab = Lab::new();
    lab.write("data/a.bin", [1]);
    symlink("loop", lab.path("data/loop")).unwrap();
    let said = data(&lab);
    assert!(matches!(said.code, Some(2)), "{said}");

    // A folder that holds itself has no end either.
    let lab = Lab::new();
    lab.write("data/a.bin", [1]);
    symlink(".", lab.path("data/again")).unwrap();
    let said = data(&lab);
    assert!(matches!(said.code, Some(2)), "{said}");
    said.says(&["folders deep"]);
}

// --- files that change meanwhile -----------------------------------------------------------------

#[test]
fn plugin_replaced_while_it_runs() {
    let steps = fs::read(tune_test_artifacts::TRIAL_BALLAST).unwrap();
    let experiment = Experiment::of("./mine.wasm")
        .top("max_t = 40\ntrials = 6\nslots = 2")
        .space("rate = { uniform = [0.1, 0.9] }");
    let lab = Lab::new();
    lab.write("mine.wasm", &steps);
    lab.run(&experiment, &["--name", "kept"]).exits(0);
    let file = lab.file(&experiment);
    let mut started = lab.start(&["run", &file, "--name", "replaced"]);
    started.until(|| lab.path("runs/replaced/run.db").exists());
    // In place and by another file: both are ways of an editor or a build.
    lab.write("mine.wasm", b"\0asm\x01\0\0\0");
    fs::remove_file(lab.path("mine.wasm")).unwrap();
    lab.write("mine.wasm", "rubbish");
    started.wait().exits(0);
    assert_eq!(lab.digest("replaced"), lab.digest("kept"));
    // Going on with another file is refused.
    let said = lab.tune(&["resume", "replaced", "--trials", "8"]);
    assert!(matches!(said.code, Some(2 | 3)), "{said}");
    said.says(&["mine", "hint"]);
}
