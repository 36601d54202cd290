//! Computing on a GPU for guests that are not trusted: objects by number, quotas that are checked
//! before a driver is asked, deadlines, and the whole state as plain data.
//!
//! It stands apart because a driver is: nothing here knows of wasm, of trials or of files. It must
//! never hand a driver anything that was not checked, never wait without an end, and never drop a
//! busy device on the thread of its user.
//!
//! A [`Session`] is what one guest has: a [`Table`](table) of objects, which is pure, and a device,
//! which is opened when it is first needed and can be lost or replaced at any time between two calls:
//! the table and the bytes of the buffers are all there is to it.

mod adapters;
mod capture;
mod command;
mod compiling;
mod device;
mod encode;
mod error;
mod keeper;
mod quota;
mod recipe;
mod restore;
mod session;
mod state;
mod table;

pub use adapters::{AdapterInfo, Adapters, DeviceType};
pub use command::{BindGroupSlot, BufferClear, BufferCopy, Command};
pub use error::{Ended, Failure, GpuError, OverQuota};
pub use keeper::MAX_STUCK;
pub use quota::Usage;
pub use recipe::{Binding, BindingType, BufferUse, LayoutEntry, Recipe};
pub use session::{DeviceLimits, GiveUp, Session};
pub use state::{Contents, State, StateError};
