//! Builds every shipped plugin and writes the list of their bytes.

#![expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]

mod guests;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

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
        .ok_or("the package does not stand in plugins/embedded")?;
    for path in ["plugins", "sdk", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }

    let mut plugins = Vec::new();
    for kind in ["trainable", "searcher", "scheduler"] {
        let folder = workspace.join(format!("plugins/{kind}s"));
        for name in folders(&folder)? {
            let package = format!("tune-{kind}-{name}");
            // Others hold what plugins share, such as a model.
            if manifest_names(&folder.join(&name), &package)? {
                plugins.push((package, name));
            }
        }
    }
    let selection: Vec<String> = plugins
        .iter()
        .flat_map(|(package, _)| ["-p".to_owned(), package.clone()])
        .collect();
    let built = guests::Build {
        workspace,
        target_dir: &guests::nested_target_dir(&out_dir)?,
        selection: &selection,
        profile: &guests::SHIPPED,
    }
    .run()?;

    let mut source = String::from("&[\n");
    for (package, name) in &plugins {
        let file = built.join(format!("{}.wasm", package.replace('-', "_")));
        source.push_str(&format!(
            "    EmbeddedPlugin {{ name: {name:?}, bytes: include_bytes!({:?}) }},\n",
            file.display().to_string()
        ));
    }
    source.push_str("]\n");
    Ok(guests::write_source(&out_dir.join("plugins.rs"), &source)?)
}

/// Whether the package in a folder has this name.
fn manifest_names(folder: &Path, package: &str) -> Result<bool, String> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    Ok(text
        .lines()
        .any(|line| line == format!("name = {package:?}")))
}

/// The packages in a folder, sorted.
fn folders(path: &Path) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
