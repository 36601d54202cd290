//! The command `tune-host` as people use it: the real binary, files in temporary directories, exit
//! codes and messages. Nothing of the host is called from here but the binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too, and says why and at which dice"
)]

mod bad_input;
mod bad_plugins;
mod budgets;
mod changes;
mod compiling;
mod conversations;
mod crash;
mod dependencies;
mod determinism;
mod dice;
mod disk;
mod edges;
mod examples;
mod experiment;
mod failures;
mod forks;
mod gpu_training;
mod grants;
mod guests;
mod hostile;
mod importances;
mod interruption;
mod lab;
mod limits;
mod outcome;
mod output;

mod points;
mod population;
mod power;
mod regret;
mod replays;
mod resume;
mod room;
mod runs;
mod snapshots;
mod spaces;
mod study;
mod tables;
mod warm_start;
