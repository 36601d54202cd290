//! What stands in the root component: its sections as they are, its core modules and in which order
//! they are instantiated, and the WASI resources that it imports.

use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::TypesRef;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentTypeRef, Instance, Parser, Payload,
};

use crate::instrument::Stop;
use crate::layout::HandleKind;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Root<'a> {
    /// In the order of the file.
    pub(crate) sections: Vec<Section<'a>>,
    /// Core instance and core module of each instantiation, in their order.
    pub(crate) instantiations: Vec<(u32, u32)>,
    /// Component instances that define WASI resources, in the order of [`HandleKind::ALL`].
    pub(crate) resources: Vec<(HandleKind, u32)>,
    core_instances: u32,
    instances: u32,
    modules: u32,
}

/// A section of the root component.
#[derive(Debug)]
pub(crate) enum Section<'a> {
    /// A core module, by its index.
    Module(u32, &'a [u8]),
    /// Any other.
    Other(u8, &'a [u8]),
}

impl<'a> Root<'a> {
    /// Reads a valid component that may be instrumented.
    pub(crate) fn read(component: &'a [u8], types: TypesRef<'_>) -> Result<Self, Stop> {
        let mut root = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            if depth == 0 {
                root.index(&payload, types)?;
                if let Some((id, range)) = payload.as_section() {
                    let data = (component.get(range.start as usize..range.end as usize))
                        .ok_or(Stop::UNKNOWN)?;
                    root.section(&payload, id, data);
                }
            }
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        root.resources.sort_unstable();
        if (root.resources.windows(2)).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
            return Err(Stop::Refused("resources of two versions of WASI"));
        }
        Ok(root)
    }

    /// Component instances.
    pub(crate) fn instances(&self) -> u32 {
        self.instances
    }

    fn section(&mut self, payload: &Payload<'_>, id: u8, data: &'a [u8]) {
        if let Payload::ModuleSection { .. } = payload {
            self.sections.push(Section::Module(self.modules, data));
            self.modules += 1;
        } else {
            self.sections.push(Section::Other(id, data));
        }
    }

    /// Counts what takes a place among the instances.
    fn index(&mut self, payload: &Payload<'_>, types: TypesRef<'_>) -> Result<(), Stop> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.instantiations
                            .push((self.core_instances, module_index));
                    }
                    self.core_instances += 1;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import?;
                    if !matches!(import.ty, ComponentTypeRef::Instance(_)) {
                        continue;
                    }
                    let name = import.name.name;
                    let interface = name
                        .split_once('@')
                        .map_or(name, |(interface, _)| interface);
                    for kind in HandleKind::ALL {
                        let (defines, resource) = kind.resource();
                        if defines == interface && has_type(types, name, resource) {
                            self.resources.push((kind, self.instances));
                        }
                    }
                    self.instances += 1;
                }
            }
            Payload::ComponentInstanceSection(section) => self.instances += section.count(),
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    if let ComponentAlias::InstanceExport {
                        kind: ComponentExternalKind::Instance,
                        ..
                    } = alias?
                    {
                        self.instances += 1;
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    if export?.kind == ComponentExternalKind::Instance {
                        self.instances += 1;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether an imported instance has this type.
fn has_type(types: TypesRef<'_>, import: &str, name: &str) -> bool {
    let Some(ComponentEntityType::Instance(id)) =
        types.component_item_for_import(import).map(|item| item.ty)
    else {
        return false;
    };
    let item = types
        .get(id)
        .and_then(|instance| instance.exports.get(name));
    item.is_some_and(|item| matches!(item.ty, ComponentEntityType::Type { .. }))
}
