//! A core module rewritten so that its state can be reached: mutable globals and memories are
//! exported, and the bytes of its data segments are taken out, to be mapped instead of copied at
//! each instantiation.
//!
//! Nothing of its code is touched, and the segments stay as empty ones, so that it computes what it
//! did.

use std::borrow::Cow;

use wasm_encoder::{ConstExpr, DataSection, ExportKind, ExportSection, Module, RawSection};
use wasmparser::{
    Data, DataKind, ExternalKind, Operator, Parser, Payload, SectionLimited, TypeRef, ValType,
};

use crate::backing::CHUNK;
use crate::image::{Image, ImageBuilder};
use crate::instrument::Stop;
use crate::layout::{MemoryLayout, ValKind};

/// Begins the names of the exports that are added.
const PREFIX: &str = "tune-snapshot-";

/// See the module.
#[derive(Debug)]
pub(crate) struct Rewritten {
    /// The new module.
    pub(crate) module: Module,
    /// Export names and types of its mutable globals.
    pub(crate) globals: Vec<(String, ValKind)>,
    /// Export names and initial content of its memories.
    pub(crate) memories: Vec<(String, MemoryLayout)>,
}

/// What a module defines.
#[derive(Default)]
struct State {
    /// Index and type.
    globals: Vec<(u32, ValKind)>,
    /// Index, bytes, what is taken out of data segments, and whether more can be.
    memories: Vec<Defined>,
    imported_globals: u32,
    imported_memories: u32,
}

struct Defined {
    index: u32,
    bytes: u64,
    genesis: Option<ImageBuilder>,
    /// A segment was left in place: those behind it must stay, too, for they may overwrite it.
    closed: bool,
}

/// Rewrites a valid module.
pub(crate) fn rewrite(bytes: &[u8]) -> Result<Rewritten, Stop> {
    let mut state = State::default();
    let mut names = Vec::new();
    let mut module = Module::new();
    let mut exports = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        // Exports stand behind globals and before start, elements, code and data.
        if exports.is_none() && stands_behind_exports(&payload) {
            let (section, added) = export_section(None, &state)?;
            module.section(&section);
            (exports, names) = (Some(()), added);
        }
        match &payload {
            Payload::ExportSection(section) => {
                let (section, added) = export_section(Some(section), &state)?;
                module.section(&section);
                (exports, names) = (Some(()), added);
                continue;
            }
            Payload::DataSection(section) => {
                module.section(&state.take_data(section, bytes)?);
                continue;
            }
            other => state.read(other)?,
        }
        if let Some((id, range)) = payload.as_section() {
            let data = part(bytes, range)?;
            module.section(&RawSection { id, data });
        }
    }
    let mut names = names.into_iter();
    let mut name = || names.next().unwrap_or_default();
    Ok(Rewritten {
        module,
        globals: (state.globals.iter())
            .map(|(_, kind)| (name(), *kind))
            .collect(),
        memories: (state.memories.into_iter())
            .map(|memory| {
                let genesis = memory.genesis.map(ImageBuilder::finish).transpose()?;
                let layout = MemoryLayout {
                    initial_bytes: memory.bytes,
                    genesis,
                };
                Ok((name(), layout))
            })
            .collect::<Result<_, Stop>>()?,
    })
}

