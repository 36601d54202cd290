//! The settings of the engine: the one place. One engine for each metering level in use, because
//! metering is compiled into the code; nothing crosses from one to another.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tune_core::Metering;
use tune_snapshot::{HostMemory, Stacks, Tracking};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, OptLevel, Strategy, WasmBacktraceDetails};

use crate::bindings::{artifact, data, gpu, log};
use crate::store::StoreData;
use crate::wasi;

/// Stack of a guest. wasmtime's default, fixed here because where recursion traps is part of what a
/// run repeats.
const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of a call; what is above the guest's share belongs to host functions.
const CALL_STACK_BYTES: usize = 2 << 20;
/// Guest frames that an error shows.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(20).unwrap();
/// Time between two epochs: how late a deadline may be noticed without fuel.
const EPOCH: Duration = Duration::from_millis(10);

/// An engine with everything that belongs to it.
pub(crate) struct EngineLevel {
    pub(crate) metering: Metering,
    pub(crate) strict: bool,
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<StoreData>,
}

impl EngineLevel {
    pub(crate) fn new(
        metering: Metering,
        strict: bool,
        tracking: Tracking,
    ) -> wasmtime::Result<Self> {
        let engine = Engine::new(&config(metering, strict, tracking))?;
        let linker = linker(&engine)?;
        if metering.checks_epochs() {
            tick(&engine)?;
        }
        Ok(Self {
            metering,
            strict,
            engine,
            linker,
        })
    }
}

/// How guests are compiled and run.
pub(crate) fn config(metering: Metering, strict: bool, tracking: Tracking) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .consume_fuel(metering.counts_fuel())
        .epoch_interruption(metering.checks_epochs())
        // Only NaN bits differ between processors, and metrics are made canonical at the boundary;
        // inside it costs 1.6 to 2.5 times the run time.
        .cranelift_nan_canonicalization(strict)
        // Memory that can be snapshotted: host-owned, with what it holds at first mapped beforehand.
        .with_host_memory(Arc::new(HostMemory::new(tracking)))
        .with_host_stack(Arc::new(Stacks::default()))
        .memory_init_cow(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(CALL_STACK_BYTES)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .generate_address_map(true)
        .signals_based_traps(true)
        // Proposals that are off for determinism, for snapshots, or because of their record.
        .concurrency_support(false)
        .gc_support(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_stack_switching(false)
        .wasm_component_model_gc(false);
    config
}

/// Everything that a plugin can import.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<StoreData>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    // Types only; a component imports the interface by name nevertheless.
    linker.instance("tune:plugin/types@0.1.0")?;
    log::add_to_linker::<_, HasSelf<StoreData>>(&mut linker, |data| data)?;
    data::add_to_linker::<_, HasSelf<StoreData>>(&mut linker, |data| data)?;
    artifact::add_to_linker::<_, HasSelf<StoreData>>(&mut linker, |data| data)?;
    gpu::add_to_linker::<_, HasSelf<StoreData>>(&mut linker, |data| data)?;
    Ok(linker)
}

/// Starts the clock of an engine on a thread of its own, which ends with the engine: a guest that
/// never yields cannot hold it up.
fn tick(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("epochs".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(EPOCH);
            }
        })?;
    Ok(())
}

impl log::Host for StoreData {
    fn write(&mut self, at: log::Level, line: String) -> wasmtime::Result<()> {
        let level = match at {
            log::Level::Error => "ERROR",
            log::Level::Warn => "WARN",
            log::Level::Info => "INFO",
            log::Level::Debug => "DEBUG",
            log::Level::Trace => "TRACE",
        };
        self.log.lock().line(level, &line);
        Ok(())
    }
}
