//! Instrumentation, host-owned linear memory; the home of unsafe code.
