//! Why a request is not answered as it was meant.

use tune_core::Stop;

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The request is not right; nothing has changed.
    Bad(String),
    /// The run cannot go on; the next `start` begins another one.
    Over(String),
}

impl Trouble {
    /// A request that is not right.
    pub(crate) fn bad(what: impl Into<String>) -> Self {
        Self::Bad(what.into())
    }
}

/// A plugin that failed ends its run.
impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Over(stop.to_string())
    }
}
