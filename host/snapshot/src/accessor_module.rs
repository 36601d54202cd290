//! The part that instrumentation appends to a component: a core module that reads and writes the
//! globals of the others, grows their memories, takes handles and drops them, lifted and exported as
//! one instance.

use wasm_encoder::{
    Alias, BlockType, CanonicalFunctionSection, CanonicalOption, CodeSection, Component,
    ComponentAliasSection, ComponentExportKind, ComponentExportSection, ComponentInstanceSection,
    ComponentTypeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalType, ImportSection, InstanceSection, InstructionSink, MemoryType, Module, ModuleArg,
    ModuleSection, PrimitiveValType, TypeSection, ValType,
};

use crate::accessor::ACCESSOR;
use crate::layout::{HandleKind, ValKind};

/// Under what the accessor module imports.
const STATE: &str = "state";

/// How many of each kind a component has: indices of what is appended begin there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) core_functions: u32,
    pub(crate) core_globals: u32,
    pub(crate) core_memories: u32,
    pub(crate) core_modules: u32,
    pub(crate) core_instances: u32,
    pub(crate) types: u32,
    pub(crate) functions: u32,
    pub(crate) instances: u32,
}

/// The state that is reached.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Core instance, export name and type of each global.
    pub(crate) globals: Vec<(u32, String, ValKind)>,
    /// Core instance and export name of each memory.
    pub(crate) memories: Vec<(u32, String)>,
    /// WASI resources and the component instances that define them.
    pub(crate) resources: Vec<(HandleKind, u32)>,
}

/// The functions: in the core module, in the component, and their order.
const GET: &str = "get";
const SET: &str = "set";
const GROW: &str = "grow";
const RELEASE: &str = "release";
const ADOPT: &str = "adopt";
const FUNCTIONS: [&str; 5] = [GET, SET, GROW, RELEASE, ADOPT];
/// Those of which there is one; of the last there is one for each kind of handle.
const SINGLE: [&str; 4] = [GET, SET, GROW, RELEASE];

/// Appends the accessor.
pub(crate) fn append(component: &mut Component, at: Counts, reached: &Reached) {
    let mut aliases = ComponentAliasSection::new();
    let (mut globals, mut memories) = (at.core_globals.., at.core_memories..);
    let mut state = Vec::new();
    let mut reach = |instance: u32, kind, name: &str, indices: &mut std::ops::RangeFrom<u32>| {
        aliases.alias(Alias::CoreInstanceExport {
            instance,
            kind,
            name,
        });
        // Named by their place: what the module imports.
        let place = state.len();
        state.extend(indices.next().map(|index| (place.to_string(), kind, index)));
    };
    for (instance, name, _) in &reached.globals {
        reach(*instance, ExportKind::Global, name, &mut globals);
    }
    for (instance, name) in &reached.memories {
        reach(*instance, ExportKind::Memory, name, &mut memories);
    }
    for (kind, instance) in &reached.resources {
        aliases.alias(Alias::InstanceExport {
            instance: *instance,
            kind: ComponentExportKind::Type,
            name: kind.resource().1,
        });
    }
    let mut drops = CanonicalFunctionSection::new();
    for ((_, ty), function) in (reached.resources.iter().zip(at.types..)).zip(at.core_functions..) {
        drops.resource_drop(ty);
        state.push((state.len().to_string(), ExportKind::Func, function));
    }
    if !state.is_empty() {
        component.section(&aliases);
    }
    if !reached.resources.is_empty() {
        component.section(&drops);
    }
    component.section(&ModuleSection(&module(reached)));
    let mut instances = InstanceSection::new();
    instances.export_items(state);
    let state = (STATE, ModuleArg::Instance(at.core_instances));
    instances.instantiate(at.core_modules, [state]);
    component.section(&instances);

    let mut aliases = ComponentAliasSection::new();
    for name in FUNCTIONS {
        aliases.alias(Alias::CoreInstanceExport {
            instance: at.core_instances + 1,
            kind: ExportKind::Func,
            name,
        });
    }
    component.section(&aliases);
    lift(component, at, &reached.resources);
}

