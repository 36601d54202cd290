//! `[grants] directory`: which directories the trainable may read as files, under which names.

use std::path::Path;

use crate::{data::path_of, item::Item, log::Log, plan::DataSource, tree::Kind};

/// The name of a directory that has no other.
pub(crate) const DEFAULT_NAME: &str = "data";
/// Directories at most: a guest gets a handle for each when it first looks for a file.
pub(crate) const MAX_DIRECTORIES: usize = 16;
/// Longest name.
const MAX_NAME: usize = 64;
const HINT: &str = "write directory = \"some/dir\", which is `/data` to the trainable, or \
                    directory = { images = \"some/dir\" }, which is `/images`";

/// The directories by name; relative paths start from the directory of the file.
pub(crate) fn read(root: &Item<'_>, file_name: &str, log: &mut Log) -> Vec<DataSource> {
    let Some(item) = root
        .get("grants")
        .and_then(|grants| grants.get("directory"))
    else {
        return Vec::new();
    };
    let at = item.node.at;
    let named: Vec<(&str, Item<'_>)> = match item.node.kind {
        Kind::Text(_) => vec![(DEFAULT_NAME, item)],
        Kind::Table(_) => item.entries().collect(),
        _ => {
            item.wrong("a directory", HINT, log);
            return Vec::new();
        }
    };
    if named.len() > MAX_DIRECTORIES {
        let what = format!("{} directories", named.len());
        log.error(
            at,
            "grants.directory",
            what,
            format!("at most {MAX_DIRECTORIES} are allowed"),
        );
        return Vec::new();
    }
    let directory = Path::new(file_name).parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for (name, item) in named {
        if !is_name(name) {
            let what = format!("`{name}` cannot name a directory");
            let hint =
                format!("1 to {MAX_NAME} letters, digits, `-`, `_`, `.`, and no `.` in front");
            item.key_error(what, hint, log);
        } else if let Some(path) = path_of(&item, HINT, log) {
            found.push(DataSource {
                name: name.to_owned(),
                path: directory.join(path),
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain)
}
