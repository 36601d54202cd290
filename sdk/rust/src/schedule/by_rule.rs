//! Schedulers that judge one trial at a time: everything but the rule.
//!
//! Most early stopping is a rule that looks at a report and says whether its trial goes on; which
//! trial runs next is then a matter of order alone. Written once here, so that such a scheduler is
//! nothing but its rule: `export_scheduler!(ByRule<MyRule>)`.

use tune_space::{
    Action, Config, Creation, FailureKind, OptionError, Report, Setup, TrialId, Turn,
};

use super::{Goal, Queue, Score};
use crate::{PluginOptions, Scheduler};

/// A report, as a rule sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The resource used so far, `time_attr`.
    pub time: f64,
    /// How good the result is: larger is better.
    pub score: Score,
    /// The metric as it was reported; may be NaN.
    pub value: f64,
}

/// What becomes of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    GoOn,
    /// It makes room, and goes on when no other waits and none can be created.
    Pause,
    /// It ends.
    Stop,
}

/// A rule of early stopping. Constants are those of [`Scheduler`].
pub trait Rule: Sized + 'static {
    /// By which experiments name the plugin.
    const NAME: &'static str;
    /// One sentence for lists of plugins.
    const SUMMARY: &'static str;
    /// It answers [`Verdict::Pause`]. By default false.
    const PAUSES: bool = false;
    /// What a `[scheduler]` table may hold; [`crate::NoOptions`] if nothing.
    type Options: PluginOptions;

    /// Called once, before everything else.
    ///
    /// # Errors
    /// Every option that is wrong, at once.
    fn new(options: Self::Options) -> Result<Self, Vec<OptionError>>;

    /// What it looks at. By default the first objective along `time_attr`.
    ///
    /// # Errors
    /// If the experiment has no objective.
    fn goal(setup: &Setup, _options: &Self::Options) -> Result<Goal, OptionError> {
        Goal::of(setup)
    }

    /// Called for every report of a trial that could go on. `others_wait`: a pending or paused
    /// trial would take its slot.
    fn judge(&mut self, trial: TrialId, seen: Reading, others_wait: bool) -> Verdict;

    /// Called once when a trial has ended by itself, at its budget or `max_t`, by a stop rule, or by
    /// the user while it ran. The last report was judged before only if the user ended it. By
    /// default the trial is forgotten.
    fn complete(&mut self, trial: TrialId, _last: Option<Reading>) {
        self.forget(trial);
    }

    /// Called when a trial is gone: stopped, failed, or ended by the user while it waited. By
    /// default nothing.
    fn forget(&mut self, _trial: TrialId) {}
}

/// A scheduler out of a [`Rule`]: trials run in the order of creation, paused ones last.
#[derive(Clone, Debug)]
pub struct ByRule<R> {
    rule: R,
    goal: Goal,
    queue: Queue,
    stopped: u64,
    trials: u64,
}

impl<R: Rule> ByRule<R> {
    fn read(&self, report: &Report) -> Option<Reading> {
        let (time, score) = self.goal.read(report)?;
        let value = self.goal.value(report)?;
        Some(Reading { time, score, value })
    }
}

impl<R: Rule> Scheduler for ByRule<R> {
    const NAME: &'static str = R::NAME;
    const SUMMARY: &'static str = R::SUMMARY;
    const PAUSES: bool = R::PAUSES;
    type Options = R::Options;

    fn init(setup: &Setup, options: R::Options) -> Result<Self, Vec<OptionError>> {
        let goal = R::goal(setup, &options);
        match (goal, R::new(options)) {
            (Ok(goal), Ok(rule)) => Ok(Self {
                rule,
                goal,
                queue: Queue::default(),
                stopped: 0,
                trials: 0,
            }),
            (goal, rule) => {
                let errors = rule.err().into_iter().flatten();
                Err(goal.err().into_iter().chain(errors).collect())
            }
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.trials += 1;
        self.queue.add(trial)
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let Some(seen) = self.read(report) else {
            return Vec::new();
        };
        match self.rule.judge(trial, seen, !self.queue.is_empty()) {
            Verdict::GoOn => Vec::new(),
            Verdict::Pause => {
                self.queue.pause(trial);
                vec![Action::Pause(trial)]
            }
            Verdict::Stop => {
                self.stopped += 1;
                self.rule.forget(trial);
                vec![Action::Stop(trial)]
            }
        }
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        let last = last.and_then(|report| self.read(report));
        self.rule.complete(trial, last);
        Vec::new()
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            self.rule.forget(trial);
        }
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.rule.forget(trial);
        self.queue.remove(trial)
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.queue.next(creation)
    }

    fn describe(&self) -> String {
        let (name, stopped, trials) = (R::NAME, self.stopped, self.trials);
        format!("{name}: {stopped} of {trials} trials stopped")
    }
}
