//! Instances of generated components, as they are given and as they are instrumented: called,
//! captured, restored and compared.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use tune_fuzz::Generated;
use tune_snapshot::{
    Accessor, Collector, Copying, HostMemory, Image, Layout, MemoryView, Tracking,
};
use wasmtime::component::{Component, Instance, Linker, Val};
use wasmtime::{Config, Engine, Store, StoreLimits, StoreLimitsBuilder, Trap};

/// Of one call.
const FUEL: u64 = 20_000;
/// Linear memory cannot grow past this.
const MAX_MEMORY_BYTES: usize = 2 << 20;

/// Runs a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// What can be told of the end of a call: the bits of the result or the trap, and the fuel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    result: Result<Option<u64>, String>,
    fuel_left: u64,
}

impl Ended {
    pub(crate) fn trapped(&self) -> bool {
        self.result.is_err()
    }
}

/// Compiled.
pub(crate) struct Program<'a> {
    engine: Engine,
    component: Component,
    layout: Option<&'a Layout>,
}

fn engine(tracking: Tracking) -> Engine {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| {
        let make = |tracking| {
            let mut config = Config::new();
            config
                .with_host_memory(Arc::new(HostMemory::new(tracking)))
                .memory_init_cow(false)
                .consume_fuel(true)
                .cranelift_nan_canonicalization(true);
            Engine::new(&config).unwrap()
        };
        Tracking::ALL.into_iter().map(make).collect()
    });
    let at = Tracking::ALL.iter().position(|t| *t == tracking).unwrap();
    engines[at].clone()
}

impl<'a> Program<'a> {
    /// None if the compiler refuses it, with the reason.
    pub(crate) fn new(
        bytes: &[u8],
        layout: Option<&'a Layout>,
        tracking: Tracking,
    ) -> Result<Self, String> {
        let engine = engine(tracking);
        let component = Component::from_binary(&engine, bytes).map_err(|e| format!("{e:#}"))?;
        Ok(Self {
            engine,
            component,
            layout,
        })
    }

    /// Why it does not start, if it does not.
    pub(crate) fn start(&self) -> Result<Running, String> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(MAX_MEMORY_BYTES)
            .build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        store.set_fuel(FUEL).unwrap();
        let linker = Linker::new(&self.engine);
        let collector = Collector::begin_with(self.layout);
        let instance = now(linker.instantiate_async(&mut store, &self.component));
        let memories = collector.finish().memories;
        let instance = instance.map_err(|error| why(&error))?;
        let accessor =
            (self.layout).map(|layout| Accessor::find(&mut store, &instance, layout).unwrap());
        Ok(Running {
            store,
            instance,
            memories,
            accessor,
        })
    }
}

/// The trap, or the whole chain of reasons.
fn why(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => format!("{:#}", error.root_cause()),
    }
}

pub(crate) struct Running {
    store: Store<StoreLimits>,
    instance: Instance,
    pub(crate) memories: Vec<MemoryView>,
    accessor: Option<Accessor>,
}

#[derive(Clone)]
pub(crate) struct State {
    globals: Vec<u64>,
    images: Vec<Image>,
}

impl Running {
    /// Calls a function with arguments that follow from a number.
    pub(crate) fn call(&mut self, component: &Generated, number: u64) -> Ended {
        let (name, params) = &component.functions[number as usize % component.functions.len()];
        let mut bits = number;
        let arguments: Vec<_> = params.iter().map(|ty| value(*ty, &mut bits)).collect();
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        let results = function.ty(&self.store).results().len();
        let mut results = vec![Val::Bool(false); results];
        self.store.set_fuel(FUEL).unwrap();
        let ended = now(function.call_async(&mut self.store, &arguments, &mut results));
        Ended {
            result: ended
                .map(|()| results.first().map(bits_of))
                .map_err(|error| why(&error)),
            fuel_left: self.store.get_fuel().unwrap(),
        }
    }

    pub(crate) fn capture(&mut self) -> State {
        let accessor = self.accessor.as_ref().unwrap();
        self.store.set_fuel(u64::MAX / 2).unwrap();
        State {
            globals: now(accessor.globals(&mut self.store)).unwrap(),
            images: self.images(),
        }
    }

    /// Of an instance that trapped, too.
    pub(crate) fn images(&self) -> Vec<Image> {
        let captured = self.memories.iter().map(|memory| memory.capture().unwrap());
        captured.map(|captured| captured.image).collect()
    }

    pub(crate) fn restore(&mut self, state: &State, copying: Copying) {
        let accessor = self.accessor.as_ref().unwrap();
        self.store.set_fuel(u64::MAX / 2).unwrap();
        for (index, (memory, image)) in self.memories.iter().zip(&state.images).enumerate() {
            let from = memory.byte_len() as u64;
            now(accessor.grow(&mut self.store, index, from, image.byte_len())).unwrap();
            memory.restore(image, copying).unwrap();
        }
        now(accessor.set_globals(&mut self.store, &state.globals)).unwrap();
    }

    /// No memory is longer than in that state.
    pub(crate) fn fits(&self, state: &State) -> bool {
        let mut both = self.memories.iter().zip(&state.images);
        both.all(|(memory, image)| memory.byte_len() as u64 <= image.byte_len())
    }
}

impl State {
    pub(crate) fn assert_equals(&self, other: &Self) {
        assert_eq!(self.globals, other.globals, "globals");
        assert_images_equal(&self.images, &other.images);
    }
}

pub(crate) fn assert_images_equal(a: &[Image], b: &[Image]) {
    assert_eq!(a.len(), b.len(), "number of memories");
    for (memory, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a.byte_len(), b.byte_len(), "length of memory {memory}");
        let (mut page, mut other) = (vec![0; 65_536], vec![0; 65_536]);
        for offset in (0..a.byte_len()).step_by(65_536) {
            a.read_at(offset, &mut page).unwrap();
            b.read_at(offset, &mut other).unwrap();
            let at = page.iter().zip(&other).position(|(a, b)| a != b);
            assert_eq!(at, None, "page {} of memory {memory}", offset >> 16);
        }
    }
}

fn value(ty: wasm_encoder::ValType, bits: &mut u64) -> Val {
    *bits = bits
        .wrapping_mul(0x5851_f42d_4c95_7f2d)
        .wrapping_add(0x1405_7b7e_f767_814f);
    // Small numbers are addresses.
    let number = if *bits >> 63 == 0 {
        *bits >> 50
    } else {
        bits.rotate_left(17)
    };
    match ty {
        wasm_encoder::ValType::I32 => Val::S32(number as i32),
        wasm_encoder::ValType::I64 => Val::S64(number as i64),
        wasm_encoder::ValType::F32 => Val::Float32(number as f32),
        _ => Val::Float64(number as f64),
    }
}

fn bits_of(value: &Val) -> u64 {
    match value {
        Val::S32(number) => *number as u64,
        Val::S64(number) => *number as u64,
        Val::Float32(number) => number.to_bits().into(),
        Val::Float64(number) => number.to_bits(),
        other => panic!("{other:?}"),
    }
}
