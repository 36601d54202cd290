//! One trial again: its steps compared with the journal, its states with the snapshots; and the
//! state of any of its points, for a fork.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::records::{Report, TrialId, TrialInfo};
use tune_core::{Base, Engine, EnginePlan, Event, Point, fingerprint};
use tune_runtime::{Control, Snapshot, Trial};
use tune_store::{ChunkStore, Purpose, Row, SnapshotInfo, SnapshotKey, SnapshotOf, StoreError};

use crate::blueprint::{Foundation, Unbuilt};
use crate::factory::Factory;
use crate::record::entry;
use crate::state_file::{self, Extras};
use crate::states::stored;
use crate::vault::Vault;
use crate::{Observer, RunError, RunOptions, RunParts, Verify};

/// A trial that was done again.
#[derive(Clone, Debug)]
pub struct TrialReplay {
    /// Steps that gave the same report, those of donors included.
    pub same: u64,
    /// The first step that did not; none came after it.
    pub difference: Option<StepDifference>,
    /// Snapshots on the way.
    pub snapshots: Vec<SnapshotCheck>,
    /// blake3 of the last state; none if the trainable's state cannot be captured or a step
    /// differs.
    pub state_hash: Option<[u8; 32]>,
}

/// A step that gave another report the second time.
#[derive(Clone, Debug, PartialEq)]
pub struct StepDifference {
    /// After the step.
    pub point: Point,
    /// What the journal says that the trainable reported.
    pub journal: Report,
    /// What it reported now, or how it failed.
    pub again: Result<Report, String>,
}

/// A snapshot that a replay came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotCheck {
    /// Its number.
    pub id: u64,
    /// Of which state.
    pub point: Point,
    /// How it compares.
    pub verdict: Verdict,
}

/// How a snapshot compares with the state of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same state.
    Same,
    /// Another state.
    Differs,
    /// It cannot be read.
    Damaged(String),
}

/// What trials are done again with, apart from a run.
struct Bench {
    engine: Engine,
    factory: Factory,
    vault: Vault,
    control: Arc<Control>,
}

impl Bench {
    fn new(
        plan: EnginePlan,
        digest: [u8; 32],
        parts: &RunParts,
        chunks: Option<&ChunkStore>,
        rows: &[Row],
    ) -> Result<Self, RunError> {
        let options = RunOptions {
            chunks: chunks.cloned(),
            ..RunOptions::new(1, 0)
        };
        let factory = parts.factory(plan.limits.clone(), &options);
        let vault = Vault::open(chunks, parts.trainable.hash(), Verify::Everything);
        let mut engine = Engine::new(plan, digest)?;
        for row in rows {
            engine.fold(&entry(row)?)?;
        }
        Ok(Self {
            engine,
            factory,
            vault,
            control: Arc::new(Control::new()),
        })
    }

    /// An instance that is in the state of a base.
    fn found(&self, base: Base, tick: u64) -> Result<Box<Trial>, Unbuilt> {
        let unusable = |e| Unbuilt::Mismatch(e);
        let base = match base {
            Base::Setup { info, config } => Foundation::Setup { info, config },
            Base::Snapshot(point) => stored(&self.engine, &self.vault, point).map_err(unusable)?,
            Base::Imported => match self.vault.imported() {
                Some(stored) => Foundation::Stored(stored.id),
                None => {
                    return Err(unusable(tune_core::Stop::Damaged(
                        "the state that the run was forked with is gone or damaged".to_owned(),
                    )));
                }
            },
        };
        let info = TrialInfo {
            trial: 0,
            seed: 0,
            workers: 1,
            restoring: false,
        };
        let config = tune_core::records::Config::default();
        self.factory
            .found(base, (&info, &config), tick, None, &self.control)
    }
}

impl From<Unbuilt> for RunError {
    fn from(unbuilt: Unbuilt) -> Self {
        match unbuilt {
            Unbuilt::Fault(fault, ..) => Self::State(fault.details()),
            Unbuilt::Mismatch(stop) => Self::Stop(stop),
            Unbuilt::Base(bad) => Self::State(bad.why),
        }
    }
}

