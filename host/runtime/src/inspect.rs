//! What a component is, read from its bytes: nothing is compiled and no code of it runs.

use tune_core::{Limits, hex};
use tune_snapshot::{InstrumentError, Instrumented, Item, Snapshotable, Survey, instrument};
use wasmtime::Engine;

use crate::load_error::{LoadError, LoadProblem};
use crate::manifest::Manifest;

/// The contract that this host speaks: major and minor version.
pub const CONTRACT_VERSION: &str = "0.1";

/// The newest WASI of which this host has every function.
const WASI_PATCH: u64 = 12;

/// What a plugin is for, told by the interface that it exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PluginKind {
    /// Training code.
    Trainable,
    /// A search algorithm.
    Searcher,
    /// A trial scheduler.
    Scheduler,
}

impl PluginKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Trainable, Self::Searcher, Self::Scheduler];

    /// The name of its interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trainable => "trainable",
            Self::Searcher => "searcher",
            Self::Scheduler => "scheduler",
        }
    }

    /// The functions that its interface must have.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Trainable => &["setup", "step", "reconfigure"],
            Self::Searcher => &[
                "init",
                "suggest",
                "observe",
                "complete",
                "seed-with",
                "regret-bound",
            ],
            Self::Scheduler => &[
                "init",
                "on-add",
                "on-result",
                "on-complete",
                "on-error",
                "on-remove",
                "next-to-run",
                "describe",
            ],
        }
    }
}

impl std::fmt::Display for PluginKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What this host does about an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportStatus {
    /// It has it.
    Satisfied,
    /// It has it so that the plugin starts, and refuses every use.
    Denied,
    /// It does not give it to any plugin.
    Refused,
    /// It knows an older one, without these functions.
    Newer {
        /// Empty if the host cannot tell which are missing.
        missing: Vec<String>,
    },
    /// It has never heard of it.
    Unknown {
        /// What it knows that is named alike.
        near: Option<String>,
    },
}

/// Something that a component imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// As it stands in the component.
    pub name: String,
    /// See there.
    pub status: ImportStatus,
}

/// What is known of a plugin without compiling it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What it is for.
    pub kind: PluginKind,
    /// The version of the contract that it was built for, such as `0.1.0`.
    pub contract: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// In the order of the file.
    pub imports: Vec<Import>,
    /// Names, in the order of the file.
    pub exports: Vec<String>,
    /// blake3 of the file.
    pub hash: [u8; 32],
    /// Core modules in it.
    pub core_modules: u32,
    /// Whether its instances can be snapshotted without its help.
    pub snapshot: Snapshotable,
    /// Bytes of the file.
    pub size: u64,
}

impl Inspection {
    /// The hash in hexadecimal digits.
    #[must_use]
    pub fn hash_hex(&self) -> String {
        hex(&self.hash)
    }

    /// It exports `portable-state`.
    #[must_use]
    pub fn has_portable_state(&self) -> bool {
        self.exports
            .iter()
            .filter_map(|name| contract_name(name))
            .any(|(interface, version)| {
                interface == "portable-state" && is_our_track(version.unwrap_or_default())
            })
    }

    /// Why it cannot be loaded because of what it imports.
    pub(crate) fn check_imports(&self) -> Result<(), LoadError> {
        for Import { name, status } in &self.imports {
            let (problem, message, hint) = match status {
                ImportStatus::Satisfied | ImportStatus::Denied => continue,
                // Fits as long as it uses no new function; the linker knows.
                ImportStatus::Newer { missing } if missing.is_empty() => continue,
                ImportStatus::Refused => (
                    LoadProblem::Grant,
                    format!("it imports `{name}`, which no plugin is granted"),
                    "plugins have no network: build it without, or read files through [[data]]"
                        .to_owned(),
                ),
                ImportStatus::Newer { missing } => (
                    LoadProblem::Version,
                    format!(
                        "it imports `{}` of `{name}`, newer than this host",
                        missing.join("`, `")
                    ),
                    format!("use a newer tune-host, or build it with an SDK of {CONTRACT_VERSION}"),
                ),
                ImportStatus::Unknown { near } => (
                    LoadProblem::Import,
                    format!("it imports `{name}`, which this host does not have"),
                    match near {
                        Some(near) => format!("the host has `{near}`"),
                        None => "`tune-host plugin check` lists every import".to_owned(),
                    },
                ),
            };
            return Err(LoadError::new(problem, message, hint));
        }
        Ok(())
    }
}

