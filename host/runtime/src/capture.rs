//! Copies the state of an instance out of it, and into it.
//!
//! Both happen between two calls. Neither changes what the instance computes: reading burns no fuel
//! of a step, and an instance that got the state of another goes on exactly as that one.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::records::FailureKind;
use tune_core::{Limits, PluginFault};
use tune_snapshot::{Accessor, HandleKind, HostMemoryError, Layout};
use wasmtime::component::{Resource, ResourceAny};
use wasmtime::{Store, ensure, format_err};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, ReaddirIterator};

use crate::control::Control;
use crate::drive::drive;
use crate::instance::{Instance, Live};
use crate::rebuild::{Change, plan};
use crate::resources::{Sources, make_all};
use crate::snapshot::{Parts, Snapshot};
use crate::snapshot_error::SnapshotError;
use crate::store::{Account, StoreData, on_account};

/// Fuel for reading or writing what is not in memory: a few instructions for each global and handle.
const ACCESS_FUEL: u64 = 1 << 40;
/// The resource of a handle that only fills a slot: there is none.
const NO_RESOURCE: u32 = u32::MAX;

impl<G> Instance<G> {
    /// The state between two calls.
    ///
    /// # Errors
    /// If the instance has ended, or a part of its state is out of reach; then it goes on
    /// unharmed.
    pub(crate) fn capture(&mut self) -> Result<Snapshot, SnapshotError> {
        let linked = Arc::clone(&self.linked);
        let layout = linked.layout()?;
        let Some(live) = &mut self.live else {
            return Err(SnapshotError::Ended);
        };
        let kinds = live.store.data_mut().foreign_handles();
        if !kinds.is_empty() {
            return Err(SnapshotError::Handles { kinds });
        }
        let read = async |accessor: &Accessor, store: &mut Store<StoreData>| {
            Ok(accessor.globals(store).await?)
        };
        let globals = match live.access(layout, read) {
            Ok(globals) => globals,
            Err(error) => {
                self.live = None;
                return Err(error);
            }
        };
        let (mut memories, mut dirty_bytes) = (Vec::with_capacity(live.memories.len()), 0);
        for memory in &live.memories {
            let captured = memory.capture()?;
            memories.push(captured.image);
            dirty_bytes += captured.dirty_bytes;
        }
        let gpu = live.store.data_mut().gpu.capture()?;
        let data = live.store.data();
        Ok(Snapshot::new(Parts {
            component: linked.component,
            globals,
            handles: data.ledger.state(),
            store: data.state(),
            memories,
            gpu,
            dirty_bytes,
        }))
    }

    /// Whether a state can be put over the present one: a memory cannot shrink.
    pub(crate) fn has_room_for(&self, state: &Snapshot) -> bool {
        self.live.as_ref().is_some_and(|live| {
            live.memories.len() == state.memories().len()
                && live
                    .memories
                    .iter()
                    .zip(state.memories())
                    .all(|(memory, image)| memory.byte_len() as u64 <= image.byte_len())
        })
    }

    /// Puts a state in the place of the present one.
    ///
    /// # Errors
    /// If it does not fit, or the machine refuses. The instance has ended then.
    pub(crate) fn restore(
        &mut self,
        state: &Snapshot,
        limits: &Limits,
    ) -> Result<(), SnapshotError> {
        let Some(mut live) = self.live.take() else {
            return Err(SnapshotError::Ended);
        };
        state.check(&self.linked, limits)?;
        state.check_files(&live.store.data().files)?;
        live.store.data_mut().gpu.restore(state.gpu())?;
        live.restore(self.linked.layout()?, state)?;
        self.measured.memory(&live.store);
        self.live = Some(live);
        Ok(())
    }

    /// The same for a new instance, which is of no use without.
    pub(crate) fn restore_fresh(
        &mut self,
        state: &Snapshot,
        limits: &Limits,
    ) -> Result<(), Box<PluginFault>> {
        self.restore(state, limits).map_err(|error| {
            let hint = "an earlier snapshot, or the trial from its start, can take its place";
            let kind = match error {
                SnapshotError::Instance(fault) => return fault,
                SnapshotError::Memory(tune_snapshot::SnapshotError::Memory(_)) => {
                    FailureKind::HostMemory
                }
                SnapshotError::OverLimit(_) => FailureKind::Memory,
                SnapshotError::Damaged(_) | SnapshotError::Mismatch(_) => FailureKind::BadValue,
                _ => FailureKind::HostBug,
            };
            self.fault("restore", kind, &error.to_string(), hint)
        })
    }
}

