//! Which plugins there are: those in the binary, overridden by name by those in directories. Reads
//! files; what a plugin is told by its bytes alone, and nothing of it runs here.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tune_core::Limits;
use tune_runtime::{Inspection, LoadError, Manifest, PluginKind, inspect};

use crate::failure::Failure;
use crate::runs_dir::near;

/// The variable that names directories of plugins, separated as in `PATH`.
pub(crate) const VARIABLE: &str = "TUNE_HOST_PLUGINS";
/// The directory of plugins beside an experiment file.
const PROJECT: &str = "plugins";
/// Plugins in one directory at most: each is read to learn its name.
const MAX_PLUGINS: usize = 1_000;
/// Larger files are not read at all; the limit `component_bytes` can be no larger.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// It is in the binary.
    Embedded,
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("built in"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A plugin that an experiment can name.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Of its manifest, or else of its file.
    pub(crate) name: String,
    /// Where it comes from.
    pub(crate) source: Source,
    /// The component.
    pub(crate) bytes: Cow<'static, [u8]>,
}

impl Candidate {
    /// What it is, from its bytes.
    pub(crate) fn inspect(&self) -> Result<Inspection, LoadError> {
        self.inspect_within(&Limits::default())
    }

    /// The same, within the limits of an experiment.
    pub(crate) fn inspect_within(&self, limits: &Limits) -> Result<Inspection, LoadError> {
        inspect(&self.bytes, limits)
    }

    /// A file, whatever is in it.
    fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::usage(format!(
                "cannot read the plugin {}: {error}\n  hint: give the path of a .wasm file, or the \
                 name of a plugin of `tune-host plugin list`",
                path.display()
            ))
        };
        // A pipe would be waited for when it is opened, and a device may never end.
        let found = fs::metadata(path).map_err(failed)?;
        if !found.is_file() {
            let what = if found.is_dir() {
                "it is a directory"
            } else {
                "it is not a plain file"
            };
            return Err(failed(std::io::Error::other(what)));
        }
        let not_blocking = OFlags::NONBLOCK;
        let file = File::options()
            .read(true)
            .custom_flags(not_blocking.bits().cast_signed())
            .open(path)
            .map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut candidate = Self {
            name: stem.into_owned(),
            source: Source::File(path.to_owned()),
            bytes: bytes.into(),
        };
        if let Ok(inspection) = candidate.inspect()
            && !inspection.manifest.name.is_empty()
        {
            candidate.name = inspection.manifest.name;
        }
        Ok(candidate)
    }
}

/// A plugin that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// What is wrong.
    pub(crate) message: String,
    /// What was probably meant, or what there is.
    pub(crate) hint: String,
}

/// The plugins that experiments can name.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// The first of a name counts.
    candidates: Vec<Candidate>,
    /// Files that were left out, and why.
    pub(crate) warnings: Vec<String>,
}

impl Catalog {
    /// Looks into `--plugins`, the directories of the variable, the directory beside the experiment
    /// file, and the binary, in this order.
    ///
    /// # Errors
    /// A directory that was asked for cannot be read.
    pub(crate) fn open(asked: Option<&Path>, experiment: Option<&Path>) -> Result<Self, Failure> {
        let variable = std::env::var_os(VARIABLE).unwrap_or_default();
        let mut directories: Vec<PathBuf> = asked.map(Path::to_owned).into_iter().collect();
        directories.extend(std::env::split_paths(&variable).filter(|p| !p.as_os_str().is_empty()));
        let beside = experiment
            .map(|file| file.parent().unwrap_or(Path::new("")).join(PROJECT))
            .filter(|directory| directory.is_dir());
        directories.extend(beside);
        let mut catalog = Self {
            candidates: Vec::new(),
            warnings: Vec::new(),
        };
        for directory in &directories {
            catalog.add_directory(directory)?;
        }
        catalog.candidates.extend(Self::built_in().candidates);
        Ok(catalog)
    }

    /// Only what is in the binary.
    pub(crate) fn built_in() -> Self {
        let embedded = tune_embedded::all().iter().map(|plugin| Candidate {
            name: plugin.name.to_owned(),
            source: Source::Embedded,
            bytes: plugin.bytes.into(),
        });
        Self {
            candidates: embedded.collect(),
            warnings: Vec::new(),
        }
    }

