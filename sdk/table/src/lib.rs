//! Tables of recorded learning curves: configurations that were trained once, and what each reported
//! at which cost, so that schedulers and searchers can be compared on true curves in seconds.
//!
//! A table is a directory of three files, described in `docs/tables.md`:
//!
//! - `table.json`: what it is, its metrics, and its space in the form of an experiment file;
//! - `configurations.csv`: a row a configuration, `id` and then its parameters;
//! - `curves.csv`: a row a step, `id,t,cost` and then the metrics, sorted by `id` and `t`.
//!
//! This crate is pure: bytes in, a [`Table`] or a [`TableError`] with file, line and column out. It
//! opens no file; whoever reads a part of a table at a time hands in a [`Source`]. The host and the
//! trainable `table` share it, so that a row means the same to both.

mod about;
mod catalogue;
mod configurations;
mod curve;
mod error;
mod family;
mod lines;
mod lookup;
mod reader;
mod sampler;
mod table;
mod write;

pub use about::{About, Entries, FORMAT, Mode};
pub use catalogue::{Catalogue, Row};
pub use curve::{Curve, Step};
pub use error::TableError;
pub use family::crossing;
pub use lines::{Cell, Line, Lines};
pub use lookup::{Match, NoRow};
pub use reader::{Reader, Source};
pub use table::Table;
pub use write::Files;

/// Name of the file that says what the table is.
pub const ABOUT_FILE: &str = "table.json";
/// Name of the file of the configurations.
pub const CONFIGURATIONS_FILE: &str = "configurations.csv";
/// Name of the file of the curves.
pub const CURVES_FILE: &str = "curves.csv";

/// Bytes of `table.json` at most: a space of 1,024 parameters with long choices fits.
pub const MAX_ABOUT_BYTES: u64 = 4 << 20;
/// Bytes of `configurations.csv` at most: a trial of the trainable reads all of it, and has 256 MiB.
pub const MAX_CONFIGURATIONS_BYTES: u64 = 32 << 20;
/// Bytes of `curves.csv` at most: what is read whole is held in memory.
pub const MAX_CURVES_BYTES: u64 = 1 << 30;
