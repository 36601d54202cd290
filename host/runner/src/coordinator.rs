//! The coordinator: one thread that hands results over in the engine's order and keeps the trial
//! threads busy. What it does about states is in `states` and `saving`; none of it reaches a
//! decision.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tune_core::records::TrialId;
use tune_core::{Engine, Event, Order, Point, Usage};
use tune_runtime::{Control, StagedArtifact};
use tune_store::{Artifact, Attachments, LogOf};

use crate::executor::{Executor, News};
use crate::job::{Done, Hindrance};
use crate::plugins::Plugins;
use crate::record::{Record, is_external, unix_ms};
use crate::saving::Saving;
use crate::states::States;
use crate::usage_book::UsageBook;
use crate::{How, Observer, RunError, Shutdown, Wall};

/// The coordinator looks at clocks and requests at least this often.
const TICK: Duration = Duration::from_millis(50);

/// What came back with a step and becomes durable with its handover.
struct Delivery {
    log: Vec<u8>,
    artifacts: Vec<StagedArtifact>,
    took: Duration,
    usage: Usage,
}

pub(crate) struct Coordinator<'a> {
    pub(crate) engine: Engine,
    pub(crate) plugins: Plugins,
    pub(crate) executor: Executor,
    pub(crate) states: States,
    pub(crate) saving: Saving,
    /// Steps with the executor; a step that is not here any more was discarded.
    pub(crate) running: BTreeMap<TrialId, Arc<Control>>,
    /// Of steps that ended and wait for their turn.
    delivered: BTreeMap<TrialId, Delivery>,
    pub(crate) usage: UsageBook,
    pub(crate) record: Record<'a>,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) shutdown: &'a Arc<Shutdown>,
    deadline: Option<Instant>,
}

/// What a coordinator is made of.
pub(crate) struct Outfit<'a> {
    pub(crate) engine: Engine,
    pub(crate) plugins: Plugins,
    pub(crate) executor: Executor,
    pub(crate) states: States,
    pub(crate) saving: Saving,
    pub(crate) record: Record<'a>,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) shutdown: &'a Arc<Shutdown>,
    pub(crate) time_budget: Option<Duration>,
}

impl<'a> Coordinator<'a> {
    pub(crate) fn new(outfit: Outfit<'a>) -> Self {
        Self {
            engine: outfit.engine,
            plugins: outfit.plugins,
            executor: outfit.executor,
            states: outfit.states,
            saving: outfit.saving,
            running: BTreeMap::new(),
            delivered: BTreeMap::new(),
            usage: UsageBook::default(),
            record: outfit.record,
            observer: outfit.observer,
            shutdown: outfit.shutdown,
            deadline: outfit.time_budget.map(|left| Instant::now() + left),
        }
    }

