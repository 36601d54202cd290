//! What an experiment file says, checked: the engine's plan and what only the host needs.

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tune_core::EnginePlan;

use crate::{
    diagnostic::{Diagnostic, Diagnostics, place},
    tree::{Kind, Node},
};

/// A data set or directory that trials may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource {
    /// Its name in the sandbox.
    pub name: String,
    /// Its directory; a relative one was joined to the directory of the experiment file.
    pub path: PathBuf,
}

/// What the trainable is allowed beside logging and its data. All false by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Write files as results.
    pub artifact: bool,
    /// Report its own virtual cost.
    pub virtual_cost: bool,
    /// Compute on a GPU.
    pub gpu: bool,
    /// Worker threads or machines of a trial. No host of this version has any to give.
    pub workers: bool,
}

/// Which files are derived from the journal. All true by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// `result.json` of every trial.
    pub json: bool,
    /// `progress.csv` of every trial.
    pub csv: bool,
    /// TensorBoard event files.
    pub tensorboard: bool,
}

/// When states of trials are written to the disk, and which of them are kept. Changes no decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshots {
    /// The newest of every live trial that are kept; at least 1. By default 1.
    pub keep: u32,
    /// States of the best trials that are kept. By default 1.
    pub keep_best: u32,
    /// A state of a trial is written every so many iterations, as far as [`Self::max_overhead`]
    /// allows it; none: as often as that. By default none.
    pub interval: Option<u64>,
    /// The last state of a trial that ended is written, if it is one of the best. By default true.
    pub at_end: bool,
    /// Share of the time of the steps that writing may cost, 0 to 1; with 0 nothing is written at
    /// intervals. By default 0.05.
    pub max_overhead: f64,
    /// Bytes that all states of the run may take on the disk; none: no limit but the disk's. When
    /// they are used up, states are left out, and no trial fails.
    pub disk_bytes: Option<u64>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            keep: 1,
            keep_best: 1,
            interval: None,
            at_end: true,
            max_overhead: 0.05,
            disk_bytes: None,
        }
    }
}

/// Bounds on what the host does for plugins, which no plugin sees: they change no decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostLimits {
    /// Wall time of compiling one plugin that did not come with the program. By default a minute:
    /// the largest plugin that is known takes a tenth of it.
    pub compile_time: Duration,
    /// Bytes of memory of the same. By default 2 GiB.
    pub compile_memory: u64,
    /// Bytes of the whole directory of a run. By default 100 GiB.
    pub run_disk: u64,
}

impl HostLimits {
    /// What [`Self::run_disk`] may be, in bytes. Below, the database alone comes near it; above it is
    /// a slip of the pen.
    pub const RUN_DISK_RANGE: RangeInclusive<u64> = (64 << 20)..=(1 << 50);
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            compile_time: Duration::from_secs(60),
            compile_memory: 2 << 30,
            run_disk: 100 << 30,
        }
    }
}

/// Whose lineage is run again: the trial and all that it was cloned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageOf {
    /// The run: its name, or its directory.
    pub run: String,
    /// The trial at the end of the lineage.
    pub trial: u32,
}

/// Where results come from that the searcher is told before its first suggestion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarmStart {
    /// Runs: their names, or their directories.
    pub runs: Vec<String>,
    /// Files with results; relative paths were joined to the directory of the experiment file.
    pub csv: Vec<PathBuf>,
}

