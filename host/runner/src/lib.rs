//! Carries out what the engine decides: calls plugins, runs steps on trial threads, appends to the
//! journal, and shuts down in order. It decides nothing that a digest depends on.

mod executor;
mod job;
mod observer;
mod plugins;
mod policy;
mod pool;
mod recipe;
mod run;
mod shutdown;
mod stage;

pub use job::StepHook;
pub use observer::{Observer, Silent, Wall};
pub use policy::SnapshotPolicy;
pub use recipe::Recipe;
pub use run::{How, RunError, Summary, resume, start};
pub use shutdown::Shutdown;
pub use stage::{RunOptions, RunParts, Verify};
