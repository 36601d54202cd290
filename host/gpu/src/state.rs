//! The state of a guest's GPU between two calls, as plain data. What was read from a file is not
//! trusted: it is checked as a guest's own calls are.

use std::io;

use serde::{Deserialize, Serialize};

use tune_core::GpuLimits;

use crate::error::Failure;
use crate::recipe::Recipe;
use crate::table::{ALIGNMENT, Table, check};

/// Where the bytes of a state are: all buffers by number, then all open reads by ticket, one behind
/// the other.
pub trait Contents: Send + Sync {
    /// Fills the buffer from an offset; both lie within [`State::content_bytes`].
    ///
    /// # Errors
    /// They cannot be read.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// Everything but the bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) next: u64,
    pub(crate) submissions: u64,
    /// By number, with whether the guest has destroyed it.
    pub(crate) objects: Vec<(u64, Recipe, bool)>,
    /// Tickets and their bytes.
    pub(crate) tickets: Vec<(u64, u64)>,
    /// Microseconds for which a device was busy.
    pub(crate) busy_us: u64,
    /// The adapter on which it was computed; for people.
    pub(crate) adapter: String,
}

/// A state that is of no use here.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It contradicts itself.
    #[error("the GPU state is damaged: {0}")]
    Damaged(String),
    /// It needs more than is allowed, or than the adapter has.
    #[error("the GPU state does not fit: {0}")]
    DoesNotFit(String),
    /// A buffer cannot be read.
    #[error("the GPU state cannot be read: {0}")]
    Unreadable(String),
}

impl State {
    /// Bytes of all buffers and open reads.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        let buffers = self
            .objects
            .iter()
            .map(|(_, recipe, _)| recipe.buffer_bytes());
        let reads = self.tickets.iter().map(|(_, bytes)| *bytes);
        buffers.chain(reads).fold(0, u64::saturating_add)
    }

    /// The adapter on which it was computed.
    #[must_use]
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// Leaves only what a guest can see: equal states are equal then, whatever computed them.
    pub fn forget_time(&mut self) {
        self.busy_us = 0;
        self.adapter.clear();
    }

    /// Checks it.
    ///
    /// # Errors
    /// What no guest could have made, or what a guest may not have with these quotas.
    pub fn check(&self, quotas: &GpuLimits) -> Result<(), StateError> {
        self.table(quotas).map(drop)
    }

    pub(crate) fn of(table: &Table, submissions: u64, busy_us: u64, adapter: &str) -> Self {
        Self {
            next: table.next,
            submissions,
            objects: table
                .slots
                .iter()
                .map(|(id, slot)| (*id, slot.recipe.clone(), slot.destroyed))
                .collect(),
            tickets: table.tickets.iter().map(|(t, b)| (*t, *b)).collect(),
            busy_us,
            adapter: adapter.to_owned(),
        }
    }

    pub(crate) fn table(&self, quotas: &GpuLimits) -> Result<Table, StateError> {
        let damaged = |what: &str| Err(StateError::Damaged(what.to_owned()));
        let misfit = |why: String| StateError::DoesNotFit(why);
        let mut table = Table::new();
        let mut last = 0;
        for (id, recipe, destroyed) in &self.objects {
            if *id <= last || *id >= self.next {
                return damaged("its objects are out of order");
            }
            last = *id;
            let mut copy = recipe.clone();
            let refused = |failure: Failure| match failure {
                Failure::Error(crate::GpuError::OverQuota(over)) => misfit(over.to_string()),
                other => StateError::Damaged(other.to_string()),
            };
            check(&mut copy, quotas).map_err(refused)?;
            for (part, kind) in copy.parts() {
                if table.slots.get(&part).map(|slot| slot.recipe.kind()) != Some(kind) {
                    return damaged("an object is made of one that it does not have");
                }
            }
            let usage = &mut table.usage;
            usage
                .object(quotas)
                .and_then(|()| usage.memory(copy.buffer_bytes(), quotas))
                .and_then(|()| usage.shader(copy.shader_bytes(), quotas))
                .map_err(|over| misfit(over.to_string()))?;
            table.put(*id, copy, *destroyed);
        }
        for (ticket, bytes) in &self.tickets {
            if table.slots.contains_key(ticket)
                || *ticket >= self.next
                || *bytes == 0
                || *bytes > crate::quota::MAX_CALL_BYTES
                || !bytes.is_multiple_of(ALIGNMENT)
                || table.tickets.insert(*ticket, *bytes).is_some()
            {
                return damaged("it has a ticket that nobody was given");
            }
            let usage = &mut table.usage;
            usage
                .object(quotas)
                .and_then(|()| usage.memory(*bytes, quotas))
                .map_err(|over| misfit(over.to_string()))?;
        }
        if self.next == 0 {
            return damaged("its numbers have run out");
        }
        table.next = self.next;
        Ok(table)
    }
}
