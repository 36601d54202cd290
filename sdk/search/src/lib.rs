//! Pieces that several search algorithms share, for plugins and for native code alike: sequences of
//! points that fill the unit cube evenly, and configurations along them.
//!
//! Everything is a pure function of a seed and of the calls so far. No clock, no randomness but
//! [`tune_space::Stream`], no floating-point function that differs between platforms.
//!
//! ```
//! use tune_search::{Points, Scramble, Sobol};
//!
//! let mut sobol = Sobol::new(2, Scramble::None);
//! assert_eq!(sobol.next_point(), [0.5, 0.5]);
//! assert_eq!(sobol.next_point(), [0.75, 0.25]);
//! ```

mod cma;
mod filler;
mod halton;
mod judge;
mod scramble;
mod sobol;

pub use cma::{Categories, Cma, Form, Point, Whitening, default_population};
pub use filler::{Filler, Points};
pub use halton::Halton;
pub use judge::{Judge, Rank};
pub use scramble::Scramble;
pub use sobol::Sobol;

/// Coordinates of a point at most: parameters of a space at most.
pub const MAX_DIMENSIONS: usize = 1_024;
