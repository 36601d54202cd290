//! Loads components and runs them under limits.
