//! What must hold for every scheduler and searcher, whatever trials report and users do: schedulers
//! under the true engine on curves, searchers asked and told, both natively.
//!
//! Here, so that the author of another one can hold it to the same. It never measures time.

mod curves;
mod run;
mod search;

pub use curves::{Course, Kind};
pub use run::{Run, plan};
pub use search::{MAX_T, Search, Told, setup};
