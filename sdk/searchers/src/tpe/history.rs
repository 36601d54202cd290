//! What is known of each trial, ranked from the best to the worst, and the split into a good and a
//! bad set. Knows nothing of configurations but their coordinates.

use std::collections::BTreeMap;

use tune_plugin::TrialId;
use tune_search::Rank;

/// Size of the good set at most.
const MAX_GOOD: usize = 25;

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
    running: usize,
}

/// The good and the bad ones.
pub(crate) struct Split<'a> {
    history: &'a History,
    /// Places of the good ones, the best first, and ascending.
    good: Vec<usize>,
    ascending: Vec<usize>,
    /// Running ones are bad.
    liar: bool,
}

impl<'a> Split<'a> {
    /// Coordinates of the good ones, the best first.
    pub(crate) fn good(&self) -> impl Iterator<Item = &'a [f64]> {
        let entries = self
            .good
            .iter()
            .map(|place| self.history.entries.get(*place));
        entries.flatten().map(|entry| entry.point.as_slice())
    }

    /// Coordinates of the bad ones, those that were asked for last first.
    pub(crate) fn bad(&self) -> impl Iterator<Item = &'a [f64]> {
        let entries = self.history.entries.iter().enumerate().rev();
        // Good ones that are still to come, the next one last.
        let mut good = self.ascending.as_slice();
        let bad = entries.filter(move |(place, entry)| {
            if let Some((next, others)) = good.split_last()
                && next == place
            {
                good = others;
                return false;
            }
            entry.rank.is_some() || (self.liar && entry.running)
        });
        bad.map(|(_, entry)| entry.point.as_slice())
    }

    /// How many are bad.
    pub(crate) fn bad_count(&self) -> usize {
        let running = if self.liar { self.history.running } else { 0 };
        self.history.ranked.len() - self.good.len() + running
    }
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
                self.running += 1;
                if let Some(slot) = self.entries.get_mut(place) {
                    *slot = entry;
                }
            }
            None => {
                self.running += 1;
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
        self.running -= usize::from(std::mem::take(&mut entry.running));
        if let Some(old) = entry.rank.take()
            && let Ok(at) = search(&self.ranked, old, place)
        {
            self.ranked.remove(at);
            self.informative -= usize::from(!old.is_worst());
        }
        entry.rank = rank;
        if let Some(new) = rank
            && let Err(at) = search(&self.ranked, new, place)
        {
            self.ranked.insert(at, (new, place));
            self.informative += usize::from(!new.is_worst());
        }
    }

    /// Results that tell good from bad: all but failures and values that are no number.
    pub(crate) fn informative(&self) -> usize {
        self.informative
    }

    /// Trials that have neither paused nor ended.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// The best `min(ceil(share x n), 25)` of the `n` informative trials are good, all others bad,
    /// the running ones too if `liar`.
    pub(crate) fn split(&self, share: f64, liar: bool) -> Split<'_> {
        let good = ((share * self.informative as f64).ceil() as usize)
            .min(MAX_GOOD)
            .min(self.informative);
        let best = self.ranked.iter().take(good).map(|(_, place)| *place);
        let good: Vec<usize> = best.collect();
        let mut ascending = good.clone();
        ascending.sort_unstable();
        Split {
            history: self,
            good,
            ascending,
            liar,
        }
    }
}

fn search(ranked: &[(Rank, usize)], rank: Rank, place: usize) -> Result<usize, usize> {
    ranked.binary_search_by(|(r, p)| r.cmp(&rank).then(p.cmp(&place)))
}

#[cfg(test)]
mod tests {
    use tune_plugin::{Constraint, Ending, Objective, Report};
    use tune_search::Judge;

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

    fn finished(accuracy: f64) -> Option<Rank> {
        judge().ended(Ending::Finished, Some(&report(accuracy, 1.0, 0.0)))
    }

    fn good<'a>(split: &Split<'a>) -> Vec<&'a [f64]> {
        split.good().collect()
    }

    /// The oldest first.
    fn bad<'a>(split: &Split<'a>) -> Vec<&'a [f64]> {
        let mut bad: Vec<&[f64]> = split.bad().collect();
        assert_eq!(bad.len(), split.bad_count());
        bad.reverse();
        bad
    }

    #[test]
    fn the_good_set_is_a_tenth_rounded_up_and_never_above_25() {
        let mut h = History::default();
        let mut sizes = Vec::new();
        for i in 0..400_u32 {
            h.ask(i, vec![f64::from(i)]);
            h.tell(i, finished(f64::from(i)));
            sizes.push(good(&h.split(0.1, true)).len());
        }
        assert_eq!([sizes[0], sizes[9], sizes[10], sizes[99]], [1, 1, 2, 10]);
        assert_eq!([sizes[240], sizes[250], sizes[399]], [25, 25, 25]);
        let good = good(&h.split(0.1, true));
        assert_eq!((good[0], good[24]), (&[399.0][..], &[375.0][..]));
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
        assert_eq!(good(&split), [[1.0]]);
        assert_eq!(bad(&split), [[0.0], [2.0], [3.0]]);
        assert_eq!(bad(&h.split(0.5, false)), [[2.0]]);
    }

    #[test]
    fn a_paused_trial_is_ranked_anew_and_failures_are_bad_without_counting() {
        let mut h = History::default();
        for i in 0..3 {
            h.ask(i, vec![f64::from(i)]);
        }
        h.tell(0, Some(judge().paused(&report(0.9, 1.0, 0.0))));
        h.tell(1, Some(judge().paused(&report(0.1, 3.0, 0.0))));
        assert_eq!(good(&h.split(0.1, true)), [[1.0]]);
        h.tell(0, Some(judge().paused(&report(0.9, 9.0, 0.0))));
        assert_eq!(good(&h.split(0.1, true)), [[0.0]]);
        h.tell(0, Some(Rank::WORST));
        h.tell(2, Some(Rank::WORST));
        assert_eq!(h.informative(), 1);
        let split = h.split(1.0, true);
        assert_eq!(good(&split), [[1.0]]);
        assert_eq!(bad(&split), [[0.0], [2.0]]);
        // Asked for again, twice: its old result is void.
        h.ask(1, vec![7.0]);
        h.ask(1, vec![8.0]);
        assert_eq!(h.informative(), 0);
        assert_eq!(bad(&h.split(1.0, true)), [[0.0], [8.0], [2.0]]);
    }
}