    fn add_directory(&mut self, directory: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::usage(format!(
                "cannot read the plugin directory {}: {error}\n  hint: --plugins and {VARIABLE} name \
                 directories with .wasm files",
                directory.display()
            ))
        };
        let mut entries = fs::read_dir(directory)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut count = 0;
        for entry in entries {
            let path = entry.path();
            let extension = path.extension().unwrap_or_default();
            if extension == "cwasm" {
                self.warnings.push(format!(
                    "{}: compiled code is not loaded from plugin directories; put the .wasm there",
                    path.display()
                ));
            }
            if extension != "wasm" {
                continue;
            }
            if !entry.file_type().map_err(failed)?.is_file() {
                self.warnings.push(format!(
                    "{}: not a plain file (links are not followed), left out",
                    path.display()
                ));
                continue;
            }
            count += 1;
            if count > MAX_PLUGINS {
                return Err(failed(std::io::Error::other(format!(
                    "it has more than {MAX_PLUGINS} plugins"
                ))));
            }
            self.candidates.push(Candidate::read(&path)?);
        }
        Ok(())
    }

    /// All plugins that can be named, each once.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates
            .iter()
            .enumerate()
            .filter_map(|(i, candidate)| {
                let mut before = self.candidates.iter().take(i);
                before
                    .all(|other| other.name != candidate.name)
                    .then_some(candidate)
            })
    }

    /// A plugin by its name.
    ///
    /// # Errors
    /// There is none; `kind` is what it was wanted for, if that is known.
    pub(crate) fn named(
        &self,
        name: &str,
        kind: Option<PluginKind>,
    ) -> Result<&Candidate, Unknown> {
        if let Some(found) = self.candidates.iter().find(|c| c.name == name) {
            return Ok(found);
        }
        let near = near(name, self.candidates().map(|c| c.name.as_str()));
        let what = kind.map_or("plugin", PluginKind::name);
        let all = self.names_of(kind).join(", ");
        let hint = if near.is_empty() {
            format!("there are {all}; --plugins names a directory with more")
        } else {
            format!("did you mean `{}`? There are {all}", near.join("` or `"))
        };
        Err(Unknown {
            message: format!("there is no {what} `{name}`"),
            hint,
        })
    }

    /// A plugin of the binary, whatever directories hold.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn embedded(&self, name: &str, kind: PluginKind) -> Result<Candidate, Unknown> {
        let found = self
            .candidates
            .iter()
            .find(|c| c.name == name && c.source == Source::Embedded);
        found.cloned().ok_or_else(|| Unknown {
            message: format!("this tune-host has no {kind} `{name}`"),
            hint: "use the tune-host that has it".to_owned(),
        })
    }

    /// The names of all plugins of a kind.
    pub(crate) fn names_of(&self, kind: Option<PluginKind>) -> Vec<&str> {
        self.candidates()
            .filter(|candidate| {
                kind.is_none_or(|kind| candidate.inspect().is_ok_and(|found| found.kind == kind))
            })
            .map(|candidate| candidate.name.as_str())
            .collect()
    }

    /// The names of all searchers that do not learn from results, the plainest first.
    pub(crate) fn searchers_that_do_not_learn(&self) -> Vec<&str> {
        let mut names = self.searchers(|manifest| !manifest.learns);
        names.sort_by_key(|name| *name != "random");
        names
    }

    /// The names of all searchers that bound the regret.
    pub(crate) fn searchers_that_bound_regret(&self) -> Vec<&str> {
        self.searchers(|manifest| manifest.bounds_regret)
    }

    fn searchers(&self, wanted: impl Fn(&Manifest) -> bool) -> Vec<&str> {
        let fits = |candidate: &&Candidate| {
            let found = candidate.inspect();
            found.is_ok_and(|i| i.kind == PluginKind::Searcher && wanted(&i.manifest))
        };
        let fitting = self.candidates().filter(fits);
        fitting.map(|candidate| candidate.name.as_str()).collect()
    }

    /// A plugin by its path or name; paths are taken from `base`.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn find(
        &self,
        wanted: &str,
        kind: Option<PluginKind>,
        base: &Path,
    ) -> Result<Candidate, Unknown> {
        if is_path(wanted) {
            let path = base.join(wanted);
            return Candidate::read(&path).map_err(|failure| {
                let message = failure.message();
                let (message, hint) = message.split_once("\n  hint: ").unwrap_or((&message, ""));
                Unknown {
                    message: message.to_owned(),
                    hint: hint.to_owned(),
                }
            });
        }
        self.named(wanted, kind).cloned()
    }
}

