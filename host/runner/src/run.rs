//! The coordinator: one thread that hands results over in the engine's order and keeps the trial
//! threads busy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tune_core::records::TrialId;
use tune_core::{Checked, Counts, Effect, Engine, EnginePlan, Entry, Event, Handover, Stop};
use tune_runtime::{Control, InitError, StagedArtifact};
use tune_store::{Artifact, Attachments, Journal, LogOf, Row, StoreError};

use crate::executor::Executor;
use crate::job::{Body, Done, Factory, Job};
use crate::plugins::Plugins;
use crate::pool::Pool;
use crate::{Observer, Recipe, RunOptions, RunParts, Shutdown, Verify, Wall};

/// The coordinator looks at clocks and requests at least this often.
const TICK: Duration = Duration::from_millis(50);

/// Why a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It came to its end.
    Finished,
    /// It was asked to stop and can be resumed.
    Interrupted,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Why.
    pub how: How,
    /// The decision digest.
    pub digest: [u8; 32],
    /// How many trials stand where.
    pub counts: Counts,
}

/// Why a run cannot begin or go on. What was committed stays, and can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The searcher or scheduler refuses its options, or failed while it started.
    #[error("the {role} does not start: {error}")]
    Init {
        /// Which of the two.
        role: &'static str,
        /// Why.
        #[source]
        error: InitError,
    },
    /// The engine stopped.
    #[error(transparent)]
    Stop(#[from] Stop),
    /// The journal cannot be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row of the journal gives another digest than it did.
    #[error(
        "row {sequence} of the journal gives another digest than when it was written\n  hint: the \
         plan, a plugin or the data differ from those that the run began with"
    )]
    Digest {
        /// Which row.
        sequence: u64,
    },
    /// Trial threads cannot be started.
    #[error("starting trial threads: {0}")]
    Threads(#[source] std::io::Error),
}

/// Runs a plan from its beginning.
///
/// # Errors
/// See [`RunError`]; everything up to the last committed handover is kept.
pub fn start(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    options: RunOptions,
    journal: &Journal,
    observer: &mut dyn Observer,
    shutdown: &Arc<Shutdown>,
) -> Result<Summary, RunError> {
    resume(
        plan,
        digest,
        parts,
        options,
        &[],
        None,
        journal,
        observer,
        shutdown,
    )
}

/// Goes on with a run: folds its journal with every plugin call made again and compared, then
/// builds the live trials anew by replaying their steps. `extend`: the new total of trials.
///
/// # Errors
/// See [`RunError`]; "nondeterministic plugin" names the call that was answered differently.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part that only the caller can choose"
)]
pub fn resume(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    options: RunOptions,
    rows: &[Row],
    extend: Option<u32>,
    journal: &Journal,
    observer: &mut dyn Observer,
    shutdown: &Arc<Shutdown>,
) -> Result<Summary, RunError> {
    let mut plugins = parts
        .init(&plan)
        .map_err(|(role, error)| RunError::Init { role, error })?;
    let limits = plan.limits.clone();
    let mut engine = Engine::new(plan, digest)?;
    for row in rows {
        let (handover, wall) = refold(&mut engine, &mut plugins, row, options.verify)?;
        observer.restored(&engine, &handover, wall);
    }
    if !rows.is_empty() {
        // Said before; the log has it.
        drop(plugins.take_logs());
    }
    let factory = Factory {
        plugin: parts.trainable.clone(),
        limits,
        data: Arc::clone(&parts.data),
        grants: parts.grants.clone(),
        hook: options.hook.clone(),
    };
    let mut run = Coordinator {
        engine,
        plugins,
        executor: Executor::new(options.threads.max(1), factory).map_err(RunError::Threads)?,
        pool: Pool::new(options.run_memory),
        running: BTreeMap::new(),
        delivered: BTreeMap::new(),
        journal,
        observer,
        shutdown,
        deadline: options.time_budget.map(|left| Instant::now() + left),
    };
    let how = run.run(rows.is_empty(), extend);
    run.abandon();
    let how = how?;
    journal.flush()?;
    Ok(Summary {
        how,
        digest: *run.engine.digest(),
        counts: run.engine.counts(),
    })
}

