//! An instance of an instrumented component, and the same component as it was given.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tune_snapshot::{
    Accessor, Collector, Copying, HostMemory, Image, Instrumented, Layout, MemoryView, Tracking,
    instrument,
};
use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, Linker, Lower};
use wasmtime::{Config, Engine, Store};

/// Runs a future that never waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

pub(crate) fn instrumented(bytes: &[u8]) -> (Instrumented<'_>, Layout) {
    let made = instrument(bytes).unwrap();
    let layout = made.layout.clone();
    let layout = layout.unwrap_or_else(|| panic!("{:?}", made.survey.snapshotable));
    (made, layout)
}

pub(crate) struct Plugin<T: 'static> {
    pub(crate) engine: Engine,
    component: Component,
    layout: Option<Layout>,
    pub(crate) linker: Linker<T>,
}

impl<T: Send + Default> Plugin<T> {
    /// As instrumented.
    pub(crate) fn new(text: &str, tracking: Tracking) -> Self {
        let bytes = wat::parse_str(text).unwrap();
        let (made, layout) = instrumented(&bytes);
        Self::compiled(&made.bytes, Some(layout), tracking)
    }

    /// As given.
    pub(crate) fn original(text: &str) -> Self {
        Self::compiled(&wat::parse_str(text).unwrap(), None, Tracking::Copy)
    }

    fn compiled(bytes: &[u8], layout: Option<Layout>, tracking: Tracking) -> Self {
        let mut config = Config::new();
        config
            .with_host_memory(Arc::new(HostMemory::new(tracking)))
            .memory_init_cow(false);
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_binary(&engine, bytes).unwrap();
        Self {
            linker: Linker::new(&engine),
            engine,
            component,
            layout,
        }
    }

    pub(crate) fn start(&self) -> Running<T> {
        let mut store = Store::new(&self.engine, T::default());
        let collector = Collector::begin_with(self.layout.as_ref());
        let instance = now(self.linker.instantiate_async(&mut store, &self.component));
        let memories = collector.finish().memories;
        let instance = instance.unwrap();
        let accessor = (self.layout.as_ref())
            .map(|layout| Accessor::find(&mut store, &instance, layout).unwrap());
        Running {
            store,
            instance,
            memories,
            accessor,
        }
    }
}

pub(crate) struct Running<T: 'static> {
    pub(crate) store: Store<T>,
    instance: Instance,
    pub(crate) memories: Vec<MemoryView>,
    pub(crate) accessor: Option<Accessor>,
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) globals: Vec<u64>,
    pub(crate) images: Vec<Image>,
}

impl<T: Send> Running<T> {
    pub(crate) fn call<P, R>(&mut self, name: &str, params: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, name)?;
        now(function.call_async(&mut self.store, params))
    }

    /// A function of a number to a number.
    pub(crate) fn f(&mut self, name: &str, at: u32) -> u32 {
        self.call::<_, (u32,)>(name, (at,)).unwrap().0
    }

    pub(crate) fn capture(&mut self) -> State {
        let accessor = self.accessor.as_ref().unwrap();
        State {
            globals: now(accessor.globals(&mut self.store)).unwrap(),
            images: (self.memories.iter())
                .map(|memory| memory.capture().unwrap().image)
                .collect(),
        }
    }

    pub(crate) fn restore(&mut self, state: &State, copying: Copying) {
        let accessor = self.accessor.as_ref().unwrap();
        assert_eq!(self.memories.len(), state.images.len());
        for (index, (memory, image)) in self.memories.iter().zip(&state.images).enumerate() {
            let from = memory.byte_len() as u64;
            now(accessor.grow(&mut self.store, index, from, image.byte_len())).unwrap();
            memory.restore(image, copying).unwrap();
        }
        now(accessor.set_globals(&mut self.store, &state.globals)).unwrap();
    }
}
