//! One instance of a plugin with its store: the path that every call takes.
//!
//! After a call that failed the store is dropped and the instance answers every later call with an
//! error: what a guest left half done is never used again.

use std::sync::Arc;

use tune_core::records::FailureKind;
use tune_core::{CallUsage, Limits, PluginFault, Usage};
use tune_snapshot::{Collector, MemoryView};
use wasmtime::Store;

use crate::control::Control;
use crate::drive::drive;
use crate::fault::{Scene, explain, host_memory};
use crate::from_guest::mismatch;
use crate::linked::Linked;
use crate::log::SharedLog;
use crate::store::{
    Account, StoreData, StoreParts, begin, burned, give_fuel, new_store, on_account,
};

/// An amount of fuel and the limit that it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuel {
    pub(crate) amount: u64,
    /// Whose it is, and what that allows altogether.
    pub(crate) limit: &'static str,
    pub(crate) allowed: u64,
}

impl Fuel {
    /// As much as the limit allows.
    pub(crate) fn all_of(limit: &'static str, allowed: u64) -> Self {
        Self {
            amount: allowed,
            limit,
            allowed,
        }
    }

    /// For work of the host's own making.
    pub(crate) fn for_host(limits: &Limits) -> Self {
        Self::all_of("fuel_per_step", limits.fuel_per_step)
    }
}

/// An instance whose exports are `G`.
pub(crate) struct Instance<G> {
    pub(crate) linked: Arc<Linked>,
    /// None after a failed call.
    pub(crate) live: Option<Live<G>>,
    log: SharedLog,
    control: Arc<Control>,
    fuel: Fuel,
    pub(crate) measured: Measured,
    hostcall_bytes: u64,
    handles: u32,
}

/// What the last call left behind, which is known after it has ended the instance too.
#[derive(Default)]
pub(crate) struct Measured {
    burned: u64,
    memory_bytes: u64,
    usage: Usage,
}

impl Measured {
    pub(crate) fn memory(&mut self, store: &Store<StoreData>) {
        self.memory_bytes = store.data().limiter.memory_bytes();
        self.usage = store.data().usage();
    }

    fn fuel(&mut self, store: &Store<StoreData>, control: &Control) {
        self.burned = burned(store);
        control.publish_burned(self.burned);
    }
}

pub(crate) struct Live<G> {
    pub(crate) store: Store<StoreData>,
    exports: G,
    pub(crate) instance: wasmtime::component::Instance,
    pub(crate) memories: Vec<MemoryView>,
}