/// One row again: the same event, the same calls, the same answers.
fn refold(
    engine: &mut Engine,
    plugins: &mut Plugins,
    row: &Row,
    verify: Verify,
) -> Result<(Handover, Wall), RunError> {
    let entry: Entry = postcard::from_bytes(&row.body)
        .map_err(|e| Stop::Damaged(format!("row {}: {e}", row.sequence)))?;
    let handover = engine.apply(entry.event, &mut Checked::new(plugins, &entry.answers))?;
    if verify == Verify::Everything && handover.digest != row.digest {
        return Err(RunError::Digest {
            sequence: row.sequence,
        });
    }
    let wall = Wall {
        timestamp_ms: row.wall_ms,
        step_us: row.step_us,
    };
    Ok((handover, wall))
}

/// What came back with a step and becomes durable with its handover.
struct Delivery {
    log: Vec<u8>,
    artifacts: Vec<StagedArtifact>,
    took: Duration,
}

struct Coordinator<'a> {
    engine: Engine,
    plugins: Plugins,
    executor: Executor,
    pool: Pool,
    /// Steps with the executor; a step that is not here any more was discarded.
    running: BTreeMap<TrialId, Arc<Control>>,
    /// Of steps that ended and wait for their turn.
    delivered: BTreeMap<TrialId, Delivery>,
    journal: &'a Journal,
    observer: &'a mut dyn Observer,
    shutdown: &'a Arc<Shutdown>,
    deadline: Option<Instant>,
}

