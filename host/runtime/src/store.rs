//! The one place in which stores are built: every limit is set here, before any code of the guest
//! runs, and a store cannot be had without them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tune_core::{Limits, Usage};
use wasmtime::component::ResourceTable;
use wasmtime::{AsContextMut, CallHook, Store, StoreContextMut, Trap, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::artifact::{self, Artifacts};
use crate::clock::Clock;
use crate::control::Control;
use crate::data::DataSets;
use crate::engines::EngineLevel;
use crate::files::Files;
use crate::gpu::Gpu;
use crate::handles::Ledger;
use crate::limiter::Limiter;
use crate::log::{LogState, SharedLog};
use crate::plugin::Grants;
use crate::random::{RandomState, Randomness};
use crate::resources::new_table;

/// Fuel between two looks at cancellation and deadline. Pinned: the fuel that is charged for a step
/// that traps depends on it, and with that the decision digest. A million costs nothing measurable
/// and is 0.04 to 0.2 ms of compute.
pub const FUEL_YIELD_INTERVAL: u64 = 1_000_000;

/// On whose account a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// A step or a call of a decider: what it burns is published as it goes.
    Step,
    /// Work of the host's own making, such as carrying a state over: it can be cancelled, and
    /// burns fuel that nobody is charged.
    Host,
    /// The few instructions that read and write what is not in memory: never interrupted.
    Accessor,
}

/// What the host keeps for one instance.
pub(crate) struct StoreData {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) ledger: Ledger,
    pub(crate) limiter: Limiter,
    pub(crate) log: SharedLog,
    pub(crate) clock: Clock,
    pub(crate) random: Randomness,
    pub(crate) random_bytes: u64,
    /// The most random bytes asked for at once since the present step began.
    pub(crate) most_random: u64,
    pub(crate) data: Arc<DataSets>,
    pub(crate) files: Files,
    pub(crate) artifacts: Artifacts,
    pub(crate) gpu: Gpu,
    control: Arc<Control>,
    pub(crate) account: Account,
    /// Fuel that the present step was given; none when fuel is not counted.
    given: Option<u64>,
    /// Fuel that host functions owe for the guest.
    owed: u64,
    /// Calls into the host that have not returned. A host function that hands over a list calls the
    /// guest's allocator, which may call the host again: to grow its memory, or at an epoch.
    in_host: u32,
}

/// What a store is built for.
pub(crate) struct StoreParts<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) control: Arc<Control>,
    pub(crate) seed: u64,
    pub(crate) data: Arc<DataSets>,
    pub(crate) grants: &'a Grants,
    pub(crate) log: SharedLog,
    /// Who pays for the start code.
    pub(crate) account: Account,
}

/// What a store holds of the state of its instance, beside memory, globals and handles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreState {
    pub(crate) random: RandomState,
    /// Nanoseconds on the guest's clocks.
    pub(crate) clock: u64,
    /// Bytes of each artifact.
    pub(crate) artifacts: BTreeMap<String, u64>,
    /// What no guest can see.
    pub(crate) log: LogState,
}

impl StoreState {
    /// Checks what was read from a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), String> {
        self.log.check(limits)?;
        artifact::check_sizes(&self.artifacts, limits)
    }
}

impl StoreData {
    /// The state between two steps.
    pub(crate) fn state(&self) -> StoreState {
        StoreState {
            random: self.random.state(),
            clock: self.clock.after(0),
            artifacts: self.artifacts.sizes().clone(),
            log: self.log.lock().state(),
        }
    }

    /// Goes on from there.
    pub(crate) fn restore(&mut self, state: &StoreState) {
        self.random = Randomness::from_state(state.random);
        self.clock.restore(state.clock);
        self.artifacts.restore(state.artifacts.clone());
        self.log.lock().restore(&state.log);
    }

    /// A step or call begins: what is in use now is the most of it so far.
    fn begin(&mut self) {
        self.limiter.begin();
        self.ledger.begin();
        self.artifacts.begin();
        self.gpu.begin_step();
        self.most_random = 0;
    }

