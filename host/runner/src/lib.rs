//! Carries out what the engine decides: calls plugins, runs steps on trial threads, appends to the
//! journal, and shuts down in order. It decides nothing that a digest depends on.

mod executor;
mod identity;
mod job;
mod observer;
mod parked;
mod plugins;
mod recipe;
mod run;
mod shutdown;

pub use identity::{PlannedRun, RunParts, hash_data};
pub use job::StepHook;
pub use observer::{Observer, Silent, Wall};
pub use recipe::Recipe;
pub use run::{RunError, RunOptions, Summary, resume, start};
pub use shutdown::Shutdown;
