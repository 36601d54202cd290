//! A trial as the engine knows it.

use tune_space::{Change, Config, Ending, Report, TrialId};

use crate::{Changed, Failed};

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Created, not run yet.
    Pending,
    /// A step is in flight.
    Running,
    /// It waits for the scheduler.
    Paused,
    /// It is over.
    Ended(Ending),
}

/// A step that was handed over, as a replay needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// The tick at which it began: what the guest's clock said.
    pub start: u64,
    /// Of what the guest reported, to compare a replay with.
    pub fingerprint: u64,
}

/// The best report of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Value of the first objective.
    pub value: f64,
    /// In which iteration, from 1.
    pub iteration: u64,
}

/// A trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Order of creation.
    pub id: TrialId,
    /// The suggested configuration.
    pub suggested: Config,
    /// The whole configuration, constants and derived values included.
    pub config: Config,
    /// What `setup` is given.
    pub setup_seed: u64,
    /// What `setup` is given of the configuration: the one before all changes.
    pub setup_config: Config,
    /// Counts rebuilds and changes.
    pub generation: u32,
    /// Where it stands.
    pub phase: Phase,
    /// Reports that were handed over.
    pub iteration: u64,
    /// Fuel of the steps that were handed over.
    pub fuel_total: u64,
    /// The last report, the host's metrics included.
    pub last: Option<Report>,
    /// The best report by the first objective.
    pub best: Option<Best>,
    /// Ends at its first report at or past this, if the searcher said so.
    pub budget: Option<f64>,
    /// Failures so far.
    pub failures: u32,
    /// Why it failed for good.
    pub failure: Option<Failed>,
    /// Paused at its next handover.
    pub pause_requested: bool,
    /// The steps that were handed over; empty once the trial ended.
    pub history: Vec<StepRecord>,
    /// Changes in mid-training, in order.
    pub changes: Vec<Changed>,
}

impl Trial {
    pub(crate) fn new(id: TrialId, suggested: Config, config: Config, seed: u64) -> Self {
        Self {
            id,
            suggested,
            setup_config: config.clone(),
            config,
            setup_seed: seed,
            generation: 0,
            phase: Phase::Pending,
            iteration: 0,
            fuel_total: 0,
            last: None,
            best: None,
            budget: None,
            failures: 0,
            failure: None,
            pause_requested: false,
            history: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Asks for a change before the next step; it takes the place of one that was not carried out.
    pub(crate) fn set_change(&mut self, change: Change) {
        if self.pending_change().is_some() {
            self.changes.pop();
        }
        self.changes.push(Changed {
            before_step: self.iteration,
            change,
        });
    }

    /// It is over.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// The change to carry out before the next step, if there is one.
    #[must_use]
    pub fn pending_change(&self) -> Option<&Changed> {
        self.changes
            .last()
            .filter(|c| c.before_step == self.iteration)
    }
}

/// Of what the guest reported: equal for equal reports, NaNs included.
#[must_use]
pub fn fingerprint(report: &Report) -> u64 {
    let mut hash = blake3::Hasher::new();
    hash.update(&[u8::from(report.finished)]);
    hash.update(&report.cost.unwrap_or(0).to_le_bytes());
    for metric in &report.metrics {
        hash.update(&(metric.name.len() as u64).to_le_bytes());
        hash.update(metric.name.as_bytes());
        hash.update(&canonical_bits(metric.value).to_le_bytes());
    }
    let mut out = [0; 8];
    hash.finalize_xof().fill(&mut out);
    u64::from_le_bytes(out)
}

/// The bits of a number, with one bit pattern for all NaNs.
pub(crate) fn canonical_bits(x: f64) -> u64 {
    if x.is_nan() {
        f64::NAN.to_bits()
    } else {
        x.to_bits()
    }
}
