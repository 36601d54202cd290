//! Search-space maths and the plain records of the `tune:plugin` contract.
//!
//! Shared by the host and by plugins, so that a value, a domain or a report means the same on both
//! sides, natively and in the sandbox. Knows nothing of wasm, files, clocks or the engine. All
//! transcendental functions come from `libm`, all randomness from [`Stream`].

mod contract;
mod describe;
mod domain;
mod getters;
mod lattice;
mod name;
pub mod normal;
mod pinning;
mod space;
mod stream;
mod used;
mod validate;
mod value;
mod walk;

pub use contract::*;
pub use getters::FromValue;
pub use name::Name;
pub use space::{Space, SpaceError};
pub use stream::{Stream, derive_seed};
pub use used::Used;
pub use validate::DomainError;
pub use value::{Config, Value};
pub use walk::Walk;
