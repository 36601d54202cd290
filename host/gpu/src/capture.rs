//! From a device to plain data.

use std::io;

use crate::adapters::STAGING_BYTES;
use crate::error::{Ended, Failure};
use crate::session::Session;
use crate::state::State;

impl Session {
    /// The state between two calls, once nothing is under way; its bytes go to `put` in order, each
    /// with its offset. The guest does not notice: it costs nothing of any quota.
    ///
    /// # Errors
    /// A device that is lost or does not answer; bytes that `put` does not take.
    pub fn capture(
        &mut self,
        put: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> Result<State, Failure> {
        if let Some(saved) = &self.saved {
            return copy(saved.state.clone(), saved.contents.as_ref(), put);
        }
        let (_, busy) = self.busy();
        let busy_us = u64::try_from(busy.as_micros()).unwrap_or(u64::MAX);
        let Some(device) = &mut self.device else {
            return Ok(State::of(&self.table, self.submissions, busy_us, ""));
        };
        let adapter = device.info.name.clone();
        let mut offset = 0;
        let unwritten = |e: io::Error| Ended::OutOfMemory(format!("no room for its state: {e}"));
        for (id, slot) in &self.table.slots {
            let bytes = slot.recipe.buffer_bytes();
            let mut done = 0;
            while done < bytes {
                let size = (bytes - done).min(STAGING_BYTES);
                let reading = device.start_read(*id, (done, size))?;
                device
                    .finish_read(&reading, |read| put(offset, read))?
                    .map_err(unwritten)?;
                done += size;
                offset += size;
            }
        }
        for (ticket, bytes) in &self.table.tickets {
            let Some(reading) = device.readings.get(ticket) else {
                return Err(Ended::Bug("a read without a buffer".to_owned()).into());
            };
            device
                .finish_read(reading, |read| put(offset, read))?
                .map_err(unwritten)?;
            offset += bytes;
        }
        let state = State::of(&self.table, self.submissions, busy_us, &adapter);
        self.changed = false;
        Ok(state)
    }
}

/// Hands on what was never brought to a device.
fn copy(
    state: State,
    contents: &dyn crate::Contents,
    put: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<State, Failure> {
    let unwritten = |e: io::Error| Ended::OutOfMemory(format!("no room for its state: {e}"));
    let total = state.content_bytes();
    let mut buffer = vec![0; usize::try_from(STAGING_BYTES.min(total)).unwrap_or(0)];
    let mut offset = 0;
    while offset < total {
        let size = usize::try_from((total - offset).min(STAGING_BYTES)).unwrap_or(0);
        let part = buffer.get_mut(..size).unwrap_or_default();
        contents.read_at(offset, part).map_err(unwritten)?;
        put(offset, part).map_err(unwritten)?;
        offset += size as u64;
    }
    Ok(state)
}
