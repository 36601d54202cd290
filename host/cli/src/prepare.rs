//! From a checked experiment to everything that a run is carried out with: plugins are found, checked
//! against the plan, loaded; data are opened and hashed. Whatever is wrong is told here, before
//! anything is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use tune_core::{EnginePlan, Limits, Metering};
use tune_experiment::{Diagnostic, ExperimentPlan, HostLimits};
use tune_runner::RunParts;
use tune_runtime::{
    Compiler, CompilerChild, DataSets, Directories, Grants, InitError, Inspection, LoadError,
    Plugin, PluginKind, Runtime, RuntimeOptions,
};
use tune_store::PluginRecord;

use crate::catalog::{Candidate, Catalog, Source};
use crate::compatibility::{self, Named};
use crate::failure::Failure;
use crate::grants::Intersection;
use crate::history::start_digest;
use crate::output;
use crate::{args, data, gpu, lineage, machine};

/// A run that can begin or go on.
pub(crate) struct Prepared {
    /// Names and options of plugins as they will be recorded.
    pub(crate) plan: EnginePlan,
    /// The start of the digest.
    pub(crate) digest: [u8; 32],
    /// What it is carried out with.
    pub(crate) parts: RunParts,
    /// Hashes of all that went in.
    pub(crate) records: Vec<PluginRecord>,
    /// Where plugins come from that are not built in.
    pub(crate) plugin_files: Vec<(String, PathBuf)>,
}

/// This program, as it is now: it may be replaced while it runs.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// The runtime, with compiled code kept where the system keeps such things, and with a process of
/// this program for each component that is compiled, within these limits.
pub(crate) fn runtime(limits: &HostLimits) -> Result<Runtime, Failure> {
    let options = RuntimeOptions {
        cache_dir: machine::cache_dir(),
        compiler: Compiler::Child(CompilerChild {
            program: THIS_PROGRAM.into(),
            arguments: vec![args::COMPILE.into()],
            time: limits.compile_time,
            memory_bytes: limits.compile_memory,
        }),
        ..RuntimeOptions::default()
    };
    match Runtime::new(options.clone()) {
        Ok(runtime) => Ok(runtime),
        Err(error) => {
            output::note(&format!(
                "warning: {error}; plugins are compiled every time"
            ));
            Ok(Runtime::new(RuntimeOptions {
                cache_dir: None,
                ..options
            })?)
        }
    }
}

/// The key of the experiment file that names the plugin.
fn key_of(experiment: &ExperimentPlan, kind: PluginKind) -> String {
    let role = kind.name();
    let inner = ["plugin", "path"].map(|key| format!("{role}.{key}"));
    let found = inner
        .into_iter()
        .find(|key| experiment.locate(key).is_some());
    found.unwrap_or_else(|| role.to_owned())
}

/// How metering is chosen where the file does not say: built-in plugins are known not to need the
/// second net.
fn default_metering(source: &Source) -> Metering {
    match source {
        Source::Embedded => Metering::Fuel,
        Source::File(_) => Metering::Full,
    }
}

/// A plugin that was found and looked into.
pub(crate) struct Chosen {
    /// What it is chosen for.
    pub(crate) kind: PluginKind,
    /// Where it comes from.
    pub(crate) candidate: Candidate,
    /// What it is.
    pub(crate) inspection: Inspection,
}