impl<G> Instance<G> {
    /// Instantiates; start code of the guest runs within `fuel`, of which `burned` is gone already.
    pub(crate) fn new(
        linked: &Arc<Linked>,
        parts: StoreParts<'_>,
        (fuel, burned): (Fuel, u64),
        load: impl FnOnce(&mut Store<StoreData>, &wasmtime::component::Instance) -> wasmtime::Result<G>,
    ) -> Result<Self, Box<PluginFault>> {
        let mut instance = Self {
            linked: Arc::clone(linked),
            live: None,
            log: parts.log.clone(),
            control: Arc::clone(&parts.control),
            fuel,
            measured: Measured::default(),
            hostcall_bytes: parts.limits.hostcall_bytes,
            handles: parts.limits.handles,
        };
        let operation = "instantiate";
        let mut store =
            new_store(&linked.level, parts).map_err(|error| instance.explain(operation, &error))?;
        let collector = Collector::begin_with(linked.layout.as_ref());
        let made = give_fuel(&mut store, fuel.amount, burned).and_then(|()| {
            drive(&instance.control, async {
                let made = linked.pre.instantiate_async(&mut store).await?;
                let exports = load(&mut store, &made).map_err(|error| mismatch(&error))?;
                Ok((made, exports))
            })
        });
        let collected = collector.finish();
        instance.measured.memory(&store);
        if store.data().account == Account::Step {
            instance.measured.fuel(&store, &instance.control);
        }
        match made {
            Ok((made, exports)) => {
                // Later calls are steps.
                store.data_mut().account = Account::Step;
                instance.live = Some(Live {
                    store,
                    exports,
                    instance: made,
                    memories: collected.memories,
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
        self.measured.burned = 0;
        if let Some(live) = &mut self.live
            && begin(&mut live.store, fuel.amount).is_err()
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
        self.run(operation, call, true)
    }

    /// Calls into the guest on the host's account: the fuel of the present or last step stays as
    /// it was.
    pub(crate) fn call_for_host<T>(
        &mut self,
        operation: &'static str,
        fuel: Fuel,
        call: impl AsyncFnOnce(&G, &mut Store<StoreData>) -> wasmtime::Result<T>,
    ) -> Result<T, Box<PluginFault>> {
        let of_step = std::mem::replace(&mut self.fuel, fuel);
        let call = async |exports: &G, store: &mut Store<StoreData>| {
            let call = async |store: &mut Store<StoreData>| call(exports, store).await;
            on_account(store, Account::Host, fuel.amount, call).await
        };
        let result = self.run(operation, call, false);
        self.fuel = of_step;
        result
    }

    fn run<T>(
        &mut self,
        operation: &'static str,
        call: impl AsyncFnOnce(&G, &mut Store<StoreData>) -> wasmtime::Result<T>,
        is_step: bool,
    ) -> Result<T, Box<PluginFault>> {
        let Some(live) = &mut self.live else {
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
        self.measured.memory(&live.store);
        if is_step {
            self.measured.fuel(&live.store, &self.control);
        }
        result.map_err(|error| {
            self.live = None;
            self.explain(operation, &error)
        })
    }

    /// Bytes of buffers on the GPU.
    pub(crate) fn gpu_bytes(&self) -> u64 {
        self.live
            .as_ref()
            .map_or(0, |live| live.store.data().gpu.bytes())
    }

    fn explain(&self, operation: &str, error: &wasmtime::Error) -> Box<PluginFault> {
        let scene = Scene {
            identity: &self.linked.identity,
            operation,
            last_log: self.log.lock().recent(),
            fuel: self.fuel,
            hostcall_bytes: self.hostcall_bytes,
            handles: self.handles,
            usage: self.measured.usage,
            wall: self.control.wall(),
            wall_limit: self.control.wall_limit(),
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
            plugin: self.linked.identity.name.clone(),
            version: self.linked.identity.version.clone(),
            operation: operation.to_owned(),
            kind,
            message: message.to_owned(),
            causes: Vec::new(),
            backtrace: Vec::new(),
            last_log: self.log.lock().recent(),
            hint: hint.to_owned(),
            usage: self.measured.usage,
        })
    }

    /// Ends it; every later call fails.
    pub(crate) fn end(&mut self) {
        self.live = None;
    }

    /// Store data between calls; none after a failure.
    pub(crate) fn data_mut(&mut self) -> Option<&mut StoreData> {
        self.live.as_mut().map(|live| live.store.data_mut())
    }

    /// The log, shared with whatever takes the place of this instance.
    pub(crate) fn log(&self) -> &SharedLog {
        &self.log
    }

    /// Fuel of the present or last step or call.
    pub(crate) fn burned(&self) -> u64 {
        self.measured.burned
    }

    /// The most that the present or last step or call used or wanted.
    pub(crate) fn usage(&self) -> Usage {
        self.measured.usage
    }

    /// What the last call used.
    pub(crate) fn call_usage(&self) -> CallUsage {
        let wall = self.control.wall();
        let left = self.control.remaining().unwrap_or(wall);
        let took = wall.saturating_sub(left).as_micros();
        CallUsage {
            fuel: self.measured.burned,
            wall_us: u64::try_from(took).unwrap_or(u64::MAX),
            instance: self.measured.usage,
        }
    }

    /// All linear memories, after the last call.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.measured.memory_bytes
    }

    /// Log lines since the last take.
    pub(crate) fn take_log(&mut self) -> Vec<u8> {
        self.log.lock().take()
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }
}
