//! The scheduler `median-stopping` (Golovin et al. 2017, "Google Vizier", section 3.2.2): a trial is
//! stopped when its best result so far is strictly worse than the median of the running means of
//! the other trials that have come as far.
//!
//! Names, defaults and rules are those of Ray Tune's `MedianStoppingRule`, except that a result
//! which is not a finite number makes a trial's mean the worst (Ray leaves such means out), that
//! times are iterations unless the experiment says otherwise (Ray: seconds, grace 60), and that a
//! trial which is not created yet does not count as one that waits.

use std::collections::{BTreeMap, BTreeSet};

use tune_plugin::{
    Action, Config, Creation, OptionError, Report, Scheduler, Setup, TrialId, Turn,
    schedule::{Curves, Goal, Queue},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Results before this time neither count in the means nor stop a trial.
    #[option(default = 5.0, minimum = 0.0)]
    grace_period: f64,
    /// A trial is judged only against at least so many others that have come as far.
    #[option(default = 3, minimum = 1)]
    min_samples_required: u32,
    /// While there are too few others, a trial makes room for a waiting one when it ran longer
    /// than this since its last pause.
    #[option(default = 0.0, minimum = 0.0)]
    min_time_slice: f64,
    /// Stop bad trials for good; if false they are paused, and go on unjudged when nothing else waits.
    #[option(default = true)]
    hard_stop: bool,
}

/// The rule and what it has seen.
#[derive(Debug)]
pub struct MedianStopping {
    options: Options,
    goal: Goal,
    curves: Curves,
    queue: Queue,
    last_pause: BTreeMap<TrialId, f64>,
    /// Judged bad; with a soft stop they may go on and are not judged again.
    judged: BTreeSet<TrialId>,
}

impl MedianStopping {
    fn pause(&mut self, trial: TrialId) -> Vec<Action> {
        self.queue.pause(trial);
        vec![Action::Pause(trial)]
    }
}

impl Scheduler for MedianStopping {
    const NAME: &'static str = "median-stopping";
    const SUMMARY: &'static str = "Stops trials whose best result is below the others' median";
    const PAUSES: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        Ok(Self {
            goal: Goal::of(setup).map_err(|error| vec![error])?,
            curves: Curves::new(options.grace_period),
            options,
            queue: Queue::default(),
            last_pause: BTreeMap::new(),
            judged: BTreeSet::new(),
        })
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.queue.add(trial);
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let result = self
            .goal
            .read(report)
            .filter(|_| !self.judged.contains(&trial));
        let Some((time, score)) = result else {
            return Vec::new();
        };
        let Some(standing) = self.curves.record(trial, time, score) else {
            return Vec::new();
        };
        if standing.others < self.options.min_samples_required as usize {
            let since = time - self.last_pause.get(&trial).unwrap_or(&f64::NEG_INFINITY);
            if since > self.options.min_time_slice && !self.queue.is_empty() {
                self.last_pause.insert(trial, time);
                return self.pause(trial);
            }
        } else if standing.median.is_some_and(|median| standing.best < median) {
            self.judged.insert(trial);
            return if self.options.hard_stop {
                vec![Action::Stop(trial)]
            } else {
                self.pause(trial)
            };
        }
        Vec::new()
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        let result = last.and_then(|report| self.goal.read(report));
        if let Some((time, score)) = result.filter(|_| !self.judged.contains(&trial)) {
            self.curves.record(trial, time, score);
        }
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.queue.remove(trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.queue.next(creation)
    }

    fn describe(&self) -> String {
        let verb = if self.options.hard_stop {
            "stopped"
        } else {
            "paused"
        };
        let (judged, seen) = (self.judged.len(), self.curves.len());
        format!("median rule: {judged} of {seen} trials {verb} below the median of the others")
    }
}

tune_plugin::export_scheduler!(MedianStopping);

#[cfg(test)]
mod tests;
