//! The scheduler `hyperband` (Li et al. 2017, arXiv 1603.06560): brackets of successive halving that
//! differ in how early they judge.
//!
//! A trial pauses at the milestone of its bracket until all others of the bracket are there or have
//! ended; the best go on, the rest is stopped. Brackets fill one after another, the most aggressive
//! first as in the paper; while one waits, free slots fill the next. With `bohb` as the paper of
//! BOHB (Falkner et al. 2018) needs it: a bracket that is not full is not judged while anything runs.
//!
//! Departures from Ray Tune: exact arithmetic (Ray can begin a bracket at 0 or miss `max_t`); the
//! most aggressive bracket comes first; a bracket that was judged takes no more trials; a trial that
//! ends by itself at `max_t` has no place that another could take; `grace_period` exists.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tune_plugin::{
    Action, Config, Creation, FailureKind, Next, OptionError, Report, Scheduler, Setup, TrialId,
    Turn,
    schedule::{Goal, Milestone, Score, all_of, milestones, refuse_to_run_on, unclaimed},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// One of so many trials goes on from a milestone; each is so many times the one before.
    #[option(default = 3.0, exclusive_minimum = 1.0)]
    reduction_factor: f64,
    /// The first milestone of the most aggressive bracket, and of which all are multiples.
    #[option(default = 1.0, exclusive_minimum = 0.0)]
    grace_period: f64,
    /// A bracket that is not full waits until nothing runs and nothing can be created.
    #[option(default = false)]
    bohb: bool,
    /// Only true: a trial ends at `max_t`.
    #[option(default = true)]
    stop_last_trials: bool,
}

/// One bracket: its milestones, and where its trials are. A live one that is neither ready nor
/// waiting runs.
#[derive(Debug, Default)]
struct Bracket {
    plan: Vec<Milestone>,
    /// The milestone that its trials are on the way to.
    rung: usize,
    created: u64,
    /// It takes no more trials.
    closed: bool,
    /// Those that have not ended.
    live: BTreeSet<TrialId>,
    /// Those that a slot can run, best first.
    ready: VecDeque<TrialId>,
    /// Those at the milestone, best first and the earlier of equals, and how far they are.
    waiting: BTreeMap<(Reverse<Score>, TrialId), f64>,
}

impl Bracket {
    /// A milestone; past the last one nobody goes on.
    fn at(&self, rung: usize) -> Milestone {
        self.plan.get(rung).copied().unwrap_or_default()
    }

    fn add(&mut self, trial: TrialId) {
        self.created += 1;
        self.closed = self.created >= self.at(0).1;
        self.live.insert(trial);
        self.ready.push_back(trial);
    }

    /// A trial reports; true if it is at the milestone of this bracket and waits there.
    fn reach(&mut self, trial: TrialId, time: f64, score: Score) -> bool {
        let there = self.live.contains(&trial) && time >= self.at(self.rung).0;
        there.then(|| self.waiting.insert((Reverse(score), trial), time));
        there
    }

    /// A trial has ended, wherever it was.
    fn leave(&mut self, trial: TrialId) {
        if self.live.remove(&trial) {
            self.ready.retain(|ready| *ready != trial);
            self.waiting.retain(|(_, waiting), _| *waiting != trial);
        }
    }

    /// All its trials wait at the milestone.
    fn is_complete(&self) -> bool {
        self.waiting.len() == self.live.len()
    }

    /// If all wait, as many as planned go on to the next milestone, where those whose results
    /// jumped so far wait already. The others have left it: they are returned.
    fn halve(&mut self) -> Vec<TrialId> {
        let mut stopped = Vec::new();
        while !self.live.is_empty() && self.is_complete() {
            self.rung += 1;
            let (level, trials) = self.at(self.rung);
            for (place, (key, time)) in (0..).zip(std::mem::take(&mut self.waiting)) {
                if place >= trials {
                    self.live.remove(&key.1);
                    stopped.push(key.1);
                } else if time >= level {
                    self.waiting.insert(key, time);
                } else {
                    self.ready.push_back(key.1);
                }
            }
        }
        stopped
    }
}

/// The brackets that hold trials, in the order in which they began.
#[derive(Debug)]
pub struct Hyperband {
    bohb: bool,
    goal: Goal,
    /// Of the brackets to come.
    plans: VecDeque<Vec<Milestone>>,
    open: Vec<Bracket>,
}

impl Hyperband {
    /// Stops the worst of every bracket that takes no more trials and whose trials all wait.
    fn halve(&mut self) -> Vec<Action> {
        let closed = self.open.iter_mut().filter(|bracket| bracket.closed);
        let stopped = closed.flat_map(Bracket::halve).map(Action::Stop).collect();
        self.open.retain(|b| !b.closed || !b.live.is_empty());
        stopped
    }

    fn leave(&mut self, trial: TrialId) -> Vec<Action> {
        self.open.iter_mut().for_each(|b| b.leave(trial));
        Vec::new()
    }
}

impl Scheduler for Hyperband {
    const NAME: &'static str = "hyperband";
    const SUMMARY: &'static str = "Brackets of successive halving that judge early and late";
    const PAUSES: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let plans = milestones(options.grace_period, options.reduction_factor, setup.max_t);
        let stops = refuse_to_run_on(options.stop_last_trials).map_or(Ok(()), Err);
        let (plans, goal, ()) = all_of(plans, Goal::of(setup), stops)?;
        Ok(Self {
            bohb: options.bohb,
            goal,
            plans: plans.into(),
            open: Vec::new(),
        })
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        if self.open.last().is_none_or(|newest| newest.closed) {
            let plan = self.plans.pop_front().unwrap_or_default();
            self.plans.push_back(plan.clone());
            self.open.push(Bracket {
                plan,
                ..Bracket::default()
            });
        }
        self.open.last_mut().into_iter().for_each(|b| b.add(trial));
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let seen = self.goal.read(report);
        let waits = seen.is_some_and(|(t, s)| self.open.iter_mut().any(|b| b.reach(trial, t, s)));
        waits.then_some(Action::Pause(trial)).into_iter().collect()
    }

    fn on_complete(&mut self, trial: TrialId, _: Option<&Report>) -> Vec<Action> {
        self.leave(trial)
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            self.leave(trial);
        }
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.leave(trial)
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        let mut actions = self.halve();
        let stuck = self.open.iter().all(Bracket::is_complete);
        let full = stuck || (creation == Creation::Closed && !self.bohb);
        if let Some(newest) = self.open.last_mut().filter(|newest| newest.is_complete()) {
            newest.closed |= full && creation != Creation::Possible;
            actions.extend(self.halve());
        }
        let mut open = self.open.iter_mut();
        let ready = open.find_map(|b| Some((b.ready.pop_front()?, b.at(b.rung).0)));
        // Nothing happens to it on its way.
        actions.extend(ready.map(|(trial, level)| Action::QuietUntil(trial, level)));
        let next = ready.map_or_else(|| unclaimed(creation), |(trial, _)| Next::Run(trial));
        Turn { actions, next }
    }

    fn describe(&self) -> String {
        // The text is bounded; there are hardly more open brackets than slots.
        let lines = self.open.iter().take(64).map(|b| {
            let (created, planned, live) = (b.created, b.at(0).1, b.live.len());
            let (waiting, level) = (b.waiting.len(), b.at(b.rung).0);
            format!("{created} of {planned} created, {live} live, {waiting} wait at {level}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

tune_plugin::export_scheduler!(Hyperband);

#[cfg(test)]
mod tests;
