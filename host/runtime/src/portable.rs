//! The state of a trial in a form of the plugin's own, which another version of it can read; and the
//! change of a configuration by means of it, where a trainable cannot follow the change itself.

use std::io::Read;

use tune_core::PluginFault;
use tune_core::records::{Change, FailureKind};

use crate::instance::Fuel;
use crate::trainable::{Trial, reported};

/// Bytes of one chunk, as the contract says.
const CHUNK_BYTES: u32 = 1 << 20;

/// On whose account chunks are carried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// The present step's.
    Step,
    /// The host's, at most the fuel of a step for each chunk.
    Host,
}

impl Trial {
    /// Asks for the state, chunk by chunk; at most as many bytes as the trial may have of memory.
    /// Free of fuel. How many bytes it were.
    ///
    /// This runs code of the guest, which can leave traces in its memory and so in the fuel of later
    /// steps: where the trial is to go on, ask a copy of it.
    ///
    /// # Errors
    /// If the plugin has no portable state, or refuses, fails or does not come to an end. The trial
    /// has ended then.
    pub fn save_portable(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<u64, Box<PluginFault>> {
        self.save(For::Host, sink)
    }

    /// Gives a new instance, after `setup`, the state that another one saved. Free of fuel.
    ///
    /// # Errors
    /// If the plugin has no portable state, refuses or fails, or the source fails or is longer than
    /// the trial may have of memory. The trial has ended then.
    pub fn restore_portable(&mut self, source: &mut dyn Read) -> Result<(), Box<PluginFault>> {
        self.load(For::Host, source)
    }

    /// Makes a new instance with another configuration and gives it the state of this one. Its fuel
    /// belongs to the next step. What the trial logged and wrote stays.
    ///
    /// # Errors
    /// As [`Self::save_portable`] and [`Self::restore_portable`]; if `setup` refuses or fails.
    pub fn reconfigure_portably(
        &mut self,
        change: &Change,
        virtual_now: u64,
    ) -> Result<(), Box<PluginFault>> {
        self.begin(virtual_now);
        let mut state = Vec::new();
        let moved = self
            .save(For::Step, &mut |chunk| state.extend_from_slice(chunk))
            .and_then(|_| self.renew(change))
            .and_then(|()| self.setup(virtual_now))
            .and_then(|()| self.load(For::Step, &mut state.as_slice()));
        self.end_if_failed(moved)
    }

    fn save(&mut self, account: For, sink: &mut dyn FnMut(&[u8])) -> Result<u64, Box<PluginFault>> {
        let limit = self.start.limits.memory_bytes;
        let mut offset = 0;
        loop {
            let chunk = self.save_chunk(account, offset)?;
            if chunk.is_empty() {
                return Ok(offset);
            }
            offset += chunk.len() as u64;
            let wrong = if chunk.len() > CHUNK_BYTES as usize {
                format!(
                    "it answered {} bytes when asked for {CHUNK_BYTES}",
                    chunk.len()
                )
            } else if offset > limit {
                format!("its state has no end: {offset} bytes, {limit} allowed")
            } else {
                sink(&chunk);
                continue;
            };
            self.instance.end();
            let hint = "`save-chunk` answers at most `max-len` bytes from `offset` on, and nothing \
                        at the end; `memory` in [limits] bounds the whole";
            return Err(self.fault("save-chunk", FailureKind::BadValue, &wrong, hint));
        }
    }

    fn save_chunk(&mut self, account: For, offset: u64) -> Result<Vec<u8>, Box<PluginFault>> {
        self.chunk(account, "save-chunk", async |portable, store| {
            reported(portable.call_save_chunk(store, offset, CHUNK_BYTES).await?)
        })
    }

    fn load(&mut self, account: For, source: &mut dyn Read) -> Result<(), Box<PluginFault>> {
        let limit = self.start.limits.memory_bytes;
        let mut offset = 0;
        loop {
            let mut chunk = Vec::new();
            let read = source.take(CHUNK_BYTES.into()).read_to_end(&mut chunk);
            let wrong = match read {
                Err(error) => format!("the state cannot be read: {error}"),
                Ok(_) if offset + chunk.len() as u64 > limit => {
                    format!("the state has more than the {limit} bytes that are allowed")
                }
                Ok(_) => {
                    self.chunk(account, "restore-chunk", async |portable, store| {
                        reported(portable.call_restore_chunk(store, offset, &chunk).await?)
                    })?;
                    if chunk.is_empty() {
                        return Ok(());
                    }
                    offset += chunk.len() as u64;
                    continue;
                }
            };
            self.instance.end();
            let hint = "use another snapshot, or raise `memory` in [limits]";
            return Err(self.fault("restore-chunk", FailureKind::BadValue, &wrong, hint));
        }
    }

    fn chunk<T>(
        &mut self,
        account: For,
        operation: &'static str,
        call: impl AsyncFnOnce(
            &crate::bindings::portable_state::Guest,
            &mut wasmtime::Store<crate::store::StoreData>,
        ) -> wasmtime::Result<T>,
    ) -> Result<T, Box<PluginFault>> {
        if !self.has_portable_state() {
            let hint = "export `portable-state`, with `export_portable_trainable!` of the SDK";
            let message = "it cannot write or read its state in a portable form";
            return Err(self.fault(operation, FailureKind::Reconfigure, message, hint));
        }
        let fuel = Fuel::for_host(&self.start.limits);
        let call = async |guest: &crate::trial_instance::TrialExports, store: &mut _| match &guest
            .portable
        {
            Some(portable) => call(portable, store).await,
            None => Err(wasmtime::format_err!("no portable state")),
        };
        match account {
            For::Step => self.instance.call(operation, call),
            For::Host => self.instance.call_for_host(operation, fuel, call),
        }
    }
}
