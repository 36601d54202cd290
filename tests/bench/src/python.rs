//! A Python that has the peers, if the environment names one.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Names a Python with the packages of `tests/peers/requirements.txt`.
const PYTHON: &str = "TUNE_BENCH_PYTHON";

/// Runs scripts that measure other programs.
pub(crate) struct Python(String);

impl Python {
    /// The one that the environment names; says so if there is none.
    pub(crate) fn named(peer: &str) -> Option<Self> {
        let python = std::env::var(PYTHON).ok();
        if python.is_none() {
            println!("{PYTHON} names no Python with {peer}, so there are no numbers of it\n");
        }
        python.map(Self)
    }

    /// What a script prints in its last line.
    pub(crate) fn json(&self, script: &str, arguments: &[&str]) -> Result<Value> {
        let Self(python) = self;
        let ran = Command::new(python)
            .args(["-c", script])
            .args(arguments)
            .output()
            .with_context(|| format!("{python} ({PYTHON})"))?;
        ensure!(
            ran.status.success(),
            "{python} ({PYTHON}): {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let out = String::from_utf8_lossy(&ran.stdout);
        let last = out.lines().last().context("it prints nothing")?;
        Ok(serde_json::from_str(last)?)
    }
}
