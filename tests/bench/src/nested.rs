//! Builds by a nested cargo call: the model natively, and a plugin with other flags. Into a folder of
//! their own, so that no other build notices.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::stage::workspace;

/// The profile in which plugins are shipped: native code gets the same, so that only the sandbox
/// differs.
const SHIPPED: [(&str, &str); 4] = [
    ("OPT_LEVEL", "3"),
    ("LTO", "fat"),
    ("CODEGEN_UNITS", "1"),
    ("OVERFLOW_CHECKS", "false"),
];

/// The model as a native program: `cargo build -p tune-digits-model --example epochs`.
pub(crate) fn native_epochs() -> Result<PathBuf> {
    let built = build(
        "bench-native",
        &["-p", "tune-digits-model", "--example", "epochs"],
        "",
    )?;
    Ok(built.join("release/examples/epochs"))
}

/// The component of `digits-mlp` without SIMD instructions.
pub(crate) fn digits_without_simd() -> Result<Vec<u8>> {
    let target = "wasm32-wasip2";
    let built = build(
        "bench-no-simd",
        &["-p", "tune-trainable-digits-mlp", "--target", target],
        "-Ctarget-feature=-simd128",
    )?;
    let path = built
        .join(target)
        .join("release/tune_trainable_digits_mlp.wasm");
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// Returns the target folder.
fn build(folder: &str, selection: &[&str], flags: &str) -> Result<PathBuf> {
    let target_dir = target_dir()?.join(folder);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["build", "--quiet", "--release", "--locked", "--target-dir"])
        .arg(&target_dir)
        .args(selection)
        // Before RUSTFLAGS and configuration files: what is measured is the same everywhere.
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    for (key, value) in SHIPPED {
        command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    let status = command.status().context("cargo cannot be started")?;
    ensure!(status.success(), "{selection:?} does not build");
    Ok(target_dir)
}

/// The target folder that this program lies in.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(2).map(Path::to_owned);
    folder.context("this program does not lie in a target folder")
}
