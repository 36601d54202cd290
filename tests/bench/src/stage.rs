//! A run without the command line: plugins by name, a temporary directory, and what happened.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tempfile::TempDir;
use tune_core::records::Config;
use tune_core::{Engine, EnginePlan, Handover, Ingredient, Limits, Metering, Note, plan_digest};
use tune_report::Outputs;
use tune_runner::{How, Observer, RunOptions, RunParts, Shutdown, StepHook, Wall};
use tune_runtime::{DataSet, DataSets, Grants, Plugin, Runtime, RuntimeOptions};
use tune_store::{Header, RunDir};

use crate::derived::Derived;
use crate::machine;

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The experiment of the README.
pub(crate) fn digits_plan() -> Result<EnginePlan> {
    let path = workspace().join("examples/digits.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    plan(&text)
}

/// The plan of an experiment file, metered as plugins of the binary are.
pub(crate) fn plan(text: &str) -> Result<EnginePlan> {
    let mut plan = tune_experiment::parse(text, "bench.toml", 1)?.engine;
    plan.metering = Metering::Fuel;
    Ok(plan)
}

/// Where runs take place.
pub(crate) struct Stage {
    runtime: Runtime,
    data: Arc<DataSets>,
    plugins: RefCell<HashMap<(String, Metering), Plugin>>,
    scratch: TempDir,
}

/// Sees every handover of a run that is not from its past.
pub(crate) type Watch = Rc<dyn Fn(&Engine, &Handover, Wall)>;

/// How a run is carried out.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) threads: usize,
    pub(crate) hook: Option<StepHook>,
    /// Files for other tools.
    pub(crate) outputs: Outputs,
    /// Bytes of memory of all live trials together.
    pub(crate) run_memory: u64,
    pub(crate) watch: Option<Watch>,
    pub(crate) grants: Grants,
    /// States of trials are written to the disk, by the default policy.
    pub(crate) snapshots: bool,
    /// Asks the run to stop.
    pub(crate) shutdown: Arc<Shutdown>,
}

impl Manner {
    pub(crate) fn threads(threads: usize) -> Self {
        Self {
            threads,
            hook: None,
            outputs: Outputs::NONE,
            run_memory: 4 << 30,
            watch: None,
            grants: Grants::default(),
            snapshots: false,
            shutdown: Arc::default(),
        }
    }
}

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Best value of the first objective.
    pub(crate) best: Option<f64>,
    /// Reports that were handed over.
    pub(crate) reports: u64,
    pub(crate) rows: u64,
    /// Rows that a resumed run found.
    pub(crate) restored: u64,
    /// What the searcher suggested, trial by trial.
    pub(crate) suggested: Vec<Config>,
    pub(crate) failed: u64,
    /// How often a trial went on from the state of another one.
    pub(crate) exploits: u64,
}

impl Observer for Tally {
    fn handed_over(&mut self, engine: &Engine, handover: &Handover, _: Wall) {
        self.rows += 1;
        self.reports += u64::from(handover.report.is_some());
        self.best = engine.best().and_then(|t| t.best).map(|b| b.value);
        for note in &handover.notes {
            self.failed += u64::from(matches!(note, Note::Failed(..)));
            self.exploits += u64::from(matches!(note, Note::Exploited { .. }));
        }
        for (id, _) in &handover.created {
            self.suggested
                .extend(engine.trial(*id).map(|t| t.suggested.clone()));
        }
    }

    fn restored(&mut self, engine: &Engine, handover: &Handover, wall: Wall) {
        self.handed_over(engine, handover, wall);
        self.restored += 1;
    }
}

/// A run that is over.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) how: How,
    pub(crate) digest: [u8; 32],
    pub(crate) tally: Tally,
    /// From the making of the directory until all is durable.
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) peak_memory: u64,
    /// Size of the run directory without snapshots and files for other tools.
    pub(crate) journal_bytes: u64,
    /// Size of the snapshots.
    pub(crate) snapshot_bytes: u64,
    /// Size of the files for other tools.
    pub(crate) derived_bytes: u64,
}

impl Stage {
    pub(crate) fn new() -> Result<Self> {
        let mut data = DataSets::new();
        let digits = Dir::open_ambient_dir(workspace().join("data/digits"), ambient_authority())
            .and_then(|folder| data.grant("digits", DataSet::Folder(folder)));
        digits.context("the data set digits")?;
        let scratch = tempfile::tempdir()?;
        Ok(Self {
            runtime: Runtime::new(RuntimeOptions::default())?,
            data: Arc::new(data),
            plugins: RefCell::default(),
            scratch,
        })
    }

    pub(crate) fn data(&self) -> Arc<DataSets> {
        Arc::clone(&self.data)
    }

    /// A new path for a run.
    pub(crate) fn new_directory(&self) -> Result<PathBuf> {
        Ok(tempfile::tempdir_in(&self.scratch)?.keep().join("run"))
    }

