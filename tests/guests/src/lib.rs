//! Hostile and probing guests, one component a file in `guests/`, named `SUITE_NAME`; each says
//! itself what it does. `tests/artifacts` builds them and makes sure that each has a host test.
//!
//! A file is an example target behind the feature `guests`, so that only that build compiles it.
