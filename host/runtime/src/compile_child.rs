//! The other side of `compile`: the process that compiles one component and ends.
//!
//! It runs no code of a guest and opens no file. It bounds its own memory before it looks at the
//! component, works on one thread, and ends when whoever started it is gone.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Resource, Rlimit, setrlimit};
use tune_snapshot::Tracking;
use wasmtime::Engine;

use crate::compile::{CODE, NO_MEMORY, REFUSED, Task};
use crate::engines::config;

/// A task is a line of a hundred bytes.
const MAX_TASK_BYTES: u64 = 1 << 10;

/// Compiles the component that comes on standard input and writes the code to standard output, for
/// the process that started this one: see [`crate::CompilerChild`]. To be called by a program that
/// then ends.
///
/// # Errors
/// Standard input is not what such a process is given, or standard output is closed.
pub fn compile_child() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    (&mut input)
        .take(MAX_TASK_BYTES)
        .read_until(b'\n', &mut line)?;
    let task: Task = serde_json::from_slice(&line).map_err(|_| {
        io::Error::other(
            "this command compiles plugins for other processes of tune-host, which start it; it is \
             of no use by hand",
        )
    })?;
    let mut bytes = Vec::new();
    (&mut input).take(task.size).read_to_end(&mut bytes)?;
    drop(input);
    if bytes.len() as u64 != task.size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // A thread takes its stacks and its first piece of memory before anything is bounded: later they
    // would be taken from what the component may have, or not be had.
    let (runs, running) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        // Whoever waits is still there.
        let _ = runs.send(());
        end_with_parent();
    })?;
    running.recv().map_err(io::Error::other)?;

    let mut config = config(task.metering, task.strict, Tracking::Copy);
    config.parallel_compilation(false);
    let compiled = Engine::new(&config).and_then(|engine| {
        bound_memory(task.memory_bytes)?;
        engine.precompile_component(&bytes)
    });
    let mut out = io::stdout().lock();
    match compiled {
        Ok(code) => {
            out.write_all(&[CODE])?;
            out.write_all(&(code.len() as u64).to_le_bytes())?;
            out.write_all(&code)?;
        }
        Err(error) if is_no_memory(&error) => out.write_all(&[NO_MEMORY])?,
        Err(error) => {
            out.write_all(&[REFUSED])?;
            out.write_all(format!("{error:#}").as_bytes())?;
        }
    }
    out.flush()
}

/// From now on, this process can take so many bytes more. What cannot be had then ends it.
fn bound_memory(bytes: u64) -> io::Result<()> {
    let bound = |resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)
    };
    // A compiler that is out of memory aborts; nobody wants its memory on the disk.
    bound(Resource::Core, 0)?;
    // Pages of address space, the first number there.
    let taken = std::fs::read_to_string("/proc/self/statm")?;
    let pages = taken.split(' ').next().and_then(|n| n.parse::<u64>().ok());
    let taken = pages.unwrap_or(0) * rustix::param::page_size() as u64;
    Ok(bound(Resource::As, taken.saturating_add(bytes))?)
}

fn is_no_memory(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::OutOfMemory)
    })
}

/// Nothing more comes; the end means that the parent is gone.
#[expect(
    clippy::exit,
    reason = "the compiler cannot be asked to stop, and nobody waits for it any more"
)]
fn end_with_parent() {
    let mut rest = [0; 1];
    while io::stdin().read(&mut rest).is_ok_and(|read| read > 0) {}
    std::process::exit(1);
}
