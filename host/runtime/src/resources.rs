//! The host's side of a guest's handles: making the resource behind each, and following every
//! handle that is made or dropped, so that a table can be rebuilt elsewhere.
//!
//! What is not made here is not followed: an instance that holds such a handle has no transparent
//! snapshot, and says so.

use std::collections::BTreeMap;

use wasmtime::component::{Linker, Resource, ResourceTable, ResourceType};
use wasmtime::{StoreContextMut, format_err};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, InputStream, Network, Pollable, StreamError,
    StreamResult, TcpSocket, UdpSocket, subscribe,
};
use wasmtime_wasi_io::bindings::wasi::io::poll::HostPollable as _;
use wasmtime_wasi_io::bytes::Bytes;

use crate::clock::Clock;
use crate::files::{Cursor, Files, Listing, Opened};
use crate::handles::{Handle, Handles};
use crate::log::SharedLog;
use crate::store::StoreData;

/// Host resources (streams, pollables) of an instance. A guest keeps a handful.
pub(crate) const MAX_HOST_RESOURCES: usize = 1_000;

const STREAMS: &str = "wasi:io/streams@0.2.12";

/// Standard input of a guest: always at its end.
struct Nothing;

#[async_trait]
impl Pollable for Nothing {
    async fn ready(&mut self) {}
}

impl InputStream for Nothing {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

/// A sleep: it is over at once, and the guest's clock has moved on.
struct Sleep {
    clock: Clock,
    until: u64,
}

#[async_trait]
impl Pollable for Sleep {
    async fn ready(&mut self) {
        self.clock.advance_to(self.until);
    }
}

pub(crate) fn new_table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HOST_RESOURCES);
    table
}

/// What resources are made from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) log: &'a SharedLog,
    pub(crate) clock: &'a Clock,
    pub(crate) files: &'a Files,
}

/// Resources of a whole table of handles.
pub(crate) struct Made {
    pub(crate) table: ResourceTable,
    /// Slot by number of the resource.
    pub(crate) slot_of: BTreeMap<u32, u32>,
    /// How far streams of files are read, by slot.
    pub(crate) cursors: BTreeMap<u32, Cursor>,
}

/// Makes the resource of a handle, which is a stream if it has a cursor. `stream`: the resource of the
/// stream that it waits for.
fn make(
    table: &mut ResourceTable,
    Sources { log, clock, files }: Sources<'_>,
    handle: Handle,
    stream: Option<(Handle, u32)>,
) -> wasmtime::Result<(u32, Option<Cursor>)> {
    let mut cursor = None;
    let resource = match handle {
        Handle::Output(printed) => table.push(log.stream(printed))?.rep(),
        Handle::Node(at) => table.push(files.find(at)?)?.rep(),
        Handle::Entries { at, next } => {
            let of = files.find(at)?;
            table.push(Listing { of, next })?.rep()
        }
        Handle::Content { at, offset } => {
            let shared = cursor.insert(Cursor::new(offset)).clone();
            table.push(files.stream(files.find(at)?, shared))?.rep()
        }
        Handle::Input => {
            let input: DynInputStream = Box::new(Nothing);
            table.push(input)?.rep()
        }
        Handle::Sleep { until } => {
            let clock = clock.clone();
            let sleep = table.push(Sleep { clock, until })?;
            subscribe(table, sleep)?.rep()
        }
        // Borrowed: the stream belongs to the guest.
        Handle::Ready { .. } => match stream {
            Some((Handle::Output(_), stream)) => {
                subscribe(table, Resource::<DynOutputStream>::new_borrow(stream))?.rep()
            }
            Some((Handle::Input | Handle::Content { .. }, stream)) => {
                subscribe(table, Resource::<DynInputStream>::new_borrow(stream))?.rep()
            }
            _ => return Err(format_err!("a wait for something that is no stream")),
        },
    };
    Ok((resource, cursor))
}

/// The resources behind a table of handles.
pub(crate) fn make_all(handles: &Handles, sources: Sources<'_>) -> wasmtime::Result<Made> {
    let mut table = new_table();
    let (mut resource_of, mut cursors) = (BTreeMap::new(), BTreeMap::new());
    let (waits, others): (Vec<_>, Vec<_>) = handles
        .iter()
        .partition(|(_, handle)| matches!(handle, Handle::Ready { .. }));
    for (slot, handle) in others.into_iter().chain(waits) {
        let stream = match handle {
            Handle::Ready { stream } => handles.get(stream).zip(resource_of.get(&stream).copied()),
            _ => None,
        };
        let (resource, cursor) = make(&mut table, sources, handle, stream)?;
        resource_of.insert(slot, resource);
        cursors.extend(cursor.map(|cursor| (slot, cursor)));
    }
    let slot_of = resource_of.into_iter().map(|(slot, r)| (r, slot)).collect();
    Ok(Made {
        table,
        slot_of,
        cursors,
    })
}

