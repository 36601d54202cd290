//! Results of other programs on the same streams, read from JSON: `docs/tables.md` describes the form.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use tune_report::clean;

use super::incumbent::Incumbent;
use crate::failure::Failure;

/// Bytes of such a file at most.
const MAX_BYTES: u64 = 256 << 20;
/// The form that is read.
const VERSION: u32 = 1;
/// Characters of a name at most.
const MAX_NAME: usize = 40;

/// Results of other programs.
#[derive(Debug, Deserialize)]
pub(super) struct Peers {
    version: u32,
    /// Of the programs, for the record.
    #[serde(default)]
    pub(super) versions: BTreeMap<String, String>,
    results: Vec<Of>,
}

#[derive(Debug, Deserialize)]
struct Of {
    table: String,
    scheduler: String,
    slots: u32,
    seed: u32,
    incumbent: Vec<(f64, f64)>,
}

/// Runs by seed.
type Runs = BTreeMap<u32, Incumbent>;

impl Peers {
    /// What each found on a table with so many slots, by name.
    pub(super) fn of(&self, table: &str, slots: u32) -> Vec<(String, Runs)> {
        let mut found: BTreeMap<String, Runs> = BTreeMap::new();
        let here = |result: &&Of| result.table == table && result.slots == slots;
        for result in self.results.iter().filter(here) {
            let name = clean(&result.scheduler).chars().take(MAX_NAME).collect();
            let points = result.incumbent.clone();
            let runs = found.entry(name).or_default();
            runs.insert(result.seed, Incumbent { points });
        }
        found.into_iter().collect()
    }
}

pub(super) fn read(path: &Path) -> Result<Peers, Failure> {
    let failed = |what: String| {
        Failure::usage(format!(
            "cannot use {}: {what}\n  hint: docs/tables.md describes the file; --streams writes what such \
             results are made from",
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
    let peers: Peers = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
    if peers.version != VERSION {
        return Err(failed(format!(
            "version {}, expected {VERSION}",
            peers.version
        )));
    }
    for result in &peers.results {
        let times = result.incumbent.iter().map(|(time, _)| *time);
        if !times.is_sorted() {
            return Err(failed(format!(
                "the times of {} with seed {} do not ascend",
                clean(&result.scheduler),
                result.seed
            )));
        }
    }
    Ok(peers)
}
