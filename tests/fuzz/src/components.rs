//! Components around generated core modules: a first module, maybe a second one that imports what
//! the first exports, and every function of theirs that can be lifted.

use arbitrary::Unstructured;
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentSectionId, ComponentTypeSection,
    EntityType, ExportKind, ImportSection, InstanceSection, Module, ModuleArg, PrimitiveValType,
    RawSection, TypeSection, ValType,
};
use wasm_smith::Config;
use wasmparser::{ExternalKind, Parser, Payload, Validator, WasmFeatures, types::Types};

/// Name under which the second module sees the first.
const FIRST: &str = "first";
/// Parameters of a function whose arguments are passed flat.
const MAX_PARAMETERS: usize = 16;
/// Bytes of a generated memory: large enough to span chunks, small enough to compare.
const MAX_MEMORY_BYTES: u64 = 1 << 20;
/// Functions that are lifted.
const MAX_LIFTED: usize = 24;

/// A generated component.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The component.
    pub bytes: Vec<u8>,
    /// Names and parameters of its functions.
    pub functions: Vec<(String, Vec<ValType>)>,
}

/// Generates one from random bytes; none if they do not suffice, or lead to what `features` lack.
#[must_use]
pub fn generate(entropy: &[u8], features: WasmFeatures) -> Option<Generated> {
    let (choices, rest) = entropy.split_at_checked(4)?;
    let u = &mut Unstructured::new(choices);
    let (second, twice) = (u.arbitrary().ok()?, u.ratio(1, 20_u8).ok()?);
    let wild = u.ratio(1, 4_u8).ok()?;
    let (of_first, of_second) = rest.split_at(rest.len() / if second { 2 } else { 1 });
    let first = Core::new(module(of_first, config(wild))?, features)?;
    let mut modules = vec![first];
    if second {
        let mut config = config(wild);
        config.available_imports = Some(modules.first()?.as_imports().finish());
        config.max_imports = 20;
        modules.push(Core::new(module(of_second, config)?, features)?);
    }
    Some(wrap(&modules, twice))
}

/// What may be in a module. In a wild one also what rules a snapshot out.
fn config(wild: bool) -> Config {
    Config {
        export_everything: true,
        max_imports: 0,
        min_funcs: 2,
        max_funcs: 10,
        max_instructions: 150,
        min_memories: 1,
        max_memories: 3,
        max_memory32_bytes: MAX_MEMORY_BYTES,
        max_tables: 2,
        max_table_elements: 100,
        min_globals: 2,
        max_globals: 10,
        min_data_segments: 2,
        max_data_segments: 10,
        bulk_memory_enabled: wild,
        reference_types_enabled: wild,
        simd_enabled: wild,
        exceptions_enabled: false,
        gc_enabled: false,
        compact_imports_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        wide_arithmetic_enabled: false,
        custom_page_sizes_enabled: false,
        custom_descriptors_enabled: false,
        ..Config::default()
    }
}

fn module(entropy: &[u8], config: Config) -> Option<Vec<u8>> {
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(entropy)).ok()?;
    Some(module.to_bytes())
}

/// A module with its types.
struct Core {
    bytes: Vec<u8>,
    types: Types,
    exports: Vec<(String, ExternalKind, u32)>,
    imports: bool,
}

