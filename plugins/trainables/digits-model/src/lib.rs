//! A multi-layer perceptron on the 8x8 handwritten digits, trained one epoch at a time: what the
//! trainables `digits-mlp` (a struct with a step) and `digits-coroutine` (an `async fn`) share. Not
//! a plugin itself, because the exports of two plugins cannot be linked into one component.
//!
//! Plain Rust without randomness of its own: equal data, configuration and seed give equal reports
//! in every bit, natively and in the sandbox.

mod batch;
mod dataset;
mod network;
mod optimizer;
mod settings;
mod state;
mod training;

pub use dataset::{CLASSES, Dataset, Image, Images, PIXELS};
pub use network::{Gradients, Network};
pub use settings::{Activation, OptimizerKind, Settings};
pub use training::{Epoch, Training};

/// Parameters that a training can change between two epochs.
pub const MUTABLE_PARAMETERS: &[&str] = &["lr", "momentum", "weight_decay"];
