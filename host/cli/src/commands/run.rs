//! `run FILE`: from an experiment file to a finished run.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use tune_experiment::ExperimentPlan;
use tune_store::Header;

use crate::args::RunArgs;
use crate::catalog::Catalog;
use crate::failure::{Failure, Verdict};
use crate::session::{self, Session, now_ms};
use crate::settings::Settings;
use crate::{lineage, output, prepare, runs_dir, version, warm_start};

/// More than an experiment may have; it is refused with a message, but not read whole.
const MAX_FILE_BYTES: u64 = 2 << 20;

pub(crate) fn run(args: &RunArgs) -> Result<Verdict, Failure> {
    let (mut experiment, seed_drawn) = read(&args.file, args.seed)?;
    let followed = lineage::resolve(&mut experiment, &args.runs.dir)?;
    warm_start::resolve(&mut experiment, &args.runs.dir)?;
    let catalog = Catalog::open(args.plugins.dir.as_deref(), Some(&args.file))?;
    for warning in &catalog.warnings {
        output::note(&format!("warning: {warning}"));
    }
    let runtime = prepare::runtime(&experiment.host_limits)?;
    let prepared = prepare::new_run(&experiment, &catalog, &runtime)?;
    if let (Some(of), Some(header)) = (&experiment.lineage, &followed)
        && let Some(warning) = lineage::differences(of, header, &prepared.records)
    {
        output::note(&warning);
    }
    let learns = prepared.parts.searcher.manifest().learns;
    if let Some(warning) = warm_start::warning(&prepared.plan, learns) {
        output::note(&warning);
    }
    let settings = Settings::of(
        &experiment,
        seed_drawn,
        prepared.plugin_files.clone(),
        &prepared.parts.grants,
    );
    let options = session::options(&prepared.plan, &settings, args.machine)?;
    let header = Header {
        format: tune_store::FORMAT,
        build: version::build(),
        plan: serde_json::to_string(&prepared.plan)?,
        experiment: experiment.text.clone(),
        plugins: prepared.records.clone(),
        created_ms: now_ms(),
        parent: None,
        extra: settings.to_extra()?,
    };
    let name = args.name.as_deref();
    let (directory, journal) = runs_dir::create(&args.runs.dir, name, &experiment.name, &header)?;
    let options = settings.equip(options, &directory, args.machine);
    Session {
        path: directory.path(),
        journal,
        header: &header,
        settings: &settings,
        prepared,
        rows: &[],
        extend: None,
        options,
        elapsed_before: Duration::ZERO,
        accepted: serde_json::Map::new(),
        quiet: args.machine.quiet,
        format: args.format,
    }
    .carry_out()
}

/// The experiment of a file, and whether its seed was drawn.
pub(super) fn read(path: &Path, seed: Option<u64>) -> Result<(ExperimentPlan, bool), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "cannot read the experiment {}: {error}\n  hint: give the path of a TOML or JSON file; \
             examples/ has some",
            path.display()
        ))
    };
    let file = File::open(path).map_err(|e| failed(&e))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|e| failed(&e))?;
    let text = String::from_utf8(bytes).map_err(|_| failed(&"it is no text in UTF-8"))?;
    let mut experiment = tune_experiment::parse(&text, &path.to_string_lossy(), draw())?;
    let drawn = seed.is_none() && !experiment.seed_given;
    if let Some(seed) = seed {
        experiment.engine.seed = seed;
    }
    Ok((experiment, drawn))
}

/// A seed from the system's randomness. Below 2^32, so that it is easily typed again.
fn draw() -> u64 {
    RandomState::new().hash_one(0) >> 32
}
