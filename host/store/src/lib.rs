//! The journal of a run and its directory.
//!
//! A run is a directory, and everything about it follows from the rows of its journal. This crate
//! keeps rows, logs, artifacts and snapshots durable and gives them back; it does not know what a
//! row or a snapshot means: bodies are bytes to it.

mod artifacts;
mod beside;
mod budget;
mod chunks;
mod error;
mod header;
mod journal;
mod list;
mod lock;
mod logs;
mod reader;
mod row;
mod run_dir;
mod schema;
mod status;
mod writer;

pub use artifacts::{Artifact, ArtifactFile, check_artifact_name};
pub use beside::Beside;
pub use chunks::{
    CHUNK_BYTES, ChunkStore, Freed, MAX_HEADER_BYTES, Memory, NewSnapshot, Portable, Purpose,
    Since, SnapshotInfo, SnapshotKey, SnapshotOf, Usage,
};
pub use error::StoreError;
pub use header::{Header, Parent, PluginRecord};
pub use journal::{Journal, Subscriber};
pub use list::{RunSummary, list_runs};
pub use logs::LogOf;
pub use reader::RunReader;
pub use row::{Attachments, Row};
pub use run_dir::{OpenedRun, RunDir};
pub use schema::FORMAT;
pub use status::{RunState, RunStatus};