/// Whether a plugin is named by a path: as experiment files tell it.
fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".wasm")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_plugin() -> &'static [u8] {
        let all = tune_embedded::all();
        all.iter().find(|p| p.name == "tpe").unwrap().bytes
    }

    #[test]
    fn the_shipped_plugins_are_found_by_name() {
        let catalog = Catalog::open(None, None).unwrap();
        let tpe = catalog
            .find("tpe", Some(PluginKind::Searcher), Path::new(""))
            .unwrap();
        assert_eq!(tpe.source, Source::Embedded);
        assert_eq!(tpe.inspect().unwrap().kind, PluginKind::Searcher);
    }

    #[test]
    fn an_unknown_name_is_answered_with_near_ones_of_the_right_kind() {
        let catalog = Catalog::open(None, None).unwrap();
        let unknown = |name, kind| catalog.find(name, Some(kind), Path::new("")).unwrap_err();
        let slip = unknown("asah", PluginKind::Scheduler);
        assert_eq!(slip.message, "there is no scheduler `asah`");
        assert!(slip.hint.contains("did you mean `asha`"), "{}", slip.hint);
        assert!(slip.hint.contains("fifo"), "{}", slip.hint);
        assert!(!slip.hint.contains("tpe"), "{}", slip.hint);
        let far = unknown("zzzzzzzz", PluginKind::Searcher);
        assert!(far.hint.contains("random"), "{}", far.hint);
    }

    #[test]
    fn a_plugin_directory_goes_before_the_binary() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("other-name.wasm"), some_plugin()).unwrap();
        fs::write(dir.path().join("nonsense.wasm"), b"no").unwrap();
        fs::write(dir.path().join("readme.txt"), b"no").unwrap();
        let catalog = Catalog::open(Some(dir.path()), None).unwrap();
        let tpe = catalog.named("tpe", None).unwrap();
        assert_eq!(tpe.source, Source::File(dir.path().join("other-name.wasm")));
        assert_eq!(catalog.candidates().filter(|c| c.name == "tpe").count(), 1);
        // It can be named; why it cannot be used is told when it is.
        assert!(catalog.named("nonsense", None).unwrap().inspect().is_err());
        assert!(catalog.named("readme", None).is_err());
    }

    #[test]
    fn the_directory_beside_an_experiment_is_looked_into() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("plugins")).unwrap();
        fs::write(dir.path().join("plugins/x.wasm"), some_plugin()).unwrap();
        let catalog = Catalog::open(None, Some(&dir.path().join("a.toml"))).unwrap();
        assert_ne!(catalog.named("tpe", None).unwrap().source, Source::Embedded);
    }

    #[test]
    fn links_and_compiled_code_in_directories_are_left_out_and_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("fast.cwasm"), some_plugin()).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.wasm")).unwrap();
        let catalog = Catalog::open(Some(dir.path()), None).unwrap();
        assert!(catalog.named("fast", None).is_err());
        assert!(catalog.named("link", None).is_err());
        assert!(catalog.warnings.iter().any(|w| w.contains("fast.cwasm")));
        assert!(catalog.warnings.iter().any(|w| w.contains("link.wasm")));
        assert!(Catalog::open(Some(&dir.path().join("none")), None).is_err());
    }

    #[test]
    fn paths_start_from_the_experiment_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine.wasm"), some_plugin()).unwrap();
        let catalog = Catalog::open(None, None).unwrap();
        assert!(catalog.find("mine.wasm", None, dir.path()).is_ok());
        let missing = catalog.find("./other.wasm", None, dir.path()).unwrap_err();
        assert!(
            missing.message.contains("other.wasm"),
            "{}",
            missing.message
        );
        assert!(missing.hint.contains("plugin list"), "{}", missing.hint);
    }
}