impl Core {
    fn new(bytes: Vec<u8>, features: WasmFeatures) -> Option<Self> {
        let types = Validator::new_with_features(features)
            .validate_all(&bytes)
            .ok()?;
        let mut exports = Vec::new();
        let mut imports = false;
        for payload in Parser::new(0).parse_all(&bytes) {
            match payload.ok()? {
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        exports.push((export.name.to_owned(), export.kind, export.index));
                    }
                }
                Payload::ImportSection(section) => imports = section.count() > 0,
                _ => {}
            }
        }
        Some(Self {
            bytes,
            types,
            exports,
            imports,
        })
    }

    /// Parameters and results of a function, if they are numbers and can be lifted.
    fn function(&self, index: u32) -> Option<(Vec<ValType>, Vec<ValType>)> {
        let types = self.types.as_ref();
        let function = types
            .get(types.core_function_at(index))?
            .composite_type
            .inner
            .clone();
        let wasmparser::CompositeInnerType::Func(function) = function else {
            return None;
        };
        let numbers = |types: &[wasmparser::ValType]| -> Option<Vec<ValType>> {
            types.iter().map(|ty| number(*ty)).collect()
        };
        let (params, results) = (numbers(function.params())?, numbers(function.results())?);
        (params.len() <= MAX_PARAMETERS && results.len() <= 1).then_some((params, results))
    }

    /// A module that imports what this one exports: a menu for the next.
    fn as_imports(&self) -> Module {
        let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
        let known = self.types.as_ref();
        for (name, kind, index) in &self.exports {
            let entity = match kind {
                ExternalKind::Func => {
                    let Some((params, results)) = self.function(*index) else {
                        continue;
                    };
                    types.ty().function(params, results);
                    EntityType::Function(types.len() - 1)
                }
                ExternalKind::Global => match known.global_at(*index).try_into() {
                    Ok(global) => EntityType::Global(global),
                    Err(_) => continue,
                },
                ExternalKind::Memory => EntityType::Memory(known.memory_at(*index).into()),
                _ => continue,
            };
            imports.import(FIRST, name, entity);
        }
        let mut module = Module::new();
        module.section(&types).section(&imports);
        module
    }
}

fn number(ty: wasmparser::ValType) -> Option<ValType> {
    match ty {
        wasmparser::ValType::I32 => Some(ValType::I32),
        wasmparser::ValType::I64 => Some(ValType::I64),
        wasmparser::ValType::F32 => Some(ValType::F32),
        wasmparser::ValType::F64 => Some(ValType::F64),
        _ => None,
    }
}

fn primitive(ty: ValType) -> PrimitiveValType {
    match ty {
        ValType::I32 => PrimitiveValType::S32,
        ValType::I64 => PrimitiveValType::S64,
        ValType::F32 => PrimitiveValType::F32,
        _ => PrimitiveValType::F64,
    }
}

fn wrap(modules: &[Core], twice: bool) -> Generated {
    let mut component = Component::new();
    let mut instances = InstanceSection::new();
    for (module, index) in modules.iter().zip(0..) {
        component.section(&RawSection {
            id: ComponentSectionId::CoreModule.into(),
            data: &module.bytes,
        });
        let imports = module.imports.then_some((FIRST, ModuleArg::Instance(0)));
        instances.instantiate(index, imports);
    }
    if twice {
        instances.instantiate::<_, &str>(0, []);
    }
    component.section(&instances);

    let (mut aliases, mut types) = (ComponentAliasSection::new(), ComponentTypeSection::new());
    let mut canonical = CanonicalFunctionSection::new();
    let mut exports = ComponentExportSection::new();
    let mut functions = Vec::new();
    for (module, instance) in modules.iter().zip(0..) {
        for (name, kind, index) in &module.exports {
            let Some((params, results)) = (*kind == ExternalKind::Func)
                .then(|| module.function(*index))
                .flatten()
                .filter(|_| functions.len() < MAX_LIFTED)
            else {
                continue;
            };
            let kind = ExportKind::Func;
            aliases.alias(Alias::CoreInstanceExport {
                instance,
                kind,
                name,
            });
            let names: Vec<_> = (0..params.len()).map(|i| format!("p{i}")).collect();
            types
                .function()
                .params(
                    names
                        .iter()
                        .map(String::as_str)
                        .zip(params.iter().map(|p| primitive(*p))),
                )
                .result(results.first().map(|r| primitive(*r).into()));
            let place = functions.len() as u32;
            canonical.lift(place, place, [] as [CanonicalOption; 0]);
            let name = format!("f{place}");
            // Each export makes another function index behind the lifted ones.
            exports.export(&name, ComponentExportKind::Func, place, None);
            functions.push((name, params));
        }
    }
    component
        .section(&aliases)
        .section(&types)
        .section(&canonical)
        .section(&exports);
    Generated {
        bytes: component.finish(),
        functions,
    }
}
