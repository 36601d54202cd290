//! All that a run leaves to its user, to be compared with that of another run.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::lab::Lab;

/// Said by the wall clock, or of the files beside: never equal in two runs.
const BY_THE_WAY: [&str; 6] = [
    "time_this_iter_s",
    "time_total_s",
    "timestamp",
    "checkpoint_bytes",
    "wall_per_step",
    "wall_per_trial",
];

/// What a run found and left.
#[derive(Clone)]
pub(crate) struct Outcome {
    name: String,
    digest: Value,
    best: Value,
    /// Statuses, configurations, last and best results.
    trials: Value,
    /// Results, configurations, logs and artifacts, by their path in the run.
    files: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    /// Of a run that has finished, by its name.
    #[track_caller]
    pub(crate) fn of(lab: &Lab, run: &str) -> Self {
        Self::at(lab, &format!("runs/{run}"))
    }

    /// Of a run that has finished, by its directory.
    #[track_caller]
    pub(crate) fn at(lab: &Lab, run: &str) -> Self {
        let mut shown = lab.show(run);
        assert_eq!(shown["status"], "finished", "{run}: {}", shown["reason"]);
        strip(&mut shown);
        let root = lab.path(run);
        let mut files = BTreeMap::new();
        for folder in ["logs", "artifacts", "trials"] {
            collect(&root, &root.join(folder), &mut files);
        }
        Self {
            name: run.to_owned(),
            digest: shown["digest"].take(),
            best: shown["best"].take(),
            trials: shown["trials"].take(),
            files,
        }
    }

    /// Leaves a file out of what is compared.
    pub(crate) fn without(mut self, file: &str) -> Self {
        self.files.remove(file);
        self
    }

    /// Everything is equal, bit for bit.
    #[track_caller]
    pub(crate) fn must_equal(&self, other: &Self) {
        let names = format!("{} and {}", self.name, other.name);
        assert_eq!(self.trials, other.trials, "trials of {names}");
        assert_eq!(self.best, other.best, "best of {names}");
        assert_eq!(self.digest, other.digest, "digests of {names}");
        let list = |outcome: &Self| -> Vec<String> { outcome.files.keys().cloned().collect() };
        assert_eq!(list(self), list(other), "files of {names}");
        for (file, content) in &self.files {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            assert!(
                *content == other.files[file],
                "{file} differs in {names}:\n{}\n---\n{}",
                text(content),
                text(&other.files[file])
            );
        }
    }
}

/// Removes what is not compared from a value and all below it.
pub(crate) fn strip(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|key, _| !BY_THE_WAY.contains(&key.as_str()));
            entries.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The files below a folder. Of those for other tools, the configurations and results: the others
/// hold the same with times between.
fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        if path.is_dir() {
            collect(root, &path, files);
        } else if name.ends_with("result.json") {
            let lines = fs::read_to_string(&path).unwrap();
            let line = |line: &str| {
                let mut value: Value = serde_json::from_str(line).unwrap();
                strip(&mut value);
                format!("{value}\n")
            };
            let lines: String = lines.lines().map(line).collect();
            files.insert(name.to_owned(), lines.into_bytes());
        } else if !name.ends_with("progress.csv") && !name.contains("events.out.tfevents") {
            files.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
}
