//! `[searcher.warm_start]`: where earlier results come from that the searcher is told before its
//! first suggestion. What they say is for those that may open files.

use std::path::Path;

use crate::{item::Item, log::Log, plan::WarmStart};

/// The reserved option of a searcher.
pub(crate) const WARM_START: &str = "warm_start";
/// Runs and files at most, each: every one is read whole.
pub(crate) const MAX_SOURCES: usize = 64;
/// Longest name or path: a file system allows no longer path.
const MAX_NAME: usize = 4_096;
const HINT: &str =
    "write [searcher.warm_start] and runs = [\"digits\"], or csv = [\"results.csv\"]";

/// The sources in the order of the file; relative paths of CSV files start from its directory.
pub(crate) fn read(root: &Item<'_>, file_name: &str, log: &mut Log) -> WarmStart {
    let Some(item) = root.get("searcher").and_then(|i| i.get(WARM_START)) else {
        return WarmStart::default();
    };
    if !item.is_table(HINT, log) {
        return WarmStart::default();
    }
    item.only(&["runs", "csv"], log);
    if item.entries().next().is_none() {
        item.key_error(format!("`{}` names no results", item.path), HINT, log);
    }
    let runs = texts(&item, "runs", "the name or the directory of a run", log);
    let files = texts(&item, "csv", "a path to a CSV file", log);
    let directory = Path::new(file_name).parent().unwrap_or(Path::new(""));
    WarmStart {
        runs,
        csv: files.iter().map(|path| directory.join(path)).collect(),
    }
}

/// A list of names or paths, each once.
fn texts(table: &Item<'_>, key: &str, what: &str, log: &mut Log) -> Vec<String> {
    let Some(items) = table.get(key).and_then(|list| {
        let items = list.list(HINT, log)?;
        if items.is_empty() || items.len() > MAX_SOURCES {
            let found = format!("`{}` has {} elements", list.path, items.len());
            list.error(found, format!("1 to {MAX_SOURCES} are allowed"), log);
            return None;
        }
        Some(items)
    }) else {
        return Vec::new();
    };
    let mut texts: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = item.text(what, log) else {
            continue;
        };
        if text.is_empty() || text.len() > MAX_NAME || text.chars().any(char::is_control) {
            item.error(format!("`{}` is not {what}", item.path), HINT, log);
        } else if texts.iter().any(|other| other == text) {
            let found = format!("`{text}` stands there twice");
            item.error(found, "its results would count twice: remove one", log);
        } else {
            texts.push(text.to_owned());
        }
    }
    texts
}
