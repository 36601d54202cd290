//! Compiling shaders and pipelines, on a thread of its own: parsing text of the guest takes stack, and
//! a driver's compiler takes as long as it likes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::device::scoped;
use crate::error::{Ended, Failure};
use crate::keeper::{POLL, Stuck};
use crate::session::GiveUp;

/// Stack for parsing and checking: the parser's own bounds on nesting are made for the main thread.
const STACK_BYTES: usize = 16 << 20;

/// Runs it on a thread of its own, with the errors of the library taken out. When it takes too long
/// it is left alone; it counts as a device that does not come to rest until it ends.
pub(crate) fn compile<T: Send + 'static>(
    device: &wgpu::Device,
    limit: Duration,
    give_up: &GiveUp,
    work: impl FnOnce(&wgpu::Device) -> T + Send + 'static,
) -> Result<T, Failure> {
    let (done, made) = channel();
    let device = device.clone();
    let spawned = std::thread::Builder::new()
        .name("gpu-compiler".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let made = catch_unwind(AssertUnwindSafe(|| scoped(&device, work)));
            // Nobody may wait any more.
            drop(done.send(made.map_err(|_| ())));
        });
    let thread = match spawned {
        Ok(thread) => thread,
        Err(error) => {
            return Err(Ended::OutOfMemory(format!("no thread to compile on: {error}")).into());
        }
    };
    let begin = Instant::now();
    let ended = loop {
        match made.recv_timeout(POLL) {
            Ok(Ok(made)) => return made,
            Ok(Err(())) | Err(RecvTimeoutError::Disconnected) => {
                return Err(Ended::Bug("the shader compiler panicked".to_owned()).into());
            }
            Err(RecvTimeoutError::Timeout) if give_up() => break Ended::Interrupted,
            Err(RecvTimeoutError::Timeout) if begin.elapsed() > limit => {
                break Ended::Deadline {
                    name: "gpu_time_per_submission",
                    limit,
                };
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    let stuck = Stuck::count();
    let watched = std::thread::Builder::new()
        .name("gpu-compiler".to_owned())
        .spawn(move || {
            drop(thread.join());
            drop(stuck);
        });
    // Without a thread to watch it, it counts only as long as this call lasted.
    drop(watched);
    Err(ended.into())
}
