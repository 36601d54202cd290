//! Domain data and the deterministic engine of tune-host.
//!
//! The engine decides: which trial runs, what it is told, when it ends, in which order results
//! count. It has no wasm, no I/O, no clock and no source of randomness; the runner carries out what
//! it decides, the store keeps what it was told, and folding that again gives the same state.

mod actions;
mod admit;
mod counts;
mod creation;
mod deciders;
mod derive;
mod digest;
mod engine;
mod event;
mod fault;
mod flight;
mod gpu;
mod handover;
mod limits;
mod lineage;
mod plan;
mod plateau;
pub mod seeds;
mod stop;
mod trial;
mod usage;

pub use admit::{RESERVED_METRICS, WALL_METRICS};
pub use counts::Counts;
pub use deciders::{Checked, Deciders, Recorded};
pub use derive::{DeriveError, evaluate, validate};
pub use digest::{Ingredient, hex, plan_digest};
pub use engine::{Engine, is_better};
pub use event::{Answer, Changed, Effect, Entry, Event, Failed, Handover, Note, StepEnd};
pub use fault::PluginFault;
pub use gpu::{GpuCosts, GpuLimits};
pub use handover::host_bug;
pub use limits::{Limits, OwnLimits};
pub use lineage::{Base, Kept, Origin, Point, Recipe, Replay, Segment};
pub use plan::{
    Derived, EnginePlan, Imported, Lineage, Metering, Order, PLAN_FORMAT, RetrySeed, StopRule,
};
pub use plateau::{ExperimentPlateau, Plateaus, TrialPlateau};
pub use stop::Stop;
pub use trial::{Best, Phase, StepRecord, Trial, fingerprint};
/// The plain records of the contract, shared with plugins.
pub use tune_space as records;
pub use usage::{CallUsage, RowUsage, Usage};