/// A new run.
pub(crate) fn new_run(
    experiment: &ExperimentPlan,
    catalog: &Catalog,
    runtime: &Runtime,
) -> Result<Prepared, Failure> {
    let mut plan = experiment.engine.clone();
    let chosen = choose(experiment, catalog)?;
    for one in &chosen {
        let name = one.candidate.name.clone();
        match one.kind {
            PluginKind::Trainable => {
                plan.trainable = name;
                if !experiment.metering_given {
                    plan.metering = default_metering(&one.candidate.source);
                }
            }
            PluginKind::Searcher => plan.searcher.0 = name,
            PluginKind::Scheduler => plan.scheduler.0 = name,
        }
    }
    let trainable = chosen.iter().find(|one| one.kind == PluginKind::Trainable);
    let given = trainable.map(|one| Intersection::of(&one.inspection.manifest, experiment));
    let gives = |grant: &str| given.as_ref().is_some_and(|given| given.gives(grant));
    for grant in given.iter().flat_map(Intersection::not_asked) {
        output::note(&format!(
            "note: {} does not ask for the grant `{grant}` in its manifest and does not get it",
            experiment.engine.trainable
        ));
    }
    plan.virtual_cost = gives("virtual-cost");
    plan.gpu = plan.gpu.filter(|_| gives(gpu::REQUIRED));
    let mut wrong = Vec::new();
    wrong.extend(
        chosen
            .iter()
            .filter_map(|one| check_lineage(experiment, one)),
    );
    if !wrong.is_empty() {
        return Err(experiment.diagnostics(wrong).into());
    }
    for one in &chosen {
        check_options(experiment, one, &mut plan, &mut wrong);
    }
    if let (Some(one), Some(given)) = (trainable, &given) {
        wrong.extend(given.refusals(&one.candidate.name, experiment));
    }
    // Of options that are not right nothing follows.
    if wrong.is_empty()
        && let [trainable, searcher, scheduler] = chosen.as_slice()
    {
        let plugins = [trainable, searcher, scheduler].map(|one| Named {
            name: &one.candidate.name,
            inspection: &one.inspection,
        });
        let key = key_of(experiment, PluginKind::Scheduler);
        let key = key.split('.').next().unwrap_or_default();
        let others = catalog.searchers_that_do_not_learn();
        wrong = compatibility::check(experiment, &plan, plugins, key, &others);
        let others = catalog.searchers_that_bound_regret();
        let [_, searcher, scheduler] = plugins;
        plan.clones = compatibility::clones(&plan, searcher.inspection, scheduler.inspection);
        wrong.extend(compatibility::check_regret(
            experiment, &plan, searcher, &others,
        ));
        wrong.extend(compatibility::check_budgets(
            experiment, &plan, searcher, scheduler,
        ));
        wrong.extend(compatibility::check_continuing(experiment, &plan, plugins));
    }
    let mut sets = DataSets::new();
    let mut hashes = Vec::new();
    let granted = experiment.data.iter().filter(|_| gives("data"));
    for (index, set) in granted.enumerate() {
        match data::grant(&mut sets, &set.name, &set.path) {
            Ok(hash) => hashes.push((data_role(&set.name), hash)),
            Err(error) => wrong.push(experiment.diagnostic(
                &format!("data[{index}].path"),
                format!(
                    "data set `{}`: cannot read {}: {error}",
                    set.name,
                    set.path.display()
                ),
                "a directory or file that is there; a relative path starts from the directory of \
                 this file",
            )),
        }
    }
    let directories = if gives("directory") {
        grant_directories(experiment, &mut hashes, &mut wrong)
    } else {
        Directories::new()
    };
    if !wrong.is_empty() {
        return Err(experiment.diagnostics(wrong).into());
    }
    let plugin_files = chosen
        .iter()
        .filter_map(|one| match &one.candidate.source {
            Source::Embedded => None,
            Source::File(path) => Some((one.kind.name().to_owned(), path.clone())),
        })
        .collect();
    let grants = Grants {
        artifact: gives("artifact"),
        virtual_cost: plan.virtual_cost,
        gpu: gpu::grant(plan.gpu, &chosen),
        directories,
    };
    let prepared = assemble(plan, chosen, sets, &hashes, grants, plugin_files, runtime)?;
    prepared
        .parts
        .check(&prepared.plan)
        .map_err(|(role, error)| {
            refusal_of(experiment, role, &error).unwrap_or_else(|| {
                Failure::rejected(anyhow::anyhow!(
                    "the {role} does not start: {}",
                    error.details()
                ))
            })
        })?;
    Ok(prepared)
}

