//! The part of WASI that a standard library needs, with nothing of the machine behind it: time is
//! virtual, randomness follows from the seed, output goes to the log, files are those that a plan
//! grants (`filesystem`), there are no sockets, arguments or variables.

use rand_core::Rng;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::fault::Excess;
use crate::handles::Handle;
use crate::log::Printed;
use crate::resources;
use crate::store::StoreData;

/// Links every interface of WASI that plugins may import; those that are not imported cost nothing.
pub(crate) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // Ours take the place of those that ask the machine. Linked in the asynchronous way, nothing
    // of this starts a thread.
    linker.allow_shadowing(true);
    type This = HasSelf<StoreData>;
    clocks::monotonic_clock::add_to_linker::<_, This>(linker, |data| data)?;
    clocks::wall_clock::add_to_linker::<_, This>(linker, |data| data)?;
    random::random::add_to_linker::<_, This>(linker, |data| data)?;
    random::insecure::add_to_linker::<_, This>(linker, |data| data)?;
    random::insecure_seed::add_to_linker::<_, This>(linker, |data| data)?;
    cli::stdin::add_to_linker::<_, This>(linker, |data| data)?;
    cli::stdout::add_to_linker::<_, This>(linker, |data| data)?;
    cli::stderr::add_to_linker::<_, This>(linker, |data| data)?;
    filesystem::preopens::add_to_linker::<_, This>(linker, |data| data)?;
    filesystem::types::add_to_linker::<_, This>(linker, |data| data)?;
    resources::follow(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl StoreData {
    fn random_buffer(&mut self, bytes: u64) -> wasmtime::Result<Vec<u8>> {
        self.most_random = self.most_random.max(bytes);
        if bytes > self.random_bytes {
            return Err(Excess {
                what: "random bytes",
                wanted: bytes,
                allowed: self.random_bytes,
                limit: "random_bytes",
            }
            .into());
        }
        self.charge(bytes);
        Ok(vec![0; usize::try_from(bytes)?])
    }
}

impl clocks::monotonic_clock::Host for StoreData {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.read_monotonic())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.open(Handle::Sleep { until: when })
    }

    fn subscribe_duration(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.open(Handle::Sleep {
            until: self.clock.after(nanos),
        })
    }
}

impl clocks::wall_clock::Host for StoreData {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        let (seconds, nanoseconds) = self.clock.read_wall();
        Ok(clocks::wall_clock::Datetime {
            seconds,
            nanoseconds,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        Ok(clocks::wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1,
        })
    }
}

impl random::random::Host for StoreData {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = self.random_buffer(len)?;
        self.random.secure().fill_bytes(&mut bytes);
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.secure().next_u64())
    }
}

impl random::insecure::Host for StoreData {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = self.random_buffer(len)?;
        self.random.insecure().fill_bytes(&mut bytes);
        Ok(bytes)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.insecure().next_u64())
    }
}

impl random::insecure_seed::Host for StoreData {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok(self.random.insecure_seed())
    }
}

impl cli::stdin::Host for StoreData {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        self.open(Handle::Input)
    }
}

impl cli::stdout::Host for StoreData {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.open(Handle::Output(Printed::Out))
    }
}

impl cli::stderr::Host for StoreData {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.open(Handle::Output(Printed::Err))
    }
}