/// Reads what a plugin is. Nothing is compiled and no code of it runs.
///
/// # Errors
/// Not a component, damaged, too large, no plugin, or for another version of the contract.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, LoadError> {
    Ok(examine(bytes, limits)?.0)
}

/// The same, with what is to be compiled.
pub(crate) fn examine<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(Inspection, Instrumented<'a>), LoadError> {
    check_format(bytes, limits)?;
    let instrumented = instrument(bytes).map_err(|error| refused(&error, bytes))?;
    let survey = &instrumented.survey;
    let (kind, contract) = kind_of(survey)?;
    let inspection = Inspection {
        kind,
        contract,
        manifest: Manifest::read(&survey.manifests)?,
        imports: survey.outside.imports.iter().map(import).collect(),
        exports: survey
            .outside
            .exports
            .iter()
            .map(|e| e.name.clone())
            .collect(),
        hash: *blake3::hash(bytes).as_bytes(),
        core_modules: survey.core_modules,
        snapshot: survey.snapshotable.clone(),
        size: bytes.len() as u64,
    };
    Ok((inspection, instrumented))
}

const REBUILD: &str = "build it for the target wasm32-wasip2 with the tune-plugin SDK";

/// What the first bytes say.
fn check_format(bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    let load = |message: String, hint: &str| Err(LoadError::new(LoadProblem::Load, message, hint));
    if bytes.len() as u64 > limits.component_bytes {
        return load(
            format!(
                "the file has {} bytes, {} are allowed",
                bytes.len(),
                limits.component_bytes
            ),
            "build it in release mode and without debug information, or raise `component_bytes`",
        );
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return load(
            "the file is compiled code (.cwasm), which is not loaded from plugin folders"
                .to_owned(),
            "give the component itself; the host compiles it once and keeps the result",
        );
    }
    match (bytes.get(..4), bytes.get(4..8)) {
        (Some(b"\0asm"), Some([_, _, 1, 0])) => Ok(()),
        (Some(b"\0asm"), Some([1, 0, 0, 0])) if has_component_type(bytes) => load(
            "the file is a core module that carries its interface, not a component yet".to_owned(),
            "wrap it: `wasm-tools component new plugin.wasm -o plugin.component.wasm`",
        ),
        (Some(b"\0asm"), Some([1, 0, 0, 0])) => load(
            "the file is a core WebAssembly module, not a component".to_owned(),
            REBUILD,
        ),
        (Some(b"\0asm"), None) => load(
            "the file is cut off after its first bytes".to_owned(),
            REBUILD,
        ),
        (Some(b"\0asm"), Some(_)) => load(
            "the file is WebAssembly of a version that this host does not know".to_owned(),
            REBUILD,
        ),
        _ if bytes.is_empty() => load("the file is empty".to_owned(), REBUILD),
        _ => load("the file is not WebAssembly".to_owned(), REBUILD),
    }
}

/// A core module made by a toolchain that left wrapping to another.
fn has_component_type(module: &[u8]) -> bool {
    const NAME: &[u8] = b"component-type";
    module.windows(NAME.len()).any(|window| window == NAME)
}

fn refused(error: &InstrumentError, bytes: &[u8]) -> LoadError {
    let hint = match error {
        // The offset of a cut section is that of its head.
        InstrumentError::Invalid(e)
            if e.message().contains("unexpected end")
                || e.offset() >= (bytes.len() as u64).saturating_sub(1) =>
        {
            "the file ends too early: copy or build it again"
        }
        InstrumentError::Invalid(_) => {
            "copy or build it again; threads, garbage collection, exceptions, 64-bit memories, \
             relaxed SIMD and component async are switched off"
        }
        InstrumentError::TooLarge { .. } => {
            "build it in release mode and strip it (`strip = true` in the profile)"
        }
    };
    LoadError::new(LoadProblem::Load, error.to_string(), hint)
}

