//! Property fuzzing that runs as ordinary tests: a loop with a seed, a corpus and mutations.
//!
//! Each target is a function of bytes to an [`Outcome`]. Inputs whose outcome was not seen before
//! join the corpus, so that later ones start from them. The same seed gives the same inputs on every
//! machine; no clock decides which. What the inputs are for is the targets' affair, in `tests/fuzz`.

mod components;
mod fuzz;
mod mutate;
mod settings;
mod words;

pub use components::{Generated, generate};
pub use fuzz::{Outcome, Summary, Target};
pub use mutate::mutate;
pub use settings::Settings;
pub use words::words;
