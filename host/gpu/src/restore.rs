//! From plain data to a device: the same one, a new one, or one of another adapter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::adapters::STAGING_BYTES;
use crate::device::{Device, Reading};
use crate::error::{Ended, Failure, GpuError};
use crate::session::{Saved, Session};
use crate::state::{Contents, State, StateError};

impl Session {
    /// Goes on from a state. The bytes are brought to a device when the guest first asks for
    /// something: a state that is only handed on costs nothing.
    ///
    /// # Errors
    /// If the state is damaged or does not fit, or there is no adapter for it; nothing has changed
    /// then.
    pub fn restore(
        &mut self,
        state: &State,
        contents: Arc<dyn Contents>,
    ) -> Result<(), StateError> {
        let table = state.table(&self.quotas)?;
        if let Some(refusal) = self.refusal() {
            let of = state.adapter();
            return Err(StateError::DoesNotFit(format!(
                "it was computed on `{of}`, and here {refusal}"
            )));
        }
        // A new device: the present one may be full, or busy.
        self.device = None;
        self.table = table;
        self.submissions = state.submissions;
        self.busy_before = Duration::from_micros(state.busy_us);
        self.changed = false;
        self.saved = Some(Saved {
            state: state.clone(),
            contents,
        });
        Ok(())
    }

    /// Brings a state to the device that was just opened.
    pub(crate) fn upload(&mut self, saved: &Saved) -> Result<(), Failure> {
        let Some(device) = &mut self.device else {
            return Err(Ended::Bug("a device is missing".to_owned()).into());
        };
        let of = saved.state.adapter();
        for (id, recipe, _) in &saved.state.objects {
            let handle = device.make(recipe).map_err(|failure| match failure {
                // It could be made once: this adapter is another.
                Failure::Error(error) => Failure::Error(GpuError::Unavailable(format!(
                    "a state that was computed on `{of}` does not fit `{}`: {error}",
                    device.info.name
                ))),
                ended => ended,
            })?;
            device.handles.insert(*id, handle);
        }
        let mut offset = 0;
        for (id, recipe, _) in &saved.state.objects {
            let bytes = recipe.buffer_bytes();
            let mut done = 0;
            while done < bytes {
                let part = read(saved, offset, (bytes - done).min(STAGING_BYTES))?;
                device.write(*id, done, &part)?;
                done += part.len() as u64;
                offset += part.len() as u64;
            }
        }
        for (ticket, bytes) in &saved.state.tickets {
            let part = read(saved, offset, *bytes)?;
            let reading = reread(device, &part)?;
            device.readings.insert(*ticket, reading);
            offset += bytes;
        }
        device.settle()
    }
}

fn read(saved: &Saved, offset: u64, size: u64) -> Result<Vec<u8>, Failure> {
    let mut part = vec![0; usize::try_from(size).unwrap_or(0)];
    let unread = |e: std::io::Error| Ended::OutOfMemory(format!("its state cannot be read: {e}"));
    saved.contents.read_at(offset, &mut part).map_err(unread)?;
    Ok(part)
}

/// A read that is over, with its bytes.
fn reread(device: &Device, bytes: &[u8]) -> Result<Reading, Failure> {
    let staging = device.scoped(|device| {
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read"),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: true,
        });
        if let Ok(mut view) = staging.get_mapped_range_mut(..) {
            view.copy_from_slice(bytes);
        }
        staging.unmap();
        staging
    })?;
    let mapped = Arc::new(Mutex::new(None));
    let told = Arc::clone(&mapped);
    device.scoped(|_| {
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            *told
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result.is_ok());
        });
    })?;
    Ok(Reading {
        staging,
        submission: 0,
        mapped,
    })
}
