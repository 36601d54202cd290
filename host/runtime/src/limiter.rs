//! Limits on what an instance allocates, summed over all its memories and tables.
//!
//! Going over is an error that ends the call, not a `-1` for the guest: a guest that goes on
//! differently when memory is short would make a run depend on its limits in silence, and its own
//! report of it would read "unreachable".

use tune_core::Limits;
use tune_snapshot::HostMemoryError;
use wasmtime::{ResourceLimiter, ResourcesRequired};

/// Core instances, memories and tables of one component. A Python guest has 108 instances and 12
/// tables, QuickJS 3 memories; these bound host memory and address space (4 GiB a memory).
const MAX_INSTANCES: usize = 1_000;
const MAX_MEMORIES: usize = 16;
const MAX_TABLES: usize = 256;

/// A limit that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} {unit} of {what} wanted, {limit} allowed")]
pub(crate) struct LimitHit {
    what: &'static str,
    unit: &'static str,
    wanted: u64,
    limit: u64,
}

impl LimitHit {
    /// The limit, by its name in `[limits]`.
    pub(crate) fn limit_name(&self) -> &'static str {
        if self.unit == TABLES.1 {
            "table_elements"
        } else {
            "memory"
        }
    }
}

/// What is counted, and in which unit.
const MEMORIES: (&str, &str) = ("linear memory", "bytes");
const TABLES: (&str, &str) = ("tables", "elements");

/// Whether a component has more memories or tables than any instance may have, in words.
pub(crate) fn too_many(required: &ResourcesRequired) -> Option<String> {
    for (count, allowed, what) in [
        (required.num_memories as usize, MAX_MEMORIES, "memories"),
        (required.num_tables as usize, MAX_TABLES, "tables"),
    ] {
        if count > allowed {
            return Some(format!("it has {count} {what}, {allowed} are allowed"));
        }
    }
    None
}

/// How much of something is in use, and how much may be.
#[derive(Debug)]
struct Quota {
    used: u64,
    limit: u64,
    /// Added by the last growth, taken back if that fails.
    last: u64,
    /// The most that was used or wanted since the present step began.
    most: u64,
}

impl Quota {
    fn new(limit: u64) -> Self {
        Self {
            used: 0,
            limit,
            last: 0,
            most: 0,
        }
    }

    /// Ok(false): the memory or table itself declares a lower maximum, which is the guest's affair.
    fn grow(
        &mut self,
        (what, unit): (&'static str, &'static str),
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimitHit> {
        self.last = 0;
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        let wanted = self.used.saturating_add(more);
        self.most = self.most.max(wanted);
        if wanted > self.limit {
            return Err(LimitHit {
                what,
                unit,
                wanted,
                limit: self.limit,
            });
        }
        self.used = wanted;
        self.last = more;
        Ok(true)
    }

    fn take_back(&mut self) {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.last));
    }
}

/// The limiter of one store.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: Quota,
    table: Quota,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Quota::new(limits.memory_bytes),
            table: Quota::new(limits.table_elements),
        }
    }

    /// Bytes of all linear memories.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.used
    }

    /// The most bytes of memory and elements of tables that were used or wanted since the present
    /// step began.
    pub(crate) fn most(&self) -> (u64, u64) {
        (self.memory.most, self.table.most)
    }

    /// A step begins: what is used now is the most so far.
    pub(crate) fn begin(&mut self) {
        self.memory.most = self.memory.used;
        self.table.most = self.table.used;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.memory.grow(MEMORIES, current, desired, maximum)?)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.take_back();
        if error.is::<HostMemoryError>() {
            return Err(error);
        }
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.table.grow(TABLES, current, desired, maximum)?)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.table.take_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(memory_bytes: u64) -> Limiter {
        Limiter::new(&Limits {
            memory_bytes,
            ..Limits::default()
        })
    }

    #[test]
    fn all_memories_share_one_limit() {
        let mut limiter = limiter(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        let error = limiter.memory_growing(40, 41, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "101 bytes of linear memory wanted, 100 allowed"
        );
        assert_eq!(limiter.memory_bytes(), 100);
        assert_eq!(limiter.most(), (101, 0), "what was wanted in vain");
        limiter.begin();
        assert_eq!(limiter.most(), (100, 0));
    }

    #[test]
    fn a_growth_that_failed_is_not_counted() {
        let mut limiter = limiter(100);
        limiter.memory_growing(0, 60, None).unwrap();
        limiter
            .memory_grow_failed(wasmtime::format_err!("no"))
            .unwrap();
        assert_eq!(limiter.memory_bytes(), 0);
    }

    #[test]
    fn past_its_own_maximum_a_memory_is_told_so() {
        assert!(!limiter(100).memory_growing(0, 60, Some(50)).unwrap());
    }

    #[test]
    fn a_failure_of_the_machine_ends_the_call() {
        let error = HostMemoryError {
            bytes: 1,
            cause: String::new(),
        };
        assert!(limiter(100).memory_grow_failed(error.into()).is_err());
    }
}
