//! Which searchers take part: plugins with options, loaded once and compiled once.

use tune_runtime::PluginKind;

use crate::conversation::{Opening, Part};
use crate::failure::Failure;

/// Who takes part unless others are named: those that need no scheduler beside them and do not come to an
/// end by themselves.
const DEFAULT: [&str; 7] = ["auto", "tpe", "gp", "cmaes", "evolution", "sobol", "random"];
/// Searchers in one comparison at most.
const MAX_ENTRIES: usize = 64;

/// A searcher with options.
pub(super) struct Entry {
    /// As it was asked for.
    pub(super) name: String,
    /// Started anew for every run.
    pub(super) part: Part,
    /// It learns from results; what does not is a baseline.
    pub(super) learns: bool,
}

/// The searchers of these words, `NAME` or `NAME:OPTION=VALUE:OPTION=VALUE`.
pub(super) fn choose(open: &Opening, words: Option<&[String]>) -> Result<Vec<Entry>, Failure> {
    let Some(words) = words else {
        let there = open.names_of(PluginKind::Searcher);
        let known = DEFAULT.into_iter().filter(|name| there.contains(name));
        return known.map(|name| entry(open, name)).collect();
    };
    if words.len() > MAX_ENTRIES {
        return Err(Failure::usage(format!(
            "{} searchers\n  hint: compare at most {MAX_ENTRIES} at once",
            words.len()
        )));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for word in words {
        let entry = entry(open, word.trim())?;
        if entries.iter().any(|other| other.name == entry.name) {
            return Err(Failure::usage(format!(
                "`{}` is named twice\n  hint: name each searcher once; options tell two of a kind apart: \
                 tpe:gamma=0.2",
                entry.name
            )));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(open: &Opening, word: &str) -> Result<Entry, Failure> {
    let mut parts = word.split(':');
    let name = parts.next().unwrap_or_default();
    let options = parts.map(|part| {
        let option = part.split_once('=');
        let option = option.map(|(key, value)| (key.to_owned(), value.to_owned()));
        option.ok_or_else(|| {
            Failure::usage(format!(
                "`{}` is no option\n  hint: write tpe:n_startup_trials=20",
                tune_report::clean(part)
            ))
        })
    });
    let options = options.collect::<Result<Vec<_>, _>>()?;
    let part = open.part(PluginKind::Searcher, name, &options)?;
    Ok(Entry {
        name: word.to_owned(),
        learns: part.learns(),
        part,
    })
}