/// A checked experiment.
#[derive(Clone, Debug)]
pub struct ExperimentPlan {
    /// Name of the experiment, fit for a directory; by default the stem of the file's name.
    pub name: String,
    /// All that can change a decision.
    ///
    /// The options of searcher and scheduler are those of the file, without defaults; `metering` is
    /// [`tune_core::Metering::Full`] unless the file chooses, see [`Self::metering_given`]; `known` is
    /// empty, see [`Self::warm_start`].
    pub engine: EnginePlan,
    /// Data sets, names distinct.
    pub data: Vec<DataSource>,
    /// Directories that the trainable may read as files, by name, names distinct.
    pub directories: Vec<DataSource>,
    /// What else the trainable is allowed.
    pub grants: Grants,
    /// Which files are derived.
    pub outputs: Outputs,
    /// When states of trials are written and which are kept.
    pub snapshots: Snapshots,
    /// The lineage that the scheduler follows, from its reserved option `lineage`; it is one trial.
    pub lineage: Option<LineageOf>,
    /// Earlier results, from the reserved option `warm_start` of the searcher.
    pub warm_start: WarmStart,
    /// The run ends after so much running time; none: no limit.
    pub time_budget: Option<Duration>,
    /// Bounds on what the host does for plugins.
    pub host_limits: HostLimits,
    /// Memory of all live trials together in bytes; none: a share of the machine.
    pub run_memory: Option<u64>,
    /// Trial threads; none: as many as the machine has cores.
    pub threads: Option<u32>,
    /// The share of the GPU that one trial asks for, above 0 and at most 1: trials that compute at once
    /// ask for no more than one GPU together. 1 unless the file says otherwise.
    pub gpu_share: f64,
    /// The file gives the seed; else it is the one that the caller drew.
    pub seed_given: bool,
    /// The file chooses the metering; else the caller may lower it for plugins that it trusts.
    pub metering_given: bool,
    /// Where the text comes from.
    pub file_name: String,
    /// The text of the file, from which the same plan can be read again.
    pub text: String,
    pub(crate) places: BTreeMap<String, (usize, usize)>,
}

impl ExperimentPlan {
    /// Line and column, from 1, of a key such as `scheduler.grace_period` or `data[0].path`.
    #[must_use]
    pub fn locate(&self, key_path: &str) -> Option<(usize, usize)> {
        self.places.get(key_path).copied()
    }

    /// An error at a key, for what only plugins or the machine can tell. A key that is not in the
    /// file is placed at the nearest table around it, else at the beginning.
    #[must_use]
    pub fn diagnostic(
        &self,
        key_path: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Diagnostic {
        let mut around = key_path;
        let (line, column) = loop {
            if let Some(found) = self.locate(around) {
                break found;
            }
            match around.rfind(['.', '[']) {
                Some(end) => around = around.get(..end).unwrap_or_default(),
                None => break (1, 1),
            }
        };
        Diagnostic {
            line,
            column,
            key: key_path.to_owned(),
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Errors of this file, for showing them as those of [`crate::parse`] are shown.
    #[must_use]
    pub fn diagnostics(&self, mut all: Vec<Diagnostic>) -> Diagnostics {
        all.sort_by_key(|one| (one.line, one.column));
        Diagnostics {
            file_name: self.file_name.clone(),
            text: self.text.clone(),
            all,
        }
    }
}

/// Where every key of the file stands.
pub(crate) fn places(root: &Node, text: &str) -> BTreeMap<String, (usize, usize)> {
    let mut found = Vec::new();
    collect(root, "", &mut found);
    found.sort_by_key(|(at, _)| *at);
    // Lines are counted once, on the way from one key to the next.
    let (mut line, mut line_start, mut done) = (1, 0, 0);
    let mut places = BTreeMap::new();
    for (at, path) in found {
        let between = text.get(done..at).unwrap_or_default();
        if let Some(newline) = between.rfind('\n') {
            line += between.matches('\n').count();
            line_start = done + newline + 1;
        }
        done = done.max(at);
        let (_, column) = place(text.get(line_start..).unwrap_or_default(), at - line_start);
        places.insert(path, (line, column));
    }
    places
}

/// Keys deeper than this many bytes of path are not located, so that a file of long keys in a deep
/// nest does not fill the memory; the longest of a sensible file has 140.
const MAX_PATH: usize = 300;

fn collect(node: &Node, path: &str, found: &mut Vec<(usize, String)>) {
    if path.len() > MAX_PATH {
        return;
    }
    match &node.kind {
        Kind::Table(entries) => {
            for entry in entries {
                let inner = if path.is_empty() {
                    entry.key.clone()
                } else {
                    format!("{path}.{}", entry.key)
                };
                found.push((entry.at, inner.clone()));
                collect(&entry.node, &inner, found);
            }
        }
        Kind::List(nodes) => {
            for (i, node) in nodes.iter().enumerate() {
                // Elements that are no tables have no keys: the list's place is near enough.
                if matches!(node.kind, Kind::Table(_)) {
                    let inner = format!("{path}[{i}]");
                    found.push((node.at, inner.clone()));
                    collect(node, &inner, found);
                }
            }
        }
        _ => {}
    }
}