    /// Runs to the end. `first`: what is handed over before anything else.
    pub(crate) fn run(&mut self, fresh: bool, first: Vec<Event>) -> Result<How, RunError> {
        self.shutdown.wake_on_request();
        if fresh {
            self.hand_over(Event::Opened)?;
        } else {
            let steps: Vec<_> = self.engine.in_flight().collect();
            for (trial, tick) in steps {
                self.dispatch(trial, tick)?;
            }
        }
        for event in first {
            self.hand_over(event)?;
        }
        let mut announced = false;
        loop {
            self.collect()?;
            while let Some(event) = self.next_event()? {
                self.hand_over(event)?;
            }
            if self.engine.is_finished() || self.record.is_over(&self.engine) {
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
            self.record.check()?;
            self.observer.tick(&self.engine);
            self.executor.wait(TICK);
        }
    }

    /// What is handed over next, if it is certain.
    fn next_event(&mut self) -> Result<Option<Event>, RunError> {
        if self.record.is_over(&self.engine) {
            return Ok(None);
        }
        match self.record.dictated(&self.engine)? {
            Some(event) => Ok(Some(event)),
            None if self.engine.is_finished() => Ok(None),
            None => Ok(self.ready()),
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

    /// Takes in what trial threads and the writer of snapshots have to tell.
    pub(crate) fn collect(&mut self) -> Result<(), RunError> {
        for news in self.executor.news() {
            match news {
                News::Ended(done) => self.ended(*done)?,
                News::Captured(captured) => self.captured(captured)?,
                News::Ran(ran) => self.ran(ran)?,
            }
        }
        self.collect_written();
        Ok(())
    }

    fn ended(&mut self, done: Done) -> Result<(), RunError> {
        let trial = done.trial;
        let present = self.running.get(&trial);
        if present.is_none_or(|control| !Arc::ptr_eq(control, &done.control)) {
            return Ok(()); // Discarded while it ran.
        }
        let control = done.control;
        match done.hindrance {
            Some(Hindrance::Mismatch(stop)) => return Err(stop.into()),
            Some(Hindrance::Base(bad)) => return self.base_is_bad(trial, bad),
            None => {}
        }
        self.running.remove(&trial);
        self.owner_gone(trial)?;
        if control.is_cancelled() {
            return Ok(());
        }
        if let Some(instance) = done.instance {
            let reports = self.engine.trial(trial).map_or(0, |t| t.reports());
            // Right after the step that is about to be handed over.
            let point = Point {
                trial,
                reports: reports + 1,
            };
            self.states.rest(trial, (instance, control), point);
            self.make_room();
        }
        self.states.upkeep.worked(trial, done.took);
        self.saving.share.worked(done.took);
        self.delivered.insert(
            trial,
            Delivery {
                log: done.log,
                artifacts: done.artifacts,
                took: done.took,
                usage: done.usage,
            },
        );
        self.engine.arrived(trial, done.end);
        Ok(())
    }

    fn hand_over(&mut self, event: Event) -> Result<(), RunError> {
        // Events of the wall clock, the user and the machine cannot be computed again: they are
        // durable before anything follows from them.
        let external = is_external(&event);
        let arrival = self.engine.plan().order == Order::Arrival;
        let trial = event.trial();
        let began = Instant::now();
        let handover = self.engine.apply(event, &mut self.plugins)?;
        self.saving.decided(began.elapsed());
        if external && let Some(trial) = trial {
            self.abort(trial);
        }
        let delivery = trial.and_then(|t| self.delivered.remove(&t));
        let wall = Wall {
            timestamp_ms: unix_ms(),
            step_us: delivery
                .as_ref()
                .map_or(0, |d| u64::try_from(d.took.as_micros()).unwrap_or(u64::MAX)),
        };
        let step = trial.zip(delivery.as_ref().map(|d| d.usage));
        let usage = self.usage.row(step, self.plugins.usage());
        let attachments = self.attachments(trial, delivery);
        let durable = external || (arrival && !handover.effects.is_empty());
        self.record
            .take(&handover, trial, attachments, (wall, usage), durable)?;
        if let (Some(trial), Some(_)) = (trial, &handover.report) {
            self.states.upkeep.reported(trial, handover.sequence);
        }
        self.carry_out(&handover)?;
        self.save_deciders(handover.sequence);
        self.observer.handed_over(&self.engine, &handover, wall);
        Ok(())
    }

    /// A step that ended otherwise than by itself, as a journal said: what runs of it is in vain.
    fn abort(&mut self, trial: TrialId) {
        if let Some(control) = self.running.remove(&trial) {
            control.cancel();
        }
        self.states.undefer(trial);
    }

    fn attachments(&mut self, trial: Option<TrialId>, delivery: Option<Delivery>) -> Attachments {
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
        attachments
    }

    /// A step is of no more use.
    pub(crate) fn discard(&mut self, trial: TrialId) {
        if let Some(control) = self.running.remove(&trial) {
            control.cancel();
        }
        self.delivered.remove(&trial);
    }

    /// The first request to stop: what has not begun does not begin.
    fn wind_down(&mut self) {
        self.states.undefer_all();
        for job in self.executor.withdraw() {
            self.running.remove(&job.trial);
            self.put_back(job);
        }
        let steps = self.running.len();
        if steps > 0 && !self.shutdown.is_urgent() {
            self.observer.remark(&format!(
                "stopping: {steps} steps in flight are finished first; ask again to stop at once"
            ));
        }
    }

    /// After the end: waits for snapshots that are on their way, unless in a hurry.
    pub(crate) fn settle(&mut self) -> Result<(), RunError> {
        self.record.flush()?;
        if !self.shutdown.is_urgent() {
            self.save_at_end();
        }
        loop {
            // May give the writer something to do.
            self.collect()?;
            if self.shutdown.is_urgent() || !self.is_saving() {
                return Ok(());
            }
            self.record.check()?;
            self.executor.wait(TICK);
        }
    }

    /// Cancels what still runs: its results would not be handed over.
    pub(crate) fn abandon(&mut self) {
        drop(self.executor.withdraw());
        for control in self.running.values() {
            control.cancel();
        }
    }
}
