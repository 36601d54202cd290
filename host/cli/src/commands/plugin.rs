//! `plugin list|inspect|check`: which plugins there are, what they say of themselves, and whether
//! this host can run them.

use std::path::Path;

use serde_json::{Value, json};
use tune_core::{Limits, Metering};
use tune_experiment::HostLimits;
use tune_report::{Column, Table, clean, cut};
use tune_runtime::{Import, ImportStatus, Inspection, PluginKind, Snapshotable};

use super::run::read;
use crate::args::{PluginArgs, PluginCommand, PluginInspectArgs, PluginListArgs};
use crate::catalog::{Candidate, Catalog, Source};
use crate::failure::{Failure, Verdict};
use crate::grants::{Intersection, Line};
use crate::output::{self, Page};
use crate::prepare;

pub(crate) fn plugin(command: &PluginCommand) -> Result<Verdict, Failure> {
    match command {
        PluginCommand::List(args) => list(args),
        PluginCommand::Inspect(args) => inspect(args),
        PluginCommand::Check(args) => check(args),
    }?;
    Ok(Verdict::Done)
}

fn list(args: &PluginListArgs) -> Result<(), Failure> {
    let catalog = open(args.plugins.dir.as_deref(), None)?;
    let mut found: Vec<(&Candidate, Option<Inspection>)> = catalog
        .candidates()
        .map(|candidate| (candidate, candidate.inspect().ok()))
        .collect();
    found.sort_by_key(|(candidate, inspection)| {
        (inspection.as_ref().map(|i| i.kind), candidate.name.clone())
    });
    if args.format.is_json() {
        let all: Vec<Value> = found
            .iter()
            .map(|(candidate, inspection)| {
                json!({
                    "name": candidate.name,
                    "kind": inspection.as_ref().map(|i| i.kind.name()),
                    "version": inspection.as_ref().map(|i| &i.manifest.version),
                    "summary": inspection.as_ref().map(|i| &i.manifest.summary),
                    "source": candidate.source.to_string(),
                })
            })
            .collect();
        return Ok(output::json(&all.into())?);
    }
    let page = Page::of_stdout();
    let mut table = Table::new(vec![
        Column::text("kind", 0),
        Column::text("name", 0),
        Column::text("version", 2),
        Column::text("from", 1),
    ]);
    let mut summaries = Vec::new();
    for (candidate, inspection) in &found {
        let (kind, version, summary) = inspection.as_ref().map_or(("unusable", "", ""), |i| {
            (
                i.kind.name(),
                i.manifest.version.as_str(),
                i.manifest.summary.as_str(),
            )
        });
        table.rows.push(vec![
            kind.to_owned(),
            candidate.name.clone(),
            version.to_owned(),
            candidate.source.to_string(),
        ]);
        summaries.push(clean(summary).into_owned());
    }
    // Cells of a table are short; a summary is a sentence and takes what is left of the line.
    let mut lines = table.render(page.width, page.color);
    let used = table
        .render(page.width, false)
        .iter()
        .map(|line| tune_report::columns(line))
        .max()
        .unwrap_or(0);
    let plain = table.render(page.width, false);
    for ((line, plain), summary) in lines.iter_mut().zip(plain).skip(1).zip(&summaries) {
        let room = page.width.saturating_sub(used + 2);
        if room >= 20 {
            let fill = " ".repeat(used + 2 - tune_report::columns(&plain));
            line.push_str(&fill);
            line.push_str(&cut(summary, room));
        }
    }
    Ok(output::lines(lines)?)
}

fn open(directory: Option<&Path>, experiment: Option<&Path>) -> Result<Catalog, Failure> {
    let catalog = Catalog::open(directory, experiment)?;
    for warning in &catalog.warnings {
        output::note(&format!("warning: {warning}"));
    }
    Ok(catalog)
}

/// The plugin that was asked for, and what it is. The directory `plugins` beside an experiment file is
/// looked into too.
fn find(args: &PluginArgs, experiment: Option<&Path>) -> Result<(Candidate, Inspection), Failure> {
    let catalog = open(args.plugins.dir.as_deref(), experiment)?;
    let candidate = catalog
        .find(&args.plugin, None, Path::new(""))
        .map_err(|unknown| {
            Failure::usage(format!("{}\n  hint: {}", unknown.message, unknown.hint))
        })?;
    let inspection = candidate.inspect().map_err(|error| {
        let message = format!("{}: {}\n  hint: {}", args.plugin, error.message, error.hint);
        Failure::rejected(anyhow::Error::msg(message))
    })?;
    Ok((candidate, inspection))
}

