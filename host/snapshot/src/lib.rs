//! What snapshots of a running component need: a pass over its bytes before they are compiled, and
//! linear memory that the host owns; and the stacks on which guests run.
//!
//! The home of unsafe code: nowhere else does the host touch guest memory. It reads and writes no
//! files.

mod accessor;
mod accessor_module;
mod backing;
mod capture;
mod copying;
mod error;
mod image;
mod instrument;
mod laid;
mod layout;
mod memory;
mod module;
mod pages;
mod plan;
mod region;
mod root;
mod runs;
mod stack;
mod survey;
mod tracking;
mod view;

pub use accessor::Accessor;
pub use backing::bytes_in_images;
pub use copying::Copying;
pub use error::{HostMemoryError, SnapshotError};
pub use image::{Image, ImageBuilder};
pub use instrument::{INSTRUMENTATION_VERSION, Instrumented, instrument};
pub use layout::{HandleKind, Layout, MemoryLayout, ValKind};
pub use memory::{Collected, Collector, HostMemory};
pub use stack::Stacks;
pub use survey::{InstrumentError, Item, Outside, Snapshotable, Survey, features};
pub use tracking::Tracking;
pub use view::{Captured, MemoryView};
