//! What snapshots of a running component need: a pass over its bytes before they are compiled, and
//! linear memory that the host owns.
//!
//! The home of unsafe code: nowhere else does the host touch guest memory. It reads and writes no
//! files.

mod instrument;
mod memory;
mod survey;

pub use instrument::{INSTRUMENTATION_VERSION, Instrumented, instrument};
pub use memory::{Collected, Collector, HostMemory, HostMemoryError, MemoryView};
pub use survey::{InstrumentError, Item, Outside, Snapshotable, Survey, features};
