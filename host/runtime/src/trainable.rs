//! A trial: one instance of a trainable.

use std::sync::Arc;

use tune_core::records::{Change, FailureKind, Reconfigured, Report};
use tune_core::{Limits, PluginFault, Usage};

use crate::artifact::StagedArtifact;
use crate::bindings::types;
use crate::fault::Reported;
use crate::from_guest::{self, Bounds};
use crate::instance::{Fuel, Instance};
use crate::linked::Linked;
use crate::log::SharedLog;
use crate::plugin::TrialStart;
use crate::random::Randomness;
use crate::snapshot::Snapshot;
use crate::snapshot_error::SnapshotError;
use crate::store::{Account, StoreData};
use crate::to_guest;
use crate::trial_instance::{TrialExports, TrialIndices, fresh, instance};

/// One tick of virtual time on the guest's clocks, in nanoseconds: a unit of fuel is about one
/// instruction.
const NANOS_PER_TICK: u64 = 1;
/// The same where ticks are costs that the trainable reports, which are microseconds.
const NANOS_PER_COST_TICK: u64 = 1_000;

/// A trial. One call at a time; after a call that failed every later one fails.
pub struct Trial {
    pub(crate) instance: Instance<TrialExports>,
    indices: Arc<TrialIndices>,
    pub(crate) start: TrialStart,
    nanos_per_tick: u64,
    /// Fuel of its own steps that ended.
    fuel_before: u64,
    /// A step has begun with `setup` or `reconfigure` and has not ended.
    in_step: bool,
}

impl Trial {
    pub(crate) fn new(
        linked: &Arc<Linked>,
        indices: &Arc<TrialIndices>,
        start: TrialStart,
    ) -> Result<Self, Box<PluginFault>> {
        let fuel = (step_fuel(&start.limits, 0), 0);
        let log = SharedLog::new(&start.limits);
        let instance = instance(linked, indices, &start, log, Account::Step, fuel)?;
        Ok(Self {
            instance,
            indices: Arc::clone(indices),
            nanos_per_tick: nanos_per_tick(&start),
            start,
            fuel_before: 0,
            // Instantiating belongs to the first step.
            in_step: true,
        })
    }

    pub(crate) fn restored(
        linked: &Arc<Linked>,
        indices: &Arc<TrialIndices>,
        start: TrialStart,
        from: &Snapshot,
        own_fuel: u64,
    ) -> Result<Self, Box<PluginFault>> {
        let log = SharedLog::new(&start.limits);
        let mut instance = fresh(linked, indices, &start, log)?;
        instance.restore_fresh(from, &start.limits)?;
        Ok(Self {
            instance,
            indices: Arc::clone(indices),
            nanos_per_tick: nanos_per_tick(&start),
            start,
            fuel_before: own_fuel,
            in_step: false,
        })
    }

