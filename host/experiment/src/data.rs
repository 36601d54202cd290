//! `[[data]]`: which directories trials may read, under which names.

use std::path::Path;

use crate::{item::Item, log::Log, plan::DataSource};

/// Data sets at most.
const MAX_SETS: usize = 64;
/// Longest name of a data set.
const MAX_NAME: u32 = 128;
/// Longest path: a file system allows no longer one.
const MAX_PATH: usize = 4_096;
const HINT: &str = "write [[data]], name = \"digits\" and path = \"data/digits\"";

/// The data sets in the order of the file; relative paths start from its directory.
pub(crate) fn read(root: &Item<'_>, file_name: &str, log: &mut Log) -> Vec<DataSource> {
    let Some(list) = root.get("data") else {
        return Vec::new();
    };
    let Some(items) = list.list(HINT, log) else {
        return Vec::new();
    };
    if items.len() > MAX_SETS {
        let what = format!("{} data sets", items.len());
        list.error(what, format!("at most {MAX_SETS} are allowed"), log);
        return Vec::new();
    }
    let directory = Path::new(file_name).parent().unwrap_or(Path::new(""));
    let mut found: Vec<DataSource> = Vec::new();
    for item in items {
        if !item.is_table(HINT, log) {
            continue;
        }
        item.only(&["name", "path"], log);
        let (Some(name), Some(path)) = (item.get("name"), item.get("path")) else {
            item.error("a data set needs a name and a path", HINT, log);
            continue;
        };
        let path = path_of(&path, HINT, log);
        let (Some(text), Some(path)) = (name.name(MAX_NAME, log), path) else {
            continue;
        };
        if found.iter().any(|other| other.name == text) {
            let what = format!("two data sets are named `{text}`");
            name.error(what, "give each its own name", log);
            continue;
        }
        found.push(DataSource {
            name: text,
            path: directory.join(path),
        });
    }
    found
}

/// A path of the host.
pub(crate) fn path_of<'a>(item: &Item<'a>, hint: &str, log: &mut Log) -> Option<&'a str> {
    let text = item.text("a directory", log)?;
    let fits = !text.is_empty() && text.len() <= MAX_PATH && !text.chars().any(char::is_control);
    if !fits {
        item.error(format!("`{}` is no path", item.path), hint, log);
    }
    fits.then_some(text)
}
