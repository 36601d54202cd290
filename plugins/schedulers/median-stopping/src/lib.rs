//! The scheduler median-stopping of tune-host.