/// Does a trial again from its very beginning, steps of donors included, up to its last report, and
/// compares every report with the journal and every snapshot on the way with the state.
///
/// # Errors
/// There is no such trial, or it cannot be set up.
pub fn replay_trial(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    chunks: Option<&ChunkStore>,
    rows: &[Row],
    trial: TrialId,
) -> Result<TrialReplay, RunError> {
    let bench = Bench::new(plan, digest, parts, chunks, rows)?;
    let to = bench
        .engine
        .trial(trial)
        .map(|t| Point {
            trial,
            reports: t.reports(),
        })
        .ok_or_else(|| RunError::State(format!("there is no trial {trial}")))?;
    let reports = reports_of(rows)?;
    let recipe = bench.engine.recipe(to, &|_| false)?;
    let begin = recipe.steps.first().map_or(0, |step| step.start);
    let mut instance = bench.found(recipe.base, begin)?;
    let mut replay = TrialReplay {
        same: 0,
        difference: None,
        snapshots: Vec::new(),
        state_hash: None,
    };
    for step in &recipe.steps {
        let again = bench
            .factory
            .step_again(&mut instance, step, &bench.control);
        if !matches!(&again, Ok(report) if fingerprint(report) == step.fingerprint) {
            replay.difference = Some(StepDifference {
                point: step.point,
                journal: reports.get(&step.point).cloned().unwrap_or_default(),
                again: again.map_err(|fault| fault.details()),
            });
            return Ok(replay);
        }
        replay.same += 1;
        if let (Some(stored), Some(chunks)) = (bench.vault.get(step.point), chunks) {
            replay.snapshots.push(SnapshotCheck {
                id: stored.id,
                point: step.point,
                verdict: bench.compare(chunks, stored.id, &mut instance),
            });
        }
    }
    let state = instance.snapshot().and_then(|s| s.state_hash());
    replay.state_hash = state.ok();
    Ok(replay)
}

impl Bench {
    fn compare(&self, chunks: &ChunkStore, id: u64, instance: &mut Trial) -> Verdict {
        let now = instance.snapshot().and_then(|state| state.state_hash());
        let then = state_file::read(chunks, id, &self.factory.limits)
            .and_then(|snapshot| Ok(snapshot.state_hash()?));
        match (now, then) {
            (Ok(now), Ok(then)) if now == then => Verdict::Same,
            (Ok(_), Ok(_)) => Verdict::Differs,
            (Err(error), _) => Verdict::Damaged(error.to_string()),
            (_, Err(error)) => Verdict::Damaged(error.to_string()),
        }
    }
}

/// What trainables reported, by the point that it led to.
fn reports_of(rows: &[Row]) -> Result<BTreeMap<Point, Report>, RunError> {
    let (mut reports, mut counts) = (BTreeMap::new(), BTreeMap::<TrialId, u64>::new());
    for row in rows.iter().filter(|row| row.kind == "report") {
        if let Event::StepEnded { trial, end } = entry(row)?.event
            && let Ok(report) = end.result
        {
            let count = counts.entry(trial).or_default();
            *count += 1;
            let point = Point {
                trial,
                reports: *count,
            };
            reports.insert(point, report);
        }
    }
    Ok(reports)
}

/// The state of a trial after so many of its own reports, whether it has ended since or not: from
/// the nearest snapshot, with the steps after it done again and compared. A snapshot that is of no
/// use is remarked on, and an earlier one is taken.
///
/// # Errors
/// The trial did not get that far; its state cannot be captured; a step gives another report.
pub fn state_at(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    chunks: Option<&ChunkStore>,
    rows: &[Row],
    point: Point,
    observer: &mut dyn Observer,
) -> Result<Snapshot, RunError> {
    let mut bench = Bench::new(plan, digest, parts, chunks, rows)?;
    loop {
        let recipe = bench.engine.recipe(point, &|p| bench.vault.has(p))?;
        let begin = recipe.steps.first().map_or(0, |step| step.start);
        let mut instance = match bench.found(recipe.base, begin) {
            Ok(instance) => instance,
            Err(Unbuilt::Base(bad)) => {
                let id = match bad.what {
                    crate::blueprint::BadState::Stored(id) => id,
                    crate::blueprint::BadState::Memory(_) => {
                        return Err(RunError::State(bad.why));
                    }
                };
                observer.remark(&format!(
                    "snapshot {id} is of no use, an earlier state is taken: {}",
                    bad.why
                ));
                bench.vault.damaged(id);
                continue;
            }
            Err(other) => return Err(other.into()),
        };
        for step in &recipe.steps {
            bench.factory.repeat(&mut instance, step, &bench.control)?;
            drop(instance.take_log());
        }
        return instance
            .snapshot()
            .map_err(|error| RunError::State(error.to_string()));
    }
}

/// Writes a state of another run into the chunk store of a new one, where trial 0 begins with it:
/// see [`EnginePlan::imported`].
///
/// # Errors
/// It cannot be written.
pub fn import_state(chunks: &ChunkStore, state: &Snapshot) -> Result<SnapshotInfo, StoreError> {
    let key = SnapshotKey {
        of: SnapshotOf::Imported,
        sequence: 0,
    };
    state_file::write(chunks, key, Purpose::Imported, state, Extras::default())
}
