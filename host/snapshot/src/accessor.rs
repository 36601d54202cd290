//! Calls of the functions that instrumentation adds to a component: its globals, the growth of its
//! memories, its handles.
//!
//! They run as guest code: they burn the store's fuel and can be interrupted. The caller reads the
//! fuel before and sets it back.

use wasmtime::component::{Instance, ResourceAny, TypedFunc};
use wasmtime::{AsContextMut, format_err};

use crate::backing::CHUNK;
use crate::error::SnapshotError;
use crate::layout::{HandleKind, Layout};

/// The instance that instrumentation exports.
pub(crate) const ACCESSOR: &str = "tune:snapshot/state";
/// What a memory that cannot grow answers.
const REFUSED: u32 = u32::MAX;

/// Takes a handle, gives its index.
type Adopt = TypedFunc<(ResourceAny,), (u32,)>;

/// The accessor of one instance.
#[derive(Clone)]
pub struct Accessor {
    get: TypedFunc<(u32,), (u64,)>,
    set: TypedFunc<(u32, u64), ()>,
    grow: TypedFunc<(u32, u32), (u32,)>,
    release: TypedFunc<(u32, u32), ()>,
    adopt: Vec<(HandleKind, Adopt)>,
    globals: usize,
    memories: usize,
}

impl Accessor {
    /// Finds it in an instance of an instrumented component.
    ///
    /// # Errors
    /// If the component was not instrumented.
    pub fn find(
        mut store: impl AsContextMut,
        instance: &Instance,
        layout: &Layout,
    ) -> Result<Self, SnapshotError> {
        let mut find = || {
            let missing = |name: &str| format_err!("it has no `{name}`");
            let state = instance
                .get_export_index(&mut store, None, ACCESSOR)
                .ok_or_else(|| missing(ACCESSOR))?;
            let mut index = |name: &str| {
                instance
                    .get_export_index(&mut store, Some(&state), name)
                    .ok_or_else(|| missing(name))
            };
            let (get, set, grow) = (index("get")?, index("set")?, index("grow")?);
            let release = index("release")?;
            let adopters: Vec<_> = (layout.handles.iter())
                .map(|kind| Ok((*kind, index(kind.adopter())?)))
                .collect::<wasmtime::Result<_>>()?;
            Ok(Self {
                get: instance.get_typed_func(&mut store, get)?,
                set: instance.get_typed_func(&mut store, set)?,
                grow: instance.get_typed_func(&mut store, grow)?,
                release: instance.get_typed_func(&mut store, release)?,
                adopt: (adopters.into_iter())
                    .map(|(kind, index)| Ok((kind, instance.get_typed_func(&mut store, index)?)))
                    .collect::<wasmtime::Result<_>>()?,
                globals: layout.globals.len(),
                memories: layout.memories.len(),
            })
        };
        find().map_err(SnapshotError::Accessor)
    }

    /// The bits of all mutable globals, in the order of the layout.
    ///
    /// # Errors
    /// If a call fails; the instance is then of no more use.
    pub async fn globals(
        &self,
        mut store: impl AsContextMut<Data: Send>,
    ) -> Result<Vec<u64>, SnapshotError> {
        let mut globals = Vec::with_capacity(self.globals);
        for index in 0..self.globals {
            let (bits,) = (self.get.call_async(&mut store, (index as u32,)).await)
                .map_err(SnapshotError::Accessor)?;
            globals.push(bits);
        }
        Ok(globals)
    }

    /// Sets them.
    ///
    /// # Errors
    /// Another number of globals than the component has, before anything is set; or as
    /// [`Self::globals`].
    pub async fn set_globals(
        &self,
        mut store: impl AsContextMut<Data: Send>,
        globals: &[u64],
    ) -> Result<(), SnapshotError> {
        if globals.len() != self.globals {
            return Err(SnapshotError::Mismatch {
                what: "globals",
                found: globals.len(),
                wanted: self.globals,
            });
        }
        for (index, bits) in globals.iter().enumerate() {
            (self.set.call_async(&mut store, (index as u32, *bits)).await)
                .map_err(SnapshotError::Accessor)?;
        }
        Ok(())
    }

    /// Grows a memory, by its place in the layout, from `from` bytes to `to`, both whole pages; does
    /// nothing if it is that long already.
    ///
    /// # Errors
    /// A memory that does not exist or cannot grow; or as [`Self::globals`].
    pub async fn grow(
        &self,
        mut store: impl AsContextMut<Data: Send>,
        memory: usize,
        from: u64,
        to: u64,
    ) -> Result<(), SnapshotError> {
        if memory >= self.memories {
            return Err(SnapshotError::Mismatch {
                what: "memories",
                found: memory.saturating_add(1),
                wanted: self.memories,
            });
        }
        let pages = to.saturating_sub(from) / CHUNK as u64;
        if pages == 0 {
            return Ok(());
        }
        let pages = u32::try_from(pages).map_err(|_| SnapshotError::Length(to))?;
        let call = self.grow.call_async(&mut store, (memory as u32, pages));
        let (before,) = call.await.map_err(SnapshotError::Accessor)?;
        if before == REFUSED {
            return Err(SnapshotError::Accessor(format_err!(
                "memory {memory} cannot grow from {from} to {to} bytes"
            )));
        }
        Ok(())
    }

    /// Puts a resource into the instance's table of handles; gives the index that it got.
    ///
    /// # Errors
    /// A kind that the component does not import; or as [`Self::globals`].
    pub async fn adopt(
        &self,
        mut store: impl AsContextMut<Data: Send>,
        kind: HandleKind,
        resource: ResourceAny,
    ) -> Result<u32, SnapshotError> {
        let adopter = self.adopt.iter().find(|(known, _)| *known == kind);
        let Some((_, adopter)) = adopter else {
            return Err(SnapshotError::Accessor(format_err!(
                "the component does not import {kind}"
            )));
        };
        let (index,) =
            (adopter.call_async(&mut store, (resource,)).await).map_err(SnapshotError::Accessor)?;
        Ok(index)
    }

    /// Drops the handle with this index; its destructor runs.
    ///
    /// # Errors
    /// An index that is no handle of that kind; or as [`Self::adopt`].
    pub async fn release(
        &self,
        mut store: impl AsContextMut<Data: Send>,
        kind: HandleKind,
        index: u32,
    ) -> Result<(), SnapshotError> {
        let Some(place) = self.adopt.iter().position(|(known, _)| *known == kind) else {
            return Err(SnapshotError::Accessor(format_err!(
                "the component does not import {kind}"
            )));
        };
        let call = (self.release).call_async(&mut store, (place as u32, index));
        call.await.map_err(SnapshotError::Accessor)
    }
}