fn inspect(args: &PluginInspectArgs) -> Result<(), Failure> {
    let file = args.experiment.as_deref();
    // No seed is drawn: it changes no grant.
    let experiment = file.map(|file| read(file, Some(0))).transpose()?;
    let (candidate, inspection) = find(&args.plugin, file)?;
    let given = match experiment {
        Some((experiment, _)) if inspection.kind == PluginKind::Trainable => {
            Some(Intersection::of(&inspection.manifest, &experiment).0)
        }
        // Searchers and schedulers are granted nothing, whatever they say.
        Some(_) => Some(Vec::new()),
        None => None,
    };
    if args.plugin.format.is_json() {
        let mut value = inspection_json(&candidate, &inspection);
        if let (Some(object), Some(lines)) = (value.as_object_mut(), given) {
            let lines = lines.iter().map(Line::json).collect();
            object.insert("grants".to_owned(), lines);
        }
        return Ok(output::json(&value)?);
    }
    let manifest = &inspection.manifest;
    let mut lines = vec![format!(
        "{} {}: a {} for tune:plugin {}",
        candidate.name, manifest.version, inspection.kind, inspection.contract
    )];
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("  {name:<10} {value}"));
        }
    };
    say("summary", &manifest.summary);
    say("licence", &manifest.licence);
    say("from", &candidate.source.to_string());
    say(
        "size",
        &format!(
            "{} bytes, {} core module(s)",
            inspection.size, inspection.core_modules
        ),
    );
    say("hash", &inspection.hash_hex());
    say("wants", &manifest.grants.join(", "));
    say("can change", &manifest.mutable_parameters.join(", "));
    let traits: Vec<&str> = [
        (manifest.learns, "learns from results"),
        (manifest.bounds_regret, "bounds the regret"),
        (manifest.budgets, "gives budgets"),
        (manifest.pauses, "pauses trials"),
        (manifest.clones, "clones trials"),
        (manifest.changes_config, "changes configurations"),
    ]
    .into_iter()
    .filter_map(|(is, what)| is.then_some(what))
    .collect();
    say("it", &traits.join(", "));
    if let (Some(given), Some(file)) = (given, file) {
        lines.push(format!("grants with {}", file.display()));
        if given.is_empty() {
            lines.push("  none".to_owned());
        }
        lines.extend(given.iter().map(Line::text));
    }
    lines.extend(option_lines(&manifest.options));
    lines.push("imports".to_owned());
    lines.extend(inspection.imports.iter().map(import_line));
    Ok(output::lines(lines.iter().map(|line| clean(line)))?)
}

/// The options of a manifest's JSON Schema, one a line.
fn option_lines(schema: &Value) -> Vec<String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (name, option) in properties {
        let text = |key: &str| option.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut facts = Vec::new();
        if !text("type").is_empty() {
            facts.push(text("type").to_owned());
        }
        for (key, word) in [
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
            ("enum", "one of"),
            ("default", "default"),
        ] {
            if let Some(value) = option.get(key) {
                facts.push(format!("{word} {value}"));
            }
        }
        lines.push(format!("  {name} ({})", facts.join(", ")));
        if !text("description").is_empty() {
            lines.push(format!("      {}", text("description")));
        }
    }
    if !lines.is_empty() {
        lines.insert(0, "options".to_owned());
    }
    lines
}

fn verdict_of(import: &Import) -> String {
    match &import.status {
        ImportStatus::Satisfied => "satisfied".to_owned(),
        ImportStatus::Denied => "there, but every use is refused".to_owned(),
        ImportStatus::Refused => "refused: no plugin is given it".to_owned(),
        ImportStatus::Newer { missing } if missing.is_empty() => "newer than this host".to_owned(),
        ImportStatus::Newer { missing } => {
            format!("newer than this host: no {}", missing.join(", no "))
        }
        ImportStatus::Unknown { near: None } => "unknown to this host".to_owned(),
        ImportStatus::Unknown { near: Some(near) } => format!("unknown; the host has {near}"),
    }
}

