//! A trial as the engine knows it.

use std::collections::VecDeque;

use tune_space::{Change, Config, Ending, Report, TrialId};

use crate::{Changed, Failed, Kept, Origin, Point, Segment};

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
    /// Fuel of the trial's own steps so far, this one included.
    pub own_fuel: u64,
}

/// The best report of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Value of the first objective.
    pub value: f64,
    /// In which iteration, from 1. After an exploit a trial can come to the same one again.
    pub iteration: u64,
    /// Which of the trial's own reports it is, from 1.
    pub reports: u64,
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
    /// Steps behind its state, `training_iteration`: its own reports until an exploit makes it the
    /// donor's.
    pub iteration: u64,
    /// Fuel of the steps behind its state, a donor's included.
    pub fuel_total: u64,
    /// Fuel of its own steps that were handed over: what `fuel_per_trial` bounds.
    pub own_fuel: u64,
    /// The resource behind its state: `time_attr` of the report that led to it.
    pub axis: Option<f64>,
    /// The last report, the host's metrics included.
    pub last: Option<Report>,
    /// The best report by the first objective.
    pub best: Option<Best>,
    /// Ends at its first report at or past this, if the searcher said so.
    pub budget: Option<f64>,
    /// The scheduler hears of no report before this resource.
    pub quiet_until: Option<f64>,
    /// Failures so far.
    pub failures: u32,
    /// Why it failed for good.
    pub failure: Option<Failed>,
    /// Paused at its next handover.
    pub pause_requested: bool,
    /// The steps that were handed over, one for every own report.
    pub history: Vec<StepRecord>,
    /// Changes in mid-training, in order.
    pub changes: Vec<Changed>,
    /// What its states came from, in order; the first begins before the first step.
    pub segments: Vec<Segment>,
    /// The state that others can be made a copy of.
    pub kept: Option<Kept>,
    /// Last values of the metric that `trial_plateau` looks at, oldest first.
    pub(crate) recent: VecDeque<f64>,
}