    /// The state between two steps. Free of fuel: later steps are the same whether it was taken or
    /// not.
    ///
    /// # Errors
    /// In mid-step; after a failure; if a part of the state is out of reach.
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        if self.in_step {
            return Err(SnapshotError::InStep);
        }
        self.instance.capture()
    }

    /// Goes on from another state, of a trial of the same plugin, instead of its own; `own_fuel` is
    /// what its own steps have burned so far. Free of fuel. Quick where the memory of the state is
    /// no smaller than the present one; a new instance is made otherwise, or if this one has ended:
    /// the deadline of the control holds for its start code.
    ///
    /// # Errors
    /// If the state does not fit or is damaged. The trial has ended then.
    pub fn restore_over(&mut self, from: &Snapshot, own_fuel: u64) -> Result<(), SnapshotError> {
        if !self.instance.has_room_for(from) {
            let log = self.instance.log().clone();
            let linked = Arc::clone(&self.instance.linked);
            // The old one first: two at once may be too much for the machine.
            self.instance.end();
            self.instance = fresh(&linked, &self.indices, &self.start, log)?;
        }
        self.instance.restore(from, &self.start.limits)?;
        self.in_step = false;
        self.fuel_before = own_fuel;
        Ok(())
    }

    /// It can be asked for its state in a form for other versions of the plugin.
    #[must_use]
    pub fn has_portable_state(&self) -> bool {
        self.indices.portable.is_some()
    }

    /// Calls `setup`. It belongs to the first step: they share fuel and its limit.
    ///
    /// # Errors
    /// If the guest refuses or fails.
    pub fn setup(&mut self, virtual_now: u64) -> Result<(), Box<PluginFault>> {
        self.begin(virtual_now);
        let (info, config) = (
            to_guest::trial_info(&self.start.info),
            to_guest::config(&self.start.config),
        );
        let answer = self.instance.call("setup", async |guest, store| {
            reported(guest.trainable.call_setup(store, info, &config).await?)
        });
        self.end_if_failed(answer)
    }

    /// Calls `step`: trains until the next intermediate result.
    ///
    /// # Errors
    /// If the guest refuses or fails, or the report is out of bounds.
    pub fn step(&mut self, virtual_now: u64) -> Result<Report, Box<PluginFault>> {
        self.begin(virtual_now);
        let limits = &self.start.limits;
        let answer = self.instance.call("step", async |guest, store| {
            let report = reported(guest.trainable.call_step(&mut *store).await?)?;
            store.data_mut().gpu.settle()?;
            Ok(Bounds(limits).report(report)?)
        });
        self.end();
        answer
    }

    /// Calls `reconfigure`. It belongs to the next step. The guest's randomness starts again from
    /// the new seed.
    ///
    /// # Errors
    /// If the guest refuses or fails.
    pub fn reconfigure(
        &mut self,
        change: &Change,
        virtual_now: u64,
    ) -> Result<Reconfigured, Box<PluginFault>> {
        self.begin(virtual_now);
        if let Some(data) = self.instance.data_mut() {
            data.random = Randomness::new(change.seed);
        }
        let change = to_guest::change(change);
        let answer = self.instance.call("reconfigure", async |guest, store| {
            reported(guest.trainable.call_reconfigure(store, &change).await?)
        });
        self.end_if_failed(answer).map(|answer| match answer {
            types::Reconfigured::Applied => Reconfigured::Applied,
            types::Reconfigured::Unsupported => Reconfigured::Unsupported,
        })
    }

    /// Sets clock and fuel for what comes, unless it belongs to a step that has begun.
    pub(crate) fn begin(&mut self, virtual_now: u64) {
        if !self.in_step {
            self.in_step = true;
            self.instance.refuel(self.step_fuel());
        }
        if let Some(data) = self.instance.data_mut() {
            data.clock
                .advance_to(virtual_now.saturating_mul(self.nanos_per_tick));
        }
    }

    /// A new instance, for another configuration, in the place of this one. What the step has
    /// burned so far counts on; logged lines and artifacts stay.
    pub(crate) fn renew(&mut self, change: &Change) -> Result<(), Box<PluginFault>> {
        self.start.config = change.config.clone();
        self.start.info.seed = change.seed;
        self.start.info.workers = change.workers;
        self.start.info.restoring = true;
        let (log, linked) = (
            self.instance.log().clone(),
            Arc::clone(&self.instance.linked),
        );
        let kept = self.instance.data_mut().map(StoreData::take_kept);
        // The old one first: two at once may be too much for the machine.
        self.instance.end();
        let fuel = (self.step_fuel(), self.instance.burned());
        self.instance = instance(
            &linked,
            &self.indices,
            &self.start,
            log,
            Account::Step,
            fuel,
        )?;
        if let (Some(kept), Some(data)) = (kept, self.instance.data_mut()) {
            data.set_kept(kept);
        }
        Ok(())
    }

    fn step_fuel(&self) -> Fuel {
        step_fuel(&self.start.limits, self.fuel_before)
    }

    fn end(&mut self) {
        if self.in_step {
            self.in_step = false;
            self.fuel_before = self.fuel_before.saturating_add(self.instance.burned());
        }
    }

    pub(crate) fn end_if_failed<T>(
        &mut self,
        answer: Result<T, Box<PluginFault>>,
    ) -> Result<T, Box<PluginFault>> {
        if answer.is_err() {
            self.end();
        }
        answer
    }

    /// Fuel of the present or last step, with the setup or change that belongs to it; of a failed
    /// one what it burned. 0 when fuel is not counted.
    #[must_use]
    pub fn fuel_burned(&self) -> u64 {
        self.instance.burned()
    }

    /// Fuel of all its own steps: of the present state's history, those that another trial made are
    /// not among them. `fuel_per_trial` limits this.
    #[must_use]
    pub fn own_fuel(&self) -> u64 {
        let present = if self.in_step {
            self.instance.burned()
        } else {
            0
        };
        self.fuel_before.saturating_add(present)
    }

    /// Sets what its own steps have burned so far: after steps were repeated that were another
    /// trial's.
    pub fn set_own_fuel(&mut self, own_fuel: u64) {
        self.fuel_before = own_fuel;
    }

    /// The most that the present or last step used or wanted, with the setup or change that belongs
    /// to it; of the log and the artifacts, all so far. To be asked after the log was taken, which
    /// ends lines that were begun.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            log_bytes: self.instance.log().lock().used(),
            ..self.instance.usage()
        }
    }

    /// Bytes of all its linear memories, after the last call.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.instance.memory_bytes()
    }

    /// Bytes that it holds on this machine: its linear memories and its buffers on the GPU.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.memory_bytes()
            .saturating_add(self.instance.gpu_bytes())
    }

    /// Log lines since the last take: `LEVEL message`, printed lines with `STDOUT` or `STDERR`, and
    /// a `NOTE` when something was dropped.
    pub fn take_log(&mut self) -> Vec<u8> {
        self.instance.take_log()
    }

    /// What was written to artifacts since the last take. Of a failed step: nothing.
    pub fn take_artifacts(&mut self) -> Vec<StagedArtifact> {
        self.instance
            .data_mut()
            .map(|data| data.artifacts.take())
            .unwrap_or_default()
    }

    /// A failure of this trial that the host found.
    #[must_use]
    pub fn fault(
        &self,
        operation: &str,
        kind: FailureKind,
        message: &str,
        hint: &str,
    ) -> Box<PluginFault> {
        self.instance.fault(operation, kind, message, hint)
    }
}

fn nanos_per_tick(start: &TrialStart) -> u64 {
    if start.grants.virtual_cost {
        NANOS_PER_COST_TICK
    } else {
        NANOS_PER_TICK
    }
}

/// What a step may burn: its own limit, or what is left of the trial's.
fn step_fuel(limits: &Limits, used: u64) -> Fuel {
    let left = limits.fuel_per_trial.saturating_sub(used);
    if left < limits.fuel_per_step {
        Fuel {
            amount: left,
            limit: "fuel_per_trial",
            allowed: limits.fuel_per_trial,
        }
    } else {
        Fuel::all_of("fuel_per_step", limits.fuel_per_step)
    }
}

/// The answer of a guest, or its own error as the end of the call.
pub(crate) fn reported<T>(answer: Result<T, types::Failure>) -> wasmtime::Result<T> {
    answer.map_err(|failure| Reported(from_guest::failure(failure)).into())
}
