//! Components that are made to be slow or hungry to compile. The host ends the compiler and lives;
//! the same kind of component just below the limit is a plugin as any other.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    experiment::Experiment,
    hostile::text::Text,
    lab::{Lab, binary},
};

/// A trainable that does what the contract says, with a function more that nobody calls: so many
/// loops within each other, which all change so many variables. In the compiler's form every loop
/// has every variable as a parameter: its size is the product of the two, that of the file the sum.
fn bomb(loops: usize, variables: usize) -> Vec<u8> {
    let mut text = format!("(func (local {})", "i32 ".repeat(variables));
    text.push_str(&"(loop ".repeat(loops));
    for i in 0..variables {
        let next = (i + 1) % variables;
        write!(
            text,
            "(local.set {i} (i32.add (local.get {next}) (i32.const {i})))"
        )
        .unwrap();
    }
    text.push_str(&"(br_if 0 (local.get 0)))".repeat(loops));
    text.push(')');
    let component = Text {
        more: String::leak(text),
        ..Text::default()
    }
    .component();
    assert!(component.len() < 1 << 20, "{} bytes", component.len());
    component
}

/// A laboratory with a bomb, and an experiment that runs it under these limits.
fn lab(bomb: Vec<u8>, limits: &str) -> (Lab, Experiment) {
    let lab = Lab::new();
    lab.write("bomb.wasm", bomb);
    let experiment = Experiment::of("./bomb.wasm").table(&format!("[limits]\n{limits}"));
    (lab, experiment)
}

/// No run is begun, the limit is named, and the next run is as any other.
#[track_caller]
fn refused((lab, experiment): (Lab, Experiment), key: &str, said: &[&str]) {
    lab.run(&experiment, &[])
        .exits(3)
        .says(&["bomb: compiling it took more than", "hint: raise"])
        .says(&[&format!("`{key}`")])
        .says(said);
    assert!(!lab.path("runs").exists());
    lab.run(&Experiment::branin(2), &[]).exits(0);
}

/// A command of the laboratory with nothing compiled beforehand.
fn cold(lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = lab.command(arguments);
    command.env("XDG_CACHE_HOME", lab.path("cache"));
    command
}

#[test]
fn what_takes_too_long_is_ended() {
    // Half a minute.
    let limits = "compile_time = \"500 ms\"";
    refused(lab(bomb(1_000, 1_000), limits), "compile_time", &["500ms"]);
}

#[test]
fn what_takes_too_much_memory_is_ended() {
    // A gigabyte.
    let limits = "compile_memory = \"64 MiB\"";
    refused(
        lab(bomb(1_000, 1_000), limits),
        "compile_memory",
        &["67108864 bytes"],
    );
}

#[test]
fn what_takes_more_memory_than_anybody_needs_is_ended_by_the_check_too() {
    let lab = Lab::new();
    lab.write("bomb.wasm", bomb(3_000, 3_000));
    lab.tune(&["plugin", "check", "bomb.wasm"])
        .exits(3)
        .says(&["bomb.wasm: compiling it took more than", "compile_"]);
}

#[test]
fn what_stays_below_is_a_plugin_as_any_other() {
    let limits = "compile_memory = \"64 MiB\"\ncompile_time = \"1 min\"";
    let (lab, experiment) = lab(bomb(50, 50), limits);
    let file = lab.file(&experiment);
    let ends = |arguments: &[&str]| {
        let ended = cold(&lab, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {said}");
        fs::remove_dir_all(lab.path("cache")).unwrap();
    };
    ends(&["plugin", "check", "bomb.wasm"]);
    ends(&["run", &file]);
    ends(&["resume", "exp", "--trials", "6"]);
    ends(&["fork", "exp", "1"]);
    ends(&["replay", "exp"]);
}

#[test]
fn the_compiler_holds_nothing_of_its_parent_and_ends_with_it() {
    let (lab, _) = lab(bomb(1_000, 1_000), "");
    let mut parent = cold(&lab, &["plugin", "check", "bomb.wasm"])
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", parent.id());
    let compiler = wait_for(|| {
        let children = fs::read_to_string(&children).unwrap_or_default();
        let child = PathBuf::from("/proc").join(children.split_whitespace().next()?);
        // Before that it is still the parent's copy.
        let line = fs::read_to_string(child.join("cmdline")).ok()?;
        line.contains("compile-plugin").then_some(child)
    });
    // While it is loaded it opens its libraries, for a moment; what it had from its parent would stay.
    let held = wait_for(|| {
        let held = fs::read_dir(compiler.join("fd")).ok()?;
        let held = held.map(|entry| fs::metadata(entry.ok()?.path()).ok());
        let held: Vec<_> = held.collect::<Option<_>>()?;
        let is_none = |what: &fs::Metadata| !what.is_file() && !what.is_dir();
        held.iter().all(is_none).then_some(held)
    });
    assert!(held.len() >= 3, "{held:?}");
    assert_eq!(fs::read_link(compiler.join("cwd")).unwrap(), Path::new("/"));
    assert!(fs::read(compiler.join("environ")).unwrap().is_empty());

    parent.kill().unwrap();
    parent.wait().unwrap();
    // Gone, or dead and not yet buried by whoever inherited it.
    wait_for(|| {
        let state = fs::read_to_string(compiler.join("stat")).unwrap_or_default();
        let (_, state) = state.rsplit_once(") ").unwrap_or_default();
        (state.is_empty() || state.starts_with('Z')).then_some(())
    });
}

/// Waits for something that comes soon.
fn wait_for<T>(there: impl Fn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "it never comes");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_compiler_that_is_started_by_hand_says_what_it_is() {
    let ended = Command::new(binary())
        .arg("compile-plugin")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("of no use by hand"), "{said}");
}

#[test]
fn a_pipe_or_a_device_in_the_place_of_a_plugin_is_not_waited_for() {
    let lab = Lab::new();
    let made = Command::new("mkfifo").arg(lab.path("pipe.wasm")).status();
    assert!(made.unwrap().success());
    symlink("/dev/zero", lab.path("zero.wasm")).unwrap();
    for name in ["./pipe.wasm", "./zero.wasm"] {
        lab.run(&Experiment::of(name), &[]).exits(2).says(&[
            name.trim_start_matches("./"),
            "it is not a plain file",
            "hint",
        ]);
        lab.tune(&["plugin", "check", name])
            .exits(2)
            .says(&["it is not a plain file"]);
    }
}