/// Interface and version of a name in our package.
fn contract_name(name: &str) -> Option<(&str, Option<&str>)> {
    let rest = name.strip_prefix("tune:plugin/")?;
    Some(match rest.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (rest, None),
    })
}

/// Major and minor version.
fn track(version: &str) -> &str {
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    match (dots.next(), dots.next()) {
        (Some(_), Some(second)) => version.get(..second).unwrap_or(version),
        _ => version,
    }
}

fn is_our_track(version: &str) -> bool {
    track(version) == CONTRACT_VERSION && !version.contains('-')
}

fn kind_of(survey: &Survey) -> Result<(PluginKind, String), LoadError> {
    let exports = &survey.outside.exports;
    let mut found = Vec::new();
    for export in exports {
        if let Some((interface, version)) = contract_name(&export.name)
            && let Some(kind) = PluginKind::ALL.into_iter().find(|k| k.name() == interface)
        {
            found.push((kind, version.unwrap_or_default(), export));
        }
    }
    let (kind, version, export) = match found.as_slice() {
        [one] => *one,
        [] => return Err(no_plugin(exports)),
        [(a, ..), (b, ..), ..] => {
            return Err(LoadError::new(
                LoadProblem::WrongKind,
                format!("it is both a {a} and a {b}"),
                "a component is one plugin: build two",
            ));
        }
    };
    if !is_our_track(version) {
        let built_for = if version.is_empty() {
            "(no version)"
        } else {
            track(version)
        };
        return Err(LoadError::new(
            LoadProblem::Version,
            format!("it is built for tune:plugin {built_for}; this host speaks {CONTRACT_VERSION}"),
            format!("build it with an SDK of {CONTRACT_VERSION}, or use another tune-host"),
        ));
    }
    let functions = export.functions.as_deref().unwrap_or_default();
    let missing: Vec<_> = kind
        .functions()
        .iter()
        .filter(|wanted| !functions.iter().any(|f| f == *wanted))
        .copied()
        .collect();
    if !missing.is_empty() {
        return Err(LoadError::new(
            LoadProblem::Load,
            format!(
                "its interface `{}` has no `{}`",
                export.name,
                missing.join("`, no `")
            ),
            REBUILD,
        ));
    }
    Ok((kind, version.to_owned()))
}

fn no_plugin(exports: &[Item]) -> LoadError {
    // Enough to recognise what it is; a component can export thousands.
    const SHOWN: usize = 8;
    let names: Vec<_> = exports
        .iter()
        .take(SHOWN)
        .map(|e| format!("`{}`", e.name.escape_debug()))
        .collect();
    let shown = if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    };
    let more = if exports.len() > SHOWN { ", ..." } else { "" };
    let near = PluginKind::ALL.into_iter().find(|kind| {
        exports
            .iter()
            .any(|e| strsim::jaro_winkler(leaf(&e.name), kind.name()) > 0.85)
    });
    LoadError::new(
        LoadProblem::WrongKind,
        format!("it is no plugin: it exports {shown}{more}"),
        match near {
            Some(kind) => format!("a {kind} exports `tune:plugin/{kind}@{CONTRACT_VERSION}.0`"),
            None => "a plugin exports the interface trainable, searcher or scheduler of \
                     tune:plugin"
                .to_owned(),
        },
    )
}

/// The interface in a name: `a:b/trial@1.0.0` is `trial`.
fn leaf(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    name.rsplit_once('/').map_or(name, |(_, leaf)| leaf)
}

/// Interfaces of our package that a plugin can import, with their functions.
const CONTRACT: [(&str, &[&str]); 4] = [
    ("types", &[]),
    ("log", &["write"]),
    ("data", &["entries", "size", "read"]),
    ("artifact", &["write", "append"]),
];

/// Interfaces of WASI that the host has.
const WASI: [&str; 20] = [
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    "filesystem/preopens",
    "filesystem/types",
];

fn import(item: &Item) -> Import {
    let name = item.name.as_str();
    let status = if item.functions.is_none() {
        // A function or a type outside any interface.
        ImportStatus::Unknown { near: None }
    } else if let Some((interface, version)) = contract_name(name) {
        contract_status(interface, version.unwrap_or_default(), item)
    } else if let Some(rest) = name.strip_prefix("wasi:") {
        wasi_status(rest)
    } else {
        ImportStatus::Unknown {
            near: near_interface(leaf(name)),
        }
    };
    Import {
        name: item.name.clone(),
        status,
    }
}

