//! What a run keeps beside its plan, so that it can be resumed without its experiment file: what
//! changes no decision, and where data and plugins were.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tune_experiment::{DataSource, ExperimentPlan, HostLimits, Outputs, Snapshots};
use tune_report::clean;
use tune_runner::{RunOptions, SnapshotPolicy};
use tune_runtime::Grants;
use tune_store::{Header, PluginRecord, RunDir};

use crate::args::MachineArgs;
use crate::failure::Failure;

/// The key of the header's extra part.
const KEY: &str = "settings";

/// What a run keeps beside its plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The experiment's name.
    pub(crate) experiment: String,
    /// The experiment file, for people.
    pub(crate) file: String,
    /// The seed was drawn, not given.
    pub(crate) seed_drawn: bool,
    /// Plugins that are no built-in ones: role and absolute path.
    pub(crate) plugins: Vec<(String, PathBuf)>,
    /// Data sets: names and absolute paths.
    pub(crate) data: Vec<(String, PathBuf)>,
    /// Directories that are granted: names and absolute paths; runs from before there were any have
    /// none.
    #[serde(default)]
    pub(crate) directories: Vec<(String, PathBuf)>,
    /// The trainable may write artifacts.
    pub(crate) grant_artifact: bool,
    /// The trainable reports its own cost.
    pub(crate) grant_virtual_cost: bool,
    /// The trainable may compute on a GPU: the adapter at the beginning, for people. Its decisions can
    /// be repeated on the same one only.
    #[serde(default)]
    pub(crate) gpu_adapter: Option<String>,
    /// The share of the GPU that one trial asks for; runs from before there was one have none.
    #[serde(default)]
    pub(crate) gpu_share: Option<f64>,
    /// Files for other tools: "json", "csv", "tensorboard".
    pub(crate) outputs: Vec<String>,
    /// Running time of the whole run.
    pub(crate) time_budget: Option<Duration>,
    /// Memory of all live trials, in bytes.
    pub(crate) run_memory: Option<u64>,
    /// Trial threads.
    pub(crate) threads: Option<u32>,
    /// When states are written and which are kept; runs from before there were any have the default.
    #[serde(default)]
    pub(crate) snapshots: Snapshots,
    /// What the host does for plugins at most; runs from before there were any have the default.
    #[serde(default)]
    pub(crate) host_limits: HostLimits,
}

impl Settings {
    /// Of a new run.
    pub(crate) fn of(
        experiment: &ExperimentPlan,
        seed_drawn: bool,
        plugins: Vec<(String, PathBuf)>,
        granted: &Grants,
    ) -> Self {
        let Outputs {
            json,
            csv,
            tensorboard,
        } = experiment.outputs;
        let outputs = [(json, "json"), (csv, "csv"), (tensorboard, "tensorboard")];
        Self {
            experiment: experiment.name.clone(),
            file: experiment.file_name.clone(),
            seed_drawn,
            plugins: plugins
                .into_iter()
                .map(|(role, path)| (role, absolute(path)))
                .collect(),
            data: places(&experiment.data),
            directories: places(&experiment.directories),
            grant_artifact: granted.artifact,
            grant_virtual_cost: granted.virtual_cost,
            gpu_adapter: granted.gpu.is_some().then(crate::gpu::adapter),
            gpu_share: granted.gpu.is_some().then_some(experiment.gpu_share),
            outputs: outputs
                .iter()
                .filter(|(wanted, _)| *wanted)
                .map(|(_, word)| (*word).to_owned())
                .collect(),
            time_budget: experiment.time_budget,
            run_memory: experiment.run_memory,
            threads: experiment.threads,
            snapshots: experiment.snapshots,
            host_limits: experiment.host_limits.clone(),
        }
    }

    /// What the trainable was granted: what the file allows and the trainable asks for.
    pub(crate) fn granted_list(&self, records: &[PluginRecord]) -> Vec<String> {
        let named = [
            (self.grant_artifact, "artifact"),
            (self.grant_virtual_cost, "virtual-cost"),
        ];
        let named = named.into_iter().filter(|(is, _)| *is);
        let mut granted: Vec<String> = named.map(|(_, word)| word.to_owned()).collect();
        if let Some(adapter) = &self.gpu_adapter {
            granted.push(format!(
                "gpu, on {adapter}: decisions can be repeated on the same adapter only"
            ));
        }
        for record in records {
            granted.extend(match record.role.split_once(':') {
                Some(("data", name)) => Some(format!("data {name}")),
                Some(("directory", name)) => Some(format!("directory /{name}")),
                _ => None,
            });
        }
        granted
    }

    /// The same in one line; none: nothing.
    pub(crate) fn granted(&self, records: &[PluginRecord]) -> Option<String> {
        let granted = self.granted_list(records);
        (!granted.is_empty()).then(|| format!("granted: {}", clean(&granted.join(", "))))
    }

    /// When states are written and which are kept, as the runner takes it.
    pub(crate) fn snapshot_policy(&self) -> SnapshotPolicy {
        let Snapshots {
            keep,
            keep_best,
            interval,
            at_end,
            max_overhead,
            // The store's own.
            disk_bytes: _,
        } = self.snapshots;
        SnapshotPolicy {
            interval,
            keep,
            keep_best,
            at_end,
            max_share: max_overhead,
        }
    }

    /// Bounds what the run may take on the disk, and lets the runner write states there.
    pub(crate) fn equip(
        &self,
        options: RunOptions,
        directory: &RunDir,
        machine: MachineArgs,
    ) -> RunOptions {
        directory.limit_disk(machine.run_disk.unwrap_or(self.host_limits.run_disk));
        let chunks = directory.chunks();
        if let Some(bytes) = self.snapshots.disk_bytes {
            chunks.set_quota(bytes);
        }
        RunOptions {
            chunks: Some(chunks.clone()),
            ..options
        }
    }

    /// As the header keeps it.
    pub(crate) fn to_extra(&self) -> Result<Map<String, Value>, Failure> {
        Ok([(KEY.to_owned(), serde_json::to_value(self)?)]
            .into_iter()
            .collect())
    }

    /// From the header of a run.
    pub(crate) fn from_header(header: &Header) -> Result<Self, Failure> {
        let value = header.extra.get(KEY).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|error| {
            Failure::usage(format!(
                "the settings of the run cannot be read: {error}\n  hint: it was written by `{}`; \
                 use that build",
                header.build
            ))
        })
    }

    /// Which derived files are written.
    pub(crate) fn report_outputs(&self) -> tune_report::Outputs {
        // Words that only another build knows mean files that this one cannot write.
        let known = self.outputs.iter().map(String::as_str);
        let known = known.filter(|word| tune_report::Outputs::parse([*word]).is_ok());
        tune_report::Outputs::parse(known).unwrap_or(tune_report::Outputs::NONE)
    }
}

fn places(sources: &[DataSource]) -> Vec<(String, PathBuf)> {
    let place = |one: &DataSource| (one.name.clone(), absolute(one.path.clone()));
    sources.iter().map(place).collect()
}

/// A resume may come from another directory. What is not there is refused when it is opened.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
