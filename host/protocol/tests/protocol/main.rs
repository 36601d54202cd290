//! The protocols with native plugins: what is answered, what is refused, and that nothing breaks a
//! conversation.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod ask_tell;
mod noise;
mod schedule;
mod talk;
