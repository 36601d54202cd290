//! The trait of trainables whose state can be read by another version of them, and the cutting of
//! that state into the chunks of the contract.
//!
//! Snapshots need none of this: they take a trial as it lies in memory, and only the same component
//! can go on from them. Portable state is what survives a new version of the plugin, and what a
//! component that cannot be snapshotted has instead.

use std::cell::{Cell, RefCell};

use tune_space::Failure;

use crate::Trainable;

/// A trainable whose state is a list of bytes in a format of its own. Exported by
/// [`export_portable_trainable!`](crate::export_portable_trainable).
pub trait PortableState: Trainable {
    /// The whole state between two steps. Begin it with a version of the format. What the
    /// configuration or the data already say need not be in it.
    ///
    /// # Errors
    /// The state cannot be saved; the message is shown to the user.
    fn save(&self) -> Result<Vec<u8>, Failure>;

    /// Takes over a saved state. Called once, after [`Trainable::setup`] with `restoring` true and
    /// before the first step. The bytes may come from another version or another configuration:
    /// check the version and every length, and leave nothing half restored that a step would use.
    ///
    /// The seed that `setup` was given is the same as when the state was saved if the trial goes on
    /// as it was, and a fresh one if it goes on with another configuration.
    ///
    /// # Errors
    /// The bytes are no state of this trainable; the message is shown to the user.
    fn restore(&mut self, state: &[u8]) -> Result<(), Failure>;
}

/// Cuts a state into chunks and puts chunks together. Hidden: part of what the macros expand to.
#[derive(Debug, Default)]
pub struct Transfer {
    /// The state that is being handed out.
    saved: RefCell<Option<Vec<u8>>>,
    /// What has come in so far.
    restored: RefCell<Vec<u8>>,
    done: Cell<bool>,
}

impl Transfer {
    /// Nothing handed out or come in.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            saved: RefCell::new(None),
            restored: RefCell::new(Vec::new()),
            done: Cell::new(false),
        }
    }

    /// The chunk at `offset`; the state is taken at offset 0 and let go with the empty chunk that
    /// ends it.
    ///
    /// # Errors
    /// What `save` refuses, or offsets that are not those of one chunk after the other.
    pub fn save_chunk(
        &self,
        offset: u64,
        max_len: u32,
        save: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        let mut saved = self.saved.borrow_mut();
        if offset == 0 {
            *saved = Some(save()?);
        }
        let rest = saved.as_ref().and_then(|state| {
            let offset = usize::try_from(offset).ok()?;
            state.get(offset..)
        });
        let rest = rest.ok_or("save-chunk: offsets begin at 0 and end with the state")?;
        let chunk = rest.get(..max_len as usize).unwrap_or(rest).to_vec();
        if rest.is_empty() {
            *saved = None;
        } else if chunk.is_empty() {
            return Err("save-chunk: max-len is 0".into());
        }
        Ok(chunk)
    }

    /// Takes the chunk at `offset`; an empty one hands the whole state to `restore`.
    ///
    /// # Errors
    /// What `restore` refuses, or offsets that are not those of one chunk after the other.
    pub fn restore_chunk(
        &self,
        offset: u64,
        bytes: &[u8],
        restore: impl FnOnce(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.done.get() {
            return Err("restore-chunk: the state is restored already".into());
        }
        let mut restored = self.restored.borrow_mut();
        if offset != restored.len() as u64 {
            return Err(format!(
                "restore-chunk: offset {offset} after {} bytes",
                restored.len()
            )
            .into());
        }
        if bytes.is_empty() {
            self.done.set(true);
            return restore(&std::mem::take(&mut *restored));
        }
        restored.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(state: &[u8], max_len: u32) -> Vec<Vec<u8>> {
        let transfer = Transfer::new();
        let (mut chunks, mut offset) = (Vec::new(), 0);
        loop {
            let chunk = transfer
                .save_chunk(offset, max_len, || Ok(state.to_vec()))
                .unwrap();
            if chunk.is_empty() {
                return chunks;
            }
            offset += chunk.len() as u64;
            chunks.push(chunk);
        }
    }

    #[test]
    fn chunks_of_any_size_put_together_are_the_state() {
        let state: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        for max_len in [1, 3, 250, 999, 1_000, 1 << 20] {
            let chunks = chunks(&state, max_len);
            assert_eq!(chunks.len(), state.len().div_ceil(max_len as usize));
            let transfer = Transfer::new();
            let mut offset = 0;
            let mut seen = None;
            for chunk in chunks.iter().chain([&Vec::new()]) {
                let restore = |whole: &[u8]| {
                    seen = Some(whole.to_vec());
                    Ok(())
                };
                transfer.restore_chunk(offset, chunk, restore).unwrap();
                offset += chunk.len() as u64;
            }
            assert_eq!(seen.as_ref(), Some(&state));
        }
    }

    #[test]
    fn an_empty_state_has_no_chunks_and_is_restored_all_the_same() {
        assert!(chunks(&[], 8).is_empty());
        let mut called = false;
        let restore = |state: &[u8]| {
            called = state.is_empty();
            Ok(())
        };
        Transfer::new().restore_chunk(0, &[], restore).unwrap();
        assert!(called);
    }

    #[test]
    fn the_state_is_taken_once_at_offset_0_and_again_when_asked_from_there_again() {
        let transfer = Transfer::new();
        let state = |byte| move || Ok(vec![byte; 4]);
        let never = || panic!("taken in the middle");
        assert_eq!(transfer.save_chunk(0, 3, state(1)), Ok(vec![1; 3]));
        assert_eq!(transfer.save_chunk(3, 3, never), Ok(vec![1]));
        assert_eq!(transfer.save_chunk(0, 3, state(2)), Ok(vec![2; 3]));
        assert_eq!(transfer.save_chunk(4, 3, never), Ok(vec![]));
        assert!(transfer.save_chunk(4, 3, never).is_err());
    }

    #[test]
    fn offsets_out_of_order_are_refused() {
        let transfer = Transfer::new();
        let save = || Ok(vec![0; 4]);
        assert!(transfer.save_chunk(2, 8, save).is_err());
        assert!(transfer.save_chunk(0, 0, save).is_err());
        assert!(transfer.save_chunk(0, 2, save).is_ok());
        assert!(transfer.save_chunk(5, 2, save).is_err());
        assert!(transfer.save_chunk(u64::MAX, 2, save).is_err());
        let never = |_: &[u8]| panic!("restored too early");
        assert!(transfer.restore_chunk(1, &[1], never).is_err());
        assert!(transfer.restore_chunk(0, &[1], never).is_ok());
        assert!(transfer.restore_chunk(0, &[1], never).is_err());
        assert!(transfer.restore_chunk(1, &[], |_| Ok(())).is_ok());
        let again = transfer.restore_chunk(0, &[], never).unwrap_err();
        assert!(again.message().contains("already"), "{again}");
    }
}
