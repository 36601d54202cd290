//! HyperBand in whole runs: what it does with a band, and that it never stands still.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod every_pair;
mod whole_runs;
