//! The sub-population of a budget: its members, who is the next target, who is better. A member is a
//! point whose result is known; slots that are still empty are filled by whoever has a result first.

use tune_plugin::TrialId;
use tune_search::Rank;

/// A point and what came of it with this budget.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Where it is in the unit cube.
    pub(super) genes: Vec<f64>,
    /// How good it is.
    pub(super) rank: Rank,
    /// The trial, if one of this run.
    pub(super) trial: Option<TrialId>,
}

/// Points with one budget.
#[derive(Clone, Debug)]
pub(super) struct Population {
    size: u64,
    members: Vec<Member>,
    turn: u64,
}

impl Population {
    /// An empty one for at most so many.
    pub(super) fn new(size: u64) -> Self {
        Self {
            size: size.max(1),
            members: Vec::new(),
            turn: 0,
        }
    }

    /// All members, in the order in which they came.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The place of the next target, round and round; none if its slot is still empty.
    pub(super) fn next_target(&mut self) -> Option<usize> {
        let place = self.turn as usize;
        self.turn = (self.turn + 1) % self.size;
        (place < self.members.len()).then_some(place)
    }

    /// Places of the best, the best first; among equals who came earlier.
    pub(super) fn best(&self, count: u64) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.members.len()).collect();
        places.sort_by_key(|place| (self.members.get(*place).map(|m| m.rank), *place));
        places.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        places
    }

    /// A child has a result: it replaces its target unless it is worse. Without a target it takes an
    /// empty slot, or the place of the worst member unless it is worse than that.
    pub(super) fn select(&mut self, target: Option<usize>, child: Member) {
        let place = match target {
            Some(place) => place,
            None if (self.members.len() as u64) < self.size => {
                self.members.push(child);
                return;
            }
            None => self.best(u64::MAX).last().copied().unwrap_or(0),
        };
        if let Some(member) = self.members.get_mut(place)
            && child.rank <= member.rank
        {
            *member = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use tune_plugin::{Ending, Objective, Report};
    use tune_search::Judge;

    use super::*;

    fn member(trial: TrialId, loss: f64) -> Member {
        let judge = Judge {
            objective: Objective {
                metric: "loss".to_owned(),
                maximize: false,
            },
            constraints: Vec::new(),
            time_attr: "t".to_owned(),
            failures_count: true,
        };
        let report = Report::default().with("loss", loss);
        Member {
            genes: vec![loss],
            rank: judge.ended(Ending::Finished, Some(&report)).unwrap(),
            trial: Some(trial),
        }
    }

    fn trials(population: &Population) -> Vec<TrialId> {
        let members = population.members().iter();
        members.map(|m| m.trial.unwrap()).collect()
    }

    #[test]
    fn targets_come_round_and_empty_slots_have_none() {
        let mut population = Population::new(3);
        assert_eq!(population.next_target(), None);
        population.select(None, member(0, 1.0));
        population.select(None, member(1, 1.0));
        let targets: Vec<_> = (0..4).map(|_| population.next_target()).collect();
        assert_eq!(targets, [Some(1), None, Some(0), Some(1)]);
    }

    #[test]
    fn a_child_replaces_its_target_unless_it_is_worse() {
        let mut population = Population::new(2);
        population.select(None, member(0, 1.0));
        population.select(None, member(1, 5.0));
        population.select(Some(0), member(2, 1.5));
        assert_eq!(trials(&population), [0, 1]);
        population.select(Some(0), member(3, 1.0));
        assert_eq!(trials(&population), [3, 1], "equals replace: that is drift");
        population.select(Some(1), member(4, f64::NAN));
        assert_eq!(trials(&population), [3, 1]);
        // A result from elsewhere goes to the worst.
        population.select(None, member(5, 4.0));
        assert_eq!(trials(&population), [3, 5]);
        population.select(None, member(6, 4.5));
        assert_eq!(trials(&population), [3, 5]);
        population.select(Some(9), member(7, 0.0));
        assert_eq!(trials(&population), [3, 5], "there is no such target");
    }

    #[test]
    fn the_best_come_first_and_among_equals_the_earlier() {
        let mut population = Population::new(9);
        for (trial, loss) in [3.0, 1.0, f64::INFINITY, 1.0, 2.0].into_iter().enumerate() {
            population.select(None, member(trial as TrialId, loss));
        }
        assert_eq!(population.best(u64::MAX), [1, 3, 4, 0, 2]);
        assert_eq!(population.best(2), [1, 3]);
    }
}
