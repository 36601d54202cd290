//! The live members of a population: where each is, what it is worth, and which of them are the best
//! and the worst. Never decides what follows from that.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

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

/// Where a member with a score stands: the best first, among equals the earlier one.
pub(super) type Rank = (Reverse<Score>, TrialId);

/// A time in order.
#[derive(Clone, Copy, Debug)]
struct Time(f64);

impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Time {}

/// Where a member is found; nowhere by default.
#[derive(Default)]
struct Standing {
    rank: Option<Rank>,
    waiting: Option<(Time, TrialId)>,
    running: bool,
}

impl Member {
    fn standing(&self, trial: TrialId) -> Standing {
        Standing {
            rank: self.score.map(|score| (Reverse(score), trial)),
            waiting: (self.doing == Doing::Waiting).then_some((Time(self.time), trial)),
            running: self.doing == Doing::Running,
        }
    }
}

/// Members by trial, and in the orders in which they are asked for, so that no question goes through
/// all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    all: BTreeMap<TrialId, Member>,
    /// Sorted. A list, as ranks are asked by position and the move of half of it is short: 16 bytes
    /// a member.
    ranks: Vec<Rank>,
    /// Those that wait, the least far first.
    waiting: BTreeSet<(Time, TrialId)>,
    running: usize,
}

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
        self.moved(Standing::default(), member.standing(trial));
        self.all.insert(trial, member);
    }

    pub(super) fn remove(&mut self, trial: TrialId) {
        if let Some(member) = self.all.remove(&trial) {
            self.moved(member.standing(trial), Standing::default());
        }
    }

    pub(super) fn get(&self, trial: TrialId) -> Option<&Member> {
        self.all.get(&trial)
    }

    /// Changes a member that is there, and with it where it stands.
    pub(super) fn change(&mut self, trial: TrialId, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.all.get_mut(&trial) {
            let before = member.standing(trial);
            change(member);
            let after = member.standing(trial);
            self.moved(before, after);
        }
    }

    fn moved(&mut self, from: Standing, to: Standing) {
        if from.rank != to.rank {
            let place = |ranks: &[Rank], rank| ranks.binary_search(&rank);
            if let Some(Ok(at)) = from.rank.map(|rank| place(&self.ranks, rank)) {
                self.ranks.remove(at);
            }
            if let Some((rank, Err(at))) = to.rank.map(|rank| (rank, place(&self.ranks, rank))) {
                self.ranks.insert(at, rank);
            }
        }
        if from.waiting != to.waiting {
            from.waiting.map(|key| self.waiting.remove(&key));
            self.waiting.extend(to.waiting);
        }
        self.running -= usize::from(from.running);
        self.running += usize::from(to.running);
    }

    /// In the order of their creation.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TrialId, &Member)> {
        self.all.iter().map(|(trial, member)| (*trial, member))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Somebody does this.
    pub(super) fn any(&self, doing: Doing) -> bool {
        match doing {
            Doing::Waiting => !self.waiting.is_empty(),
            Doing::Running => self.running > 0,
            Doing::AtBarrier => self.waiting.len() + self.running < self.all.len(),
        }
    }

    /// Of the waiting members the one that is least far, the earliest among equals.
    pub(super) fn next_waiting(&self) -> Option<TrialId> {
        self.waiting.first().map(|(_, trial)| *trial)
    }

    /// Members with a score, the best first, the earlier one first among equals.
    pub(super) fn ranked(&self) -> &[Rank] {
        &self.ranks
    }

    /// How many are better than this one; none without a score.
    pub(super) fn rank(&self, trial: TrialId) -> Option<usize> {
        let rank = self.get(trial)?.standing(trial).rank?;
        self.ranks.binary_search(&rank).ok()
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
            members.change(trial, |member| member.score = score.map(Score::new));
        }
        let ranked = |members: &Members| -> Vec<TrialId> {
            members.ranked().iter().map(|(_, trial)| *trial).collect()
        };
        assert_eq!(ranked(&members), [2, 0, 3, 4]);
        assert_eq!((members.rank(3), members.rank(1)), (Some(2), None));
        members.change(2, |member| member.score = Some(Score::new(0.5)));
        members.change(0, |member| member.score = None);
        members.remove(4);
        assert_eq!(ranked(&members), [3, 2]);
    }

    #[test]
    fn whoever_is_least_far_runs_first() {
        let mut members = Members::default();
        for (trial, time) in [(0, 3.0), (1, 2.0), (2, 2.0), (3, 0.0)] {
            members.add(trial, Config::new());
            members.change(trial, |member| member.time = time);
        }
        members.change(3, |member| member.doing = Doing::Running);
        assert_eq!(members.next_waiting(), Some(1));
        members.remove(1);
        members.change(2, |member| member.doing = Doing::AtBarrier);
        assert_eq!(members.next_waiting(), Some(0));
        members.remove(0);
        assert_eq!(members.next_waiting(), None);
        let does = |members: &Members| {
            [Doing::Waiting, Doing::Running, Doing::AtBarrier].map(|doing| members.any(doing))
        };
        assert_eq!(does(&members), [false, true, true]);
        members.remove(3);
        assert_eq!(does(&members), [false, false, true]);
        members.change(2, |member| member.doing = Doing::Waiting);
        assert_eq!(does(&members), [true, false, false]);
    }

    /// The same as a list that is sorted for every question.
    #[test]
    fn after_any_changes_members_stand_where_sorting_all_of_them_puts_them() {
        let mut stream = tune_space::Stream::new(3);
        let mut members = Members::default();
        for _ in 0..2_000 {
            let trial = stream.below(30) as TrialId;
            let (time, score) = (stream.below(5) as f64, stream.below(5) as f64);
            match stream.below(6) {
                0 => members.remove(trial),
                1 => members.change(trial, |member| member.score = None),
                2 => members.change(trial, |member| member.doing = Doing::Running),
                3 => members.change(trial, |member| member.doing = Doing::AtBarrier),
                4 => members.change(trial, |member| {
                    (member.time, member.score) = (time, Some(Score::new(score)));
                    member.doing = Doing::Waiting;
                }),
                _ if members.get(trial).is_none() => members.add(trial, Config::new()),
                _ => {}
            }
            let scored = members
                .iter()
                .filter_map(|(id, m)| Some((Reverse(m.score?), id)));
            let mut sorted: Vec<Rank> = scored.collect();
            sorted.sort();
            assert_eq!(members.ranked(), sorted);
            let waiting = members.iter().filter(|(_, m)| m.doing == Doing::Waiting);
            let first = waiting.min_by(|(_, a), (_, b)| a.time.total_cmp(&b.time));
            assert_eq!(members.next_waiting(), first.map(|(id, _)| id));
            for doing in [Doing::Waiting, Doing::Running, Doing::AtBarrier] {
                let found = members.iter().any(|(_, m)| m.doing == doing);
                assert_eq!(members.any(doing), found);
            }
        }
    }
}
