//! The objects of a guest by number, pure: what they are made of, what is still in use, what they
//! take of the quotas.

use std::collections::BTreeMap;

use tune_core::GpuLimits;

use crate::error::{Failure, GpuError, OverQuota, cut, invalid};
use crate::quota::{Usage, at_most};
use crate::recipe::{Kind, Recipe};

/// Bytes of a label, as the contract says.
const MAX_LABEL_BYTES: usize = 64;
/// Bytes of the name of an entry point or constant: longer than any that a person writes.
const MAX_NAME_BYTES: usize = 256;
/// Overridable constants of one pipeline.
const MAX_CONSTANTS: usize = 256;
/// What offsets and sizes of copies are multiples of, as WebGPU says.
pub(crate) const ALIGNMENT: u64 = 4;

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) recipe: Recipe,
    /// Objects that are made of it.
    users: u32,
    /// The guest has destroyed it; it is here for its users.
    pub(crate) destroyed: bool,
}

/// The objects of a guest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// The number of the next object or ticket.
    pub(crate) next: u64,
    pub(crate) slots: BTreeMap<u64, Slot>,
    /// Bytes of open reads by ticket.
    pub(crate) tickets: BTreeMap<u64, u64>,
    pub(crate) usage: Usage,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            // 0 is a number that guests forget to set.
            next: 1,
            ..Self::default()
        }
    }

    /// A live object of a kind.
    pub(crate) fn find(&self, id: u64, kind: Kind) -> Result<&Recipe, GpuError> {
        self.slots
            .get(&id)
            .filter(|slot| !slot.destroyed && slot.recipe.kind() == kind)
            .map(|slot| &slot.recipe)
            .ok_or(GpuError::UnknownObject(id))
    }

    /// Checks a range of a buffer for a copy; its size.
    pub(crate) fn range(&self, buffer: u64, offset: u64, size: u64) -> Result<u64, GpuError> {
        let length = self.find(buffer, Kind::Buffer)?.buffer_bytes();
        if !offset.is_multiple_of(ALIGNMENT) || !size.is_multiple_of(ALIGNMENT) {
            return Err(invalid(format!(
                "offset {offset} and size {size} must be multiples of {ALIGNMENT}"
            )));
        }
        match offset.checked_add(size) {
            Some(end) if end <= length => Ok(length),
            _ => Err(invalid(format!(
                "{size} bytes at {offset} are outside buffer {buffer}, which has {length}"
            ))),
        }
    }

    /// Takes what an object needs of the quotas, after it was checked. It is given back by
    /// [`Table::refund`] or when the object is freed.
    pub(crate) fn charge(
        &mut self,
        recipe: &mut Recipe,
        quotas: &GpuLimits,
    ) -> Result<(), Failure> {
        check(recipe, quotas)?;
        for (part, kind) in recipe.parts() {
            self.find(part, kind)?;
        }
        let before = self.usage;
        let taken = self.take(recipe, quotas);
        if taken.is_err() {
            self.usage = before;
        }
        Ok(taken?)
    }

    fn take(&mut self, recipe: &Recipe, quotas: &GpuLimits) -> Result<(), OverQuota> {
        self.usage.object(quotas)?;
        self.usage.memory(recipe.buffer_bytes(), quotas)?;
        self.usage.shader(recipe.shader_bytes(), quotas)
    }

    /// Gives back what an object took.
    pub(crate) fn refund(&mut self, recipe: &Recipe) {
        let usage = &mut self.usage;
        usage.objects = usage.objects.saturating_sub(1);
        usage.buffer_bytes = usage.buffer_bytes.saturating_sub(recipe.buffer_bytes());
        usage.shader_bytes = usage.shader_bytes.saturating_sub(recipe.shader_bytes());
    }

    /// A number that was never given.
    fn number(&mut self) -> u64 {
        let id = self.next;
        // At a billion a second they last for five hundred years.
        self.next = self.next.saturating_add(1);
        id
    }

    /// Keeps an object that was charged.
    pub(crate) fn add(&mut self, recipe: Recipe) -> u64 {
        let id = self.number();
        self.put(id, recipe, false);
        id
    }

    /// Keeps an object under its number.
    pub(crate) fn put(&mut self, id: u64, recipe: Recipe, destroyed: bool) {
        for (part, _) in recipe.parts() {
            if let Some(slot) = self.slots.get_mut(&part) {
                slot.users = slot.users.saturating_add(1);
            }
        }
        let slot = Slot {
            recipe,
            users: 0,
            destroyed,
        };
        self.slots.insert(id, slot);
    }

    /// The guest destroys an object; the numbers of all that are freed by it.
    pub(crate) fn destroy(&mut self, id: u64) -> Result<Vec<u64>, GpuError> {
        match self.slots.get_mut(&id) {
            Some(slot) if !slot.destroyed => slot.destroyed = true,
            _ => return Err(GpuError::UnknownObject(id)),
        }
        let (mut freed, mut waiting) = (Vec::new(), vec![id]);
        while let Some(id) = waiting.pop() {
            let unused = |slot: &Slot| slot.destroyed && slot.users == 0;
            if !self.slots.get(&id).is_some_and(unused) {
                continue;
            }
            let Some(slot) = self.slots.remove(&id) else {
                continue;
            };
            self.refund(&slot.recipe);
            freed.push(id);
            for (part, _) in slot.recipe.parts() {
                if let Some(part) = self.slots.get_mut(&part) {
                    part.users = part.users.saturating_sub(1);
                }
                waiting.push(part);
            }
        }
        Ok(freed)
    }

    /// An open read: its ticket.
    pub(crate) fn open_ticket(&mut self, bytes: u64, quotas: &GpuLimits) -> Result<u64, OverQuota> {
        let before = self.usage;
        let taken = self
            .usage
            .transfer(bytes, quotas)
            .and_then(|()| self.usage.object(quotas))
            .and_then(|()| self.usage.memory(bytes, quotas));
        if let Err(over) = taken {
            self.usage = before;
            return Err(over);
        }
        let ticket = self.number();
        self.tickets.insert(ticket, bytes);
        Ok(ticket)
    }

    /// The read of a ticket is over.
    pub(crate) fn close_ticket(&mut self, ticket: u64) -> Result<u64, GpuError> {
        let bytes = self.tickets.remove(&ticket);
        let bytes = bytes.ok_or(GpuError::UnknownObject(ticket))?;
        self.usage.objects = self.usage.objects.saturating_sub(1);
        self.usage.buffer_bytes = self.usage.buffer_bytes.saturating_sub(bytes);
        Ok(bytes)
    }
}

