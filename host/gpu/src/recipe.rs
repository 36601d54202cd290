//! What an object is made from: enough to make it again on another device.

use serde::{Deserialize, Serialize};

/// What a buffer is used for. Copies both ways are always possible: without, its bytes could not be
/// brought to another device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferUse {
    /// As `var<uniform>`.
    pub uniform: bool,
    /// As `var<storage>`.
    pub storage: bool,
}

/// How a shader sees a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindingType {
    /// `var<uniform>`.
    Uniform,
    /// `var<storage, read_write>`.
    Storage,
    /// `var<storage, read>`.
    ReadOnlyStorage,
}

/// A place for a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutEntry {
    /// `@binding(n)`.
    pub binding: u32,
    /// How the shader sees it.
    pub binding_type: BindingType,
    /// An offset is given with each use.
    pub has_dynamic_offset: bool,
    /// Bytes that are bound at least; 0: checked at each dispatch.
    pub min_binding_size: u64,
}

/// A buffer in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// `@binding(n)`.
    pub binding: u32,
    /// Its number.
    pub buffer: u64,
    /// In bytes.
    pub offset: u64,
    /// In bytes; none: to the end.
    pub size: Option<u64>,
}

/// What an object is made from. Numbers are those of other objects, all smaller than its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Recipe {
    /// A buffer; its bytes are kept apart.
    Buffer {
        /// For messages, as all labels.
        label: String,
        /// In bytes.
        size: u64,
        /// What it is used for.
        usage: BufferUse,
    },
    /// A shader module.
    ShaderModule {
        /// See above.
        label: String,
        /// WGSL.
        code: String,
    },
    /// A bind group layout.
    BindGroupLayout {
        /// See above.
        label: String,
        /// Its places.
        entries: Vec<LayoutEntry>,
    },
    /// The bind group layout of a pipeline.
    LayoutOf {
        /// Which pipeline.
        pipeline: u64,
        /// `@group(n)`.
        index: u32,
    },
    /// A pipeline layout.
    PipelineLayout {
        /// See above.
        label: String,
        /// One a group.
        bind_group_layouts: Vec<u64>,
    },
    /// A compute pipeline.
    ComputePipeline {
        /// See above.
        label: String,
        /// None: made from the shader.
        layout: Option<u64>,
        /// The shader.
        module: u64,
        /// None: the only one.
        entry_point: Option<String>,
        /// Overridable constants.
        constants: Vec<(String, f64)>,
    },
    /// A bind group.
    BindGroup {
        /// See above.
        label: String,
        /// Its layout.
        layout: u64,
        /// Its buffers.
        entries: Vec<Binding>,
    },
}

/// Kinds of objects, where one of them is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Buffer,
    ShaderModule,
    BindGroupLayout,
    PipelineLayout,
    ComputePipeline,
    BindGroup,
}

impl Recipe {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Buffer { .. } => Kind::Buffer,
            Self::ShaderModule { .. } => Kind::ShaderModule,
            Self::BindGroupLayout { .. } | Self::LayoutOf { .. } => Kind::BindGroupLayout,
            Self::PipelineLayout { .. } => Kind::PipelineLayout,
            Self::ComputePipeline { .. } => Kind::ComputePipeline,
            Self::BindGroup { .. } => Kind::BindGroup,
        }
    }

    /// Bytes of the buffer; 0 of all else.
    pub(crate) fn buffer_bytes(&self) -> u64 {
        match self {
            Self::Buffer { size, .. } => *size,
            _ => 0,
        }
    }

    /// Bytes of the shader; 0 of all else.
    pub(crate) fn shader_bytes(&self) -> u64 {
        match self {
            Self::ShaderModule { code, .. } => code.len() as u64,
            _ => 0,
        }
    }

    /// What it is made of, with what each must be.
    pub(crate) fn parts(&self) -> Vec<(u64, Kind)> {
        match self {
            Self::Buffer { .. } | Self::ShaderModule { .. } | Self::BindGroupLayout { .. } => {
                Vec::new()
            }
            Self::LayoutOf { pipeline, .. } => vec![(*pipeline, Kind::ComputePipeline)],
            Self::PipelineLayout {
                bind_group_layouts, ..
            } => bind_group_layouts
                .iter()
                .map(|layout| (*layout, Kind::BindGroupLayout))
                .collect(),
            Self::ComputePipeline { layout, module, .. } => layout
                .iter()
                .map(|layout| (*layout, Kind::PipelineLayout))
                .chain([(*module, Kind::ShaderModule)])
                .collect(),
            Self::BindGroup {
                layout, entries, ..
            } => std::iter::once((*layout, Kind::BindGroupLayout))
                .chain(entries.iter().map(|entry| (entry.buffer, Kind::Buffer)))
                .collect(),
        }
    }
}
