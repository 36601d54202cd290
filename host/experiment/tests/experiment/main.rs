//! The experiment file from outside: what is read, and what is said about a wrong one.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking too"
)]

mod bad_input;
mod complete;
mod json;
mod samplers;
mod schema;

use tune_experiment::{Diagnostics, ExperimentPlan, parse};

/// The top of a file with all that is needed but `[space]`, 6 lines.
const HEAD: &str = "version = 1
trainable = \"digits-mlp\"
metric = \"accuracy\"
mode = \"max\"
trials = 10
max_t = 81
";

/// Parses a file that must be right.
fn good(text: &str) -> ExperimentPlan {
    parse(text, "dir/file.toml", 42).unwrap_or_else(|error| panic!("{error}"))
}

/// Parses a file that must be wrong.
fn bad(text: &str) -> Diagnostics {
    match parse(text, "dir/file.toml", 42) {
        Ok(plan) => panic!("accepted: {plan:?}"),
        Err(error) => error,
    }
}

/// A plan with these lines in `[space]`.
fn with_space(lines: &str) -> ExperimentPlan {
    good(&format!("{HEAD}[space]\n{lines}\n"))
}
