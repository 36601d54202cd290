//! The one place in which stores are built: every limit is set here, before any code of the guest
//! runs, and a store cannot be had without them.

use std::sync::Arc;

use tune_core::Limits;
use wasmtime::component::ResourceTable;
use wasmtime::{AsContextMut, CallHook, Store, StoreContextMut, Trap, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::artifact::Artifacts;
use crate::clock::Clock;
use crate::control::Control;
use crate::data::DataSets;
use crate::engines::EngineLevel;
use crate::limiter::Limiter;
use crate::log::SharedLog;
use crate::plugin::Grants;
use crate::random::Randomness;

/// Fuel between two looks at cancellation and deadline. Pinned: the fuel that is charged for a step
/// that traps depends on it, and with that the decision digest. A million costs nothing measurable
/// and is 0.04 to 0.2 ms of compute.
pub const FUEL_YIELD_INTERVAL: u64 = 1_000_000;

/// Host resources (streams, pollables) of an instance. A guest keeps a handful.
const MAX_HOST_RESOURCES: usize = 1_000;

/// What the host keeps for one instance.
pub(crate) struct StoreData {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) log: SharedLog,
    pub(crate) clock: Clock,
    pub(crate) random: Randomness,
    pub(crate) random_bytes: u64,
    pub(crate) data: Arc<DataSets>,
    pub(crate) artifacts: Artifacts,
    control: Arc<Control>,
    /// Fuel that the present step was given; none when fuel is not counted.
    given: Option<u64>,
    /// Fuel that host functions owe for the guest.
    owed: u64,
}

/// What a store is built for.
pub(crate) struct StoreParts<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) control: Arc<Control>,
    pub(crate) seed: u64,
    pub(crate) data: Arc<DataSets>,
    pub(crate) grants: &'a Grants,
    pub(crate) log: SharedLog,
}

impl StoreData {
    /// Host work that the guest pays for: taken from its fuel when the host function returns.
    pub(crate) fn charge(&mut self, fuel: u64) {
        self.owed = self.owed.saturating_add(fuel);
    }

    /// Fuel of the present step that is gone when `left` is left.
    fn burned(&self, left: u64) -> u64 {
        self.given.map_or(0, |given| given.saturating_sub(left))
    }
}

/// Fuel given to the present step.
pub(crate) fn give_fuel(store: &mut Store<StoreData>, fuel: u64) -> wasmtime::Result<()> {
    if store.data().given.is_some() {
        store.set_fuel(fuel)?;
        store.data_mut().given = Some(fuel);
    }
    Ok(())
}

/// Fuel burned since the last [`give_fuel`]; 0 when fuel is not counted.
pub(crate) fn burned(store: &Store<StoreData>) -> u64 {
    store.get_fuel().map_or(0, |left| store.data().burned(left))
}

/// Builds a store with all limits in place, and no fuel yet.
pub(crate) fn new_store(
    level: &EngineLevel,
    parts: StoreParts<'_>,
) -> wasmtime::Result<Store<StoreData>> {
    let limits = parts.limits;
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HOST_RESOURCES);
    // By default: no arguments, no environment, no folders, no sockets, an empty standard input.
    let wasi = WasiCtxBuilder::new()
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build();
    let counts_fuel = level.metering.counts_fuel();
    let mut store = Store::new(
        &level.engine,
        StoreData {
            wasi,
            table,
            limiter: Limiter::new(limits),
            log: parts.log,
            clock: Clock::default(),
            random: Randomness::new(parts.seed),
            random_bytes: limits.random_bytes,
            data: parts.data,
            artifacts: Artifacts::new(parts.grants.artifact, limits),
            control: parts.control,
            given: counts_fuel.then_some(0),
            owed: 0,
        },
    );
    store.limiter(|data| &mut data.limiter);
    store.set_hostcall_fuel(usize::try_from(limits.hostcall_bytes).unwrap_or(usize::MAX));
    store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
    if counts_fuel {
        store.set_fuel(0)?;
        store.fuel_async_yield_interval(Some(FUEL_YIELD_INTERVAL))?;
    }
    if level.metering.checks_epochs() {
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            context.data().control.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
    }
    store.call_hook(watch);
    Ok(store)
}

/// Runs at every yield and around every host call: publishes how far the step is, ends it when it
/// must, and lets the guest pay for what the host did for it.
fn watch(mut context: StoreContextMut<'_, StoreData>, hook: CallHook) -> wasmtime::Result<()> {
    match hook {
        CallHook::CallingHost => {
            let data = context.data();
            if data.given.is_some() {
                let left = context.get_fuel()?;
                data.control.publish_burned(data.burned(left));
            }
            data.control.check()?;
        }
        CallHook::ReturningFromHost => {
            let data = context.data_mut();
            let owed = std::mem::take(&mut data.owed).saturating_add(data.log.take_uncharged());
            if owed > 0 && data.given.is_some() {
                settle(&mut context, owed)?;
            }
        }
        CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
    }
    Ok(())
}

/// The only place where fuel is taken from a guest by the host.
fn settle(mut store: impl AsContextMut<Data = StoreData>, owed: u64) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    let left = store.get_fuel()?.checked_sub(owed);
    store.set_fuel(left.unwrap_or(0))?;
    match left {
        Some(_) => Ok(()),
        None => Err(Trap::OutOfFuel.into()),
    }
}
