//! What searchers are compared by: problems whose optimum is known, and statistics over many seeds.
//!
//! Ours and those of other programs get the same spaces and the same values from here, so that a
//! function stands once. Pure: no searcher, file, clock or thread is known here, and every number comes
//! from `libm` and seeded streams, equal on every machine.

mod bbob;
mod branches;
mod interval;
mod mixed;
mod parameters;
mod problem;
mod rotation;
mod signed_rank;
mod verdict;

pub use bbob::{Function, Instance};
pub use interval::interval;
pub use problem::{Evaluation, Group, Problem, problems};
pub use signed_rank::{holm, signed_rank};
pub use verdict::{Comparison, Verdict, compare};
