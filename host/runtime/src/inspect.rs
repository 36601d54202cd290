//! What a component is, read from its bytes: nothing is compiled and no code of it runs.

use tune_core::{Limits, hex};
use tune_snapshot::{InstrumentError, Instrumented, Item, Snapshotable, Survey, instrument};
use wasmtime::Engine;

use crate::contract_name::{CONTRACT_VERSION, contract_name, is_our_track, leaf, track};
use crate::imports::{Import, import};
use crate::load_error::{LoadError, LoadProblem};
use crate::manifest::Manifest;

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

/// The interface of a trainable whose state other versions of it can read.
const PORTABLE_STATE: &str = "portable-state";

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
                interface == PORTABLE_STATE && is_our_track(version.unwrap_or_default())
            })
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
    check_portable_state(survey)?;
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
        InstrumentError::Memory(_) => "close other programs, or load fewer plugins at once",
    };
    LoadError::new(LoadProblem::Load, error.to_string(), hint)
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
    check_functions(export, kind.functions())?;
    Ok((kind, version.to_owned()))
}

/// The functions of `portable-state`, which a trainable can export beside.
const PORTABLE_FUNCTIONS: [&str; 2] = ["save-chunk", "restore-chunk"];

/// An export of that name is what the contract says.
fn check_portable_state(survey: &Survey) -> Result<(), LoadError> {
    for export in &survey.outside.exports {
        let Some((PORTABLE_STATE, version)) = contract_name(&export.name) else {
            continue;
        };
        if !is_our_track(version.unwrap_or_default()) {
            return Err(LoadError::new(
                LoadProblem::Version,
                format!("its `{}` is of another contract", export.name),
                format!("build it with one SDK, of {CONTRACT_VERSION}"),
            ));
        }
        check_functions(export, &PORTABLE_FUNCTIONS)?;
    }
    Ok(())
}

fn check_functions(export: &Item, wanted: &[&str]) -> Result<(), LoadError> {
    let functions = export.functions.as_deref().unwrap_or_default();
    let missing: Vec<_> = wanted
        .iter()
        .filter(|wanted| !functions.iter().any(|f| f == *wanted))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(LoadError::new(
        LoadProblem::Load,
        format!(
            "its interface `{}` has no `{}`",
            export.name,
            missing.join("`, no `")
        ),
        REBUILD,
    ))
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