impl Coordinator<'_> {
    fn run(&mut self, fresh: bool, extend: Option<u32>) -> Result<How, RunError> {
        self.shutdown.wake_on_request();
        if fresh {
            self.hand_over(Event::Opened)?;
        } else {
            let steps: Vec<_> = self.engine.in_flight().collect();
            for (trial, tick) in steps {
                self.dispatch(trial, tick);
            }
        }
        if let Some(trials) = extend {
            self.hand_over(Event::Extended { trials })?;
        }
        let mut announced = false;
        loop {
            self.collect()?;
            while !self.engine.is_finished() {
                let Some(event) = self.ready() else { break };
                self.hand_over(event)?;
            }
            if self.engine.is_finished() {
                return Ok(How::Finished);
            }
            if self.shutdown.is_requested() {
                if !announced {
                    announced = true;
                    self.wind_down();
                }
                if self.running.is_empty() || self.shutdown.is_urgent() {
                    return Ok(How::Interrupted);
                }
            }
            if self.deadline.is_some_and(|at| Instant::now() >= at) {
                self.deadline = None;
                self.observer
                    .remark("the time budget (`time_budget`) is spent: all trials are stopped");
                self.hand_over(Event::TimeBudgetSpent)?;
                continue;
            }
            if let Some(error) = self.journal.failed() {
                return Err(error.into());
            }
            self.observer.tick(&self.engine);
            self.executor.wait(TICK);
        }
    }

    /// The result that counts next, if it is certain; else the step that holds it back is asked to
    /// say when it is past the point.
    fn ready(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.engine.next_result() {
                return Some(event);
            }
            let (trial, burned) = self.engine.blocker()?;
            let control = self.running.get(&trial)?;
            control.set_wake(burned, std::thread::current());
            let now = control.burned();
            if now < burned {
                return None;
            }
            self.engine.progress(trial, now);
        }
    }

    /// Takes in the steps that ended.
    fn collect(&mut self) -> Result<(), RunError> {
        for done in self.executor.take_done() {
            let Done {
                trial,
                instance,
                end,
                log,
                artifacts,
                took,
                mismatch,
            } = done;
            let Some(control) = self.running.remove(&trial) else {
                continue; // Discarded while it ran.
            };
            if let Some(stop) = mismatch {
                return Err(stop.into());
            }
            if control.is_cancelled() {
                continue;
            }
            if let Some(instance) = instance {
                self.pool.put(trial, instance, control);
            }
            self.pool.add_wall(trial, took);
            self.delivered.insert(
                trial,
                Delivery {
                    log,
                    artifacts,
                    took,
                },
            );
            self.engine.arrived(trial, end);
        }
        Ok(())
    }

    fn hand_over(&mut self, event: Event) -> Result<(), RunError> {
        // Events of the wall clock, the user and the machine cannot be computed again: they are
        // durable before anything follows from them.
        let external = match &event {
            Event::StepEnded { end, .. } => end
                .result
                .as_ref()
                .is_err_and(|failed| !failed.kind.is_reproducible()),
            Event::Opened => false,
            Event::StopTrial { .. }
            | Event::Extended { .. }
            | Event::TimeBudgetSpent
            | Event::Changed { .. } => true,
        };
        let arrival = self.engine.plan().order == tune_core::Order::Arrival;
        let trial = event.trial();
        let handover = self.engine.apply(event, &mut self.plugins)?;
        let delivery = trial.and_then(|t| self.delivered.remove(&t));
        let wall = Wall {
            timestamp_ms: unix_ms(),
            step_us: delivery
                .as_ref()
                .map_or(0, |d| u64::try_from(d.took.as_micros()).unwrap_or(u64::MAX)),
        };
        self.append(&handover, trial, delivery, wall)?;
        if external || (arrival && !handover.effects.is_empty()) {
            self.journal.wait_committed(handover.sequence)?;
        }
        self.carry_out(&handover.effects);
        self.observer.handed_over(&self.engine, &handover, wall);
        Ok(())
    }

    fn append(
        &mut self,
        handover: &Handover,
        trial: Option<TrialId>,
        delivery: Option<Delivery>,
        wall: Wall,
    ) -> Result<(), RunError> {
        let mut attachments = Attachments::none();
        if let (Some(trial), Some(delivery)) = (trial, delivery) {
            if !delivery.log.is_empty() {
                attachments.logs.push((LogOf::Trial(trial), delivery.log));
            }
            for artifact in delivery.artifacts {
                attachments.artifacts.push(Artifact {
                    trial,
                    name: artifact.name,
                    bytes: artifact.bytes,
                    append: artifact.append,
                });
            }
        }
        let [searcher, scheduler] = self.plugins.take_logs();
        for (of, log) in [(LogOf::Searcher, searcher), (LogOf::Scheduler, scheduler)] {
            if !log.is_empty() {
                attachments.logs.push((of, log));
            }
        }
        let body = postcard::to_allocvec(&handover.entry)
            .map_err(|e| Stop::Damaged(format!("row {}: {e}", handover.sequence)))?;
        let row = Row {
            sequence: handover.sequence,
            tick: handover.tick,
            trial,
            kind: handover.entry.event.kind().to_owned(),
            body,
            wall_ms: wall.timestamp_ms,
            step_us: wall.step_us,
            log_end: 0,
            digest: handover.digest,
        };
        Ok(self.journal.append(row, attachments)?)
    }

    fn carry_out(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Start { trial, tick } => {
                    if !self.shutdown.is_requested() {
                        self.dispatch(*trial, *tick);
                    }
                }
                Effect::Keep { .. } | Effect::Clone { .. } => {}
                // It rests in the pool since its step ended.
                Effect::Park(_) => {}
                Effect::Discard(trial) => {
                    if let Some(control) = self.running.remove(trial) {
                        control.cancel();
                    }
                    self.delivered.remove(trial);
                    self.forget(*trial);
                }
                Effect::Release(trial) => self.forget(*trial),
                Effect::Rebuild(trial) => drop(self.pool.take(*trial)),
            }
        }
    }

    fn forget(&mut self, trial: TrialId) {
        if let Some(instance) = self.pool.forget(trial) {
            self.executor.clear(instance);
        }
    }

    /// Gives a step to the trial threads.
    fn dispatch(&mut self, id: TrialId, tick: u64) {
        let Some(trial) = self.engine.trial(id) else {
            return;
        };
        let (body, control) = match self.pool.take(id) {
            Some(rested) => (Body::Live(rested.instance), rested.control),
            None => (
                Body::Build(Box::new(Recipe::of(trial))),
                Arc::new(Control::new()),
            ),
        };
        // Nothing burned of this step yet, whatever the last one burned.
        control.arm(Duration::MAX);
        self.running.insert(id, Arc::clone(&control));
        self.executor.push(Job {
            trial: id,
            tick,
            body,
            change: trial.pending_change().map(|c| c.change.clone()),
            control,
            wall_used: self.pool.wall_used(id),
        });
    }

    /// The first request to stop: what has not begun does not begin.
    fn wind_down(&mut self) {
        for job in self.executor.withdraw() {
            self.running.remove(&job.trial);
        }
        let steps = self.running.len();
        if steps > 0 && !self.shutdown.is_urgent() {
            self.observer.remark(&format!(
                "stopping: {steps} steps in flight are finished first; ask again to stop at once"
            ));
        }
    }

    /// Cancels what still runs: its results would not be handed over.
    fn abandon(&mut self) {
        drop(self.executor.withdraw());
        for control in self.running.values() {
            control.cancel();
        }
    }
}

fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
