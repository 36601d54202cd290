//! What the author of a tune-host plugin depends on: one trait a kind of plugin, one export line,
//! typed options, and what the host grants (`log`, `data`, `artifact`).
//!
//! Everything here also compiles and runs natively, so that a plugin is unit-tested like any other
//! crate: natively the host interfaces stand on directories and buffers of the test's thread.
//!
//! ```
//! use tune_plugin::{Config, Failure, Report, Trainable, TrialInfo};
//!
//! struct Parabola {
//!     x: f64,
//!     rate: f64,
//! }
//!
//! impl Trainable for Parabola {
//!     const NAME: &'static str = "parabola";
//!     const SUMMARY: &'static str = "Gradient descent on x squared";
//!
//!     fn setup(_: &TrialInfo, config: &Config) -> Result<Self, Failure> {
//!         Ok(Self { x: 1.0, rate: config.f64("lr")? })
//!     }
//!
//!     fn step(&mut self) -> Result<Report, Failure> {
//!         self.x -= self.rate * 2.0 * self.x;
//!         Ok(Report::default().with("loss", self.x * self.x))
//!     }
//! }
//!
//! tune_plugin::export_trainable!(Parabola);
//! # fn main() {}
//! ```
//!
//! # Features
//!
//! - `allocator` (on by default): in a guest, memory of small requests comes from lists of free blocks, which takes
//!   less fuel. Without it a plugin has the standard library's allocator, or names one of its own.

// Lets generated code name this crate by the path that it has in plugins.
extern crate self as tune_plugin;

pub mod artifact;
#[doc(hidden)]
pub mod bindings;
mod convert;
mod coroutine;
pub mod data;
#[doc(hidden)]
pub mod export;
pub mod linalg;
pub mod log;
mod macros;
#[doc(hidden)]
pub mod manifest;
#[cfg(any(test, all(feature = "allocator", target_family = "wasm")))]
mod memory;
mod options;
#[doc(hidden)]
pub mod portable;
pub mod schedule;
mod scheduler;
mod searcher;
mod trainable;

pub use coroutine::{Coroutine, Ctx, IntoReport, Progress};
pub use options::{NoOptions, PluginOptions, parse_options};
pub use portable::PortableState;
pub use scheduler::Scheduler;
pub use searcher::Searcher;
#[doc(hidden)]
pub use serde;
pub use trainable::Trainable;
pub use tune_plugin_macros::options;
pub use tune_space::*;
#[doc(hidden)]
pub use wit_bindgen;
