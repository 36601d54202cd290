//! Domain data and the deterministic engine of tune-host.
//!
//! The engine decides: which trial runs, what it is told, when it ends, in which order results
//! count. It has no wasm, no I/O, no clock and no source of randomness; the runner carries out what
//! it decides, the store keeps what it was told, and folding that again gives the same state.

mod fault;
mod limits;
mod plan;

pub use fault::PluginFault;
pub use limits::Limits;
pub use plan::{Derived, EnginePlan, Metering, Order, RetrySeed, StopRule};
/// The plain records of the contract, shared with plugins.
pub use tune_space as records;
