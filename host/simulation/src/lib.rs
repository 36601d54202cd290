//! Runs on curves instead of training: the true engine in virtual time.
//!
//! A scheduler is tested and compared where it will work: under the engine that `tune-host run` has,
//! with slots, virtual time, pauses, clones and retries, but without a sandbox, a clock, threads or
//! files. What a step gives comes from [`Curves`]; who decides comes as [`tune_core::Deciders`], for
//! instance plugins that are linked natively ([`Native`]).
//!
//! A scheduler that runs every trial to its end, on curves that fall by halves:
//!
//! ```
//! use tune_plugin::{Action, Config, Creation, NoOptions, OptionError, Scheduler, Setup, TrialId,
//!     Turn, schedule::Queue};
//! use tune_simulation::{Draws, Native, PlanBuilder, SECOND, simulate, step};
//!
//! struct Fifo(Queue);
//!
//! impl Scheduler for Fifo {
//!     const NAME: &'static str = "fifo";
//!     const SUMMARY: &'static str = "Every trial runs to its end";
//!     type Options = NoOptions;
//!
//!     fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
//!         Ok(Self(Queue::default()))
//!     }
//!     fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
//!         self.0.add(trial);
//!         Vec::new()
//!     }
//!     fn next_to_run(&mut self, creation: Creation) -> Turn {
//!         self.0.next(creation)
//!     }
//! }
//!
//! let plan = PlanBuilder::minimize("loss").trials(10).slots(4).max_t(3.0).build();
//! let mut deciders = Native::<Draws, Fifo>::of_plan(&plan).unwrap();
//! let mut curves = |_: TrialId, config: &Config, iteration: u64| {
//!     let x = config.f64("x").unwrap();
//!     step("loss", x / f64::powi(2.0, iteration as i32), SECOND)
//! };
//! let mut reports = 0;
//! let engine = simulate(plan, &mut deciders, &mut curves, &mut |handover, _| {
//!     reports += u32::from(handover.report.is_some());
//! })
//! .unwrap();
//! assert_eq!(reports, 30);
//! // 10 trials of 3 s on 4 slots: three rounds.
//! assert_eq!(engine.now(), 9 * SECOND);
//! ```

mod curves;
mod draws;
mod native;
mod plan;
mod recorded;
mod simulation;
mod tape;

pub use curves::{Curves, SECOND, failure, step};
pub use draws::Draws;
pub use native::Native;
pub use plan::PlanBuilder;
pub use recorded::Recorded;
pub use simulation::{Simulation, simulate};
pub use tape::{Call, Tape};
