//! Carries out what the engine decides: calls plugins, runs steps on trial threads, appends to the
//! journal, keeps and writes states, and shuts down in order. It decides nothing that a digest
//! depends on.

mod blueprint;
mod coordinator;
mod dispatch;
mod errand;
mod executor;
mod factory;
mod fold;
mod job;
mod kept;
mod observer;
mod plugins;
mod policy;
mod pool;
mod record;
mod replay;
mod retention;
mod run;
mod saving;
mod shutdown;
mod stage;
mod state_file;
mod states;
mod upkeep;
mod usage_book;
mod vault;
mod writer;

pub use factory::StepHook;
pub use observer::{Observer, Silent, Wall};
pub use policy::SnapshotPolicy;
pub use replay::{
    SnapshotCheck, StepDifference, TrialReplay, Verdict, import_state, replay_trial, state_at,
};
pub use run::{Difference, How, Replayed, RunError, Summary, replay_run, resume, start};
pub use shutdown::Shutdown;
pub use stage::{RunOptions, RunParts, Verify, deciders};
