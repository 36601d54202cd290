//! The scheduler asha of tune-host.