/// Finds the plugins that the experiment names and looks into them.
fn choose(experiment: &ExperimentPlan, catalog: &Catalog) -> Result<Vec<Chosen>, Failure> {
    let base = Path::new(&experiment.file_name)
        .parent()
        .unwrap_or(Path::new(""));
    let (mut chosen, mut wrong): (Vec<Chosen>, Vec<Diagnostic>) = (Vec::new(), Vec::new());
    for kind in PluginKind::ALL {
        let name = match kind {
            PluginKind::Trainable => &experiment.engine.trainable,
            PluginKind::Searcher => &experiment.engine.searcher.0,
            PluginKind::Scheduler => &experiment.engine.scheduler.0,
        };
        let key = key_of(experiment, kind);
        let candidate = match catalog.find(name, Some(kind), base) {
            Ok(candidate) => candidate,
            Err(unknown) => {
                wrong.push(experiment.diagnostic(&key, unknown.message, unknown.hint));
                continue;
            }
        };
        let limits = limits_of(&experiment.engine, kind);
        let inspection = candidate.inspect_within(limits).map_err(|error| {
            let message = format!("{}: {}", candidate.name, error.message);
            let diagnostic = experiment.diagnostic(&key, message, &error.hint);
            Failure::rejected(experiment.diagnostics(vec![diagnostic]))
        })?;
        if inspection.kind == kind {
            chosen.push(Chosen {
                kind,
                candidate,
                inspection,
            });
        } else {
            let message = format!(
                "`{}` is a {}, not a {kind}",
                candidate.name, inspection.kind
            );
            let hint = format!("there are {}", catalog.names_of(Some(kind)).join(", "));
            wrong.push(experiment.diagnostic(&key, message, hint));
        }
    }
    if wrong.is_empty() {
        Ok(chosen)
    } else {
        Err(experiment.diagnostics(wrong).into())
    }
}

/// A lineage needs a scheduler that takes its changes.
fn check_lineage(experiment: &ExperimentPlan, one: &Chosen) -> Option<Diagnostic> {
    if one.kind != PluginKind::Scheduler || experiment.lineage.is_none() {
        return None;
    }
    let options = &one.inspection.manifest.options;
    let takes_steps = options
        .pointer(&format!("/properties/{}", lineage::STEPS))
        .is_some();
    (!takes_steps).then(|| {
        experiment.diagnostic(
            "scheduler.lineage",
            format!("`{}` follows no lineage", one.candidate.name),
            "write plugin = \"pbt-replay\", or remove `lineage`",
        )
    })
}

/// Checks options against the manifest and writes them into the plan with their defaults.
fn check_options(
    experiment: &ExperimentPlan,
    one: &Chosen,
    plan: &mut EnginePlan,
    wrong: &mut Vec<Diagnostic>,
) {
    let options = match one.kind {
        PluginKind::Trainable => return,
        PluginKind::Searcher => &mut plan.searcher.1,
        PluginKind::Scheduler => &mut plan.scheduler.1,
    };
    let given: Map<String, Value> = serde_json::from_str(options).unwrap_or_default();
    match one.inspection.manifest.check_options(&given) {
        Ok(filled) => *options = Value::Object(filled).to_string(),
        Err(errors) => wrong.extend(
            errors
                .iter()
                .map(|error| option_error(experiment, one.kind.name(), &one.candidate.name, error)),
        ),
    }
}

fn option_error(
    experiment: &ExperimentPlan,
    role: &str,
    plugin: &str,
    error: &tune_core::records::OptionError,
) -> Diagnostic {
    let (key, message) = if error.key.is_empty() {
        (role.to_owned(), format!("{plugin}: {}", error.message))
    } else {
        let message = format!("option `{}` of {plugin}: {}", error.key, error.message);
        (format!("{role}.{}", error.key), message)
    };
    let hint = if error.hint.is_empty() {
        format!("`tune-host plugin inspect {plugin}` shows its options")
    } else {
        error.hint.clone()
    };
    experiment.diagnostic(&key, message, hint)
}

/// What a plugin refuses of the plan, pointing into the file; none if it failed otherwise.
fn refusal_of(experiment: &ExperimentPlan, role: &str, error: &InitError) -> Option<Failure> {
    let InitError::Options(errors) = error else {
        return None;
    };
    let plugin = match role {
        "searcher" => &experiment.engine.searcher.0,
        _ => &experiment.engine.scheduler.0,
    };
    let all = errors
        .iter()
        .map(|error| option_error(experiment, role, plugin, error))
        .collect();
    Some(experiment.diagnostics(all).into())
}

/// Opens the directories of the file.
fn grant_directories(
    experiment: &ExperimentPlan,
    hashes: &mut Vec<(String, blake3::Hash)>,
    wrong: &mut Vec<Diagnostic>,
) -> Directories {
    let mut directories = Directories::new();
    for source in &experiment.directories {
        let (name, path) = (&source.name, &source.path);
        match data::grant_directory(&mut directories, name, path) {
            Ok(hash) => hashes.push((directory_role(name), hash)),
            Err(error) => wrong.push(experiment.diagnostic(
                &format!("grants.directory.{name}"),
                format!("cannot grant the directory {}: {error}", path.display()),
                "a directory that is there, of plain files and directories alone; a relative path \
                 starts from the directory of this file",
            )),
        }
    }
    directories
}