fn contract_status(interface: &str, version: &str, item: &Item) -> ImportStatus {
    let functions = item.functions.as_deref().unwrap_or_default();
    match CONTRACT.iter().find(|(name, _)| *name == interface) {
        Some((_, known)) if is_our_track(version) => {
            let missing: Vec<String> = functions
                .iter()
                .filter(|f| !known.contains(&f.as_str()))
                .cloned()
                .collect();
            if missing.is_empty() {
                ImportStatus::Satisfied
            } else {
                ImportStatus::Newer { missing }
            }
        }
        Some(_) => ImportStatus::Newer {
            missing: functions.to_vec(),
        },
        None => ImportStatus::Unknown {
            near: near_interface(interface),
        },
    }
}

fn wasi_status(rest: &str) -> ImportStatus {
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    if interface.starts_with("http/") {
        return ImportStatus::Refused;
    }
    let denied = interface.starts_with("sockets/");
    if !denied && !WASI.contains(&interface) {
        return ImportStatus::Unknown { near: None };
    }
    match version.strip_prefix("0.2.").map(str::parse::<u64>) {
        Some(Ok(patch)) if patch > WASI_PATCH => ImportStatus::Newer {
            missing: Vec::new(),
        },
        Some(Ok(_)) if denied => ImportStatus::Denied,
        Some(Ok(_)) => ImportStatus::Satisfied,
        _ => ImportStatus::Unknown {
            near: Some(format!("wasi:{interface}@0.2.{WASI_PATCH}")),
        },
    }
}

fn near_interface(interface: &str) -> Option<String> {
    CONTRACT
        .iter()
        .find(|(name, _)| strsim::jaro_winkler(name, interface) > 0.85)
        .map(|(name, _)| format!("tune:plugin/{name}@{CONTRACT_VERSION}.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_belong_to_tracks() {
        for (version, ours) in [
            ("0.1.0", true),
            ("0.1.99", true),
            ("0.1.0-rc", false),
            ("0.2.0", false),
            ("0.10.0", false),
            ("1.1.0", false),
            ("0.1", true),
            ("", false),
        ] {
            assert_eq!(is_our_track(version), ours, "{version}");
        }
    }

    #[test]
    fn imports_are_judged_by_interface_version_and_function() {
        let status = |name: &str, functions: &[&str]| {
            import(&Item {
                name: name.to_owned(),
                functions: Some(functions.iter().map(|f| (*f).to_owned()).collect()),
            })
            .status
        };
        let satisfied = ImportStatus::Satisfied;
        assert_eq!(status("tune:plugin/log@0.1.7", &["write"]), satisfied);
        assert_eq!(status("tune:plugin/types@0.1.0", &[]), satisfied);
        assert_eq!(status("wasi:cli/stdout@0.2.6", &["get-stdout"]), satisfied);
        assert_eq!(status("wasi:sockets/tcp@0.2.6", &[]), ImportStatus::Denied);
        assert_eq!(status("wasi:http/types@0.2.6", &[]), ImportStatus::Refused);
        let newer = |missing: &[&str]| ImportStatus::Newer {
            missing: missing.iter().map(|f| (*f).to_owned()).collect(),
        };
        assert_eq!(
            status("wasi:cli/stdout@0.2.13", &["get-stdout"]),
            newer(&[])
        );
        assert_eq!(
            status("tune:plugin/log@0.1.9", &["write", "trace"]),
            newer(&["trace"])
        );
        assert_eq!(
            status("tune:plugin/log@0.2.0", &["write"]),
            newer(&["write"])
        );
        let unknown = |near: Option<&str>| ImportStatus::Unknown {
            near: near.map(str::to_owned),
        };
        assert_eq!(status("wasi:nn/graph@0.2.0", &[]), unknown(None));
        assert_eq!(
            status("tune:plugin/artefact@0.1.0", &[]),
            unknown(Some("tune:plugin/artifact@0.1.0"))
        );
        assert_eq!(status("other:thing/x@1.0.0", &[]), unknown(None));
    }
}