impl State {
    fn read(&mut self, payload: &Payload<'_>) -> Result<(), Stop> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    match import?.ty {
                        TypeRef::Global(_) => self.imported_globals += 1,
                        TypeRef::Memory(_) => self.imported_memories += 1,
                        _ => {}
                    }
                }
            }
            Payload::GlobalSection(section) => {
                for (global, index) in section.clone().into_iter().zip(self.imported_globals..) {
                    let ty = global?.ty;
                    if let (true, Some(kind)) = (ty.mutable, kind(ty.content_type)) {
                        self.globals.push((index, kind));
                    }
                }
            }
            Payload::MemorySection(section) => {
                for (memory, index) in section.clone().into_iter().zip(self.imported_memories..) {
                    let bytes = memory?.initial.saturating_mul(CHUNK as u64);
                    self.memories.push(Defined {
                        index,
                        bytes,
                        genesis: None,
                        closed: false,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The segments, without what can be laid into the memories beforehand. That is what has a
    /// constant place inside a memory of this module: nobody can read the memory before. What lies
    /// elsewhere stays and is written as before.
    fn take_data(
        &mut self,
        section: &SectionLimited<'_, Data<'_>>,
        bytes: &[u8],
    ) -> Result<DataSection, Stop> {
        let mut left = DataSection::new();
        for data in section.clone() {
            let data = data?;
            if let DataKind::Active {
                memory_index,
                offset_expr,
            } = &data.kind
                && let Some(memory) = self.memories.iter_mut().find(|m| m.index == *memory_index)
            {
                let at = constant(offset_expr).filter(|at| {
                    let end = u64::from(*at).saturating_add(data.data.len() as u64);
                    !memory.closed && end <= memory.bytes
                });
                if let Some(at) = at {
                    let genesis = match memory.genesis.take() {
                        Some(genesis) => genesis,
                        None => Image::builder(memory.bytes)?,
                    };
                    memory
                        .genesis
                        .insert(genesis)
                        .write_at(at.into(), data.data)?;
                    let offset = ConstExpr::i32_const(at.cast_signed());
                    left.active(*memory_index, &offset, []);
                    continue;
                }
                memory.closed = true;
            }
            left.raw(part(bytes, data.range)?);
        }
        Ok(left)
    }
}

fn stands_behind_exports(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::StartSection { .. }
            | Payload::ElementSection(_)
            | Payload::DataCountSection { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::DataSection(_)
            | Payload::End(_)
    )
}

/// The exports with those of the state behind them, and the names of the latter.
fn export_section(
    section: Option<&SectionLimited<'_, wasmparser::Export<'_>>>,
    state: &State,
) -> Result<(ExportSection, Vec<String>), Stop> {
    let mut out = ExportSection::new();
    let mut prefix = Cow::Borrowed(PREFIX);
    if let Some(section) = section {
        let mut names = Vec::new();
        for export in section.clone() {
            let export = export?;
            out.export(export.name, export_kind(export.kind)?, export.index);
            names.push(export.name);
        }
        // A name that is taken needs another; each turn leaves fewer that begin with it.
        while names.iter().any(|name| name.starts_with(&*prefix)) {
            prefix.to_mut().push('-');
        }
    }
    let mut added = Vec::new();
    let mut add = |kind, letter: char, index: u32| {
        let name = format!("{prefix}{letter}{index}");
        out.export(&name, kind, index);
        added.push(name);
    };
    for (index, _) in &state.globals {
        add(ExportKind::Global, 'g', *index);
    }
    for memory in &state.memories {
        add(ExportKind::Memory, 'm', memory.index);
    }
    Ok((out, added))
}

/// The value of an expression that is a plain constant.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader();
    let Ok(Operator::I32Const { value }) = operators.read() else {
        return None;
    };
    matches!(operators.read(), Ok(Operator::End)).then_some(value.cast_unsigned())
}

fn export_kind(kind: ExternalKind) -> Result<ExportKind, Stop> {
    match kind {
        ExternalKind::Func => Ok(ExportKind::Func),
        ExternalKind::Table => Ok(ExportKind::Table),
        ExternalKind::Memory => Ok(ExportKind::Memory),
        ExternalKind::Global => Ok(ExportKind::Global),
        ExternalKind::Tag | ExternalKind::FuncExact => Err(Stop::UNKNOWN),
    }
}

fn kind(ty: ValType) -> Option<ValKind> {
    match ty {
        ValType::I32 => Some(ValKind::I32),
        ValType::I64 => Some(ValKind::I64),
        ValType::F32 => Some(ValKind::F32),
        ValType::F64 => Some(ValKind::F64),
        ValType::V128 | ValType::Ref(_) => None,
    }
}

fn part(bytes: &[u8], range: std::ops::Range<u64>) -> Result<&[u8], Stop> {
    bytes
        .get(range.start as usize..range.end as usize)
        .ok_or(Stop::UNKNOWN)
}
