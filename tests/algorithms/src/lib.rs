//! What must hold for every scheduler, whatever trials report and users do: runs under the true
//! engine on curves, natively.
//!
//! Here, so that the author of another scheduler can hold it to the same. It never measures time.

mod curves;
mod run;

pub use curves::{Course, Kind};
pub use run::{Run, plan};
