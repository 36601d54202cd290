//! One step of one trial, on a trial thread: build the instance if there is none, carry out a
//! change, step, and say how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tune_core::records::{Change, FailureKind, Reconfigured, TrialId};
use tune_core::{Failed, Limits, PluginFault, StepEnd, Stop, fingerprint};
use tune_runtime::{Control, DataSets, Grants, Plugin, StagedArtifact, Trial, TrialStart};

use crate::Recipe;

/// Called on a trial thread before every step: tests delay steps with it.
pub type StepHook = Arc<dyn Fn(TrialId) + Send + Sync>;

/// What all trials of a run share.
pub(crate) struct Factory {
    pub(crate) plugin: Plugin,
    pub(crate) limits: Limits,
    pub(crate) data: Arc<DataSets>,
    pub(crate) grants: Grants,
    pub(crate) hook: Option<StepHook>,
}

/// A step to run.
pub(crate) struct Job {
    pub(crate) trial: TrialId,
    /// Virtual time at which it begins.
    pub(crate) tick: u64,
    /// The instance, or how to build it.
    pub(crate) body: Body,
    /// To be carried out first.
    pub(crate) change: Option<Change>,
    pub(crate) control: Arc<Control>,
    /// Wall time that the trial has used so far.
    pub(crate) wall_used: Duration,
}

pub(crate) enum Body {
    Live(Box<Trial>),
    Build(Box<Recipe>),
}

/// A step that ended.
pub(crate) struct Done {
    pub(crate) trial: TrialId,
    pub(crate) instance: Option<Box<Trial>>,
    pub(crate) end: StepEnd,
    pub(crate) log: Vec<u8>,
    pub(crate) artifacts: Vec<StagedArtifact>,
    pub(crate) took: Duration,
    /// A replay that did not give what it gave before: the run must stop.
    pub(crate) mismatch: Option<Stop>,
}

impl Done {
    /// Of a step whose end is not known.
    pub(crate) fn lost(trial: TrialId) -> Self {
        Self {
            trial,
            instance: None,
            end: StepEnd {
                result: Err(tune_core::host_bug(
                    "tune-host panicked while it ran the step",
                )),
                fuel: 0,
                memory_bytes: 0,
            },
            log: Vec::new(),
            artifacts: Vec::new(),
            took: Duration::ZERO,
            mismatch: None,
        }
    }
}

impl Factory {
    /// Runs the step.
    pub(crate) fn run(&self, job: Job) -> Done {
        if let Some(hook) = &self.hook {
            hook(job.trial);
        }
        let began = Instant::now();
        let mut done = Done::lost(job.trial);
        let wall = self
            .limits
            .wall_per_step
            .min(self.limits.wall_per_trial.saturating_sub(job.wall_used));
        job.control.arm(wall);
        let built = match job.body {
            Body::Live(trial) => Ok(trial),
            Body::Build(recipe) => self.build(&recipe, job.tick, &job.control),
        };
        match built {
            Ok(mut trial) => {
                let result = step(&mut trial, job.tick, job.change.as_ref());
                done.end.fuel = trial.fuel_burned();
                done.end.memory_bytes = trial.memory_bytes();
                done.log = trial.take_log();
                match result {
                    Ok(report) => {
                        done.end.result = Ok(report);
                        done.artifacts = trial.take_artifacts();
                        done.instance = Some(trial);
                    }
                    Err(fault) => done.end.result = Err(failed(&fault)),
                }
            }
            Err(BuildError::Fault(fault, fuel, log)) => {
                done.end.fuel = fuel;
                done.end.result = Err(failed(&fault));
                done.log = log;
            }
            Err(BuildError::Mismatch(stop)) => done.mismatch = Some(stop),
        }
        done.took = began.elapsed();
        done
    }

    /// A trial as it was after the recipe's last step: set up and stepped again, silently.
    fn build(
        &self,
        recipe: &Recipe,
        tick: u64,
        control: &Arc<Control>,
    ) -> Result<Box<Trial>, BuildError> {
        let replays = !recipe.history.is_empty();
        // A replay costs nothing: it must not move the bound of the step that is to come.
        control.publish(!replays);
        let mut trial = self
            .plugin
            .trial(TrialStart {
                info: recipe.info.clone(),
                config: recipe.config.clone(),
                limits: self.limits.clone(),
                data: Arc::clone(&self.data),
                grants: self.grants.clone(),
                control: Arc::clone(control),
            })
            .map_err(|fault| BuildError::Fault(fault, 0, Vec::new()))?;
        let begin = recipe.history.first().map_or(tick, |step| step.start);
        if let Err(fault) = trial.setup(begin) {
            let (fuel, log) = (trial.fuel_burned(), trial.take_log());
            return Err(BuildError::Fault(fault, fuel, log));
        }
        for (index, record) in recipe.history.iter().enumerate() {
            let change = recipe.change_before(index as u64).map(|c| &c.change);
            let mismatch = |again: String| {
                BuildError::Mismatch(Stop::NondeterministicTrial {
                    trial: recipe.info.trial,
                    step: index as u64 + 1,
                    again,
                })
            };
            match step(&mut trial, record.start, change) {
                Ok(report) if fingerprint(&report) == record.fingerprint => {}
                Ok(report) => return Err(mismatch(format!("{report:?}"))),
                // Irreproducible kinds are the machine's fault: this attempt failed, no more.
                Err(fault) if !fault.kind.is_reproducible() => {
                    return Err(BuildError::Fault(fault, 0, Vec::new()));
                }
                Err(fault) => return Err(mismatch(fault.to_string())),
            }
        }
        if replays {
            // Published before: once was enough.
            drop(trial.take_log());
            drop(trial.take_artifacts());
            control.publish(true);
        }
        Ok(Box::new(trial))
    }
}

enum BuildError {
    Fault(Box<PluginFault>, u64, Vec<u8>),
    Mismatch(Stop),
}

fn step(
    trial: &mut Trial,
    tick: u64,
    change: Option<&Change>,
) -> Result<tune_core::records::Report, Box<PluginFault>> {
    if let Some(change) = change
        && trial.reconfigure(change, tick)? == Reconfigured::Unsupported
    {
        return Err(trial.fault(
            "reconfigure",
            FailureKind::Reconfigure,
            "the trainable cannot change its configuration in mid-training",
            "implement `reconfigure`, and list the parameters in its manifest as mutable",
        ));
    }
    trial.step(tick)
}

fn failed(fault: &PluginFault) -> Failed {
    Failed {
        kind: fault.kind,
        message: fault.details(),
    }
}
