//! One pass over a component that validates it, bounds it, and finds the constructs that rule out a
//! transparent snapshot, so that a user learns of them when the plugin is loaded and not at the
//! first checkpoint.
//!
//! It runs before anything is compiled, on bytes that nobody has checked, and must never take more
//! than time and memory in proportion to them.

use std::collections::BTreeSet;

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentType,
    ComponentTypeRef, DataKind, Operator, Parser, Payload, RefType, TypeRef, ValType, ValidPayload,
    Validator, WasmFeatures, types::Types,
};

use crate::accessor::ACCESSOR;
use crate::error::HostMemoryError;

/// Custom sections of a component together, in bytes: names and build notes of large guests take
/// some 3 MB, a manifest a few KB.
const MAX_CUSTOM_BYTES: usize = 16 << 20;
/// Core modules in a component. A Python guest has 38.
const MAX_CORE_MODULES: u32 = 256;
/// The custom section in which a plugin describes itself.
const MANIFEST_SECTION: &str = "tune:manifest";
/// Bytes of it.
const MAX_MANIFEST_BYTES: usize = 256 << 10;

/// A component that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstrumentError {
    /// It is damaged, cut off, or uses a feature that is switched off.
    #[error("invalid component: {0}")]
    Invalid(#[from] wasmparser::BinaryReaderError),
    /// It is too large in some part.
    #[error("the component has {what}: {found}, at most {limit} are allowed")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much may be.
        limit: u64,
    },
    /// The machine is short of it.
    #[error(transparent)]
    Memory(#[from] HostMemoryError),
}

/// Whether instances of a component can be snapshotted without its help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Snapshotable {
    /// Memory and globals are the whole state.
    Yes,
    /// It uses these constructs, sorted; it still runs, and can be checkpointed if it exports
    /// `portable-state`.
    No {
        /// In words for people.
        constructs: Vec<&'static str>,
    },
}

/// What a pass over a component saw.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Core modules at any depth.
    pub core_modules: u32,
    /// Linear memories that its core modules define.
    pub memories: u32,
    /// See there.
    pub snapshotable: Snapshotable,
    /// Bytes of the sections `tune:manifest`, at any depth.
    pub manifests: Vec<Vec<u8>>,
    /// Names and types of what it imports and exports.
    pub outside: Outside,
}

/// Imported or exported instance, function or other item of the root component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// As it stands in the component, such as `tune:plugin/log@0.1.0`.
    pub name: String,
    /// Of an instance: the functions in it. None for anything but an instance.
    pub functions: Option<Vec<String>>,
}

/// The outside of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// In the order of the file.
    pub imports: Vec<Item>,
    /// In the order of the file.
    pub exports: Vec<Item>,
}

/// The features of WebAssembly that plugins may use: what the released standard has and a
/// deterministic host can promise. Threads, garbage collection, exceptions, 64-bit memories,
/// relaxed SIMD and component async are off.
#[must_use]
pub fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::SIMD
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::FLOATS
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::GC_TYPES
}

#[derive(Default)]
struct Pass {
    custom_bytes: usize,
    core_modules: u32,
    memories: u32,
    constructs: BTreeSet<&'static str>,
    manifests: Vec<Vec<u8>>,
    /// What each open nesting level is: true for a component.
    nesting: Vec<bool>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// Core modules instantiated by the root component, by index.
    instantiated: BTreeSet<u32>,
}

/// Surveys a component; with the types of everything in its root.
pub(crate) fn survey(component: &[u8]) -> Result<(Survey, Option<Types>), InstrumentError> {
    let mut validator = Validator::new_with_features(features());
    let mut pass = Pass::default();
    let mut types = None;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match validator.payload(&payload)? {
            ValidPayload::Func(to_validate, body) => {
                let mut function = to_validate.into_validator(Default::default());
                function.validate(&body)?;
                pass.function(&body)?;
            }
            ValidPayload::End(end) => types = Some(end),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        pass.payload(&payload)?;
    }
    Ok((pass.finish(types.as_ref()), types))
}

