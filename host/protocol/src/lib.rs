//! The JSON-lines protocols `schedule` and `ask-tell`: programs that train by themselves ask the
//! searchers and schedulers of tune-host what to do.
//!
//! Pure state machines: a request line in, a reply line out. No I/O, no clock, no wasm; the plugins
//! are behind [`tune_core::Deciders`], so that the rules here are the engine's and are tested
//! without a sandbox. A request that is not right is answered with what is wrong and changes nothing.

mod ask_tell;
mod protocol;
mod request;
mod schedule;
mod space;
mod trials;
mod trouble;

pub use ask_tell::AskTell;
pub use protocol::{Launch, MAX_LINE, Protocol, Reply};
pub use request::Request;
pub use schedule::Schedule;
pub use space::{config as config_from_json, space_to_json};
pub use trouble::Trouble;
