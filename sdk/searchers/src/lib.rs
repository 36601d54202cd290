//! Search algorithms as a library. A plugin exports symbols, so that none can be linked into
//! another: what several stand on is here, and the plugin of the same name is one line that exports
//! it. Algorithms that nothing else uses stay in their plugin.
//!
//! Each is a [`tune_plugin::Searcher`]: a pure function of its setup and of the calls so far, with no
//! clock and no randomness but the seed, so that it gives the same suggestions natively and in the
//! sandbox, bit for bit.
//!
//! ```
//! use tune_plugin::{Config, Domain, Parameter, Searcher, Setup, Suggestion, Value, parse_options};
//! use tune_searchers::Grid;
//!
//! let setup = Setup {
//!     space: vec![Parameter {
//!         name: "fast".to_owned(),
//!         domain: Domain::Choice(vec![Value::Boolean(false), Value::Boolean(true)]),
//!         conditions: Vec::new(),
//!     }],
//!     objectives: Vec::new(),
//!     constraints: Vec::new(),
//!     time_attr: "training_iteration".to_owned(),
//!     max_t: None,
//!     trials: None,
//!     slots: 1,
//!     seed: 0,
//!     options: "{}".to_owned(),
//! };
//! let mut grid = Grid::init(&setup, parse_options("{}").unwrap()).unwrap();
//! let Ok(Suggestion::Configure(first)) = grid.suggest(0, &Config::new()) else { panic!() };
//! assert_eq!(first.config.get("fast"), Some(&Value::Boolean(false)));
//! ```

pub mod auto;
pub mod cmaes;
pub mod dehb;
pub mod gp;
pub mod grid;
pub mod sobol;
pub mod tpe;

mod shares;
#[cfg(test)]
mod told;

pub use auto::Auto;
pub use cmaes::Cmaes;
pub use dehb::Dehb;
pub use gp::GpSearch;
pub use grid::Grid;
pub use sobol::SobolSearch;
pub use tpe::Tpe;
