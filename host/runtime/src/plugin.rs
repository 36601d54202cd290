//! A loaded plugin: compiled, linked, ready to be instantiated as often as wanted.

use std::sync::Arc;

use serde_json::Map;
use tune_core::records::{Config, FailureKind, OptionError, Setup, TrialInfo};
use tune_core::{Limits, Metering, PluginFault};
use tune_snapshot::{Layout, Snapshotable};
use wasmtime::component::InstancePre;

use crate::bindings::{portable_state, scheduler, searcher, trainable};
use crate::control::Control;
use crate::data::DataSets;
use crate::engines::EngineLevel;
use crate::fault::Identity;
use crate::gpu::GpuGrant;
use crate::inspect::{Inspection, PluginKind};
use crate::linked::Linked;
use crate::load_error::{LoadError, LoadProblem};
use crate::log::SharedLog;
use crate::manifest::Manifest;
use crate::scheduler::SchedulerInstance;
use crate::searcher::SearcherInstance;
use crate::snapshot::Snapshot;
use crate::store::{Account, StoreData, StoreParts};
use crate::trainable::Trial;
use crate::tree::Directories;
use crate::trial_instance::TrialIndices;

/// What a plan grants to a trainable beyond its computation.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// It may write result files.
    pub artifact: bool,
    /// It may say what a step costs; one tick is then a microsecond of its clocks.
    pub virtual_cost: bool,
    /// It may compute on a GPU.
    pub gpu: Option<GpuGrant>,
    /// It may read them through `wasi:filesystem`.
    pub directories: Directories,
}

/// What a trial is started with.
#[derive(Clone, Debug)]
pub struct TrialStart {
    /// Given to `setup`; the seed also feeds the guest's randomness.
    pub info: TrialInfo,
    /// Given to `setup`.
    pub config: Config,
    /// Everything that it may use.
    pub limits: Limits,
    /// What it may read.
    pub data: Arc<DataSets>,
    /// What else it may do.
    pub grants: Grants,
    /// Shared with whoever waits for the trial.
    pub control: Arc<Control>,
}

/// A searcher or scheduler that did not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Options that the manifest's schema or the plugin itself refuses: all of them.
    #[error("{} wrong option(s): {}", .0.len(), .0.first().map_or("", |e| e.message.as_str()))]
    Options(Vec<OptionError>),
    /// It failed.
    #[error(transparent)]
    Fault(#[from] Box<PluginFault>),
}

impl InitError {
    /// Everything that is known, in several lines.
    #[must_use]
    pub fn details(&self) -> String {
        match self {
            Self::Options(_) => self.to_string(),
            Self::Fault(fault) => fault.details(),
        }
    }
}

/// A loaded plugin. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    shared: Arc<Shared>,
}

struct Shared {
    inspection: Inspection,
    linked: Arc<Linked>,
    exports: Exports,
}

/// Where the functions of its interfaces are.
enum Exports {
    Trainable(Arc<TrialIndices>),
    Searcher(searcher::GuestIndices),
    Scheduler(scheduler::GuestIndices),
}