impl StoreData {
    fn make(
        &mut self,
        handle: Handle,
        stream: Option<(Handle, u32)>,
    ) -> wasmtime::Result<(u32, Option<Cursor>)> {
        let sources = Sources {
            log: &self.log,
            clock: &self.clock,
            files: &self.files,
        };
        make(&mut self.table, sources, handle, stream)
    }

    /// Makes a resource that the guest gets a handle for.
    pub(crate) fn open<T: 'static>(&mut self, handle: Handle) -> wasmtime::Result<Resource<T>> {
        let (resource, cursor) = self.make(handle, None)?;
        self.ledger.made_moving(handle, resource, cursor);
        Ok(Resource::new_own(resource))
    }

    /// The guest drops the handle of a resource.
    pub(crate) fn dropped<T: 'static>(&mut self, resource: u32) -> wasmtime::Result<()> {
        if self.ledger.dropped(resource) {
            self.table.delete(Resource::<T>::new_own(resource))?;
        }
        Ok(())
    }

    fn wait_for(&mut self, stream: u32) -> wasmtime::Result<Resource<DynPollable>> {
        let slot = self
            .ledger
            .slot(stream)
            .ok_or_else(|| format_err!("a wait for a stream that is not followed"))?;
        let of = self.ledger.handles().get(slot).map(|h| (h, stream));
        let handle = Handle::Ready { stream: slot };
        let (resource, _) = self.make(handle, of)?;
        self.ledger.made(handle, resource);
        Ok(Resource::new_own(resource))
    }

    /// Kinds of handles that the guest holds and that cannot be made again, for people.
    pub(crate) fn foreign_handles(&mut self) -> Vec<String> {
        let followed = self.ledger.handles().resources();
        let mut foreign: BTreeMap<&str, usize> = BTreeMap::new();
        let mut ours = 0;
        for resource in self.table.iter_mut() {
            let kind = if resource.is::<DynOutputStream>()
                || resource.is::<DynInputStream>()
                || resource.is::<DynPollable>()
                || resource.is::<Sleep>()
                || resource.is::<Opened>()
                || resource.is::<Listing>()
            {
                ours += 1;
                continue;
            } else if resource.is::<Network>() {
                NETWORK
            } else if resource.is::<TcpSocket>() || resource.is::<UdpSocket>() {
                "a socket"
            } else {
                "a handle of an unknown kind"
            };
            *foreign.entry(kind).or_default() += 1;
        }
        if ours != followed {
            foreign.insert("a stream or a wait that is not followed", 1);
        }
        if let Some(lost) = self.ledger.lost() {
            foreign.entry(lost).or_default();
        }
        let mut kinds = Vec::new();
        for (kind, count) in foreign {
            kinds.push(match count {
                0 => format!("{kind}, dropped meanwhile"),
                1 => kind.to_owned(),
                more => format!("{kind} ({more} of them)"),
            });
        }
        kinds
    }
}

const NETWORK: &str = "a network";

/// Shadows what makes and drops handles. Standard streams and sleeps are made in `wasi`.
pub(crate) fn follow(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    type Cx<'a> = StoreContextMut<'a, StoreData>;
    let mut streams = linker.instance(STREAMS)?;
    streams.func_wrap(
        "[method]output-stream.subscribe",
        |mut cx: Cx<'_>, (stream,): (Resource<DynOutputStream>,)| {
            Ok((cx.data_mut().wait_for(stream.rep())?,))
        },
    )?;
    streams.func_wrap(
        "[method]input-stream.subscribe",
        |mut cx: Cx<'_>, (stream,): (Resource<DynInputStream>,)| {
            Ok((cx.data_mut().wait_for(stream.rep())?,))
        },
    )?;
    // Ours have nothing to cancel when they are dropped.
    streams.resource(
        "output-stream",
        ResourceType::host::<DynOutputStream>(),
        |mut cx, resource| cx.data_mut().dropped::<DynOutputStream>(resource),
    )?;
    streams.resource(
        "input-stream",
        ResourceType::host::<DynInputStream>(),
        |mut cx, resource| cx.data_mut().dropped::<DynInputStream>(resource),
    )?;
    linker.instance("wasi:io/poll@0.2.12")?.resource(
        "pollable",
        ResourceType::host::<DynPollable>(),
        |mut cx, resource| {
            let data = cx.data_mut();
            if data.ledger.dropped(resource) {
                data.table.drop(Resource::new_own(resource))?;
            }
            Ok(())
        },
    )?;
    // The only other kind that a guest without sockets can get.
    linker.instance("wasi:sockets/network@0.2.12")?.resource(
        "network",
        ResourceType::host::<Network>(),
        |mut cx, resource| {
            let data = cx.data_mut();
            data.ledger.dropped_unknown(NETWORK);
            data.table.delete(Resource::<Network>::new_own(resource))?;
            Ok(())
        },
    )?;
    Ok(())
}
