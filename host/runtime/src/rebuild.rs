//! How one table of handles is turned into another, by the only two means that there are: making
//! the guest take a handle, which gets the next free number, and making it drop one, which makes
//! that number the next free one.

use tune_snapshot::HandleKind;

use crate::handles::{Handle, Handles};

/// One change of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A handle that must get this slot. Without `handle` it only fills the slot.
    Take { slot: u32, handle: Option<Handle> },
    /// The handle in this slot, of this kind; none: what filled it.
    Drop { slot: u32, kind: Option<HandleKind> },
}

/// The changes that turn `live` into `wanted`: afterwards every slot holds what is wanted, and new
/// handles get the same numbers.
pub(crate) fn plan(live: &Handles, wanted: &Handles) -> Vec<Change> {
    let end = live.len().max(wanted.len());
    let mut changes = Vec::new();
    // Every slot is filled, in the order in which they are given out.
    for slot in live.free().chain(live.len()..end) {
        let handle = wanted.get(slot);
        changes.push(Change::Take { slot, handle });
    }
    // A handle that was there stands for the old instance's resource.
    for (slot, old) in live.iter() {
        if let Some(handle) = wanted.get(slot) {
            let (kind, handle) = (Some(old.kind()), Some(handle));
            changes.push(Change::Drop { slot, kind });
            changes.push(Change::Take { slot, handle });
        }
    }
    // The last one that is dropped is given out first.
    let free: Vec<u32> = wanted.free().chain(wanted.len()..end).collect();
    for slot in free.into_iter().rev() {
        let kind = live.get(slot).map(Handle::kind);
        changes.push(Change::Drop { slot, kind });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handles::Ledger;
    use crate::log::Printed;

    /// wasmtime's table: a stack of free slots, `len` when it is empty.
    #[derive(Default)]
    struct Table {
        slots: Vec<Option<Option<Handle>>>,
        free: Vec<usize>,
    }

    impl Table {
        fn take(&mut self, handle: Option<Handle>) -> u32 {
            let slot = self.free.pop().unwrap_or(self.slots.len());
            if slot == self.slots.len() {
                self.slots.push(None);
            }
            assert_eq!(self.slots[slot].replace(handle), None);
            slot as u32
        }

        fn drop(&mut self, slot: u32) -> Option<Handle> {
            self.free.push(slot as usize);
            self.slots[slot as usize].take().unwrap()
        }

        /// What the next handles get.
        fn next(&self, count: usize) -> Vec<usize> {
            let fresh = self.slots.len()..;
            self.free
                .iter()
                .rev()
                .copied()
                .chain(fresh)
                .take(count)
                .collect()
        }
    }

    /// Made and dropped: a positive number makes one, a negative one drops that slot.
    fn history(moves: &[i32]) -> (Ledger, Table) {
        let (mut ledger, mut table) = (Ledger::default(), Table::default());
        let mut resource_of = std::collections::BTreeMap::new();
        for (resource, step) in (0..).zip(moves) {
            if *step > 0 {
                let handle = match step {
                    1 => Handle::Output(Printed::Out),
                    2 => Handle::Input,
                    _ => Handle::Sleep { until: 9 },
                };
                let slot = table.take(Some(handle));
                ledger.made(handle, resource);
                assert_eq!(ledger.slot(resource), Some(slot));
                resource_of.insert(slot, resource);
            } else {
                let slot = step.unsigned_abs();
                if let Some(resource) = resource_of.remove(&slot) {
                    table.drop(slot);
                    ledger.dropped(resource);
                }
            }
        }
        (ledger, table)
    }

    #[test]
    fn any_table_becomes_any_other() {
        let histories: &[&[i32]] = &[
            &[],
            &[1],
            &[1, 3],
            &[1, 3, 2, -1],
            &[3, 3, -1, 0],
            &[3, 3, 0, -1],
            &[1, 3, 3, 2, -2, -1],
            &[1, 3, 3, 2, -1, -2],
            &[1, 3, 3, 2, -1, -2, 1],
            &[1, 2, 3, 1, 2, 3, -5, -1, -3, -4, 0],
            &[1, 2, 3, 1, 2, 3, 0, -4, -5],
        ];
        for from in histories {
            for to in histories {
                let (live, mut table) = history(from);
                let (wanted, other) = history(to);
                for change in plan(live.handles(), wanted.handles()) {
                    match change {
                        Change::Take { slot, handle } => assert_eq!(table.take(handle), slot),
                        Change::Drop { slot, kind } => {
                            assert_eq!(table.drop(slot).map(Handle::kind), kind);
                        }
                    }
                }
                for (slot, held) in (0..).zip(&table.slots) {
                    assert_eq!(
                        held.flatten(),
                        wanted.handles().get(slot),
                        "{from:?} {to:?}"
                    );
                }
                assert_eq!(table.next(9), other.next(9), "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn into_a_new_instance_the_handles_are_only_taken() {
        let (wanted, _) = history(&[1, 3, 2]);
        let changes = plan(&Handles::default(), wanted.handles());
        assert_eq!(changes.len(), 3);
        assert!(changes.iter().all(|c| matches!(c, Change::Take { .. })));
    }
}
