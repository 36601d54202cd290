//! The scheduler fifo of tune-host.
