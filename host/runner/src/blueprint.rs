//! How the instance of a trial is brought into its state: a base, then steps done again, silently,
//! each compared with what it gave the first time.
//!
//! A base that cannot be had is no failure of the trial: it is reported, and the caller finds the
//! next earlier one.

use std::sync::Arc;

use tune_core::records::{Change, Config, Report, TrialInfo};
use tune_core::{PluginFault, Point, Replay, Stop, fingerprint};
use tune_runtime::{Control, Snapshot, Trial};

use crate::Verify;
use crate::factory::{Factory, step};
use crate::state_file;

/// Everything that an instance is built from.
pub(crate) struct Blueprint {
    /// Of the trial whose instance it will be.
    pub(crate) info: TrialInfo,
    /// Of the trial whose instance it will be.
    pub(crate) config: Config,
    pub(crate) base: Foundation,
    pub(crate) steps: Vec<Replay>,
    /// Fuel that the trial's own steps have burned by then.
    pub(crate) own_fuel: u64,
    /// An instance of the trial in another state, which takes over the new one.
    pub(crate) over: Option<Box<Trial>>,
}

/// What an instance begins with.
pub(crate) enum Foundation {
    /// A new instance that is set up with this.
    Setup { info: TrialInfo, config: Config },
    /// A state in memory.
    Memory(Point, Snapshot),
    /// A state in the chunk store.
    Stored(u64),
    /// A state in the chunk store that another version of the trainable wrote in its own form,
    /// with what was in force then.
    Portable {
        id: u64,
        info: TrialInfo,
        config: Config,
    },
}

/// A base that is of no use.
pub(crate) struct BadBase {
    pub(crate) what: BadState,
    pub(crate) why: String,
}

/// Which base is of no use.
pub(crate) enum BadState {
    Memory(Point),
    Stored(u64),
}

/// Why an instance was not built.
pub(crate) enum Unbuilt {
    /// It failed: the fault, the fuel that it burned, its log.
    Fault(Box<PluginFault>, u64, Vec<u8>),
    /// A step gave something else than the first time.
    Mismatch(Stop),
    Base(BadBase),
}

impl Unbuilt {
    fn base(what: BadState, why: impl ToString) -> Self {
        Self::Base(BadBase {
            what,
            why: why.to_string(),
        })
    }

    /// A restore that failed: the machine's fault is one of the attempt, all else one of the base.
    fn restore(what: BadState, fault: Box<PluginFault>) -> Self {
        if fault.kind.is_reproducible() || fault.kind == tune_core::records::FailureKind::HostBug {
            Self::base(what, fault)
        } else {
            Self::Fault(fault, 0, Vec::new())
        }
    }
}

impl Factory {
    /// An instance in the state of the blueprint. `armed` is called before what belongs to the
    /// coming step: the deadline of the step begins there.
    pub(crate) fn build(
        &self,
        blueprint: Blueprint,
        tick: u64,
        control: &Arc<Control>,
        armed: impl FnOnce(),
    ) -> Result<Box<Trial>, Unbuilt> {
        let Blueprint {
            info,
            config,
            base,
            steps,
            own_fuel,
            over,
        } = blueprint;
        if let (Foundation::Setup { info, config }, []) = (&base, steps.as_slice()) {
            // Setting up belongs to the first step.
            armed();
            return self.set_up(info, config, tick, control);
        }
        // Repeating costs nothing: it must not move the bound of the step that is to come.
        control.publish(false);
        let begin = steps.first().map_or(tick, |step| step.start);
        let mut trial = self.found(base, (&info, &config), begin, over, control)?;
        for replay in &steps {
            self.repeat(&mut trial, replay, control)?;
        }
        trial.set_own_fuel(own_fuel);
        // Published before: once was enough.
        drop(trial.take_log());
        drop(trial.take_artifacts());
        armed();
        control.publish(true);
        Ok(trial)
    }

    /// A new instance that was set up.
    pub(crate) fn set_up(
        &self,
        info: &TrialInfo,
        config: &Config,
        tick: u64,
        control: &Arc<Control>,
    ) -> Result<Box<Trial>, Unbuilt> {
        let start = self.start(info, config, control);
        let trial = self.plugin.trial(start);
        let mut trial = trial.map_err(|fault| Unbuilt::Fault(fault, 0, Vec::new()))?;
        if let Err(fault) = trial.setup(tick) {
            let (fuel, log) = (trial.fuel_burned(), trial.take_log());
            return Err(Unbuilt::Fault(fault, fuel, log));
        }
        Ok(Box::new(trial))
    }