impl<G> Live<G> {
    /// Runs accessors. A failure of theirs leaves the instance unusable.
    fn access<T>(
        &mut self,
        layout: &Layout,
        work: impl AsyncFnOnce(&Accessor, &mut Store<StoreData>) -> wasmtime::Result<T>,
    ) -> Result<T, SnapshotError> {
        let instance = self.instance;
        let work = async |store: &mut Store<StoreData>| {
            let accessor = Accessor::find(&mut *store, &instance, layout)?;
            work(&accessor, store).await
        };
        // Not the control of the instance: its deadline is that of a step.
        drive(
            &Control::new(),
            on_account(&mut self.store, Account::Accessor, ACCESS_FUEL, work),
        )
        .map_err(refused)
    }

    fn restore(&mut self, layout: &Layout, state: &Snapshot) -> Result<(), SnapshotError> {
        let sizes: Vec<_> = self
            .memories
            .iter()
            .zip(state.memories())
            .map(|(memory, image)| (memory.byte_len() as u64, image.byte_len()))
            .collect();
        if sizes.iter().any(|(present, wanted)| present > wanted) {
            return Err(SnapshotError::Damaged(
                "a memory in it is smaller than the component's".to_owned(),
            ));
        }
        self.access(layout, async |accessor, store| {
            for (index, (present, wanted)) in (0..).zip(sizes) {
                accessor.grow(&mut *store, index, present, wanted).await?;
            }
            Ok(())
        })
        .map_err(|error| match error {
            SnapshotError::HostBug(why) => SnapshotError::Damaged(why),
            other => other,
        })?;
        for (memory, image) in self.memories.iter().zip(state.memories()) {
            memory.restore(image, state.copying())?;
        }
        self.access(layout, async |accessor, store| {
            accessor.set_globals(&mut *store, state.globals()).await?;
            rebuild_handles((layout, accessor), store, state).await
        })?;
        self.store.data_mut().restore(state.store());
        Ok(())
    }
}

/// Why an accessor failed.
fn refused(error: wasmtime::Error) -> SnapshotError {
    use tune_snapshot::SnapshotError as Below;
    let error = match error.downcast::<Below>() {
        Ok(Below::Accessor(error)) => error,
        Ok(other) => return other.into(),
        Err(error) => error,
    };
    match error.downcast_ref::<HostMemoryError>() {
        Some(memory) => Below::from(memory.clone()).into(),
        None => SnapshotError::HostBug(format!("{error:#}")),
    }
}

/// Gives the guest the handles of another instance, under the same numbers.
async fn rebuild_handles(
    (layout, accessor): (&Layout, &Accessor),
    store: &mut Store<StoreData>,
    state: &Snapshot,
) -> wasmtime::Result<()> {
    let wanted = state.handles();
    let data = store.data_mut();
    let changes = plan(data.ledger.handles(), wanted);
    let sources = Sources {
        log: &data.log,
        clock: &data.clock,
        files: &data.files,
    };
    let made = make_all(wanted, sources)?;
    let resource_of: BTreeMap<u32, u32> = made.slot_of.iter().map(|(r, s)| (*s, *r)).collect();
    data.ledger.begin_rebuild();
    let filler = || {
        let kind = layout.handles.first().copied();
        kind.ok_or_else(|| format_err!("the component imports nothing that has handles"))
    };
    for change in changes {
        match change {
            Change::Take { slot, handle } => {
                let (kind, resource) = match handle {
                    Some(handle) => (handle.kind(), resource_of.get(&slot).copied()),
                    None => (filler()?, None),
                };
                let resource = resource.unwrap_or(NO_RESOURCE);
                let resource = as_any(kind, resource, store)?;
                let index = accessor.adopt(&mut *store, kind, resource).await?;
                ensure!(
                    index == slot + 1,
                    "a handle got the number {index} instead of {}",
                    slot + 1
                );
            }
            Change::Drop { slot, kind } => {
                let kind = match kind {
                    Some(kind) => kind,
                    None => filler()?,
                };
                accessor.release(&mut *store, kind, slot + 1).await?;
            }
        }
    }
    let data = store.data_mut();
    data.table = made.table;
    data.ledger
        .rebuilt(wanted.clone(), made.slot_of, made.cursors);
    Ok(())
}

fn as_any(
    kind: HandleKind,
    resource: u32,
    store: &mut Store<StoreData>,
) -> wasmtime::Result<ResourceAny> {
    match kind {
        HandleKind::OutputStream => {
            Resource::<DynOutputStream>::new_own(resource).try_into_resource_any(store)
        }
        HandleKind::InputStream => {
            Resource::<DynInputStream>::new_own(resource).try_into_resource_any(store)
        }
        HandleKind::Pollable => {
            Resource::<DynPollable>::new_own(resource).try_into_resource_any(store)
        }
        HandleKind::Descriptor => {
            Resource::<Descriptor>::new_own(resource).try_into_resource_any(store)
        }
        HandleKind::DirectoryEntryStream => {
            Resource::<ReaddirIterator>::new_own(resource).try_into_resource_any(store)
        }
    }
}