    /// A plugin of the binary, or a test guest; compiled once.
    pub(crate) fn plugin(&self, name: &str, metering: Metering) -> Result<Plugin> {
        let key = (name.to_owned(), metering);
        if let Some(plugin) = self.plugins.borrow().get(&key) {
            return Ok(plugin.clone());
        }
        let embedded = tune_embedded::all().iter().find(|p| p.name == name);
        let guest = match name {
            "trial-noop" => tune_test_artifacts::TRIAL_NOOP,
            "trial-ballast" => tune_test_artifacts::TRIAL_BALLAST,
            "trial-steps" => tune_test_artifacts::TRIAL_STEPS,
            "hostile-trainable" => tune_test_artifacts::HOSTILE_TRAINABLE,
            "hostile-gpu" => tune_test_artifacts::HOSTILE_GPU,
            "hostile-growth" => tune_test_artifacts::HOSTILE_GROWTH,
            "hostile-observed" => tune_test_artifacts::HOSTILE_OBSERVED,
            "hostile-searcher" => tune_test_artifacts::HOSTILE_SEARCHER,
            "hostile-scheduler" => tune_test_artifacts::HOSTILE_SCHEDULER,
            _ => "",
        };
        let bytes = match embedded {
            Some(plugin) => plugin.bytes.to_vec(),
            None if guest.is_empty() => anyhow::bail!("no plugin {name}"),
            None => std::fs::read(guest)?,
        };
        let plugin = self.load(name, &bytes, metering)?;
        self.plugins.borrow_mut().insert(key, plugin.clone());
        Ok(plugin)
    }

    pub(crate) fn load(&self, name: &str, bytes: &[u8], metering: Metering) -> Result<Plugin> {
        Ok(self
            .runtime
            .load(name, bytes, metering, false, &Limits::default())?)
    }

    /// Runs a plan in a directory of its own, or goes on with the run that is there.
    pub(crate) fn run_in(&self, path: &Path, plan: &EnginePlan, manner: &Manner) -> Result<Ran> {
        let parts = RunParts {
            trainable: self.plugin(&plan.trainable, plan.metering)?,
            searcher: self.plugin(&plan.searcher.0, Metering::Fuel)?,
            scheduler: self.plugin(&plan.scheduler.0, Metering::Fuel)?,
            data: self.data(),
            grants: manner.grants.clone(),
        };
        let plugins = [&parts.trainable, &parts.searcher, &parts.scheduler];
        let mut plan = plan.clone();
        plan.clones = plugins.iter().any(|p| p.inspection().manifest.clones);
        machine::reset_peak_memory();
        let (began, cpu) = (Instant::now(), machine::cpu_time());
        let (run_dir, journal, rows) = if path.exists() {
            let opened = RunDir::open_writable(path)?;
            (opened.dir, opened.journal, opened.rows)
        } else {
            let (run_dir, journal) = RunDir::create(path, &Header::default())?;
            (run_dir, journal, Vec::new())
        };
        let watch = manner.watch.clone();
        let mut observer = Derived::new(Tally::default(), path, manner.outputs, watch)?;
        let summary = tune_runner::resume(
            plan.clone(),
            self.digest_of(&plan, &parts),
            &parts,
            RunOptions {
                hook: manner.hook.clone(),
                chunks: manner.snapshots.then(|| run_dir.chunks().clone()),
                ..RunOptions::new(manner.threads, manner.run_memory)
            },
            &rows,
            None,
            &journal,
            &mut observer,
            &manner.shutdown,
        )?;
        journal.close()?;
        let tally = observer.finish()?;
        let wall = began.elapsed();
        drop(run_dir);
        let derived_bytes = bytes_below(&path.join("trials"))?;
        let snapshot_bytes = bytes_below(&path.join("chunks"))?;
        Ok(Ran {
            how: summary.how,
            digest: summary.digest,
            tally,
            wall,
            cpu: machine::cpu_time().saturating_sub(cpu),
            peak_memory: machine::peak_memory(),
            journal_bytes: bytes_below(path)? - derived_bytes - snapshot_bytes,
            snapshot_bytes,
            derived_bytes,
        })
    }

    /// Runs a plan in a fresh directory. All of them go when the stage does: removing files slows down
    /// the making of others for minutes on ext4.
    pub(crate) fn run(&self, plan: &EnginePlan, manner: &Manner) -> Result<Ran> {
        self.run_in(&self.new_directory()?, plan, manner)
    }

    /// The beginning of the digest's chain, as the command line makes it.
    fn digest_of(&self, plan: &EnginePlan, parts: &RunParts) -> [u8; 32] {
        let plugins = [
            ("trainable", &parts.trainable),
            ("searcher", &parts.searcher),
            ("scheduler", &parts.scheduler),
        ];
        let ingredients: Vec<Ingredient> = plugins
            .into_iter()
            .map(|(role, plugin)| Ingredient {
                role: role.to_owned(),
                hash: plugin.hash(),
            })
            .collect();
        plan_digest(plan, &ingredients)
    }
}

/// Sizes of all files in a folder; 0 if there is none.
fn bytes_below(path: &Path) -> Result<u64> {
    if !path.exists() {
        return Ok(0);
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        sum += if meta.is_dir() {
            bytes_below(&entry.path())?
        } else {
            meta.len()
        };
    }
    Ok(sum)
}
