//! Asynchronous successive halving (Li et al. 2018): brackets of rungs, where every trial stands,
//! and who goes on.
//!
//! Shared by the schedulers that are variants of it: each adds how a bracket is chosen, or when a
//! trial may be promoted, and nothing else.

use std::collections::BTreeMap;

use tune_space::{Action, Creation, Next, OptionError, Report, Setup, TrialId, Turn};

use super::{Goal, Queue, Rung, Score, all_of, levels, turn};

/// Most brackets and most rungs of each that are described, so that the text stays below its bound.
const DESCRIBED: (usize, usize) = (20, 10);

/// Brackets of rungs and the trials in them.
///
/// The bracket with the number `s` leaves out the first `s` rungs. Counted from their ends, the
/// rungs of all brackets have the same levels.
#[derive(Debug)]
pub struct Brackets {
    goal: Goal,
    brackets: Vec<Vec<Rung>>,
    places: BTreeMap<TrialId, Place>,
    queue: Queue,
}

/// Where a trial is.
#[derive(Debug)]
struct Place {
    bracket: usize,
    /// The first rung that does not hold it yet and that it can still enter.
    next: usize,
}

/// A result that counts at a rung.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Number of the bracket.
    pub bracket: usize,
    /// Number of the rung in its bracket, from 0.
    pub rung: usize,
    /// How good the trial is there.
    pub score: Score,
}

impl Brackets {
    /// Empty ones, as many as asked for (one at least, and no more than there are rungs): with
    /// `promotion` trials are paused at every rung and the best are promoted, else the bad ones
    /// are stopped. `grace` and `factor` are as in [`levels`].
    ///
    /// # Errors
    /// Those of [`levels`] and [`Goal::of`], together.
    pub fn new(
        setup: &Setup,
        (grace, factor): (f64, f64),
        brackets: usize,
        promotion: bool,
    ) -> Result<Self, Vec<OptionError>> {
        let levels = levels(grace, factor, setup.max_t);
        let ((levels, factor), goal, ()) = all_of(levels, Goal::of(setup), Ok(()))?;
        let rung = |level: &f64| Rung::new(*level, factor, promotion);
        let bracket = |first| levels.iter().skip(first).map(rung).collect();
        Ok(Self {
            goal,
            brackets: (0..brackets.clamp(1, levels.len())).map(bracket).collect(),
            places: BTreeMap::new(),
            queue: Queue::default(),
        })
    }

    /// What the trials are compared by.
    #[must_use]
    pub fn goal(&self) -> &Goal {
        &self.goal
    }

    /// The rungs of every bracket, lowest first.
    #[must_use]
    pub fn rungs(&self) -> &[Vec<Rung>] {
        &self.brackets
    }

    /// The bracket that a trial is in, while it has not ended.
    #[must_use]
    pub fn bracket_of(&self, trial: TrialId) -> Option<usize> {
        self.places.get(&trial).map(|place| place.bracket)
    }

    /// Nothing happens to a trial before the next rung that it can enter: it is not heard of until
    /// then.
    pub fn quiet(&self, trial: TrialId) -> Option<Action> {
        let place = self.places.get(&trial)?;
        let next = self.brackets.get(place.bracket)?.get(place.next);
        let level = next.map_or(f64::INFINITY, |rung| rung.level);
        Some(Action::QuietUntil(trial, level))
    }

    /// A trial was created and waits in this bracket for a slot.
    pub fn add(&mut self, trial: TrialId, bracket: usize) {
        self.places.insert(trial, Place { bracket, next: 0 });
        self.queue.add(trial);
    }

    /// The highest rung that a result reaches, unless the trial stands there already: it counts at
    /// no other one. The next thing to do with it is [`Brackets::decide`], [`Brackets::judge`] or [`Brackets::record`].
    pub fn enter(&mut self, trial: TrialId, report: &Report) -> Option<Entry> {
        let (time, score) = self.goal.read(report)?;
        let place = self.places.get_mut(&trial)?;
        let rungs = self.brackets.get(place.bracket)?;
        let reached = rungs.partition_point(|rung| rung.level <= time);
        (reached > place.next).then(|| {
            place.next = reached;
            Entry {
                bracket: place.bracket,
                rung: reached - 1,
                score,
            }
        })
    }

    /// Records the entry of a trial that could go on, and decides: see [`Rung::judge`].
    pub fn judge(&mut self, trial: TrialId, entry: Entry) -> Option<Action> {
        self.rung(entry)?.judge(trial, entry.score)
    }

    /// The same, and a trial that is not stopped is quiet until its next rung.
    pub fn decide(&mut self, trial: TrialId, entry: Entry) -> Vec<Action> {
        let action = self.judge(trial, entry);
        let stops = matches!(action, Some(Action::Stop(_)));
        let quiet = self.quiet(trial).filter(|_| !stops);
        action.into_iter().chain(quiet).collect()
    }

