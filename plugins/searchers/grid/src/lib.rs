//! The searcher grid of tune-host.
