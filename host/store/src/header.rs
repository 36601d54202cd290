//! What is written once, when a run is created.

use serde::{Deserialize, Serialize};

/// Everything that a run starts from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Format of the directory; [`crate::FORMAT`] for new runs, whatever the caller put here.
    pub format: u32,
    /// Which build of the host created it.
    pub build: String,
    /// The plan, as JSON.
    pub plan: String,
    /// The experiment file as it was given.
    pub experiment: String,
    /// The plugins in use.
    pub plugins: Vec<PluginRecord>,
    /// Unix time in milliseconds.
    pub created_ms: u64,
    /// Whatever else belongs to the run.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// A plugin or data set of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// "trainable", "searcher", "scheduler", or a data set's role.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version; empty without a manifest.
    pub version: String,
    /// blake3 of its bytes, in hexadecimal digits.
    pub hash: String,
}
