//! Loads components and runs them under limits.
//!
//! A plugin goes through the stages file, `inspect` (nothing compiled), `runtime` (compiled, or
//! taken from the cache), `plugin` (linked once), instance. Every instance has a store of its own,
//! built in one place that cannot skip a limit, and is called by one thread at a time.
//!
//! Only this package and `tune-snapshot` know wasmtime. It decides nothing about trials, and writes
//! no files but compiled code into the folder that it is handed. A stranger's component is compiled by
//! a process of its own, if the embedder has one: see [`Compiler`].

mod artifact;
mod bindings;
mod cache;
mod capture;
mod clock;
mod compile;
mod compile_child;
mod contract_name;
mod control;
mod data;
mod drive;
mod engines;
mod fault;
mod files;
mod filesystem;
mod from_guest;
mod gpu;
mod handles;
mod imports;
mod inspect;
mod instance;
mod limiter;
mod linked;
mod load_error;
mod log;
mod manifest;
mod options;
mod plugin;
mod portable;
mod random;
mod rebuild;
mod resources;
mod runtime;
mod scheduler;
mod searcher;
mod snapshot;
mod snapshot_error;
mod store;
mod to_guest;
mod trainable;
mod tree;
mod trial_instance;
mod walk;
mod wasi;

pub use artifact::StagedArtifact;
pub use compile::{Compiler, CompilerChild};
pub use compile_child::compile_child;
pub use contract_name::CONTRACT_VERSION;
pub use control::{Control, WallLimit};
pub use data::{DataSet, DataSets};
pub use gpu::GpuGrant;
pub use imports::{Import, ImportStatus};
pub use inspect::{Inspection, PluginKind, inspect};
pub use load_error::{LoadError, LoadProblem};
pub use manifest::Manifest;
pub use plugin::{Grants, InitError, Plugin, TrialStart};
pub use runtime::{Runtime, RuntimeError, RuntimeOptions};
pub use scheduler::SchedulerInstance;
pub use searcher::SearcherInstance;
pub use snapshot::{Snapshot, SnapshotHeader};
pub use snapshot_error::SnapshotError;
pub use store::FUEL_YIELD_INTERVAL;
pub use trainable::Trial;
pub use tree::Directories;
pub use tune_gpu::{AdapterInfo, Adapters};
pub use tune_snapshot::{INSTRUMENTATION_VERSION, Image, ImageBuilder, Snapshotable, Tracking};
