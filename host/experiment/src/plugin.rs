//! `[searcher]` and `[scheduler]`: which plugin, and its options as they are. Whether the plugin
//! exists and takes them is for those who can load it.

use crate::{
    experiment::MAX_TRIALS, item::Item, limits, log::Log, plan::LineageOf, tree::Kind,
    warm_start::WARM_START,
};

/// The reserved option of a scheduler that follows the lineage of a trial.
pub(crate) const LINEAGE: &str = "lineage";

/// Keys that no plugin may use as an option, with why they cannot be used yet.
const LATER: [(&str, &str); 1] = [("inner", "plugins cannot be nested yet: choose one plugin")];

/// Longest name or path: a file system allows no longer path.
const MAX_NAME: usize = 4_096;

/// Whether a plugin is named by a path: it has a slash or ends in `.wasm`.
pub(crate) fn is_path(name: &str) -> bool {
    name.contains('/') || name.contains('\\') || name.ends_with(".wasm")
}

/// The name or path of a plugin.
pub(crate) fn name(item: &Item<'_>, log: &mut Log) -> Option<String> {
    let name = item.text("the name of a plugin, or a path to a .wasm file", log)?;
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let fits = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    if !fits || !(plain || is_path(name)) {
        let what = format!("`{}` is \"{name}\"", item.path);
        let hint =
            "a plugin's name has letters, digits, `-`, `_`; a path has a `/` or ends in .wasm";
        item.error(what, hint, log);
        return None;
    }
    Some(name.to_owned())
}

/// Name and options, a JSON object; `default` without options if the file has no such table.
pub(crate) fn read(
    root: &Item<'_>,
    table: &str,
    default: &str,
    belongs_to_experiment: &[&str],
    log: &mut Log,
) -> (String, String) {
    let fallback = (default.to_owned(), "{}".to_owned());
    let Some(item) = root.get(table) else {
        return fallback;
    };
    if matches!(item.node.kind, Kind::Text(_)) {
        return name(&item, log).map_or(fallback, |name| (name, "{}".to_owned()));
    }
    let hint = format!("write [{table}] and plugin = \"{default}\"");
    if !item.is_table(&hint, log) {
        return fallback;
    }
    let plugin = item.get("plugin").map(|plugin| name(&plugin, log));
    let path = item.get("path").map(|path| path_of(&path, log));
    let chosen = match (plugin, path) {
        (Some(plugin), None) => plugin,
        (None, Some(path)) => path,
        (Some(_), Some(_)) => {
            let what = format!("[{table}] has both `plugin` and `path`");
            item.key_error(what, "remove one: `plugin` takes a name or a path", log);
            None
        }
        // Earlier results say nothing of who is told them.
        (None, None)
            if item.entries().all(|(key, _)| key == WARM_START)
                && item.get(WARM_START).is_some() =>
        {
            Some(default.to_owned())
        }
        (None, None) => {
            item.key_error(format!("[{table}] has no `plugin`"), hint, log);
            None
        }
    };
    let mut options = serde_json::Map::new();
    for (key, option) in item.entries() {
        if let Some((_, hint)) = LATER.iter().find(|(later, _)| *later == key) {
            option.not_yet(hint, log);
        } else if key == LINEAGE && !belongs_to_experiment.contains(&key) {
            let what = format!("`{}` belongs to the scheduler", option.path);
            option.key_error(what, "move it to [scheduler]", log);
        } else if key == WARM_START {
            if table != "searcher" {
                let what = format!("`{}` belongs to the searcher", option.path);
                option.key_error(what, "write [searcher.warm_start]", log);
            }
        } else if key != "plugin"
            && key != "path"
            && key != limits::OWN
            && !belongs_to_experiment.contains(&key)
            && let Some(json) = option.json(log)
        {
            options.insert(key.to_owned(), json);
        }
    }
    let options = serde_json::Value::Object(options).to_string();
    (chosen.unwrap_or(fallback.0), options)
}

/// The lineage that the scheduler is to follow: `lineage = { run = "digits", trial = 3 }`.
pub(crate) fn lineage(root: &Item<'_>, log: &mut Log) -> Option<LineageOf> {
    let item = root.get("scheduler")?.get(LINEAGE)?;
    let hint = "write lineage = { run = \"digits\", trial = 3 }";
    if !item.is_table(hint, log) {
        return None;
    }
    item.only(&["run", "trial"], log);
    let mut part = |key: &str| {
        let found = item.get(key);
        if found.is_none() {
            item.key_error(format!("`{}` has no `{key}`", item.path), hint, log);
        }
        found
    };
    let (run, trial) = (part("run"), part("trial"));
    let run = run.and_then(|run| {
        let name = run.text("the name or the directory of a run", log)?;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            let what = format!("`{}` is no name or directory of a run", run.path);
            run.error(what, "`tune-host runs` lists the runs", log);
            return None;
        }
        Some(name.to_owned())
    });
    let trial = trial.and_then(|trial| {
        let number = trial.whole(0..=i128::from(MAX_TRIALS), log)?;
        u32::try_from(number).ok()
    });
    Some(LineageOf {
        run: run?,
        trial: trial?,
    })
}

/// A path that cannot be taken for a name.
fn path_of(item: &Item<'_>, log: &mut Log) -> Option<String> {
    let path = item.text("a path to a .wasm file", log)?;
    if path.is_empty() || path.len() > MAX_NAME || path.chars().any(char::is_control) {
        item.error(
            format!("`{}` is no path", item.path),
            "a path to a .wasm file",
            log,
        );
        return None;
    }
    Some(if is_path(path) {
        path.to_owned()
    } else {
        format!("./{path}")
    })
}