fn import_line(import: &Import) -> String {
    format!("  {:<44} {}", import.name, verdict_of(import))
}

fn inspection_json(candidate: &Candidate, inspection: &Inspection) -> Value {
    json!({
        "name": candidate.name,
        "kind": inspection.kind.name(),
        "contract": inspection.contract,
        "source": candidate.source.to_string(),
        "size": inspection.size,
        "hash": inspection.hash_hex(),
        "manifest": inspection.manifest,
        "exports": inspection.exports,
        "imports": inspection.imports.iter().map(|import| json!({
            "name": import.name,
            "status": verdict_of(import),
        })).collect::<Vec<_>>(),
    })
}

/// What is in the way of snapshots.
fn constructs_of(inspection: &Inspection) -> &[&'static str] {
    match &inspection.snapshot {
        Snapshotable::Yes => &[],
        Snapshotable::No { constructs } => constructs,
    }
}

/// Which of the two kinds of checkpoints a plugin supports, and what follows from that.
fn state_lines(inspection: &Inspection) -> Vec<String> {
    let constructs = constructs_of(inspection);
    let is_trainable = inspection.kind == PluginKind::Trainable;
    let mut lines = vec![if constructs.is_empty() {
        "transparent snapshots  yes".to_owned()
    } else {
        format!(
            "transparent snapshots  no: it uses {}",
            constructs.join(", ")
        )
    }];
    let portable = inspection.has_portable_state();
    if is_trainable {
        let word = if portable { "yes" } else { "no" };
        lines.push(format!("portable state         {word}"));
    }
    let so = match (is_trainable, constructs.is_empty(), portable) {
        (true, true, true) => {
            "trials are paused, cloned and resumed from their memory, and carried over to another \
             version of the plugin"
        }
        (true, true, false) => {
            "trials are paused, cloned and resumed from their memory; with another version of the \
             plugin they begin anew"
        }
        (true, false, true) => {
            "trials are carried over to another version of the plugin; a trial that is resumed does \
             its steps again, and schedulers that clone are refused"
        }
        (true, false, false) => {
            "a trial that is resumed does its steps again, and schedulers that clone are refused"
        }
        (false, true, _) => "a resume goes on from its last snapshot",
        (false, false, _) => "a resume makes all of its calls again",
    };
    lines.push(format!("so                     {so}"));
    lines
}

/// Loads it as a run would.
fn check(args: &PluginArgs) -> Result<(), Failure> {
    let (candidate, inspection) = find(args, None)?;
    let metering = match candidate.source {
        Source::Embedded => Metering::Fuel,
        Source::File(_) => Metering::Full,
    };
    let runtime = prepare::runtime(&HostLimits::default())?;
    let loaded = output::while_waiting("compiling", || {
        prepare::load_from(
            &runtime,
            &candidate,
            &args.plugin,
            metering,
            false,
            &Limits::default(),
        )
    });
    if loaded.is_err() {
        // Which imports are in the way, beside the first that the error names.
        for import in &inspection.imports {
            if import.status != ImportStatus::Satisfied {
                output::note(&clean(&import_line(import)));
            }
        }
    }
    loaded.map_err(|error| prepare::rejected(&error))?;
    if args.format.is_json() {
        let mut value = inspection_json(&candidate, &inspection);
        if let Some(object) = value.as_object_mut() {
            object.insert("usable".to_owned(), true.into());
            let constructs = constructs_of(&inspection);
            object.insert("snapshots".to_owned(), constructs.is_empty().into());
            object.insert("not_snapshotable".to_owned(), constructs.into());
            if inspection.kind == PluginKind::Trainable {
                let portable = inspection.has_portable_state();
                object.insert("portable_state".to_owned(), portable.into());
            }
        }
        return Ok(output::json(&value)?);
    }
    let mut lines = vec![format!(
        "{}: a {} that this host can run",
        clean(&candidate.name),
        inspection.kind
    )];
    lines.extend(
        inspection
            .imports
            .iter()
            .map(|i| clean(&import_line(i)).into_owned()),
    );
    lines.extend(state_lines(&inspection));
    Ok(output::lines(lines)?)
}
