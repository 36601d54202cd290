//! Components from text, instrumented, run, captured and restored.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod component;
mod constructs;
mod instance;
mod state;
