//! What is known of each trial, ranked from the best to the worst, and the split into a good and a
//! bad set. Knows nothing of configurations but their coordinates.

use std::collections::BTreeMap;

use tune_plugin::{Constraint, Ending, Objective, Report, TrialId};

/// Size of the good set at most.
const MAX_GOOD: usize = 25;

/// How a report is judged.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) objective: Objective,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) time_attr: String,
    /// Failures count as the worst; else they are forgotten.
    pub(crate) failures_count: bool,
}

/// Where a trial stands: class, then two numbers, the smaller the better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rank {
    class: Class,
    first: f64,
    second: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Ran to its end: by value.
    Finished,
    /// Stopped or paused: by resource, more is better, then value.
    Stopped,
    /// Breaks a constraint: by total violation, then value.
    Infeasible,
    /// Failed, or its value is no finite number.
    Worst,
}

impl Rank {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.class
            .cmp(&other.class)
            .then(self.first.total_cmp(&other.first))
            .then(self.second.total_cmp(&other.second))
    }
}

impl Judge {
    /// The rank of an ended trial; none if it says nothing of its configuration.
    pub(crate) fn ended(&self, ending: Ending, last: Option<&Report>) -> Option<Rank> {
        match (ending, last) {
            (Ending::Failed(_), _) => self.failures_count.then_some(Rank::WORST),
            (_, None) => None,
            (Ending::Finished, Some(report)) => Some(self.rank(report, Class::Finished)),
            (Ending::Stopped, Some(report)) => Some(self.rank(report, Class::Stopped)),
        }
    }

    /// The rank of a paused trial.
    pub(crate) fn paused(&self, report: &Report) -> Rank {
        self.rank(report, Class::Stopped)
    }

    fn rank(&self, report: &Report, class: Class) -> Rank {
        let finite = |name: &str| report.get(name).filter(|x| x.is_finite());
        let Some(value) = finite(&self.objective.metric) else {
            return Rank::WORST;
        };
        let loss = if self.objective.maximize {
            -value
        } else {
            value
        };
        let violation: f64 = self
            .constraints
            .iter()
            .map(|c| violation(c, finite(&c.metric)))
            .sum();
        let (class, first, second) = match class {
            _ if violation > 0.0 => (Class::Infeasible, violation, loss),
            Class::Stopped => {
                let resource = finite(&self.time_attr).unwrap_or(f64::MIN);
                (Class::Stopped, -resource, loss)
            }
            _ => (class, loss, 0.0),
        };
        Rank {
            class,
            first,
            second,
        }
    }
}

impl Rank {
    const WORST: Self = Self {
        class: Class::Worst,
        first: 0.0,
        second: 0.0,
    };
}

/// By how much a bound is broken; endlessly if the metric is no number.
fn violation(constraint: &Constraint, value: Option<f64>) -> f64 {
    let Some(value) = value else {
        return f64::INFINITY;
    };
    let below = constraint.at_least.map_or(0.0, |bound| bound - value);
    let above = constraint.at_most.map_or(0.0, |bound| value - bound);
    below.max(0.0) + above.max(0.0)
}

/// One trial.
#[derive(Clone, Debug)]
struct Entry {
    /// By parameter; NaN where inactive.
    point: Vec<f64>,
    rank: Option<Rank>,
    /// Was asked for and has neither paused nor ended.
    running: bool,
}

/// All trials, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
    places: BTreeMap<TrialId, usize>,
    /// Places by rank, the best first, ties by age.
    ranked: Vec<(Rank, usize)>,
    /// Ranked ones that are not in the worst class.
    informative: usize,
}

/// Coordinates of both sets, each in the order in which its trials were asked for.
pub(crate) struct Split<'a> {
    pub(crate) good: Vec<&'a [f64]>,
    pub(crate) bad: Vec<&'a [f64]>,
}