/// Bounds that do not depend on what else there is; labels are cut.
pub(crate) fn check(recipe: &mut Recipe, quotas: &GpuLimits) -> Result<(), Failure> {
    let device = crate::adapters::limits(quotas);
    let named = |name: &str| {
        if name.len() > MAX_NAME_BYTES {
            let what = format!("a name has {} bytes, {MAX_NAME_BYTES} at most", name.len());
            return Err(invalid(what));
        }
        Ok(())
    };
    let few = |name, count: usize, limit: u32| at_most(name, count as u64, u64::from(limit));
    match recipe {
        Recipe::Buffer { size, .. } => {
            // One may not be larger than all together: then that is what has to be raised.
            let all = quotas.one_buffer_bytes >= quotas.buffer_bytes;
            let name = if all { "gpu_buffers" } else { "gpu_buffer" };
            at_most(name, *size, quotas.one_buffer_bytes)?;
            if *size == 0 || !size.is_multiple_of(ALIGNMENT) {
                let what =
                    format!("a buffer has {size} bytes: it must be a multiple of 4, and not 0");
                return Err(invalid(what).into());
            }
        }
        Recipe::ShaderModule { code, .. } => {
            at_most("gpu_shader_bytes", code.len() as u64, quotas.shader_bytes)?;
        }
        Recipe::BindGroupLayout { entries, .. } => few(
            "max-bindings-per-bind-group",
            entries.len(),
            device.max_bindings_per_bind_group,
        )?,
        Recipe::LayoutOf { index, .. } => {
            if *index >= device.max_bind_groups {
                return Err(invalid(format!("a pipeline has no bind group {index}")).into());
            }
        }
        Recipe::PipelineLayout {
            bind_group_layouts, ..
        } => few(
            "max-bind-groups",
            bind_group_layouts.len(),
            device.max_bind_groups,
        )?,
        Recipe::ComputePipeline {
            entry_point,
            constants,
            ..
        } => {
            entry_point.as_deref().map_or(Ok(()), named)?;
            if constants.len() > MAX_CONSTANTS {
                let what = format!("{} constants, {MAX_CONSTANTS} at most", constants.len());
                return Err(invalid(what).into());
            }
            constants.iter().try_for_each(|(name, _)| named(name))?;
        }
        Recipe::BindGroup { entries, .. } => few(
            "max-bindings-per-bind-group",
            entries.len(),
            device.max_bindings_per_bind_group,
        )?,
    }
    match recipe {
        Recipe::Buffer { label, .. }
        | Recipe::ShaderModule { label, .. }
        | Recipe::BindGroupLayout { label, .. }
        | Recipe::PipelineLayout { label, .. }
        | Recipe::ComputePipeline { label, .. }
        | Recipe::BindGroup { label, .. } => *label = cut(label, MAX_LABEL_BYTES).to_owned(),
        Recipe::LayoutOf { .. } => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Binding, BindingType, BufferUse, LayoutEntry};

    fn quotas() -> GpuLimits {
        GpuLimits {
            objects: 4,
            buffer_bytes: 100,
            one_buffer_bytes: 64,
            shader_bytes: 10,
            ..GpuLimits::default()
        }
    }

    fn buffer(size: u64) -> Recipe {
        Recipe::Buffer {
            label: "é".repeat(40),
            size,
            usage: BufferUse::default(),
        }
    }

    fn add(table: &mut Table, mut recipe: Recipe) -> Result<u64, Failure> {
        table.charge(&mut recipe, &quotas())?;
        Ok(table.add(recipe))
    }

    fn name_of(refused: Failure) -> &'static str {
        match refused {
            Failure::Error(GpuError::OverQuota(over)) => over.name,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_refused_takes_nothing_of_any_quota() {
        let mut table = Table::new();
        add(&mut table, buffer(64)).unwrap();
        let before = table.usage;
        for (recipe, name) in [
            (buffer(68), "gpu_buffer"),
            (buffer(40), "gpu_buffers"),
            (buffer(u64::MAX - 3), "gpu_buffer"),
            (
                Recipe::ShaderModule {
                    label: String::new(),
                    code: "x".repeat(11),
                },
                "gpu_shader_bytes",
            ),
        ] {
            assert_eq!(name_of(add(&mut table, recipe).unwrap_err()), name);
            assert_eq!(table.usage, before);
        }
        for size in [0, 3] {
            assert!(matches!(
                add(&mut table, buffer(size)),
                Err(Failure::Error(GpuError::Validation(_)))
            ));
        }
        assert_eq!(table.next, 2, "no number was used up");
    }

    #[test]
    fn labels_are_cut_between_characters() {
        let mut table = Table::new();
        let id = add(&mut table, buffer(4)).unwrap();
        assert!(
            matches!(&table.slots[&id].recipe, Recipe::Buffer { label, .. } if label.len() == 64)
        );
    }

    #[test]
    fn what_others_are_made_of_is_freed_with_the_last_of_them() {
        let mut table = Table::new();
        let data = add(&mut table, buffer(8)).unwrap();
        let layout = add(
            &mut table,
            Recipe::BindGroupLayout {
                label: String::new(),
                entries: vec![LayoutEntry {
                    binding: 0,
                    binding_type: BindingType::Storage,
                    has_dynamic_offset: false,
                    min_binding_size: 0,
                }],
            },
        )
        .unwrap();
        let group = Recipe::BindGroup {
            label: String::new(),
            layout,
            entries: vec![Binding {
                binding: 0,
                buffer: data,
                offset: 0,
                size: None,
            }],
        };
        let group = add(&mut table, group).unwrap();
        assert_eq!(table.destroy(data), Ok(vec![]));
        assert_eq!(table.usage.buffer_bytes, 8, "the group needs it");
        let gone = Err(GpuError::UnknownObject(data));
        assert_eq!(table.find(data, Kind::Buffer).map(|_| ()), gone);
        assert_eq!(table.destroy(data), Err(GpuError::UnknownObject(data)));
        let mut freed = table.destroy(group).unwrap();
        freed.sort_unstable();
        assert_eq!(freed, [data, group]);
        assert_eq!(table.usage.buffer_bytes, 0);
        assert_eq!(table.usage.objects, 1, "the layout is still there");
        assert!(add(&mut table, buffer(4)).unwrap() > group, "a new number");
    }

    #[test]
    fn ranges_that_wrap_around_are_outside() {
        let mut table = Table::new();
        let id = add(&mut table, buffer(64)).unwrap();
        assert_eq!(table.range(id, 60, 4), Ok(64));
        for (offset, size) in [(64, 4), (0, 68), (u64::MAX - 3, 8), (2, 4), (0, 2)] {
            assert!(matches!(
                table.range(id, offset, size),
                Err(GpuError::Validation(_))
            ));
        }
        assert_eq!(table.range(9, 0, 4), Err(GpuError::UnknownObject(9)));
    }

    #[test]
    fn open_reads_count_as_objects_and_memory_until_they_are_fetched() {
        let (mut table, quotas) = (Table::new(), quotas());
        let ticket = table.open_ticket(100, &quotas).unwrap();
        assert_eq!(
            table.open_ticket(4, &quotas).unwrap_err().name,
            "gpu_buffers"
        );
        assert_eq!(table.close_ticket(ticket), Ok(100));
        assert_eq!(
            table.close_ticket(ticket),
            Err(GpuError::UnknownObject(ticket))
        );
        assert_eq!((table.usage.objects, table.usage.buffer_bytes), (0, 0));
        assert_eq!(table.usage.transfer_bytes, 100);
    }
}
