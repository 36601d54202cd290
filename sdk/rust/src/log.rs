//! Lines for the log of the trial, searcher or scheduler: `log::info!("epoch {n}")`. Lines longer
//! than 1 KiB are cut by the host. Natively they are kept for the test to read.

pub use crate::{
    __tune_log_debug as debug, __tune_log_error as error, __tune_log_info as info,
    __tune_log_trace as trace, __tune_log_warn as warn,
};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Worth knowing.
    Info,
    /// For the author of the plugin.
    Debug,
    /// Everything.
    Trace,
}

/// Writes one line.
#[cfg(target_arch = "wasm32")]
pub fn write(level: Level, line: &str) {
    use crate::bindings::trainable::tune::plugin::log as wit;
    let level = match level {
        Level::Error => wit::Level::Error,
        Level::Warn => wit::Level::Warn,
        Level::Info => wit::Level::Info,
        Level::Debug => wit::Level::Debug,
        Level::Trace => wit::Level::Trace,
    };
    wit::write(level, line);
}

/// Writes one line.
#[cfg(not(target_arch = "wasm32"))]
pub fn write(level: Level, line: &str) {
    native::LINES.with_borrow_mut(|lines| lines.push((level, line.to_owned())));
}

/// Logs message and place of a panic; the trap that follows carries neither.
pub(crate) fn hook_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| {
        // "panicked at FILE:LINE:COLUMN:" and the message stand on two lines.
        write(Level::Error, &panic.to_string().replacen('\n', " ", 1));
    }));
}

/// The log of native tests.
#[cfg(not(target_arch = "wasm32"))]
pub mod native {
    use std::cell::RefCell;

    use super::Level;

    thread_local! {
        pub(super) static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    }

    /// The lines that this thread has logged since it was last asked.
    #[must_use]
    pub fn take() -> Vec<(Level, String)> {
        LINES.take()
    }
}

/// Logs a formatted line at level `error`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tune_log_error {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($line)*)) };
}

/// Logs a formatted line at level `warn`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tune_log_warn {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($line)*)) };
}

/// Logs a formatted line at level `info`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tune_log_info {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($line)*)) };
}

/// Logs a formatted line at level `debug`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tune_log_debug {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($line)*)) };
}

/// Logs a formatted line at level `trace`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tune_log_trace {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($line)*)) };
}