impl Pass {
    /// The payload stands in the root component itself.
    fn at_root(&self) -> bool {
        self.nesting.is_empty()
    }

    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), InstrumentError> {
        match payload {
            Payload::ModuleSection { .. } => {
                if self.nesting.contains(&true) {
                    self.constructs
                        .insert("a nested component with core modules");
                }
                self.nesting.push(false);
                self.core_modules += 1;
                limit(
                    "core modules",
                    self.core_modules.into(),
                    MAX_CORE_MODULES.into(),
                )?;
            }
            Payload::ComponentSection { .. } => self.nesting.push(true),
            Payload::End(_) => {
                self.nesting.pop();
            }
            Payload::CustomSection(section) => {
                self.custom_bytes += section.data().len();
                limit(
                    "bytes in custom sections",
                    self.custom_bytes as u64,
                    MAX_CUSTOM_BYTES as u64,
                )?;
                if section.name() == MANIFEST_SECTION {
                    let bytes = section.data().len();
                    limit(
                        "bytes in its manifest",
                        bytes as u64,
                        MAX_MANIFEST_BYTES as u64,
                    )?;
                    self.manifests.push(section.data().to_vec());
                }
            }
            Payload::ComponentImportSection(section) if self.at_root() => {
                for import in section.clone() {
                    let import = import?;
                    if let ComponentTypeRef::Module(_) = import.ty {
                        self.constructs.insert("an imported core module");
                    }
                    self.imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    if let ComponentAlias::InstanceExport {
                        kind: ComponentExternalKind::Module,
                        ..
                    }
                    | ComponentAlias::Outer {
                        kind: ComponentOuterAliasKind::CoreModule,
                        ..
                    } = alias?
                    {
                        self.constructs.insert("an aliased core module");
                    }
                }
            }
            Payload::ComponentTypeSection(section) => {
                for ty in section.clone() {
                    if let ComponentType::Resource { .. } = ty? {
                        self.constructs.insert("resources of its own");
                    }
                }
            }
            Payload::ComponentExportSection(section) if self.at_root() => {
                for export in section.clone() {
                    let export = export?;
                    if export.name.name == ACCESSOR {
                        self.constructs.insert("an export `tune:snapshot/state`");
                    }
                    self.exports.push(export.name.name.to_owned());
                    if export.kind == ComponentExternalKind::Type {
                        continue;
                    }
                    if export.kind == ComponentExternalKind::Module {
                        self.constructs.insert("an exported core module");
                    }
                }
            }
            Payload::ComponentStartSection { .. } => {
                self.constructs.insert("a component start function");
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    let wasmparser::Instance::Instantiate { module_index, .. } = instance? else {
                        continue;
                    };
                    if !self.at_root() {
                        self.constructs
                            .insert("a nested component with core modules");
                    } else if !self.instantiated.insert(module_index) {
                        self.constructs
                            .insert("a core module that is instantiated twice");
                    }
                }
            }
            Payload::MemorySection(section) => {
                self.memories = self.memories.saturating_add(section.count());
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    self.table(table?.ty.element_type);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.clone() {
                    let global = global?.ty;
                    self.global(global.mutable, global.content_type);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    match import?.ty {
                        TypeRef::Global(global) => self.global(global.mutable, global.content_type),
                        TypeRef::Table(table) => self.table(table.element_type),
                        _ => {}
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section.clone() {
                    if matches!(data?.kind, DataKind::Passive) {
                        self.constructs.insert("passive data segments");
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn global(&mut self, mutable: bool, content: ValType) {
        if mutable && content == ValType::V128 {
            self.constructs.insert("mutable globals of type v128");
        } else if mutable && matches!(content, ValType::Ref(_)) {
            self.constructs
                .insert("mutable globals that hold references");
        } else if let ValType::Ref(reference) = content {
            self.table(reference);
        }
    }

    /// Whoever can hold references of the host gets a memory of wasmtime's own for them, between
    /// those of the component.
    fn table(&mut self, element: RefType) {
        if !element.is_func_ref() {
            self.constructs.insert("references to objects of the host");
        }
    }

    fn function(&mut self, body: &wasmparser::FunctionBody<'_>) -> Result<(), InstrumentError> {
        for operator in body.get_operators_reader()? {
            let construct = match operator? {
                Operator::TableSet { .. } => "table.set",
                Operator::TableGrow { .. } => "table.grow",
                Operator::TableFill { .. } => "table.fill",
                Operator::TableCopy { .. } => "table.copy",
                Operator::TableInit { .. } => "table.init",
                Operator::ElemDrop { .. } => "elem.drop",
                Operator::DataDrop { .. } => "data.drop",
                _ => continue,
            };
            self.constructs.insert(construct);
        }
        Ok(())
    }

    fn finish(mut self, types: Option<&Types>) -> Survey {
        let mut outside = Outside::default();
        for name in std::mem::take(&mut self.imports) {
            outside.imports.push(item(types, name, true));
        }
        for name in std::mem::take(&mut self.exports) {
            let item = item(types, name, false);
            let resources = item.functions.iter().flatten();
            if resources
                .clone()
                .any(|f| f.starts_with("[constructor]") || f.starts_with("[method]"))
            {
                self.constructs.insert("exported resources");
            }
            outside.exports.push(item);
        }
        let snapshotable = if self.constructs.is_empty() {
            Snapshotable::Yes
        } else {
            Snapshotable::No {
                constructs: self.constructs.into_iter().collect(),
            }
        };
        Survey {
            core_modules: self.core_modules,
            memories: self.memories,
            snapshotable,
            manifests: self.manifests,
            outside,
        }
    }
}

/// An imported or exported item with the functions in it.
fn item(types: Option<&Types>, name: String, import: bool) -> Item {
    use wasmparser::component_types::ComponentEntityType;
    let functions = types.and_then(|types| {
        let types = types.as_ref();
        let found = if import {
            types.component_item_for_import(&name)
        } else {
            types.component_item_for_export(&name)
        };
        let ComponentEntityType::Instance(id) = found?.ty else {
            return None;
        };
        let instance = types.get(id)?;
        let functions = instance
            .exports
            .iter()
            .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
            .map(|(name, _)| name.clone());
        Some(functions.collect())
    });
    Item { name, functions }
}

fn limit(what: &'static str, found: u64, limit: u64) -> Result<(), InstrumentError> {
    if found > limit {
        return Err(InstrumentError::TooLarge { what, found, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
