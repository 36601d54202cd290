//! What is written once, when a run is created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FORMAT;

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
    /// Where a fork comes from.
    pub parent: Option<Parent>,
    /// Whatever else belongs to the run.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// The state of another run that a run started from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Name of the other run.
    pub run: String,
    /// The trial there.
    pub trial: u32,
    /// Its training iteration.
    pub iteration: u64,
    /// How many reports the trial itself had made.
    #[serde(default)]
    pub reports: u64,
    /// Hash of the state, in hexadecimal digits; empty if it is not known.
    #[serde(default)]
    pub state: String,
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

impl Header {
    /// As the table `meta` holds it.
    pub(crate) fn to_meta(&self) -> serde_json::Result<[(&'static str, String); 7]> {
        Ok([
            ("build", self.build.clone()),
            ("plan", self.plan.clone()),
            ("experiment", self.experiment.clone()),
            ("plugins", serde_json::to_string(&self.plugins)?),
            ("created_ms", self.created_ms.to_string()),
            ("parent", serde_json::to_string(&self.parent)?),
            ("extra", serde_json::to_string(&self.extra)?),
        ])
    }

    pub(crate) fn from_meta(meta: &BTreeMap<String, String>) -> Result<Self, String> {
        let get = |key: &str| meta.get(key).ok_or_else(|| format!("`{key}` is missing"));
        let said = |key: &'static str| move |e: serde_json::Error| format!("`{key}`: {e}");
        Ok(Self {
            format: FORMAT,
            build: get("build")?.clone(),
            plan: get("plan")?.clone(),
            experiment: get("experiment")?.clone(),
            plugins: serde_json::from_str(get("plugins")?).map_err(said("plugins"))?,
            created_ms: get("created_ms")?
                .parse()
                .map_err(|e| format!("`created_ms`: {e}"))?,
            // Not in runs from before there were forks.
            parent: meta
                .get("parent")
                .map_or(Ok(None), |text| serde_json::from_str(text))
                .map_err(said("parent"))?,
            extra: serde_json::from_str(get("extra")?).map_err(said("extra"))?,
        })
    }
}
