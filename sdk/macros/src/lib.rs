//! The options attribute of tune-plugin.
