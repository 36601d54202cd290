//! The binary on temporary directories.
