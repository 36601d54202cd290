//! How much of its limits a plugin used: measured by the runtime, kept beside the rows of the
//! journal, shown to people. None of it is part of an event, so none of it can reach a decision or
//! the digest.

use serde::{Deserialize, Serialize};

/// The most that an instance used of what one step or call may use, or asked for in vain: above the
/// limit, that is what ended it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Linear memory, summed over all memories.
    pub memory_bytes: u64,
    /// Elements of all tables.
    pub table_elements: u64,
    /// Component handles held at once, as far as the host makes them.
    pub handles: u32,
    /// Random bytes asked for at once.
    pub random_bytes: u64,
    /// Log kept so far.
    pub log_bytes: u64,
    /// Bytes of all artifacts.
    pub artifact_bytes: u64,
    /// Artifact files.
    pub artifact_count: u32,
    /// Buffers of the GPU.
    pub gpu_buffer_bytes: u64,
    /// Time for which the GPU was busy, in microseconds.
    pub gpu_busy_us: u64,
}

/// The most that a searcher or scheduler used in one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallUsage {
    /// Fuel of a call; 0 without metering.
    pub fuel: u64,
    /// Wall time of a call in microseconds.
    pub wall_us: u64,
    /// Everything else.
    pub instance: Usage,
}

/// What a row of the journal adds to what is known of usage; none: nothing is greater than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowUsage {
    /// Of the trial that the row is about.
    pub trial: Option<Usage>,
    /// Of the searcher.
    pub searcher: Option<CallUsage>,
    /// Of the scheduler.
    pub scheduler: Option<CallUsage>,
}

/// The greater one; whether it grew.
fn raise<T: Ord + Copy>(most: &mut T, now: T) -> bool {
    let grew = now > *most;
    if grew {
        *most = now;
    }
    grew
}

impl Usage {
    /// The greater one of each; whether anything grew.
    pub fn raise(&mut self, now: &Self) -> bool {
        // Every one of them, not only until the first that grew.
        raise(&mut self.memory_bytes, now.memory_bytes)
            | raise(&mut self.table_elements, now.table_elements)
            | raise(&mut self.handles, now.handles)
            | raise(&mut self.random_bytes, now.random_bytes)
            | raise(&mut self.log_bytes, now.log_bytes)
            | raise(&mut self.artifact_bytes, now.artifact_bytes)
            | raise(&mut self.artifact_count, now.artifact_count)
            | raise(&mut self.gpu_buffer_bytes, now.gpu_buffer_bytes)
            | raise(&mut self.gpu_busy_us, now.gpu_busy_us)
    }
}

impl CallUsage {
    /// The greater one of each; whether anything grew.
    pub fn raise(&mut self, now: &Self) -> bool {
        raise(&mut self.fuel, now.fuel)
            | raise(&mut self.wall_us, now.wall_us)
            | self.instance.raise(&now.instance)
    }
}

impl RowUsage {
    /// As a row keeps it: nothing if there is nothing to keep.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        if *self == Self::default() {
            return Vec::new();
        }
        // Writing plain numbers to memory cannot fail; without them nothing but a view is poorer.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// What a row kept. Rows of other builds may hold anything: what cannot be read says nothing.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        postcard::from_bytes(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_one_of_each_is_kept() {
        let mut most = Usage {
            memory_bytes: 5,
            handles: 1,
            ..Usage::default()
        };
        let now = Usage {
            memory_bytes: 3,
            handles: 2,
            artifact_count: 7,
            ..Usage::default()
        };
        assert!(most.raise(&now));
        assert_eq!(
            (most.memory_bytes, most.handles, most.artifact_count),
            (5, 2, 7)
        );
        assert!(!most.raise(&now), "the second time nothing is new");
        let mut calls = CallUsage::default();
        let call = CallUsage {
            fuel: 9,
            instance: now,
            ..CallUsage::default()
        };
        assert!(calls.raise(&call) && !calls.raise(&call));
    }

    #[test]
    fn a_row_with_nothing_to_say_takes_no_bytes_and_rubbish_says_nothing() {
        assert!(RowUsage::default().to_bytes().is_empty());
        let usage = RowUsage {
            scheduler: Some(CallUsage {
                fuel: u64::MAX,
                ..CallUsage::default()
            }),
            ..RowUsage::default()
        };
        assert_eq!(RowUsage::from_bytes(&usage.to_bytes()), usage);
        for rubbish in [&[][..], &[0xff; 40], &[1, 2]] {
            assert_eq!(RowUsage::from_bytes(rubbish), RowUsage::default());
        }
    }
}
