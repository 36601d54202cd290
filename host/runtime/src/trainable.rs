//! A trial: one instance of a trainable.

use std::sync::Arc;

use tune_core::records::{Change, Config, FailureKind, Reconfigured, Report, TrialInfo};
use tune_core::{Limits, PluginFault};
use wasmtime::component::InstancePre;

use crate::artifact::StagedArtifact;
use crate::bindings::{trainable, types};
use crate::engines::EngineLevel;
use crate::fault::{Identity, Reported};
use crate::from_guest::{self, Bounds};
use crate::instance::{Fuel, Instance};
use crate::log::SharedLog;
use crate::plugin::TrialStart;
use crate::random::Randomness;
use crate::store::{StoreData, StoreParts};
use crate::to_guest;

/// One tick of virtual time on the guest's clocks, in nanoseconds: a unit of fuel is about one
/// instruction.
const NANOS_PER_TICK: u64 = 1;
/// The same where ticks are costs that the trainable reports, which are microseconds.
const NANOS_PER_COST_TICK: u64 = 1_000;

/// A trial. One call at a time; after a call that failed every later one fails.
pub struct Trial {
    instance: Instance<trainable::Guest>,
    info: TrialInfo,
    config: Config,
    limits: Limits,
    nanos_per_tick: u64,
    /// Fuel of the steps that ended.
    fuel_before: u64,
    /// A step has begun with `setup` or `reconfigure` and has not ended.
    in_step: bool,
}

impl Trial {
    pub(crate) fn new(
        identity: Arc<Identity>,
        level: &EngineLevel,
        pre: &InstancePre<StoreData>,
        indices: &trainable::GuestIndices,
        start: TrialStart,
    ) -> Result<Self, Box<PluginFault>> {
        let fuel = step_fuel(&start.limits, 0);
        let parts = StoreParts {
            limits: &start.limits,
            control: start.control,
            seed: start.info.seed,
            data: start.data,
            grants: &start.grants,
            log: SharedLog::new(&start.limits),
        };
        let load = |store: &mut _, exports: &_| indices.load(store, exports);
        Ok(Self {
            instance: Instance::new(identity, level, pre, parts, fuel, load)?,
            info: start.info,
            config: start.config,
            nanos_per_tick: if start.grants.virtual_cost {
                NANOS_PER_COST_TICK
            } else {
                NANOS_PER_TICK
            },
            limits: start.limits,
            fuel_before: 0,
            // Instantiating belongs to the first step.
            in_step: true,
        })
    }

    /// Calls `setup`. It belongs to the first step: they share fuel and its limit.
    ///
    /// # Errors
    /// If the guest refuses or fails.
    pub fn setup(&mut self, virtual_now: u64) -> Result<(), Box<PluginFault>> {
        self.begin(virtual_now);
        let (info, config) = (
            to_guest::trial_info(&self.info),
            to_guest::config(&self.config),
        );
        let answer = self.instance.call("setup", async |guest, store| {
            reported(guest.call_setup(store, info, &config).await?)
        });
        self.end_if_failed(answer)
    }

    /// Calls `step`: trains until the next intermediate result.
    ///
    /// # Errors
    /// If the guest refuses or fails, or the report is out of bounds.
    pub fn step(&mut self, virtual_now: u64) -> Result<Report, Box<PluginFault>> {
        self.begin(virtual_now);
        let limits = &self.limits;
        let answer = self.instance.call("step", async |guest, store| {
            let report = reported(guest.call_step(store).await?)?;
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
            reported(guest.call_reconfigure(store, &change).await?)
        });
        self.end_if_failed(answer).map(|answer| match answer {
            types::Reconfigured::Applied => Reconfigured::Applied,
            types::Reconfigured::Unsupported => Reconfigured::Unsupported,
        })
    }

    /// Sets clock and fuel for what comes, unless it belongs to a step that has begun.
    fn begin(&mut self, virtual_now: u64) {
        if !self.in_step {
            self.in_step = true;
            self.instance
                .refuel(step_fuel(&self.limits, self.fuel_before));
        }
        if let Some(data) = self.instance.data_mut() {
            data.clock
                .advance_to(virtual_now.saturating_mul(self.nanos_per_tick));
        }
    }

    fn end(&mut self) {
        if self.in_step {
            self.in_step = false;
            self.fuel_before = self.fuel_before.saturating_add(self.instance.burned());
        }
    }

    fn end_if_failed<T>(
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

    /// Fuel of all steps.
    #[must_use]
    pub fn fuel_total(&self) -> u64 {
        let present = if self.in_step {
            self.instance.burned()
        } else {
            0
        };
        self.fuel_before.saturating_add(present)
    }

    /// Bytes of all its linear memories, after the last call.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.instance.memory_bytes()
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

/// What a step may burn: its own limit, or what is left of the trial's.
fn step_fuel(limits: &Limits, used: u64) -> Fuel {
    let left = limits.fuel_per_trial.saturating_sub(used);
    if left < limits.fuel_per_step {
        Fuel {
            amount: left,
            limit: "fuel_per_trial",
        }
    } else {
        Fuel {
            amount: limits.fuel_per_step,
            limit: "fuel_per_step",
        }
    }
}

/// The answer of a guest, or its own error as the end of the call.
fn reported<T>(answer: Result<T, types::Failure>) -> wasmtime::Result<T> {
    answer.map_err(|failure| Reported(from_guest::failure(failure)).into())
}