impl History {
    /// A trial was suggested (again).
    pub(crate) fn ask(&mut self, trial: TrialId, point: Vec<f64>) {
        let entry = Entry {
            point,
            rank: None,
            running: true,
        };
        match self.places.get(&trial).copied() {
            Some(place) => {
                self.settle(place, None);
                if let Some(slot) = self.entries.get_mut(place) {
                    *slot = entry;
                }
            }
            None => {
                self.places.insert(trial, self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    /// A result from elsewhere.
    pub(crate) fn add(&mut self, point: Vec<f64>, rank: Rank) {
        self.entries.push(Entry {
            point,
            rank: None,
            running: false,
        });
        self.settle(self.entries.len() - 1, Some(rank));
    }

    /// A trial that paused or ended, with its newest rank. Unknown ones are ignored.
    pub(crate) fn tell(&mut self, trial: TrialId, rank: Option<Rank>) {
        if let Some(place) = self.places.get(&trial) {
            self.settle(*place, rank);
        }
    }

    fn settle(&mut self, place: usize, rank: Option<Rank>) {
        let Some(entry) = self.entries.get_mut(place) else {
            return;
        };
        entry.running = false;
        if let Some(old) = entry.rank.take()
            && let Ok(at) = search(&self.ranked, old, place)
        {
            self.ranked.remove(at);
            self.informative -= usize::from(old.class != Class::Worst);
        }
        entry.rank = rank;
        if let Some(new) = rank
            && let Err(at) = search(&self.ranked, new, place)
        {
            self.ranked.insert(at, (new, place));
            self.informative += usize::from(new.class != Class::Worst);
        }
    }

    /// Results that tell good from bad: all but failures and values that are no number.
    pub(crate) fn informative(&self) -> usize {
        self.informative
    }

    /// The best `min(ceil(share x n), 25)` of the `n` informative trials are good, all others bad,
    /// the running ones too if `liar`.
    pub(crate) fn split(&self, share: f64, liar: bool) -> Split<'_> {
        let good = ((share * self.informative as f64).ceil() as usize)
            .min(MAX_GOOD)
            .min(self.informative);
        let mut best: Vec<usize> = self.ranked.iter().take(good).map(|(_, p)| *p).collect();
        best.sort_unstable();
        let mut best = best.into_iter().peekable();
        let mut split = Split {
            good: Vec::with_capacity(good),
            bad: Vec::with_capacity(self.entries.len()),
        };
        for (place, entry) in self.entries.iter().enumerate() {
            if best.next_if_eq(&place).is_some() {
                split.good.push(&entry.point);
            } else if entry.rank.is_some() || (liar && entry.running) {
                split.bad.push(&entry.point);
            }
        }
        split
    }
}

fn search(ranked: &[(Rank, usize)], rank: Rank, place: usize) -> Result<usize, usize> {
    ranked.binary_search_by(|(r, p)| r.cmp(&rank).then(p.cmp(&place)))
}

#[cfg(test)]
mod tests {
    use tune_plugin::FailureKind;

    use super::*;

    fn judge() -> Judge {
        Judge {
            objective: Objective {
                metric: "accuracy".into(),
                maximize: true,
            },
            constraints: vec![Constraint {
                metric: "bytes".into(),
                at_least: None,
                at_most: Some(10.0),
            }],
            time_attr: "t".into(),
            failures_count: true,
        }
    }

    fn report(accuracy: f64, t: f64, bytes: f64) -> Report {
        Report::default()
            .with("accuracy", accuracy)
            .with("t", t)
            .with("bytes", bytes)
    }

    #[test]
    fn finished_come_before_stopped_before_infeasible_before_failed() {
        let j = judge();
        let ended = |e, a, t, b| j.ended(e, Some(&report(a, t, b))).unwrap();
        let order = [
            ended(Ending::Finished, 0.9, 9.0, 1.0),
            ended(Ending::Finished, 0.5, 9.0, 1.0),
            ended(Ending::Stopped, 0.2, 3.0, 1.0),
            j.paused(&report(0.1, 3.0, 1.0)),
            ended(Ending::Stopped, 0.8, 1.0, 1.0),
            ended(Ending::Finished, 0.1, 9.0, 12.0),
            ended(Ending::Finished, 0.99, 9.0, 13.0),
            ended(Ending::Finished, 0.99, 9.0, f64::NAN),
            ended(Ending::Finished, f64::NAN, 9.0, 1.0),
        ];
        for (i, pair) in order.windows(2).enumerate() {
            assert!(pair[0].cmp(&pair[1]).is_lt(), "{i}");
        }
        let failed = j.ended(Ending::Failed(FailureKind::Trap), None);
        assert_eq!(failed, Some(Rank::WORST));
        assert_eq!(order[8], Rank::WORST);
        assert_eq!(
            ended(Ending::Finished, f64::INFINITY, 9.0, 1.0),
            Rank::WORST
        );
        assert_eq!(j.ended(Ending::Stopped, None), None);
    }

    fn finished(accuracy: f64) -> Option<Rank> {
        judge().ended(Ending::Finished, Some(&report(accuracy, 1.0, 0.0)))
    }

    #[test]
    fn the_good_set_is_a_tenth_rounded_up_and_never_above_25() {
        let mut h = History::default();
        let mut sizes = Vec::new();
        for i in 0..400_u32 {
            h.ask(i, vec![f64::from(i)]);
            h.tell(i, finished(f64::from(i)));
            sizes.push(h.split(0.1, true).good.len());
        }
        assert_eq!([sizes[0], sizes[9], sizes[10], sizes[99]], [1, 1, 2, 10]);
        assert_eq!([sizes[240], sizes[250], sizes[399]], [25, 25, 25]);
        assert_eq!(h.split(0.1, true).good[0], [375.0]);
    }

    #[test]
    fn running_trials_are_bad_only_with_the_liar_and_ties_go_to_the_earlier() {
        let mut h = History::default();
        for i in 0..4 {
            h.ask(i, vec![f64::from(i)]);
        }
        h.tell(1, finished(0.5));
        h.tell(2, finished(0.5));
        let split = h.split(0.5, true);
        assert_eq!(split.good, [[1.0]]);
        assert_eq!(split.bad, [[0.0], [2.0], [3.0]]);
        assert_eq!(h.split(0.5, false).bad, [[2.0]]);
    }

    #[test]
    fn a_paused_trial_is_ranked_anew_and_failures_are_bad_without_counting() {
        let mut h = History::default();
        for i in 0..3 {
            h.ask(i, vec![f64::from(i)]);
        }
        h.tell(0, Some(judge().paused(&report(0.9, 1.0, 0.0))));
        h.tell(1, Some(judge().paused(&report(0.1, 3.0, 0.0))));
        assert_eq!(h.split(0.1, true).good, [[1.0]]);
        h.tell(0, Some(judge().paused(&report(0.9, 9.0, 0.0))));
        assert_eq!(h.split(0.1, true).good, [[0.0]]);
        h.tell(0, Some(Rank::WORST));
        h.tell(2, Some(Rank::WORST));
        assert_eq!(h.informative(), 1);
        let split = h.split(1.0, true);
        assert_eq!(
            (split.good, split.bad),
            (vec![&[1.0][..]], vec![&[0.0][..], &[2.0]])
        );
        // Asked for again: its old result is void.
        h.ask(1, vec![7.0]);
        assert_eq!(h.informative(), 0);
    }
}
