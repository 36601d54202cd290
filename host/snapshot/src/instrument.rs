//! The stage between a component's file and the compiler: what is compiled is its output, so that
//! snapshots can be taken without any other stage knowing how.
//!
//! Its state becomes reachable: an accessor is appended, data segments are taken out. It must never
//! change what a component computes or what it imports; the accessor is the one new export.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wasm_encoder::{Component, ModuleSection, RawSection};
use wasmparser::{Validator, types::Types};

use crate::accessor_module::{Counts, Reached, append};
use crate::error::{HostMemoryError, SnapshotError};
use crate::layout::Layout;
use crate::module::rewrite;
use crate::root::{Root, Section};
use crate::survey::{InstrumentError, Snapshotable, Survey, features, survey};

/// Changes whenever the output for some component changes; part of a snapshot's identity and of
/// the key of compiled code.
pub const INSTRUMENTATION_VERSION: u32 = 2;

/// Mutable globals of a component together: each costs a call at every capture. A Rust guest has 1,
/// a Python guest some 100.
const MAX_GLOBALS: usize = 1_024;
/// Memories of a component together; the limit of an instance.
const MAX_MEMORIES: usize = 16;

/// A component that is ready to be compiled.
#[derive(Clone, Debug)]
pub struct Instrumented<'a> {
    /// What to compile.
    pub bytes: Cow<'a, [u8]>,
    /// What the pass saw in the component as it was given.
    pub survey: Survey,
    /// What the state of its instances consists of; none if they cannot be snapshotted: then the
    /// bytes are those that were given.
    pub layout: Option<Layout>,
}

/// Why a component is not instrumented.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A construct in it.
    Refused(&'static str),
    /// Something else.
    Failed(InstrumentError),
}

impl Stop {
    /// It is valid, and yet.
    pub(crate) const UNKNOWN: Self = Self::Refused("a form that instrumentation does not know");
}

impl From<wasmparser::BinaryReaderError> for Stop {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<HostMemoryError> for Stop {
    fn from(error: HostMemoryError) -> Self {
        Self::Failed(InstrumentError::Memory(error))
    }
}

impl From<SnapshotError> for Stop {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Memory(error) => error.into(),
            _ => Self::UNKNOWN,
        }
    }
}

/// Validates a component and prepares it for snapshots.
///
/// # Errors
/// If it is invalid, uses a feature that is switched off, or is too large in some part; if the
/// machine has no memory for its initial data.
pub fn instrument(component: &[u8]) -> Result<Instrumented<'_>, InstrumentError> {
    let (mut survey, types) = survey(component)?;
    let made = match (&survey.snapshotable, &types) {
        (Snapshotable::Yes, Some(types)) => transform(component, types),
        (Snapshotable::Yes, None) => Err(Stop::UNKNOWN),
        (Snapshotable::No { .. }, _) => {
            return Ok(unchanged(component, survey));
        }
    };
    match made {
        Ok((bytes, layout)) => Ok(Instrumented {
            bytes: Cow::Owned(bytes),
            survey,
            layout: Some(layout),
        }),
        Err(Stop::Refused(construct)) => {
            let constructs = vec![construct];
            survey.snapshotable = Snapshotable::No { constructs };
            Ok(unchanged(component, survey))
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn unchanged(component: &[u8], survey: Survey) -> Instrumented<'_> {
    Instrumented {
        bytes: Cow::Borrowed(component),
        survey,
        layout: None,
    }
}

fn transform(component: &[u8], types: &Types) -> Result<(Vec<u8>, Layout), Stop> {
    let types = types.as_ref();
    let root = Root::read(component, types)?;
    // Every one of these is validated once more in the output.
    if root.instances() != types.component_instance_count() {
        return Err(Stop::UNKNOWN);
    }
    let counts = Counts {
        core_functions: types.function_count(),
        core_globals: types.global_count(),
        core_memories: types.memory_count(),
        core_modules: types.module_count(),
        core_instances: types.core_instance_count(),
        types: types.component_type_count(),
        functions: types.component_function_count(),
        instances: types.component_instance_count(),
    };
    let mut out = Component::new();
    let mut rewritten = BTreeMap::new();
    for section in &root.sections {
        match section {
            Section::Module(index, bytes)
                if (root.instantiations.iter()).any(|(_, module)| module == index) =>
            {
                let module = rewrite(bytes)?;
                out.section(&ModuleSection(&module.module));
                rewritten.insert(*index, module);
            }
            Section::Module(_, data) => {
                let id = wasm_encoder::ComponentSectionId::CoreModule.into();
                out.section(&RawSection { id, data });
            }
            Section::Other(id, data) => {
                out.section(&RawSection { id: *id, data });
            }
        }
    }
    let mut reached = Reached {
        resources: root.resources,
        ..Reached::default()
    };
    let mut layout = Layout {
        memories: Vec::new(),
        globals: Vec::new(),
        handles: reached.resources.iter().map(|(kind, _)| *kind).collect(),
    };
    for (instance, module) in root.instantiations {
        let module = rewritten.remove(&module).ok_or(Stop::UNKNOWN)?;
        for (name, kind) in module.globals {
            reached.globals.push((instance, name, kind));
            layout.globals.push(kind);
        }
        for (name, memory) in module.memories {
            reached.memories.push((instance, name));
            layout.memories.push(memory);
        }
    }
    if layout.globals.len() > MAX_GLOBALS {
        return Err(Stop::Refused("more than 1,024 mutable globals"));
    }
    if layout.memories.len() > MAX_MEMORIES {
        return Err(Stop::Refused("more than 16 memories"));
    }
    append(&mut out, counts, &reached);
    let bytes = out.finish();
    Validator::new_with_features(features())
        .validate_all(&bytes)
        .map_err(|_| Stop::UNKNOWN)?;
    Ok((bytes, layout))
}