    /// An instance in the state of a base.
    pub(crate) fn found(
        &self,
        base: Foundation,
        (info, config): (&TrialInfo, &Config),
        tick: u64,
        over: Option<Box<Trial>>,
        control: &Arc<Control>,
    ) -> Result<Box<Trial>, Unbuilt> {
        control.arm(self.limits.wall_per_step);
        let (snapshot, bad) = match base {
            Foundation::Setup { info, config } => {
                return self.set_up(&info, &config, tick, control);
            }
            Foundation::Portable { id, info, config } => {
                return self.set_up_portably(id, &info, &config, tick, control);
            }
            Foundation::Memory(point, snapshot) => (snapshot, BadState::Memory(point)),
            Foundation::Stored(id) => {
                let bad = BadState::Stored(id);
                let Some(chunks) = &self.chunks else {
                    return Err(Unbuilt::base(bad, "the run keeps no snapshots"));
                };
                match state_file::read(chunks, id, &self.limits) {
                    Ok(snapshot) => (snapshot, bad),
                    Err(error) => return Err(Unbuilt::base(bad, error)),
                }
            }
        };
        if let Some(mut over) = over
            && over.restore_over(&snapshot, 0).is_ok()
        {
            return Ok(over);
        }
        let start = self.start(info, config, control);
        match self.plugin.restore_trial(start, &snapshot, 0) {
            Ok(trial) => Ok(Box::new(trial)),
            Err(fault) => Err(Unbuilt::restore(bad, fault)),
        }
    }

    /// A new instance that takes over what another version of the trainable wrote.
    fn set_up_portably(
        &self,
        id: u64,
        info: &TrialInfo,
        config: &Config,
        tick: u64,
        control: &Arc<Control>,
    ) -> Result<Box<Trial>, Unbuilt> {
        let bad = || BadState::Stored(id);
        let portable = match &self.chunks {
            Some(chunks) => chunks.portable(id).map_err(|e| Unbuilt::base(bad(), e))?,
            None => None,
        };
        let Some(mut portable) = portable else {
            return Err(Unbuilt::base(bad(), "it has no portable state"));
        };
        let mut trial = self.set_up(info, config, tick, control)?;
        let restored = trial.restore_portable(&mut portable);
        restored.map_err(|fault| Unbuilt::restore(bad(), fault))?;
        Ok(trial)
    }

    /// Does a step again and compares.
    pub(crate) fn repeat(
        &self,
        trial: &mut Trial,
        replay: &Replay,
        control: &Arc<Control>,
    ) -> Result<(), Unbuilt> {
        let mismatch = |again: String| {
            Err(Unbuilt::Mismatch(Stop::NondeterministicTrial {
                trial: replay.point.trial,
                step: replay.point.reports,
                again,
            }))
        };
        match self.step_again(trial, replay, control) {
            Ok(_) if self.verify == Verify::Nothing => Ok(()),
            Ok(report) if fingerprint(&report) == replay.fingerprint => Ok(()),
            Ok(report) => mismatch(format!("{report:?}")),
            // Irreproducible kinds are the machine's fault: this attempt failed, no more. And where
            // nothing is compared, a changed trainable that fails is a failure of its trial.
            Err(fault) if !fault.kind.is_reproducible() || self.verify == Verify::Nothing => {
                Err(Unbuilt::Fault(fault, 0, trial.take_log()))
            }
            Err(fault) => mismatch(fault.to_string()),
        }
    }

    /// Does a step of a recipe again.
    pub(crate) fn step_again(
        &self,
        trial: &mut Trial,
        replay: &Replay,
        control: &Arc<Control>,
    ) -> Result<Report, Box<PluginFault>> {
        control.arm(self.limits.wall_per_step);
        // Whoever's step it was, it was within what that trial had left.
        trial.set_own_fuel(0);
        let change: Option<&Change> = replay.change.as_ref();
        let report = step(trial, replay.start, change)?;
        // Artifacts of a trial are bounded over all its steps, its log too: both go on counting.
        drop(trial.take_artifacts());
        // As after a step that is handed over: a line that was begun ends here.
        drop(trial.take_log());
        Ok(report)
    }
}
