//! Errands of trial threads beside steps: capturing a state, and writing one to make room in
//! memory. They change nothing that a step can see.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tune_core::Point;
use tune_core::records::TrialId;
use tune_runtime::{Control, Snapshot, Trial};
use tune_store::{Purpose, SnapshotInfo, SnapshotKey, SnapshotOf, StoreError};

use crate::factory::Factory;
use crate::state_file::{self, Extras};

/// Sequence of a state whose report is not handed over yet: good in this process only, because the
/// store removes what belongs to no committed row when a run is opened.
pub(crate) const NOT_HANDED_OVER: u64 = u64::MAX;

/// A state to be captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capture {
    /// Which state the instance is in.
    pub(crate) point: Point,
    /// To be written once its row is committed, too.
    pub(crate) durable: Option<Durable>,
}

/// What the file of a state will say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durable {
    /// The row that led to the state.
    pub(crate) sequence: u64,
    pub(crate) purpose: Purpose,
}

/// A state that was captured, or why not.
pub(crate) struct Captured {
    pub(crate) capture: Capture,
    pub(crate) result: Result<Snapshot, String>,
    pub(crate) took: Duration,
}

/// Work on a state between two steps.
pub(crate) enum Errand {
    /// Capture the state of an instance at rest, which comes back.
    Capture {
        trial: TrialId,
        instance: Box<Trial>,
        control: Arc<Control>,
        capture: Capture,
    },
    /// Capture and write it; the instance comes back, for the case that it is needed after all.
    Spill {
        trial: TrialId,
        instance: Box<Trial>,
        control: Arc<Control>,
        point: Point,
        sequence: u64,
    },
    /// Write a state that was captured before.
    Store {
        point: Point,
        sequence: u64,
        snapshot: Snapshot,
    },
}

/// An errand that is done.
pub(crate) struct Ran {
    /// Whose instance was away, if one was.
    pub(crate) trial: Option<TrialId>,
    /// It, unless it was lost.
    pub(crate) instance: Option<(Box<Trial>, Arc<Control>)>,
    pub(crate) outcome: Outcome,
}

/// What came of an errand.
pub(crate) enum Outcome {
    Captured(Captured),
    /// Written, or why not.
    Stored {
        point: Point,
        /// Memory was given for it: the state is in no other place now.
        result: Result<SnapshotInfo, Unstored>,
        took: Duration,
    },
}

/// Why a state is not in the chunk store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unstored {
    #[error("{0}")]
    Captured(String),
    #[error(transparent)]
    Written(#[from] StoreError),
}

const PANICKED: &str = "tune-host panicked while it copied the state; please report it";

impl Errand {
    /// What is told if the errand is never heard of again.
    pub(crate) fn lost(&self) -> Ran {
        let (trial, outcome) = match self {
            Self::Capture { trial, capture, .. } => {
                let captured = Captured {
                    capture: *capture,
                    result: Err(PANICKED.to_owned()),
                    took: Duration::ZERO,
                };
                (Some(*trial), Outcome::Captured(captured))
            }
            Self::Spill { trial, point, .. } => (Some(*trial), unstored(*point)),
            Self::Store { point, .. } => (None, unstored(*point)),
        };
        Ran {
            trial,
            instance: None,
            outcome,
        }
    }
}

fn unstored(point: Point) -> Outcome {
    Outcome::Stored {
        point,
        result: Err(Unstored::Captured(PANICKED.to_owned())),
        took: Duration::ZERO,
    }
}

/// Captures the state of an instance between two steps.
pub(crate) fn capture(instance: &mut Trial, capture: Capture) -> Captured {
    let began = Instant::now();
    let result = instance.snapshot().map_err(|e| e.to_string());
    Captured {
        capture,
        result,
        took: began.elapsed(),
    }
}

impl Factory {
    pub(crate) fn run_errand(&self, errand: Errand) -> Ran {
        let began = Instant::now();
        match errand {
            Errand::Capture {
                trial,
                mut instance,
                control,
                capture: wanted,
            } => {
                // The deadline of its last step may have passed by now.
                control.arm(Duration::MAX);
                let captured = capture(&mut instance, wanted);
                Ran {
                    trial: Some(trial),
                    instance: Some((instance, control)),
                    outcome: Outcome::Captured(captured),
                }
            }
            Errand::Spill {
                trial,
                mut instance,
                control,
                point,
                sequence,
            } => {
                control.arm(Duration::MAX);
                let result = match instance.snapshot() {
                    Ok(snapshot) => self.store(point, sequence, &snapshot),
                    Err(error) => Err(Unstored::Captured(error.to_string())),
                };
                Ran {
                    trial: Some(trial),
                    instance: Some((instance, control)),
                    outcome: Outcome::Stored {
                        point,
                        result,
                        took: began.elapsed(),
                    },
                }
            }
            Errand::Store {
                point,
                sequence,
                snapshot,
            } => Ran {
                trial: None,
                instance: None,
                outcome: Outcome::Stored {
                    point,
                    result: self.store(point, sequence, &snapshot),
                    took: began.elapsed(),
                },
            },
        }
    }

    /// Writes without waiting for the row: memory is short. A crash before the row is committed
    /// leaves a file that is removed when the run is opened.
    fn store(
        &self,
        point: Point,
        sequence: u64,
        snapshot: &Snapshot,
    ) -> Result<SnapshotInfo, Unstored> {
        let Some(chunks) = &self.chunks else {
            return Err(Unstored::Captured("the run keeps no snapshots".to_owned()));
        };
        let key = SnapshotKey {
            of: SnapshotOf::Trial {
                trial: point.trial,
                reports: point.reports,
            },
            sequence,
        };
        Ok(state_file::write(
            chunks,
            key,
            Purpose::Spilled,
            snapshot,
            Extras::default(),
        )?)
    }
}
