//! The searcher random of tune-host.
