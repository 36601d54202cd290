//! The live members of a population: where each is, what it is worth, and which of them are the best
//! and the worst. Never decides what follows from that.

use std::collections::BTreeMap;

use tune_space::{Config, TrialId};

use super::super::Score;

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Waits for a slot: created, or paused at a perturbation point.
    Waiting,
    /// Stands at the barrier of a synchronous members.
    AtBarrier,
    /// Runs.
    Running,
}

/// A trial that has not ended.
#[derive(Clone, Debug)]
pub struct Member {
    /// With which it trains.
    pub config: Config,
    pub(super) doing: Doing,
    /// Of its last report, or of the state that it took over.
    pub time: f64,
    /// Time of its last perturbation point, at which its state was kept.
    pub perturbed: f64,
    /// Of that state. None before the first one, and while it has a state that is another one's.
    pub score: Option<Score>,
    /// Time and score of the state that it trains from, its own or another one's: where its next
    /// stretch begins. None before the first perturbation point.
    pub base: Option<(f64, Score)>,
}

/// Members by trial.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(BTreeMap<TrialId, Member>);

impl Members {
    pub(super) fn add(&mut self, trial: TrialId, config: Config) {
        let member = Member {
            config,
            doing: Doing::Waiting,
            time: 0.0,
            perturbed: 0.0,
            score: None,
            base: None,
        };
        self.0.insert(trial, member);
    }

    pub(super) fn remove(&mut self, trial: TrialId) {
        self.0.remove(&trial);
    }

    pub(super) fn get(&self, trial: TrialId) -> Option<&Member> {
        self.0.get(&trial)
    }

    pub(super) fn get_mut(&mut self, trial: TrialId) -> Option<&mut Member> {
        self.0.get_mut(&trial)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TrialId, &Member)> {
        self.0.iter().map(|(trial, member)| (*trial, member))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.0.values_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Somebody does this.
    pub(super) fn any(&self, doing: Doing) -> bool {
        self.0.values().any(|member| member.doing == doing)
    }

    /// Of the waiting members the one that is least far, the earliest among equals.
    pub(super) fn next_waiting(&self) -> Option<TrialId> {
        let waiting = self.iter().filter(|(_, m)| m.doing == Doing::Waiting);
        let first = waiting.min_by(|(_, a), (_, b)| a.time.total_cmp(&b.time));
        first.map(|(trial, _)| trial)
    }

    /// Members with a score, the best first, the earlier one first among equals.
    pub(super) fn ranked(&self) -> Vec<(TrialId, Score)> {
        let scored = self.iter().filter_map(|(trial, m)| Some((trial, m.score?)));
        let mut ranked: Vec<(TrialId, Score)> = scored.collect();
        // Stable, and the members come in the order of their creation.
        ranked.sort_by_key(|(_, score)| std::cmp::Reverse(*score));
        ranked
    }
}

/// How many members are the best, and as many the worst.
pub(super) fn quantile_size(members: usize, fraction: f64) -> usize {
    if members <= 1 {
        return 0;
    }
    let size = (members as f64 * fraction).ceil() as usize;
    size.min(members / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_two_to_nine_members() {
        let sizes: Vec<usize> = (0..10).map(|n| quantile_size(n, 0.25)).collect();
        assert_eq!(sizes, [0, 0, 1, 1, 1, 2, 2, 2, 2, 3]);
        assert_eq!(quantile_size(5, 0.5), 2);
        assert_eq!(quantile_size(100, 0.0), 0);
    }

    #[test]
    fn members_are_ranked_by_score_then_by_age_and_the_unscored_are_left_out() {
        let mut members = Members::default();
        let scores = [Some(1.0), None, Some(2.0), Some(1.0), Some(f64::NAN)];
        for (trial, score) in (0..).zip(scores) {
            members.add(trial, Config::new());
            members.get_mut(trial).unwrap().score = score.map(Score::new);
        }
        let ranked: Vec<TrialId> = members.ranked().iter().map(|(t, _)| *t).collect();
        assert_eq!(ranked, [2, 0, 3, 4]);
    }

    #[test]
    fn whoever_is_least_far_runs_first() {
        let mut members = Members::default();
        for (trial, time) in [(0, 3.0), (1, 2.0), (2, 2.0), (3, 0.0)] {
            members.add(trial, Config::new());
            members.get_mut(trial).unwrap().time = time;
        }
        members.get_mut(3).unwrap().doing = Doing::Running;
        assert_eq!(members.next_waiting(), Some(1));
        members.remove(1);
        members.get_mut(2).unwrap().doing = Doing::AtBarrier;
        assert_eq!(members.next_waiting(), Some(0));
        members.remove(0);
        assert_eq!(members.next_waiting(), None);
    }
}
