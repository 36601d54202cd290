//! Results as a file: ours and those of other programs have the same form, which `docs/study.md`
//! describes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;
use tune_report::clean;

use super::cell::Cell;
use super::standings::Study;
use crate::failure::Failure;

/// Bytes of such a file at most.
const MAX_BYTES: u64 = 64 << 20;
/// Runs in such a file at most.
const MAX_CELLS: usize = 1_000_000;
/// The form that is read and written.
const VERSION: u32 = 1;
/// Characters of a name at most.
const MAX_NAME: usize = 80;

/// Results of other programs.
#[derive(Debug, Deserialize)]
pub(super) struct Results {
    version: u32,
    /// Of the programs, for the record.
    #[serde(default)]
    pub(super) versions: BTreeMap<String, String>,
    pub(super) cells: Vec<Cell>,
}

pub(super) fn read(path: &Path) -> Result<Results, Failure> {
    let failed = |what: String| {
        Failure::usage(format!(
            "cannot use {}: {what}\n  hint: docs/study.md describes the file; tests/peers/searchers.py and \
             --json write one",
            path.display()
        ))
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(format!("more than {MAX_BYTES} bytes")));
    }
    let results: Results =
        serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
    if results.version != VERSION {
        return Err(failed(format!(
            "version {}, expected {VERSION}",
            results.version
        )));
    }
    if results.cells.len() > MAX_CELLS {
        return Err(failed(format!("more than {MAX_CELLS} runs")));
    }
    for cell in &results.cells {
        let of = || {
            format!(
                "{} on {} with seed {}",
                clean(&cell.searcher),
                clean(&cell.problem),
                cell.seed
            )
        };
        if cell.searcher.is_empty() || cell.searcher.chars().count() > MAX_NAME {
            return Err(failed(format!(
                "{}: a name has 1 to {MAX_NAME} characters",
                of()
            )));
        }
        let regrets: Vec<f64> = cell.regret.values().copied().collect();
        if regrets
            .iter()
            .any(|regret| !(*regret > 0.0 && regret.is_finite()))
        {
            return Err(failed(format!("{}: a regret is a number above 0", of())));
        }
        if !regrets.iter().rev().is_sorted() {
            return Err(failed(format!("{}: the least regret so far grew", of())));
        }
    }
    Ok(results)
}

/// Our results as such a file, a line a run, and those of earlier calls.
pub(super) fn text(study: &Study<'_>, earlier: &[Cell]) -> String {
    let ours = study.cells().filter(|cell| study.is_ours(&cell.searcher));
    let ours = ours.chain(earlier);
    let lines: Vec<String> = ours.map(|cell| json!(cell).to_string()).collect();
    let versions = json!({"tune-host": env!("CARGO_PKG_VERSION")});
    format!(
        "{{\"version\":{VERSION},\"versions\":{versions},\"cells\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}