impl Plugin {
    pub(crate) fn new(
        name: &str,
        inspection: Inspection,
        level: Arc<EngineLevel>,
        pre: InstancePre<StoreData>,
        layout: Option<Layout>,
    ) -> Result<Self, LoadError> {
        let exports = match inspection.kind {
            PluginKind::Trainable => trainable::GuestIndices::new(&pre).and_then(|trainable| {
                let portable = (inspection.has_portable_state())
                    .then(|| portable_state::GuestIndices::new(&pre))
                    .transpose()?;
                Ok(Exports::Trainable(Arc::new(TrialIndices {
                    trainable,
                    portable,
                })))
            }),
            PluginKind::Searcher => searcher::GuestIndices::new(&pre).map(Exports::Searcher),
            PluginKind::Scheduler => scheduler::GuestIndices::new(&pre).map(Exports::Scheduler),
        }
        .map_err(|e| {
            let hint = "build it with the SDK of this tune-host";
            LoadError::new(LoadProblem::Version, format!("{e:#}"), hint)
        })?;
        let linked = Linked {
            identity: Identity {
                name: name.to_owned(),
                version: inspection.manifest.version.clone(),
                kind: inspection.kind,
            },
            level,
            pre,
            component: inspection.hash,
            layout,
            snapshotable: inspection.snapshot.clone(),
            ignores_results: inspection.manifest.ignores_results,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                inspection,
                linked: Arc::new(linked),
                exports,
            }),
        })
    }

    /// The name under which it was loaded.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.linked.identity.name
    }

    /// Its version by its manifest; empty if it has none.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.shared.linked.identity.version
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> PluginKind {
        self.shared.inspection.kind
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.shared.inspection.manifest
    }

    /// What is known of its file.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.shared.inspection
    }

    /// blake3 of the file that it was loaded from.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.shared.inspection.hash
    }

    /// What is compiled into its code.
    #[must_use]
    pub fn metering(&self) -> Metering {
        self.shared.linked.level.metering
    }

    /// Whether the state of its instances can be copied without its help.
    #[must_use]
    pub fn snapshotable(&self) -> &Snapshotable {
        &self.shared.inspection.snapshot
    }

    /// It is a trainable whose state can be written for another version of it.
    #[must_use]
    pub fn has_portable_state(&self) -> bool {
        matches!(&self.shared.exports, Exports::Trainable(indices) if indices.portable.is_some())
    }

    /// Instantiates a trainable. `setup` is not called yet; fuel that the guest's start code burns
    /// belongs to it.
    ///
    /// # Errors
    /// If the plugin is no trainable, or instantiating fails.
    pub fn trial(&self, start: TrialStart) -> Result<Trial, Box<PluginFault>> {
        Trial::new(&self.shared.linked, self.trainable()?, start)
    }

    /// A trial that goes on from a state; `own_fuel` is what its own steps have burned so far.
    /// Free of fuel. Of the start, `info` and `config` matter only to a change that the trainable
    /// cannot follow.
    ///
    /// # Errors
    /// If the plugin is no trainable, or the state does not fit or is damaged.
    pub fn restore_trial(
        &self,
        start: TrialStart,
        from: &Snapshot,
        own_fuel: u64,
    ) -> Result<Trial, Box<PluginFault>> {
        Trial::restored(
            &self.shared.linked,
            self.trainable()?,
            start,
            from,
            own_fuel,
        )
    }

    fn trainable(&self) -> Result<&Arc<TrialIndices>, Box<PluginFault>> {
        match &self.shared.exports {
            Exports::Trainable(indices) => Ok(indices),
            _ => Err(self.wrong_kind(PluginKind::Trainable)),
        }
    }

    /// Instantiates a searcher and calls `init`.
    ///
    /// # Errors
    /// Wrong options; a plugin that is no searcher or fails.
    pub fn searcher(&self, setup: &Setup, limits: &Limits) -> Result<SearcherInstance, InitError> {
        let Exports::Searcher(indices) = &self.shared.exports else {
            return Err(self.wrong_kind(PluginKind::Searcher).into());
        };
        let setup = self.with_options(setup)?;
        SearcherInstance::new(&self.shared.linked, indices, &setup, limits)
    }

    /// A searcher that goes on from a state; `init` is not called.
    ///
    /// # Errors
    /// If the plugin is no searcher, or the state does not fit or is damaged.
    pub fn restore_searcher(
        &self,
        from: &Snapshot,
        setup: &Setup,
        limits: &Limits,
    ) -> Result<SearcherInstance, Box<PluginFault>> {
        let Exports::Searcher(indices) = &self.shared.exports else {
            return Err(self.wrong_kind(PluginKind::Searcher));
        };
        SearcherInstance::restored(&self.shared.linked, indices, from, setup, limits)
    }

    /// Instantiates a scheduler and calls `init`.
    ///
    /// # Errors
    /// Wrong options; a plugin that is no scheduler or fails.
    pub fn scheduler(
        &self,
        setup: &Setup,
        limits: &Limits,
    ) -> Result<SchedulerInstance, InitError> {
        let Exports::Scheduler(indices) = &self.shared.exports else {
            return Err(self.wrong_kind(PluginKind::Scheduler).into());
        };
        let setup = self.with_options(setup)?;
        SchedulerInstance::new(&self.shared.linked, indices, &setup, limits)
    }

    /// A scheduler that goes on from a state; `init` is not called.
    ///
    /// # Errors
    /// If the plugin is no scheduler, or the state does not fit or is damaged.
    pub fn restore_scheduler(
        &self,
        from: &Snapshot,
        setup: &Setup,
        limits: &Limits,
    ) -> Result<SchedulerInstance, Box<PluginFault>> {
        let Exports::Scheduler(indices) = &self.shared.exports else {
            return Err(self.wrong_kind(PluginKind::Scheduler));
        };
        SchedulerInstance::restored(&self.shared.linked, indices, from, setup, limits)
    }

    /// The setup with options that were checked against the manifest and have their defaults.
    fn with_options(&self, setup: &Setup) -> Result<Setup, InitError> {
        let given = if setup.options.trim().is_empty() {
            Ok(Map::new())
        } else {
            serde_json::from_str(&setup.options)
        };
        let given = given.map_err(|e| {
            InitError::Options(vec![OptionError {
                key: String::new(),
                message: format!("the options are no JSON object: {e}"),
                hint: "give a table of options".to_owned(),
            }])
        })?;
        let filled = self
            .manifest()
            .check_options(&given)
            .map_err(InitError::Options)?;
        Ok(Setup {
            options: serde_json::Value::Object(filled).to_string(),
            ..setup.clone()
        })
    }

    fn wrong_kind(&self, wanted: PluginKind) -> Box<PluginFault> {
        let kind = self.kind();
        Box::new(PluginFault {
            plugin: self.name().to_owned(),
            version: self.version().to_owned(),
            operation: "instantiate".to_owned(),
            kind: FailureKind::BadValue,
            message: format!("it is a {kind}, not a {wanted}"),
            causes: Vec::new(),
            backtrace: Vec::new(),
            last_log: Vec::new(),
            hint: format!("name a plugin that is a {wanted}"),
            usage: tune_core::Usage::default(),
        })
    }
}

/// What the store of a searcher or scheduler is built from: it reads no data, writes no files, and
/// nobody waits for it but its caller.
pub(crate) fn decider_parts<'a>(
    setup: &Setup,
    limits: &'a Limits,
    account: Account,
) -> StoreParts<'a> {
    static NOTHING: Grants = Grants {
        artifact: false,
        virtual_cost: false,
        gpu: None,
        directories: Directories::new(),
    };
    StoreParts {
        limits,
        control: Arc::new(Control::new()),
        seed: setup.seed,
        data: Arc::new(DataSets::new()),
        grants: &NOTHING,
        log: SharedLog::new(limits),
        account,
    }
}