impl Trial {
    /// A trial that begins with `setup`.
    pub(crate) fn new(
        id: TrialId,
        suggested: Config,
        config: Config,
        seed: u64,
        sequence: u64,
    ) -> Self {
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
            own_fuel: 0,
            axis: None,
            last: None,
            best: None,
            budget: None,
            quiet_until: None,
            failures: 0,
            failure: None,
            pause_requested: false,
            history: Vec::new(),
            changes: Vec::new(),
            segments: vec![Segment {
                origin: Origin::Setup,
                from: 0,
                iteration: 0,
                fuel_total: 0,
                sequence,
            }],
            kept: None,
            recent: VecDeque::new(),
        }
    }

    /// Asks for a change before the next step; it takes the place of one that was not carried out.
    pub(crate) fn set_change(&mut self, change: Change) {
        if self.pending_change().is_some() {
            self.changes.pop();
        }
        self.changes.push(Changed {
            before_step: self.reports(),
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
            .filter(|c| c.before_step == self.reports())
    }

    /// Its next step begins with `setup`.
    pub(crate) fn awaits_setup(&self) -> bool {
        self.origin_at(self.reports()) == Some(Origin::Setup)
    }

    /// Goes on from another state, in the place of one that it took over and has not stepped from.
    pub(crate) fn take_over(&mut self, origin: Origin, state: &Kept, sequence: u64) {
        let from = self.reports();
        if self.origin_at(from).is_some() {
            self.segments.pop();
        }
        self.segments.push(Segment {
            origin,
            from,
            iteration: state.iteration,
            fuel_total: state.fuel_total,
            sequence,
        });
        self.iteration = state.iteration;
        self.fuel_total = state.fuel_total;
        self.axis = state.axis;
        // A plateau of another state says nothing of this one.
        self.recent.clear();
    }

    /// Its present state, to be kept.
    pub(crate) fn present(&self) -> Kept {
        Kept {
            point: self.point(),
            iteration: self.iteration,
            fuel_total: self.fuel_total,
            axis: self.axis,
        }
    }

    /// The state that a copy of it is made of: the last kept or paused one; of a trial without, the
    /// one that it took over itself, if it has not stepped since.
    #[must_use]
    pub fn source(&self) -> Option<Kept> {
        self.kept
            .or_else(|| self.pending_clone().map(|_| self.present()))
    }

    /// Its own reports that were handed over.
    #[must_use]
    pub fn reports(&self) -> u64 {
        self.history.len() as u64
    }

    /// Its present state: its own last one, or the one that it took over and has not stepped from.
    #[must_use]
    pub fn point(&self) -> Point {
        self.pending_clone().unwrap_or(Point {
            trial: self.id,
            reports: self.reports(),
        })
    }

    /// The state that it took over and has not stepped from yet.
    #[must_use]
    pub fn pending_clone(&self) -> Option<Point> {
        match self.origin_at(self.reports()) {
            Some(Origin::Clone(source)) => Some(source),
            Some(Origin::Setup | Origin::Imported) | None => None,
        }
    }

    /// What the step with this index begins with, from 0; none for the state that the step before
    /// it left.
    #[must_use]
    pub fn origin_at(&self, step: u64) -> Option<Origin> {
        let segment = self.segment_at(step)?;
        (segment.from == step).then_some(segment.origin)
    }

    /// The segment that the step with this index belongs to, from 0.
    #[must_use]
    pub fn segment_at(&self, step: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.from <= step);
        self.segments.get(after.checked_sub(1)?)
    }

    /// The change that is carried out before the step with this index, from 0.
    #[must_use]
    pub fn change_before(&self, step: u64) -> Option<&Change> {
        let index = self
            .changes
            .binary_search_by_key(&step, |c| c.before_step)
            .ok()?;
        self.changes.get(index).map(|c| &c.change)
    }

    /// The whole configuration that led to an own report, counted from 1.
    #[must_use]
    pub fn config_at(&self, report: u64) -> &Config {
        let after = self.changes.partition_point(|c| c.before_step < report);
        let last = after.checked_sub(1).and_then(|i| self.changes.get(i));
        last.map_or(&self.setup_config, |c| &c.change.config)
    }

    /// `training_iteration` of an own report, counted from 1.
    #[must_use]
    pub fn iteration_at(&self, report: u64) -> u64 {
        let segment = self.segment_at(report.saturating_sub(1));
        segment.map_or(report, |s| s.iteration + report.saturating_sub(s.from))
    }

    /// `fuel_total` of an own report, counted from 1.
    #[must_use]
    pub fn fuel_total_at(&self, report: u64) -> u64 {
        let own = self.own_fuel_at(report);
        let segment = self.segment_at(report.saturating_sub(1));
        segment.map_or(own, |s| {
            s.fuel_total
                .saturating_add(own.saturating_sub(self.own_fuel_at(s.from)))
        })
    }

    /// Fuel of its own steps up to an own report, counted from 1.
    #[must_use]
    pub fn own_fuel_at(&self, report: u64) -> u64 {
        let index = usize::try_from(report).ok().and_then(|n| n.checked_sub(1));
        index
            .and_then(|i| self.history.get(i))
            .map_or(0, |record| record.own_fuel)
    }
}

/// Of what the guest reported: equal for equal reports, NaNs included.
#[must_use]
pub fn fingerprint(report: &Report) -> u64 {
    // In one piece, as links of the digest are.
    let mut bytes = Vec::with_capacity(256);
    bytes.push(u8::from(report.finished));
    bytes.extend_from_slice(&report.cost.unwrap_or(0).to_le_bytes());
    for metric in &report.metrics {
        bytes.extend_from_slice(&(metric.name.len() as u64).to_le_bytes());
        bytes.extend_from_slice(metric.name.as_bytes());
        bytes.extend_from_slice(&canonical_bits(metric.value).to_le_bytes());
    }
    let hash = blake3::hash(&bytes);
    hash.as_bytes()
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

/// The bits of a number, with one bit pattern for all NaNs.
pub(crate) fn canonical_bits(x: f64) -> u64 {
    if x.is_nan() {
        f64::NAN.to_bits()
    } else {
        x.to_bits()
    }
}
