//! One instance of a plugin with its store: the path that every call takes.
//!
//! After a call that failed the store is dropped and the instance answers every later call with an
//! error: what a guest left half done is never used again.

use std::sync::Arc;

use tune_core::PluginFault;
use tune_core::records::FailureKind;
use tune_snapshot::{Collector, MemoryView};
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::control::Control;
use crate::drive::drive;
use crate::engines::EngineLevel;
use crate::fault::{Identity, Scene, explain, host_memory};
use crate::from_guest::mismatch;
use crate::log::SharedLog;
use crate::store::{StoreData, StoreParts, burned, give_fuel, new_store};

/// An amount of fuel and the limit that it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuel {
    pub(crate) amount: u64,
    pub(crate) limit: &'static str,
}

/// An instance whose exports are `G`.
pub(crate) struct Instance<G> {
    identity: Arc<Identity>,
    /// None after a failed call.
    live: Option<Live<G>>,
    log: SharedLog,
    control: Arc<Control>,
    fuel: Fuel,
    burned: u64,
    memory_bytes: u64,
}

struct Live<G> {
    store: Store<StoreData>,
    exports: G,
    /// Its linear memories, for snapshots.
    _memories: Vec<MemoryView>,
}

impl<G> Instance<G> {
    /// Instantiates; start code of the guest runs within `fuel`.
    pub(crate) fn new(
        identity: Arc<Identity>,
        level: &EngineLevel,
        pre: &InstancePre<StoreData>,
        parts: StoreParts<'_>,
        fuel: Fuel,
        load: impl FnOnce(&mut Store<StoreData>, &wasmtime::component::Instance) -> wasmtime::Result<G>,
    ) -> Result<Self, Box<PluginFault>> {
        let mut instance = Self {
            identity,
            live: None,
            log: parts.log.clone(),
            control: Arc::clone(&parts.control),
            fuel,
            burned: 0,
            memory_bytes: 0,
        };
        let operation = "instantiate";
        let mut store =
            new_store(level, parts).map_err(|error| instance.explain(operation, &error))?;
        let collector = Collector::begin();
        let made = give_fuel(&mut store, fuel.amount).and_then(|()| {
            drive(&instance.control, async {
                let exports = pre.instantiate_async(&mut store).await?;
                Ok(load(&mut store, &exports).map_err(|error| mismatch(&error))?)
            })
        });
        let collected = collector.finish();
        instance.measure(&store);
        match made {
            Ok(exports) => {
                instance.live = Some(Live {
                    store,
                    exports,
                    _memories: collected.memories,
                });
                Ok(instance)
            }
            Err(error) => {
                let mut fault = instance.explain(operation, &error);
                if let Some(failure) = &collected.failure {
                    (fault.kind, fault.message, fault.hint) = host_memory(failure);
                }
                Err(fault)
            }
        }
    }

    /// Begins a step or call with this much fuel.
    pub(crate) fn refuel(&mut self, fuel: Fuel) {
        self.fuel = fuel;
        self.burned = 0;
        if let Some(live) = &mut self.live
            && give_fuel(&mut live.store, fuel.amount).is_err()
        {
            self.live = None;
        }
    }

    /// Calls into the guest.
    pub(crate) fn call<T>(
        &mut self,
        operation: &'static str,
        call: impl AsyncFnOnce(&G, &mut Store<StoreData>) -> wasmtime::Result<T>,
    ) -> Result<T, Box<PluginFault>> {
        let Some(mut live) = self.live.take() else {
            return Err(self.fault(
                operation,
                FailureKind::HostBug,
                "the instance was called after a failure had ended it",
                "a defect of tune-host: please report it",
            ));
        };
        let result = match self.control.check() {
            Ok(()) => drive(&self.control, call(&live.exports, &mut live.store)),
            Err(interrupted) => Err(interrupted.into()),
        };
        self.measure(&live.store);
        match result {
            Ok(value) => {
                self.live = Some(live);
                Ok(value)
            }
            Err(error) => Err(self.explain(operation, &error)),
        }
    }

    fn measure(&mut self, store: &Store<StoreData>) {
        self.burned = burned(store);
        self.memory_bytes = store.data().limiter.memory_bytes();
        self.control.publish_burned(self.burned);
    }

    fn explain(&self, operation: &str, error: &wasmtime::Error) -> Box<PluginFault> {
        let scene = Scene {
            identity: &self.identity,
            operation,
            last_log: self.log.lock().recent(),
            fuel: (self.fuel.limit, self.fuel.amount),
        };
        explain(error, scene)
    }

    /// A failure that the host found.
    pub(crate) fn fault(
        &self,
        operation: &str,
        kind: FailureKind,
        message: &str,
        hint: &str,
    ) -> Box<PluginFault> {
        Box::new(PluginFault {
            plugin: self.identity.name.clone(),
            version: self.identity.version.clone(),
            operation: operation.to_owned(),
            kind,
            message: message.to_owned(),
            causes: Vec::new(),
            backtrace: Vec::new(),
            last_log: self.log.lock().recent(),
            hint: hint.to_owned(),
        })
    }

    /// Store data between calls; none after a failure.
    pub(crate) fn data_mut(&mut self) -> Option<&mut StoreData> {
        self.live.as_mut().map(|live| live.store.data_mut())
    }

    /// Fuel of the present or last step or call.
    pub(crate) fn burned(&self) -> u64 {
        self.burned
    }

    /// All linear memories, after the last call.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Log lines since the last take.
    pub(crate) fn take_log(&mut self) -> Vec<u8> {
        self.log.lock().take()
    }

    pub(crate) fn control(&self) -> &Control {
        &self.control
    }
}
