//! The searcher tpe of tune-host.
