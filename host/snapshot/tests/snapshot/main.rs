//! Components from text, instrumented, run, captured and restored.

mod component;
mod constructs;
mod instance;
mod state;
