//! Builds components by a nested cargo call, for the two build scripts that embed or test them.
//!
//! The nested build takes nothing from the outer one: flags, wrappers and profiles of the caller
//! must not change the bytes, since hashes of plugins are part of a run's decision digest. For the
//! same reason no absolute path reaches them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const TARGET: &str = "wasm32-wasip2";

/// What the outer cargo, or clippy, leaves in the environment that would change the nested build.
const CLEARED: [&str; 12] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
];

/// Profile of shipped plugins: for speed in the sandbox. Function names stay, for backtraces. Without overflow checks, since
/// they keep inner loops from being vectorised; a wrapped index still meets its bounds check.
pub(crate) const SHIPPED: [(&str, &str); 6] = [
    ("OPT_LEVEL", "3"),
    ("LTO", "fat"),
    ("CODEGEN_UNITS", "1"),
    ("DEBUG", "false"),
    ("STRIP", "debuginfo"),
    ("OVERFLOW_CHECKS", "false"),
];

/// Why there are no components.
pub(crate) struct Refusal {
    /// For the user.
    line: String,
    /// The compiler's messages say more.
    with_messages: bool,
}

impl Refusal {
    /// Shows it the way cargo wants it: one line, or cargo's own report with the messages that the
    /// nested build left on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        println!("cargo::error={}", self.line);
        if self.with_messages {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl<S: Into<String>> From<S> for Refusal {
    fn from(line: S) -> Self {
        Self {
            line: line.into(),
            with_messages: false,
        }
    }
}

/// One nested build.
pub(crate) struct Build<'a> {
    /// The folder of the workspace.
    pub(crate) workspace: &'a Path,
    /// Where cargo keeps what it builds. Shared by all nested builds, so that the SDK is built once.
    pub(crate) target_dir: &'a Path,
    /// What to build: `-p NAME` and the like.
    pub(crate) selection: &'a [String],
    /// `release` settings, such as `LTO` and `fat`.
    pub(crate) profile: &'a [(&'a str, &'a str)],
}

impl Build<'_> {
    /// Builds and returns the folder with the components.
    ///
    /// # Errors
    /// If the target is missing or something does not compile.
    pub(crate) fn run(&self) -> Result<PathBuf, Refusal> {
        let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let libs = output(&rustc, &["--print", "target-libdir", "--target", TARGET])?;
        if !Path::new(&libs).is_dir() {
            let line =
                format!("the Rust target of plugins is missing; run: rustup target add {TARGET}");
            return Err(line.into());
        }
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = Command::new(cargo);
        for name in CLEARED {
            command.env_remove(name);
        }
        command
            .current_dir(self.workspace)
            .args([
                "build",
                "--release",
                "--locked",
                "--target",
                TARGET,
                "--target-dir",
            ])
            .arg(self.target_dir)
            .args(self.selection)
            .env(
                "CARGO_ENCODED_RUSTFLAGS",
                self.flags(&rustc)?.join("\u{1f}"),
            )
            .env("CARGO_INCREMENTAL", "0");
        for (key, value) in self.profile {
            command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        let status = command
            .status()
            .map_err(|error| format!("cargo cannot be started: {error}"))?;
        if status.success() {
            Ok(self.target_dir.join(TARGET).join("release"))
        } else {
            Err(Refusal {
                line: "plugins do not build, see the messages of the compiler".to_owned(),
                with_messages: true,
            })
        }
    }

    fn flags(&self, rustc: &str) -> Result<Vec<String>, String> {
        let cargo_home = match (env::var_os("CARGO_HOME"), env::home_dir()) {
            (Some(home), _) => PathBuf::from(home),
            (None, Some(home)) => home.join(".cargo"),
            (None, None) => return Err("neither CARGO_HOME nor HOME is set".to_owned()),
        };
        // Where the component `rust-src` is installed, its folder stands for this name.
        let sources =
            Path::new(&output(rustc, &["--print", "sysroot"])?).join("lib/rustlib/src/rust");
        let version = output(rustc, &["-vV"])?;
        let commit = version
            .lines()
            .find_map(|l| l.strip_prefix("commit-hash: "));
        let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
        Ok(vec![
            "-Ctarget-feature=+simd128".to_owned(),
            // Every function looks at its fuel at its beginning and around each call, so that a call costs more than
            // LLVM thinks. At 400 instead of 225 `tpe` is a twentieth faster and plugins a thirtieth larger.
            "-Cllvm-args=-inline-threshold=400".to_owned(),
            remap(&cargo_home, "/cargo"),
            remap(&sources, &format!("/rustc/{}", commit.unwrap_or("unknown"))),
            remap(self.workspace, "/tune-host"),
            // The last one that fits counts: the target folder usually stands in the workspace.
            remap(self.target_dir, "/target"),
        ])
    }
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The target folder of nested builds: `plugins` in the outer one, which holds this build
/// script's own folder at `PROFILE/build/PACKAGE/out`.
///
/// # Errors
/// If cargo's layout is another.
pub(crate) fn nested_target_dir(out_dir: &Path) -> Result<PathBuf, String> {
    let outer = out_dir
        .ancestors()
        .nth(4)
        .ok_or_else(|| format!("{} is no folder of a build script", out_dir.display()))?;
    Ok(outer.join("plugins"))
}

/// Writes a generated source file; an unchanged one is left alone.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_source(path: &Path, source: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|old| old == source) {
        return Ok(());
    }
    fs::write(path, source).map_err(|error| format!("{}: {error}", path.display()))
}
