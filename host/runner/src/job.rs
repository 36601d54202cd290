//! One step of one trial, on a trial thread: bring the instance into its state, carry out a change,
//! step, and say how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tune_core::records::{Change, TrialId};
use tune_core::{Failed, Limits, PluginFault, StepEnd, Stop, Usage};
use tune_runtime::{Control, StagedArtifact, Trial, WallLimit};

use crate::blueprint::{BadBase, Blueprint, Unbuilt};
use crate::errand::{Capture, Captured, capture};
use crate::factory::{Factory, step};

/// A step to run.
pub(crate) struct Job {
    pub(crate) trial: TrialId,
    /// Virtual time at which it begins.
    pub(crate) tick: u64,
    /// The instance, or how to build it.
    pub(crate) body: Body,
    /// The state of the instance that is there, to be captured before anything happens to it.
    pub(crate) capture: Option<Capture>,
    /// To be carried out first.
    pub(crate) change: Option<Change>,
    pub(crate) control: Arc<Control>,
    /// Wall time that the trial has used so far.
    pub(crate) wall_used: Duration,
}

pub(crate) enum Body {
    Live(Box<Trial>),
    Build(Box<Blueprint>),
}

impl Body {
    fn instance(&mut self) -> Option<&mut Trial> {
        match self {
            Self::Live(instance) => Some(instance),
            Self::Build(blueprint) => blueprint.over.as_deref_mut(),
        }
    }
}

/// A step that ended.
pub(crate) struct Done {
    pub(crate) trial: TrialId,
    /// Of the job: another one than the trial's present one means that the step was discarded.
    pub(crate) control: Arc<Control>,
    pub(crate) instance: Option<Box<Trial>>,
    pub(crate) end: StepEnd,
    pub(crate) log: Vec<u8>,
    pub(crate) artifacts: Vec<StagedArtifact>,
    pub(crate) took: Duration,
    pub(crate) usage: Usage,
    /// Not a step's end but a reason why it cannot begin so.
    pub(crate) hindrance: Option<Hindrance>,
}

/// Why a step did not begin.
pub(crate) enum Hindrance {
    /// A replay did not give what it gave before: the run must stop.
    Mismatch(Stop),
    /// The state that it should begin with cannot be had: another way must be found.
    Base(BadBase),
}

impl Done {
    /// Of a step whose end is not known.
    pub(crate) fn lost(job: &Job) -> Self {
        Self {
            trial: job.trial,
            control: Arc::clone(&job.control),
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
            usage: Usage::default(),
            hindrance: None,
        }
    }
}

impl Factory {
    /// Runs the step. `captured` is told of the state before it, if that was wanted.
    pub(crate) fn run(&self, mut job: Job, captured: &dyn Fn(Captured)) -> Done {
        if let Some(hook) = &self.hook {
            hook(job.trial);
        }
        let mut done = Done::lost(&job);
        let (wall, limit) = deadline(&self.limits, job.wall_used);
        if let Some(wanted) = job.capture {
            job.control.arm(Duration::MAX);
            captured(match job.body.instance() {
                Some(instance) => capture(instance, wanted),
                None => Captured {
                    capture: wanted,
                    result: Err("the instance is gone".to_owned()),
                    took: Duration::ZERO,
                },
            });
        }
        let mut began = Instant::now();
        let built = match job.body {
            Body::Live(trial) => {
                job.control.arm_by(wall, limit);
                Ok(trial)
            }
            Body::Build(blueprint) => self.build(*blueprint, job.tick, &job.control, || {
                began = Instant::now();
                job.control.arm_by(wall, limit);
            }),
        };
        match built {
            Ok(mut trial) => {
                let result = step(&mut trial, job.tick, job.change.as_ref());
                done.end.fuel = trial.fuel_burned();
                done.end.memory_bytes = trial.memory_bytes();
                done.log = trial.take_log();
                done.usage = trial.usage();
                match result {
                    Ok(report) => {
                        done.end.result = Ok(report);
                        done.artifacts = trial.take_artifacts();
                        done.instance = Some(trial);
                    }
                    Err(fault) => done.end.result = Err(failed(&fault)),
                }
            }
            Err(Unbuilt::Fault(fault, fuel, log)) => {
                done.end.fuel = fuel;
                done.usage = fault.usage;
                done.end.result = Err(failed(&fault));
                done.log = log;
            }
            Err(Unbuilt::Mismatch(stop)) => done.hindrance = Some(Hindrance::Mismatch(stop)),
            Err(Unbuilt::Base(bad)) => done.hindrance = Some(Hindrance::Base(bad)),
        }
        done.took = began.elapsed();
        done
    }
}

/// The wall time of a step, and the limit that it comes from.
fn deadline(limits: &Limits, used: Duration) -> (Duration, WallLimit) {
    let left = limits.wall_per_trial.saturating_sub(used);
    if left < limits.wall_per_step {
        (left, WallLimit::Trial)
    } else {
        (limits.wall_per_step, WallLimit::Step)
    }
}

fn failed(fault: &PluginFault) -> Failed {
    Failed {
        kind: fault.kind,
        message: fault.details(),
    }
}
