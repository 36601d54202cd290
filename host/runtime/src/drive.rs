//! The executor of calls into plugins: polls one future on the present thread until it is done.
//!
//! A guest that runs out of its fuel interval wakes itself before it yields, so the thread parks
//! only when a host function waits; it then stops at the deadline or when it is cancelled. There is
//! no runtime of tasks, no timer and no other thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::control::Control;

/// A panic of the host while a guest ran: a defect of tune-host.
#[derive(Debug, thiserror::Error)]
#[error("tune-host panicked: {0}")]
pub(crate) struct HostPanic(String);

struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

thread_local! {
    static PARKER: (Arc<Parker>, Waker) = {
        let parker = Arc::new(Parker {
            thread: std::thread::current(),
            woken: AtomicBool::new(false),
        });
        (Arc::clone(&parker), Waker::from(parker))
    };
}

/// Runs a call to its end.
///
/// # Errors
/// Those of the call; that it was interrupted while a host function waited; a panic of the host.
pub(crate) fn drive<T>(
    control: &Control,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    catch_unwind(AssertUnwindSafe(|| {
        PARKER.with(|(parker, waker)| {
            let mut call = pin!(call);
            let mut context = Context::from_waker(waker);
            loop {
                parker.woken.store(false, Ordering::Release);
                if let Poll::Ready(result) = call.as_mut().poll(&mut context) {
                    return result;
                }
                // Dropping the future ends the call.
                control.check()?;
                if !parker.woken.load(Ordering::Acquire) {
                    park(control, parker)?;
                }
            }
        })
    }))
    .unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "without a message".to_owned());
        Err(HostPanic(message).into())
    })
}

/// Waits to be woken.
fn park(control: &Control, parker: &Parker) -> wasmtime::Result<()> {
    control.set_parked(Some(parker.thread.clone()));
    let interrupted = loop {
        if parker.woken.load(Ordering::Acquire) {
            break Ok(());
        }
        if let Err(interrupted) = control.check() {
            break Err(interrupted);
        }
        match control.remaining() {
            Some(time) => std::thread::park_timeout(time),
            None => std::thread::park(),
        }
    };
    control.set_parked(None);
    Ok(interrupted?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Interrupted;
    use std::time::Duration;

    #[test]
    fn a_call_that_waits_for_ever_ends_at_its_deadline() {
        let control = Control::new();
        control.arm(Duration::from_millis(5));
        let error = drive::<()>(&control, std::future::pending()).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Interrupted::Deadline));
    }

    #[test]
    fn a_call_that_waits_for_ever_ends_when_it_is_cancelled() {
        let control = Arc::new(Control::new());
        let waiting = Arc::clone(&control);
        let thread = std::thread::spawn(move || {
            let error = drive::<()>(&waiting, std::future::pending()).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Interrupted::Cancelled));
        });
        control.cancel();
        thread.join().unwrap();
    }

    #[test]
    fn a_call_that_yields_goes_on() {
        let mut yields = 0;
        let call = std::future::poll_fn(|context| {
            yields += 1;
            if yields == 100 {
                return Poll::Ready(Ok(()));
            }
            context.waker().wake_by_ref();
            Poll::Pending
        });
        drive(&Control::new(), call).unwrap();
        assert_eq!(yields, 100);
    }

    #[test]
    fn a_panic_is_an_error() {
        let call = async { panic!("on purpose") };
        let error = drive::<()>(&Control::new(), call).unwrap_err();
        assert_eq!(error.to_string(), "tune-host panicked: on purpose");
    }
}
