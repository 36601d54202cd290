//! What a component exports, imports and says of itself, read from its bytes.

use wasmparser::{ComponentExternalKind, Parser, Payload};

/// The outside of a component.
#[derive(Debug, Default)]
pub struct Shape {
    /// Names of the exported instances.
    pub exports: Vec<String>,
    /// Names of the imported instances.
    pub imports: Vec<String>,
    /// Text of the custom section `tune:manifest`.
    pub manifest: Option<String>,
    /// Names of all custom sections of its core modules.
    pub module_sections: Vec<String>,
}

impl Shape {
    /// Reads a component.
    ///
    /// # Errors
    /// If it is no component or the manifest is no UTF-8.
    pub fn read(component: &[u8]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut shape = Self::default();
        // How deep the parser stands in nested modules and components.
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) if depth > 0 => depth -= 1,
                Payload::CustomSection(section) if depth > 0 => {
                    shape.module_sections.push(section.name().to_owned());
                    if section.name() == "tune:manifest" {
                        shape.manifest = Some(std::str::from_utf8(section.data())?.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export?;
                        if export.kind == ComponentExternalKind::Instance {
                            shape.exports.push(export.name.name.to_owned());
                        }
                    }
                }
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        shape.imports.push(import?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }
}
