//! Builds every test guest and writes, for each, a constant with the path of its component and,
//! for each suite, a macro over its guests.

#![expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]

#[path = "../../../plugins/embedded/build/guests.rs"]
#[allow(dead_code, reason = "the other build script uses the rest")]
mod guests;

use std::{collections::BTreeMap, env, fs, path::PathBuf, process::ExitCode};

/// For a quick build after a change of the SDK: without link-time optimisation, the guests compute
/// next to nothing. Function names stay, for backtraces.
const QUICK: [(&str, &str); 6] = [
    ("OPT_LEVEL", "1"),
    ("LTO", "false"),
    ("CODEGEN_UNITS", "1"),
    ("DEBUG", "false"),
    ("STRIP", "debuginfo"),
    ("OVERFLOW_CHECKS", "true"),
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => refusal.report(),
    }
}

fn build() -> Result<(), guests::Refusal> {
    let manifest_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?);
    let out_dir = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?);
    let workspace = manifest_dir
        .ancestors()
        .nth(2)
        .ok_or("the package does not stand in tests/artifacts")?;
    for path in ["tests/guests", "sdk", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }

    let selection = [
        "-p",
        "tune-test-guests",
        "--features",
        "guests",
        "--examples",
    ];
    let built = guests::Build {
        workspace,
        target_dir: &guests::nested_target_dir(&out_dir)?,
        selection: &selection.map(str::to_owned),
        profile: &QUICK,
    }
    .run()?
    .join("examples");

    let folder = workspace.join("tests/guests/guests");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut suites: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let file = entry
            .map_err(failed)?
            .file_name()
            .to_string_lossy()
            .into_owned();
        let guest = file
            .strip_suffix(".rs")
            .ok_or_else(|| format!("{file}: only guests stand in tests/guests/guests"))?;
        let (suite, _) = guest
            .split_once('_')
            .ok_or_else(|| format!("{file}: a guest is named SUITE_NAME.rs"))?;
        let component = built.join(format!("{guest}.wasm"));
        if !component.is_file() {
            return Err(format!("tests/guests/Cargo.toml has no [[example]] for {file}").into());
        }
        suites
            .entry(suite.to_owned())
            .or_default()
            .push((guest.to_owned(), component));
    }

    let mut source = String::new();
    for (suite, guests) in &mut suites {
        guests.sort();
        for (guest, component) in &*guests {
            source.push_str(&format!(
                "/// Path of the guest `{guest}`.\npub const {}: &str = {:?};\n",
                guest.to_uppercase(),
                component.display().to_string()
            ));
        }
        let names: Vec<_> = guests
            .iter()
            .map(|(g, c)| (g, format!("{:?}", c.display().to_string())))
            .collect();
        source.push_str(&format!(
            "/// Calls a macro with name and path of every guest of the suite `{suite}`.\n\
             #[macro_export]\nmacro_rules! foreach_{suite} {{\n    ($call:ident) => {{\n"
        ));
        for (guest, path) in names {
            source.push_str(&format!("        $call!({guest} {path});\n"));
        }
        source.push_str("    };\n}\n");
    }
    Ok(guests::write_source(
        &out_dir.join("artifacts.rs"),
        &source,
    )?)
}
