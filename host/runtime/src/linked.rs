//! A plugin that can be instantiated: compiled, linked, and known well enough to copy its state.

use std::sync::Arc;

use tune_snapshot::{Layout, Snapshotable};
use wasmtime::component::InstancePre;

use crate::engines::EngineLevel;
use crate::fault::Identity;
use crate::snapshot_error::SnapshotError;
use crate::store::StoreData;

/// What every instance of a plugin is made from.
pub(crate) struct Linked {
    pub(crate) identity: Identity,
    pub(crate) level: Arc<EngineLevel>,
    pub(crate) pre: InstancePre<StoreData>,
    /// blake3 of the file.
    pub(crate) component: [u8; 32],
    /// Where the state of an instance lies; none if it is out of reach.
    pub(crate) layout: Option<Layout>,
    pub(crate) snapshotable: Snapshotable,
    /// Its manifest says that no result can change what it answers. It is told none: a call into the sandbox
    /// costs more than all else that a short step does.
    pub(crate) ignores_results: bool,
}

impl Linked {
    /// Where the state of an instance lies.
    ///
    /// # Errors
    /// If it is out of reach.
    pub(crate) fn layout(&self) -> Result<&Layout, SnapshotError> {
        match (&self.layout, &self.snapshotable) {
            (Some(layout), _) => Ok(layout),
            (None, Snapshotable::No { constructs }) => Err(SnapshotError::Constructs {
                constructs: constructs.clone(),
            }),
            (None, Snapshotable::Yes) => Err(SnapshotError::HostBug(
                "the component has no layout".to_owned(),
            )),
        }
    }
}