    /// The most that was used or wanted since the present step or call began.
    pub(crate) fn usage(&self) -> Usage {
        let (memory_bytes, table_elements) = self.limiter.most();
        let (artifact_bytes, artifact_count) = self.artifacts.most();
        let (gpu_buffer_bytes, gpu_busy_us) = self.gpu.most();
        Usage {
            memory_bytes,
            table_elements,
            handles: self.ledger.most(),
            random_bytes: self.most_random,
            log_bytes: self.log.lock().used(),
            artifact_bytes,
            artifact_count: u32::try_from(artifact_count).unwrap_or(u32::MAX),
            gpu_buffer_bytes,
            gpu_busy_us,
        }
    }

    /// What a trial keeps when its instance is replaced.
    pub(crate) fn take_kept(&mut self) -> (Artifacts, u64) {
        (self.artifacts.take_all(), self.clock.after(0))
    }

    /// See there.
    pub(crate) fn set_kept(&mut self, (artifacts, clock): (Artifacts, u64)) {
        self.artifacts = artifacts;
        self.clock.advance_to(clock);
    }

    /// Host work that the guest pays for: taken from its fuel when the host function returns.
    pub(crate) fn charge(&mut self, fuel: u64) {
        self.owed = self.owed.saturating_add(fuel);
    }

    /// Fuel of the present step that is gone when `left` is left.
    fn burned(&self, left: u64) -> u64 {
        self.given.map_or(0, |given| given.saturating_sub(left))
    }
}

/// Fuel given to the present step, of which `burned` is gone already.
pub(crate) fn give_fuel(
    store: &mut Store<StoreData>,
    fuel: u64,
    burned: u64,
) -> wasmtime::Result<()> {
    if store.data().given.is_some() {
        store.set_fuel(fuel.saturating_sub(burned))?;
        store.data_mut().given = Some(fuel);
    }
    Ok(())
}

/// A step or call begins with this much fuel.
pub(crate) fn begin(store: &mut Store<StoreData>, fuel: u64) -> wasmtime::Result<()> {
    store.data_mut().begin();
    give_fuel(store, fuel, 0)
}

/// Runs on another account: the fuel of the step is the same after it as before.
pub(crate) async fn on_account<T>(
    store: &mut Store<StoreData>,
    account: Account,
    fuel: u64,
    work: impl AsyncFnOnce(&mut Store<StoreData>) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    let (before, given) = (store.data().account, store.data().given);
    let left = match given {
        Some(_) => Some(store.get_fuel()?),
        None => None,
    };
    store.data_mut().account = account;
    give_fuel(store, fuel, 0)?;
    let result = work(store).await;
    store.data_mut().account = before;
    store.data_mut().given = given;
    if let Some(left) = left {
        store.set_fuel(left)?;
    }
    result
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
    // By default: no arguments, no environment, no sockets. Folders and standard streams are ours.
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
            table: new_table(),
            ledger: Ledger::default(),
            limiter: Limiter::new(limits),
            log: parts.log,
            clock: Clock::default(),
            random: Randomness::new(parts.seed),
            random_bytes: limits.random_bytes,
            most_random: 0,
            data: parts.data,
            files: Files::new(parts.grants.directories.clone()),
            artifacts: Artifacts::new(parts.grants.artifact, limits),
            gpu: Gpu::new(parts.grants.gpu, &limits.gpu, &parts.control),
            control: parts.control,
            account: parts.account,
            given: counts_fuel.then_some(0),
            owed: 0,
            in_host: 0,
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
            let data = context.data();
            if data.account != Account::Accessor {
                data.control.check()?;
            }
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
            context.data_mut().in_host += 1;
            let data = context.data();
            if data.account == Account::Accessor {
                return Ok(());
            }
            if data.account == Account::Step && data.given.is_some() {
                let left = context.get_fuel()?;
                data.control.publish_burned(data.burned(left));
            }
            data.control.check()?;
        }
        CallHook::ReturningFromHost => {
            let data = context.data_mut();
            data.in_host = data.in_host.saturating_sub(1);
            // Around calls of host functions the guest's code keeps its fuel where the host can
            // change it; around what the allocator asks of the host it does not, and would write
            // over the change.
            if data.in_host > 0 {
                return Ok(());
            }
            let uncharged = data.log.take_uncharged() + data.files.take_uncharged();
            let owed = std::mem::take(&mut data.owed).saturating_add(uncharged);
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
