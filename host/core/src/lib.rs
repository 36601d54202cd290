//! Domain data and the deterministic engine of tune-host: no wasm, no I/O, no clock, no randomness source.
