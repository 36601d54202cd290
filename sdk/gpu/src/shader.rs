//! Programs of the device and what they work on.

use crate::{
    Buffer, GpuError,
    host::{self, Id},
};

/// Destroyed when dropped.
#[derive(Debug)]
struct Object(Id);

impl Drop for Object {
    fn drop(&mut self) {
        host::destroy(self.0);
    }
}

/// WGSL, checked and compiled.
#[derive(Debug)]
pub struct Module(Object);

impl Module {
    /// Compiles `wgsl`.
    ///
    /// # Errors
    /// [`GpuError::Validation`] with the line, [`GpuError::OverQuota`] if it is
    /// too long.
    pub fn new(label: &str, wgsl: &str) -> Result<Self, GpuError> {
        host::create_shader_module(label, wgsl).map(|id| Self(Object(id)))
    }
}

/// What every device allows as the distance of offsets of [`BindGroup::at`], in bytes.
pub const OFFSET_ALIGNMENT: u32 = 256;

/// How a binding of a group is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `var<uniform>`.
    Uniform,
    /// `var<uniform>` of so many bytes, at an offset that each dispatch chooses: see [`BindGroup::at`].
    UniformAt(u64),
    /// `var<storage, read_write>`.
    Storage,
    /// `var<storage, read>`.
    ReadOnlyStorage,
}

/// The bindings of a group: 0, 1, 2 and so on.
#[derive(Debug)]
pub struct Layout(Object);

impl Layout {
    /// A group of these bindings.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if there are more than the device has.
    pub fn new(bindings: &[Binding]) -> Result<Self, GpuError> {
        host::create_bind_group_layout(bindings).map(|id| Self(Object(id)))
    }

    /// The buffers for the bindings, in their order.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if they do not fit.
    pub fn bind(&self, buffers: &[Bound]) -> Result<BindGroup, GpuError> {
        host::create_bind_group(self.0.0, buffers).map(|id| BindGroup(Object(id)))
    }
}

/// A buffer as it is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    pub(crate) buffer: Id,
    /// Bytes before the part that is bound.
    pub(crate) offset: u64,
    /// Bytes of the part that is bound; none: all.
    pub(crate) size: Option<u64>,
}

impl<T> Buffer<T> {
    /// All of it.
    #[must_use]
    pub fn all(&self) -> Bound {
        Bound {
            buffer: self.id(),
            offset: 0,
            size: None,
        }
    }

    /// `size` bytes of it from `offset` on, a multiple of [`OFFSET_ALIGNMENT`].
    #[must_use]
    pub fn part(&self, offset: u64, size: u64) -> Bound {
        Bound {
            buffer: self.id(),
            offset,
            size: Some(size),
        }
    }

    /// So many bytes of it, from the offset that the dispatch chooses.
    #[must_use]
    pub fn window(&self, bytes: u64) -> Bound {
        Bound {
            buffer: self.id(),
            offset: 0,
            size: Some(bytes),
        }
    }
}

/// An entry point with its constants.
#[derive(Debug)]
pub struct Pipeline(Object);

impl Pipeline {
    /// The entry point `entry` of `module`, with `constants` for its `override`s. Groups are as `layouts`
    /// has them; none: as the shader uses them, for [`Pipeline::layout`].
    ///
    /// # Errors
    /// [`GpuError::Validation`] if there is no such entry point or override, or the layouts
    /// do not fit.
    pub fn new(
        module: &Module,
        entry: &str,
        layouts: &[&Layout],
        constants: &[(&str, f64)],
    ) -> Result<Self, GpuError> {
        let layout = match layouts {
            [] => None,
            some => {
                let ids: Vec<Id> = some.iter().map(|layout| layout.0.0).collect();
                Some(Object(host::create_pipeline_layout(&ids)?))
            }
        };
        let layout = layout.as_ref().map(|layout| layout.0);
        host::create_compute_pipeline(layout, module.0.0, entry, constants)
            .map(|id| Self(Object(id)))
    }

    /// The bindings of group `index` as the shader uses them. Groups of these bindings are for this
    /// pipeline alone.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if there is no such group.
    pub fn layout(&self, index: u32) -> Result<Layout, GpuError> {
        host::get_bind_group_layout(self.0.0, index).map(|id| Layout(Object(id)))
    }

    pub(crate) fn id(&self) -> Id {
        self.0.0
    }
}

/// Buffers for the bindings of a layout.
#[derive(Debug)]
pub struct BindGroup(Object);

impl BindGroup {
    /// For a dispatch, with an offset in bytes for each [`Binding::UniformAt`], a multiple of [`OFFSET_ALIGNMENT`].
    #[must_use]
    pub fn at(&self, offsets: &[u32]) -> Group {
        Group {
            id: self.0.0,
            offsets: offsets.to_vec(),
        }
    }

    /// For a dispatch, without offsets.
    #[must_use]
    pub fn whole(&self) -> Group {
        self.at(&[])
    }
}

/// A group of a dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub(crate) id: Id,
    pub(crate) offsets: Vec<u32>,
}