/// Whether the trainable asks for directories by its manifest.
pub(crate) fn reads_directories(chosen: &[Chosen]) -> bool {
    let mut trainables = chosen
        .iter()
        .filter(|one| one.kind == PluginKind::Trainable);
    trainables.any(|one| {
        let mut grants = one.inspection.manifest.grants.iter();
        grants.any(|grant| grant == "directory")
    })
}

pub(crate) fn directory_role(name: &str) -> String {
    format!("directory:{name}")
}

pub(crate) fn data_role(name: &str) -> String {
    format!("data:{name}")
}

/// Loads everything. `data`: data sets and directories by their roles.
pub(crate) fn assemble(
    plan: EnginePlan,
    chosen: Vec<Chosen>,
    sets: DataSets,
    data: &[(String, blake3::Hash)],
    grants: Grants,
    plugin_files: Vec<(String, PathBuf)>,
    runtime: &Runtime,
) -> Result<Prepared, Failure> {
    let mut records = Vec::new();
    let mut loaded = Vec::new();
    for one in &chosen {
        let metering = match one.kind {
            PluginKind::Trainable => plan.metering,
            _ => default_metering(&one.candidate.source),
        };
        let plugin = load(&plan, one, metering, runtime)?;
        records.push(PluginRecord {
            role: one.kind.name().to_owned(),
            name: one.candidate.name.clone(),
            version: plugin.version().to_owned(),
            hash: one.inspection.hash_hex(),
        });
        loaded.push(plugin);
    }
    let mut data = data.to_vec();
    data.sort_by(|a, b| a.0.cmp(&b.0));
    records.extend(data.into_iter().map(|(role, hash)| {
        PluginRecord {
            name: role
                .split_once(':')
                .map_or_else(String::new, |(_, name)| name.to_owned()),
            role,
            version: String::new(),
            hash: hash.to_hex().to_string(),
        }
    }));
    let [trainable, searcher, scheduler]: [Plugin; 3] = loaded
        .try_into()
        .map_err(|_| Failure::usage("a run has one trainable, one searcher and one scheduler"))?;
    Ok(Prepared {
        digest: start_digest(&plan, &records)?,
        plan,
        parts: RunParts {
            trainable,
            searcher,
            scheduler,
            data: Arc::new(sets),
            grants,
        },
        records,
        plugin_files,
    })
}

fn load(
    plan: &EnginePlan,
    one: &Chosen,
    metering: Metering,
    runtime: &Runtime,
) -> Result<Plugin, Failure> {
    let name = &one.candidate.name;
    output::while_waiting(
        &format!("preparing the plugin {name} (it is compiled the first time)"),
        || {
            load_from(
                runtime,
                &one.candidate,
                name,
                metering,
                plan.strict,
                limits_of(plan, one.kind),
            )
        },
    )
    .map_err(|error| rejected(&error))
}

/// What a plugin of this kind may use.
pub(crate) fn limits_of(plan: &EnginePlan, kind: PluginKind) -> &Limits {
    match kind {
        PluginKind::Trainable => &plan.limits,
        PluginKind::Searcher => plan.searcher_limits(),
        PluginKind::Scheduler => plan.scheduler_limits(),
    }
}

/// Loads a plugin: those that come with the program are known to be harmless to compile.
pub(crate) fn load_from(
    runtime: &Runtime,
    candidate: &Candidate,
    name: &str,
    metering: Metering,
    strict: bool,
    limits: &Limits,
) -> Result<Plugin, LoadError> {
    let bytes = &candidate.bytes;
    match candidate.source {
        Source::Embedded => runtime.load_trusted(name, bytes, metering, strict, limits),
        Source::File(_) => runtime.load(name, bytes, metering, strict, limits),
    }
}

/// A plugin that this host cannot run.
pub(crate) fn rejected(error: &LoadError) -> Failure {
    Failure::rejected(anyhow::anyhow!("{}\n  hint: {}", error.message, error.hint))
}