    /// Records the entry of a trial that has ended.
    pub fn record(&mut self, trial: TrialId, entry: Entry) {
        if let Some(rung) = self.rung(entry) {
            rung.record(trial, entry.score);
        }
    }

    fn rung(&mut self, entry: Entry) -> Option<&mut Rung> {
        self.brackets.get_mut(entry.bracket)?.get_mut(entry.rung)
    }

    /// A trial reported and could go on.
    pub fn result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let entry = self.enter(trial, report);
        entry.map_or_else(Vec::new, |entry| self.decide(trial, entry))
    }

    /// A trial has ended by itself.
    pub fn complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        if let Some(entry) = last.and_then(|report| self.enter(trial, report)) {
            self.record(trial, entry);
        }
        self.places.remove(&trial);
        Vec::new()
    }

    /// A trial has failed. One that is tried again keeps its bracket and its rungs.
    pub fn error(&mut self, trial: TrialId, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            self.places.remove(&trial);
        }
        Vec::new()
    }

    /// The user stopped a trial that did not run: it is never promoted, its scores stay.
    pub fn remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.queue.remove(trial);
        self.places.remove(&trial);
        let rungs = self.brackets.iter_mut().flatten();
        rungs.for_each(|rung| rung.leave(trial));
        Vec::new()
    }

    /// What a free slot does: promotes the best trial of the highest rung that has one to promote,
    /// else runs a pending trial, else creates one. `may` says whether a rung may promote at all,
    /// given its bracket and its number there.
    pub fn next(&mut self, creation: Creation, may: impl Fn(&[Rung], usize) -> bool) -> Turn {
        let most = self.brackets.first().map_or(0, Vec::len);
        let promoted = (1..=most).find_map(|from_end| {
            self.brackets.iter_mut().find_map(|rungs| {
                let index = rungs.len().checked_sub(from_end)?;
                may(rungs, index).then(|| rungs.get_mut(index)?.promote())?
            })
        });
        match promoted {
            Some(trial) => turn(Next::Run(trial)),
            None => self.queue.next(creation),
        }
    }

    /// A line for every bracket, which begins with `name`: its rungs that hold trials.
    #[must_use]
    pub fn describe(&self, name: &str) -> String {
        let lines = self.brackets.iter().take(DESCRIBED.0).map(|rungs| {
            let held = rungs.iter().filter(|rung| !rung.is_empty());
            let shown = held.take(DESCRIBED.1).map(|rung| rung.describe(&self.goal));
            format!("{name} {}", shown.collect::<Vec<_>>().join(" | "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_space::Objective;

    fn brackets(count: usize) -> Brackets {
        let setup = Setup {
            space: Vec::new(),
            objectives: vec![Objective {
                metric: "score".to_owned(),
                maximize: true,
            }],
            constraints: Vec::new(),
            time_attr: "t".to_owned(),
            max_t: Some(9.0),
            trials: None,
            slots: 1,
            seed: 0,
            options: String::new(),
        };
        Brackets::new(&setup, (1.0, 3.0), count, true).unwrap()
    }

    fn at(time: f64, score: f64) -> Report {
        Report::default().with("t", time).with("score", score)
    }

    #[test]
    fn an_entry_names_the_highest_rung_reached_and_is_made_once() {
        let mut brackets = brackets(2);
        brackets.add(0, 1);
        assert_eq!(brackets.bracket_of(0), Some(1));
        assert_eq!(brackets.enter(0, &at(1.0, 0.5)), None);
        let entry = brackets.enter(0, &at(4.0, 0.5)).unwrap();
        assert_eq!((entry.bracket, entry.rung), (1, 0));
        assert_eq!(brackets.enter(0, &at(5.0, 0.5)), None);
        assert_eq!(brackets.judge(0, entry), Some(Action::Pause(0)));
        assert_eq!(brackets.rungs()[1][0].len(), 1);
        brackets.complete(0, Some(&at(9.0, 0.5)));
        assert_eq!(brackets.rungs()[1][1].len(), 1);
        assert_eq!(brackets.bracket_of(0), None);
    }

    #[test]
    fn a_rung_that_may_not_promote_keeps_its_trials_until_it_may() {
        let mut brackets = brackets(1);
        for trial in 0..3 {
            brackets.add(trial, 0);
            assert_eq!(
                brackets.next(Creation::Possible, |_, _| true).next,
                Next::Run(trial)
            );
            brackets.result(trial, &at(1.0, f64::from(trial)));
        }
        let delayed = |rungs: &[Rung], index: usize| rungs[index].len() >= 4;
        assert_eq!(brackets.next(Creation::Closed, delayed).next, Next::Done);
        let at_once = |_: &[Rung], index: usize| index == 0;
        assert_eq!(brackets.next(Creation::Closed, at_once).next, Next::Run(2));
        assert_eq!(brackets.next(Creation::Closed, at_once).next, Next::Done);
    }
}
