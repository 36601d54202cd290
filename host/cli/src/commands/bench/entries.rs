//! Who takes part: schedulers with their options, loaded once.

use serde_json::{Map, Value};
use tune_core::{Limits, Metering};
use tune_report::clean;
use tune_runtime::{Plugin, PluginKind, Runtime};

use crate::catalog::{Catalog, Source};
use crate::failure::Failure;
use crate::output;
use crate::prepare::rejected;

/// Who takes part unless others are named: every scheduler whose decisions recorded curves can show,
/// with its default options. `threshold` has no use without bounds, `wilcoxon` is for folds, and `pbt`,
/// `pb2` and `pbt-replay` copy and change trials, which recorded curves cannot follow.
const DEFAULT: [&str; 9] = [
    "fifo",
    "asha",
    "asha:type=promotion",
    "hyperband",
    "median-stopping",
    "percentile",
    "patient",
    "pasha",
    "hyper-tune",
];
/// Entries in one comparison at most.
const MAX_ENTRIES: usize = 64;
/// The searcher of all: its first suggestions are the rows of the table.
const SEARCHER: &str = "random";

/// A scheduler with options.
pub(super) struct Entry {
    /// As it was asked for.
    pub(super) name: String,
    /// The plugin.
    pub(super) plugin: String,
    /// A JSON object, defaults filled in.
    pub(super) options: String,
    source: Source,
}

/// All that take part, ready to be started.
pub(super) struct Field {
    pub(super) entries: Vec<Entry>,
    pub(super) searcher: Plugin,
    pub(super) searcher_options: String,
    /// Loaded plugins by name.
    plugins: Vec<(String, Plugin)>,
}

impl Entry {
    pub(super) fn loaded(&self, field: &Field) -> Result<Plugin, Failure> {
        let found = field.plugins.iter().find(|(name, _)| *name == self.plugin);
        let found =
            found.ok_or_else(|| Failure::usage(format!("{} is not loaded", self.plugin)))?;
        Ok(found.1.clone())
    }
}

/// The entries of these words, `NAME` or `NAME:OPTION=VALUE:OPTION=VALUE`.
pub(super) fn choose(catalog: &Catalog, words: Option<&[String]>) -> Result<Vec<Entry>, Failure> {
    let Some(words) = words else {
        let there = catalog.names_of(Some(PluginKind::Scheduler));
        let known = DEFAULT.into_iter().filter(|word| {
            let name = word.split(':').next().unwrap_or_default();
            there.contains(&name)
        });
        return known.map(|word| entry(catalog, word)).collect();
    };
    if words.len() > MAX_ENTRIES {
        return Err(Failure::usage(format!(
            "{} schedulers\n  hint: compare at most {MAX_ENTRIES} at once",
            words.len()
        )));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for word in words {
        let entry = entry(catalog, word.trim())?;
        if entries.iter().any(|other| other.name == entry.name) {
            return Err(Failure::usage(format!(
                "`{}` is named twice\n  hint: name each scheduler once; options tell two of a kind \
                 apart: asha:type=promotion",
                entry.name
            )));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(catalog: &Catalog, word: &str) -> Result<Entry, Failure> {
    let mut parts = word.split(':');
    let name = parts.next().unwrap_or_default();
    let candidate = catalog
        .named(name, Some(PluginKind::Scheduler))
        .map_err(|unknown| {
            Failure::usage(format!("{}\n  hint: {}", unknown.message, unknown.hint))
        })?;
    let inspection = candidate.inspect().map_err(|error| rejected(&error))?;
    if inspection.kind != PluginKind::Scheduler {
        return Err(Failure::usage(format!(
            "`{name}` is a {}, not a scheduler\n  hint: there are {}",
            inspection.kind,
            catalog.names_of(Some(PluginKind::Scheduler)).join(", ")
        )));
    }
    let manifest = &inspection.manifest;
    if manifest.clones || manifest.changes_config {
        return Err(Failure::usage(format!(
            "`{name}` copies trials or changes their configurations while they train, which recorded \
             curves cannot show\n  hint: compare it on live training, see docs/schedulers.md"
        )));
    }
    let mut given = Map::new();
    for part in parts {
        let Some((key, value)) = part.split_once('=') else {
            return Err(Failure::usage(format!(
                "`{}` is no option\n  hint: write asha:type=promotion:reduction_factor=3",
                clean(part)
            )));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        given.insert(key.to_owned(), value);
    }
    let filled = manifest.check_options(&given).map_err(|errors| {
        let errors = errors.iter().map(|error| {
            format!(
                "{name}: option `{}`: {}\n  hint: {}",
                error.key, error.message, error.hint
            )
        });
        Failure::usage(errors.collect::<Vec<_>>().join("\n"))
    })?;
    Ok(Entry {
        name: word.to_owned(),
        plugin: candidate.name.clone(),
        options: Value::Object(filled).to_string(),
        source: candidate.source.clone(),
    })
}

/// Compiles every plugin once.
pub(super) fn load(
    catalog: &Catalog,
    runtime: &Runtime,
    entries: Vec<Entry>,
) -> Result<Field, Failure> {
    let load = |name: &str, kind: PluginKind, source: &Source| {
        let candidate = catalog
            .named(name, Some(kind))
            .map_err(|unknown| Failure::usage(unknown.message))?;
        let metering = match source {
            Source::Embedded => Metering::Fuel,
            Source::File(_) => Metering::Full,
        };
        output::while_waiting(&format!("preparing the plugin {name}"), || {
            runtime.load(name, &candidate.bytes, metering, false, &Limits::default())
        })
        .map_err(|error| rejected(&error))
    };
    let searcher = load(SEARCHER, PluginKind::Searcher, &Source::Embedded)?;
    let options = searcher.manifest().check_options(&Map::new());
    let searcher_options = Value::Object(options.unwrap_or_default()).to_string();
    let mut plugins: Vec<(String, Plugin)> = Vec::new();
    for entry in &entries {
        if plugins.iter().all(|(name, _)| *name != entry.plugin) {
            let plugin = load(&entry.plugin, PluginKind::Scheduler, &entry.source)?;
            plugins.push((entry.plugin.clone(), plugin));
        }
    }
    Ok(Field {
        entries,
        searcher,
        searcher_options,
        plugins,
    })
}