fn lift(component: &mut Component, at: Counts, resources: &[(HandleKind, u32)]) {
    let mut types = ComponentTypeSection::new();
    let first = at.types + resources.len() as u32;
    let (u32_, u64_) = (PrimitiveValType::U32, PrimitiveValType::U64);
    (types.function().params([("index", u32_)])).result(Some(u64_.into()));
    (types.function().params([("index", u32_), ("bits", u64_)])).result(None);
    (types.function().params([("index", u32_), ("pages", u32_)])).result(Some(u32_.into()));
    (types.function().params([("kind", u32_), ("handle", u32_)])).result(None);
    let functions = at.core_functions + resources.len() as u32;
    let mut lifted: Vec<_> = (functions..)
        .zip(first..)
        .zip(SINGLE)
        .map(|((function, ty), name)| (function, ty, name))
        .collect();
    let single = SINGLE.len() as u32;
    let adopt = functions + single;
    for ((kind, _), place) in resources.iter().zip(0..) {
        let own = first + single + 2 * place;
        types.defined_type().own(at.types + place);
        (types.function())
            .params([("handle", wasm_encoder::ComponentValType::Type(own))])
            .result(Some(u32_.into()));
        lifted.push((adopt, own + 1, kind.adopter()));
    }
    component.section(&types);
    let mut canonical = CanonicalFunctionSection::new();
    for (function, ty, _) in &lifted {
        canonical.lift(*function, *ty, [] as [CanonicalOption; 0]);
    }
    component.section(&canonical);
    let mut instances = ComponentInstanceSection::new();
    let names = lifted.iter().map(|(_, _, name)| *name);
    let items: Vec<_> = (names.zip(at.functions..))
        .map(|(name, index)| (name, ComponentExportKind::Func, index))
        .collect();
    instances.export_items(items);
    component.section(&instances);
    let mut exports = ComponentExportSection::new();
    exports.export(ACCESSOR, ComponentExportKind::Instance, at.instances, None);
    component.section(&exports);
}

fn module(reached: &Reached) -> Module {
    let (i32_, i64_) = (ValType::I32, ValType::I64);
    let mut types = TypeSection::new();
    types.ty().function([i32_], [i64_]);
    types.ty().function([i32_, i64_], []);
    types.ty().function([i32_, i32_], [i32_]);
    types.ty().function([i32_, i32_], []);
    types.ty().function([i32_], [i32_]);

    let globals = reached.globals.iter().map(|(_, _, kind)| {
        EntityType::Global(GlobalType {
            val_type: val_type(*kind),
            mutable: true,
            shared: false,
        })
    });
    let memories = reached.memories.iter().map(|_| {
        EntityType::Memory(MemoryType {
            minimum: 0,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        })
    });
    // To drop a handle of each kind.
    let drop = FUNCTIONS.len() as u32;
    types.ty().function([i32_], []);
    let drops = (reached.resources.iter()).map(|_| EntityType::Function(drop));
    let mut imports = ImportSection::new();
    for (entity, place) in globals.chain(memories).chain(drops).zip(0_usize..) {
        imports.import(STATE, &place.to_string(), entity);
    }

    let (mut functions, mut exports) = (FunctionSection::new(), ExportSection::new());
    let imported = reached.resources.len() as u32;
    for (name, index) in FUNCTIONS.into_iter().zip(0..) {
        functions.function(index);
        exports.export(name, ExportKind::Func, imported + index);
    }

    let kinds: Vec<_> = reached.globals.iter().map(|(_, _, kind)| *kind).collect();
    let mut code = CodeSection::new();
    code.function(&choose(kinds.len(), |code, index| {
        code.global_get(index);
        to_bits(code, kinds.get(index as usize));
    }));
    code.function(&choose(kinds.len(), |code, index| {
        code.local_get(1);
        from_bits(code, kinds.get(index as usize));
        code.global_set(index);
    }));
    code.function(&choose(reached.memories.len(), |code, index| {
        code.local_get(1).memory_grow(index);
    }));
    code.function(&choose(reached.resources.len(), |code, index| {
        code.local_get(1).call(index);
    }));
    let mut adopt = Function::new([]);
    adopt.instructions().local_get(0).end();
    code.function(&adopt);

    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&exports)
        .section(&code);
    module
}

/// A function that does something of its own for each value of its first argument below `count`,
/// and traps for any other.
fn choose(count: usize, case: impl Fn(&mut InstructionSink<'_>, u32)) -> Function {
    let count = count as u32;
    let mut function = Function::new([]);
    let mut code = function.instructions();
    for _ in 0..=count {
        code.block(BlockType::Empty);
    }
    code.local_get(0).br_table(0..count, count).end();
    for index in 0..count {
        case(&mut code, index);
        code.return_().end();
    }
    code.unreachable().end();
    function
}

fn to_bits(code: &mut InstructionSink<'_>, kind: Option<&ValKind>) {
    match kind {
        Some(ValKind::I32) => code.i64_extend_i32_u(),
        Some(ValKind::F32) => code.i32_reinterpret_f32().i64_extend_i32_u(),
        Some(ValKind::F64) => code.i64_reinterpret_f64(),
        Some(ValKind::I64) | None => code,
    };
}

fn from_bits(code: &mut InstructionSink<'_>, kind: Option<&ValKind>) {
    match kind {
        Some(ValKind::I32) => code.i32_wrap_i64(),
        Some(ValKind::F32) => code.i32_wrap_i64().f32_reinterpret_i32(),
        Some(ValKind::F64) => code.f64_reinterpret_i64(),
        Some(ValKind::I64) | None => code,
    };
}

fn val_type(kind: ValKind) -> ValType {
    match kind {
        ValKind::I32 => ValType::I32,
        ValKind::I64 => ValType::I64,
        ValKind::F32 => ValType::F32,
        ValKind::F64 => ValType::F64,
    }
}
