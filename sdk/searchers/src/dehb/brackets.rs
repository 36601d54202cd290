//! Which budget the next trial has: brackets of successive halving, one after another as in Hyperband,
//! the one with the smallest budget first. A bracket that waits for results lets the next one begin, so
//! that there is always a next trial. Knows nothing of configurations.

use std::collections::VecDeque;

use tune_plugin::TrialId;

/// Budgets at most: below the last one a result says next to nothing.
const MAX_FIDELITIES: usize = 30;
/// Trials in a bracket of a single budget, where the count below would say one: the package's
/// differential evolution without budgets has a population of so many.
const WITHOUT_BUDGETS: u64 = 20;
/// `max_t` divided by a power of the factor may miss the smallest budget by rounding.
const SLACK: f64 = 1e-9;

/// A configuration that goes on to a larger budget.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Promoted {
    /// Where it is in the unit cube.
    pub(super) genes: Vec<f64>,
    /// The trial that had it with the smaller budget, if one of this run.
    pub(super) trial: Option<TrialId>,
}

/// A place in a bracket: one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// From 0, in the order in which brackets begin.
    pub(super) bracket: usize,
    /// From 0 in that bracket.
    pub(super) rung: usize,
    /// From 0, the smallest budget.
    pub(super) fidelity: usize,
}

/// Trials with the same budget in a bracket: `planned >= given >= done`.
#[derive(Clone, Debug)]
struct Rung {
    planned: u64,
    given: u64,
    done: u64,
    /// Configurations that are still to be promoted to it; none before the first is asked for.
    promoted: Option<VecDeque<Promoted>>,
}

#[derive(Clone, Debug)]
struct Bracket {
    number: usize,
    /// The fidelity of the first rung.
    first: usize,
    rungs: Vec<Rung>,
}

/// All brackets that go on.
#[derive(Clone, Debug)]
pub(super) struct Brackets {
    /// The smallest first.
    fidelities: Vec<f64>,
    factor: f64,
    begun: usize,
    active: Vec<Bracket>,
}

impl Brackets {
    /// Budgets are `max_t` divided by powers of a factor, down to a least one; a single, endless one
    /// without `max_t`.
    pub(super) fn new(max_t: Option<f64>, least: f64, factor: f64) -> Self {
        let mut fidelities = Vec::new();
        let mut budget = max_t.unwrap_or(f64::INFINITY);
        loop {
            fidelities.push(budget);
            budget /= factor;
            let is_small = budget * (1.0 + SLACK) < least;
            if is_small || budget.is_infinite() || fidelities.len() == MAX_FIDELITIES {
                break;
            }
        }
        fidelities.reverse();
        Self {
            fidelities,
            factor,
            begun: 0,
            active: Vec::new(),
        }
    }

    /// Budgets, the smallest first.
    pub(super) fn fidelities(&self) -> &[f64] {
        &self.fidelities
    }

    /// Trials in each rung of a bracket, as HpBandSter and DEHB count: with K budgets, the bracket with
    /// s + 1 of them begins with floor(K / (s + 1)) x factor^s trials.
    pub(super) fn planned(&self, bracket: usize) -> Vec<u64> {
        let count = self.fidelities.len();
        if count == 1 {
            return vec![WITHOUT_BUDGETS];
        }
        let s = count - 1 - bracket % count;
        let mut n = (count / (s + 1)) as f64;
        for _ in 0..s {
            n *= self.factor;
        }
        let mut planned = Vec::with_capacity(s + 1);
        for _ in 0..=s {
            planned.push((n * (1.0 + SLACK)).max(1.0) as u64);
            n /= self.factor;
        }
        planned
    }

    /// How many members the sub-population of each budget has: the largest rung of all brackets.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let count = self.fidelities.len();
        let mut sizes = vec![1; count];
        for bracket in 0..count {
            for (size, n) in sizes.iter_mut().skip(bracket).zip(self.planned(bracket)) {
                *size = n.max(*size);
            }
        }
        sizes
    }

    /// Every budget begins a bracket once in a round. In the first round configurations are promoted.
    pub(super) fn is_first_round(&self, place: Place) -> bool {
        place.bracket < self.fidelities.len()
    }

    /// The next trial: of the oldest bracket that waits for nothing, or the first of a new one.
    pub(super) fn next(&mut self) -> Place {
        if let Some(place) = self.active.iter_mut().find_map(Bracket::next) {
            return place;
        }
        let number = self.begun;
        self.begun += 1;
        let rung = |planned| Rung {
            planned,
            given: 0,
            done: 0,
            promoted: None,
        };
        let mut bracket = Bracket {
            number,
            first: number % self.fidelities.len(),
            rungs: self.planned(number).into_iter().map(rung).collect(),
        };
        let place = bracket.next();
        self.active.push(bracket);
        place.unwrap_or(Place {
            bracket: number,
            rung: 0,
            fidelity: number % self.fidelities.len(),
        })
    }

    /// A trial has ended, however.
    pub(super) fn complete(&mut self, place: Place) {
        if let Some(rung) = self.rung(place) {
            rung.done += 1;
        }
        self.active.retain(|bracket| !bracket.is_done());
    }

    /// Nothing is left to be tried with this budget: the trials that the rung still lacks fall away,
    /// the one that was just given too.
    pub(super) fn close(&mut self, place: Place) {
        if let Some(rung) = self.rung(place) {
            rung.done += rung.planned - rung.given + 1;
            rung.given = rung.planned;
        }
        self.active.retain(|bracket| !bracket.is_done());
    }

    /// The next configuration that is promoted to a rung. `choose` is given the number of trials in the
    /// rung and called once a rung.
    pub(super) fn promoted(
        &mut self,
        place: Place,
        choose: impl FnOnce(u64) -> Vec<Promoted>,
    ) -> Option<Promoted> {
        let rung = self.rung(place)?;
        let planned = rung.planned;
        rung.promoted
            .get_or_insert_with(|| choose(planned).into())
            .pop_front()
    }

    /// Trials in the rung of a place.
    pub(super) fn rung_size(&self, place: Place) -> u64 {
        let planned = self.planned(place.bracket);
        planned.get(place.rung).copied().unwrap_or(1)
    }

    fn rung(&mut self, place: Place) -> Option<&mut Rung> {
        let bracket = self
            .active
            .iter_mut()
            .find(|bracket| bracket.number == place.bracket)?;
        bracket.rungs.get_mut(place.rung)
    }
}

impl Bracket {
    /// A trial of the first rung that lacks one, once all below are done.
    fn next(&mut self) -> Option<Place> {
        let open = self
            .rungs
            .iter()
            .position(|rung| rung.done < rung.planned)?;
        let rung = self.rungs.get_mut(open)?;
        (rung.given < rung.planned).then(|| {
            rung.given += 1;
            Place {
                bracket: self.number,
                rung: open,
                fidelity: self.first + open,
            }
        })
    }

    fn is_done(&self) -> bool {
        self.rungs.iter().all(|rung| rung.done >= rung.planned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_planned(brackets: &Brackets) -> Vec<Vec<u64>> {
        let count = brackets.fidelities().len();
        (0..=count).map(|b| brackets.planned(b)).collect()
    }

    #[test]
    fn brackets_of_81_by_3_are_those_of_hpbandster() {
        let brackets = Brackets::new(Some(81.0), 1.0, 3.0);
        assert_eq!(brackets.fidelities(), [1.0, 3.0, 9.0, 27.0, 81.0]);
        let planned = all_planned(&brackets);
        assert_eq!(planned[0], [81, 27, 9, 3, 1]);
        assert_eq!(planned[1], [27, 9, 3, 1]);
        assert_eq!(planned[2], [9, 3, 1]);
        assert_eq!(planned[3], [6, 2]);
        assert_eq!(planned[4], [5]);
        assert_eq!(planned[5], planned[0], "the sixth is the first again");
        assert_eq!(brackets.sizes(), [81, 27, 9, 6, 5]);
    }

    #[test]
    fn budgets_reach_down_to_the_least_one_and_no_further() {
        assert_eq!(
            Brackets::new(Some(100.0), 10.0, 2.0).fidelities(),
            [12.5, 25.0, 50.0, 100.0]
        );
        // 0.9 / 3 / 3 is a little less than 0.1.
        assert_eq!(Brackets::new(Some(0.9), 0.1, 3.0).fidelities().len(), 3);
        assert_eq!(Brackets::new(Some(2.0), 5.0, 3.0).fidelities(), [2.0]);
        let single = Brackets::new(None, 1.0, 3.0);
        assert_eq!(single.fidelities(), [f64::INFINITY]);
        assert_eq!((single.planned(7), single.sizes()), (vec![20], vec![20]));
        // A factor next to 1, and nothing below which to stop.
        let many = Brackets::new(Some(1e300), 1e-300, 1.000_001);
        assert_eq!(many.fidelities().len(), MAX_FIDELITIES);
        assert_eq!(many.planned(0)[0], 1);
        // More trials than anybody has.
        assert!(Brackets::new(Some(1e90), 1.0, 1e3).planned(0)[0] > 1 << 60);
    }

    #[test]
    fn a_rung_begins_when_all_trials_below_have_ended_and_meanwhile_the_next_bracket_does() {
        let mut brackets = Brackets::new(Some(9.0), 1.0, 3.0);
        let place = |bracket, rung, fidelity| Place {
            bracket,
            rung,
            fidelity,
        };
        // 9, 3, 1; then 3, 1; then 3.
        for _ in 0..9 {
            assert_eq!(brackets.next(), place(0, 0, 0));
        }
        assert_eq!(brackets.next(), place(1, 0, 1), "the first one waits");
        for _ in 0..8 {
            brackets.complete(place(0, 0, 0));
        }
        assert_eq!(brackets.next(), place(1, 0, 1), "one is still missing");
        brackets.complete(place(0, 0, 0));
        for _ in 0..3 {
            assert_eq!(brackets.next(), place(0, 1, 1), "the oldest goes first");
        }
        assert_eq!(brackets.next(), place(1, 0, 1));
        assert_eq!(brackets.next(), place(2, 0, 2));
        for _ in 0..3 {
            brackets.complete(place(0, 1, 1));
        }
        assert_eq!(brackets.next(), place(0, 2, 2));
        brackets.complete(place(0, 2, 2));
        assert_eq!(brackets.active.len(), 2, "what is done is forgotten");
        // Told of a bracket that is gone: nothing happens.
        brackets.complete(place(0, 2, 2));
        assert_eq!(brackets.next(), place(2, 0, 2));
    }

    #[test]
    fn what_is_promoted_is_chosen_once_a_rung() {
        let mut brackets = Brackets::new(Some(3.0), 1.0, 3.0);
        let place = brackets.next();
        let promoted = |x: f64| Promoted {
            genes: vec![x],
            trial: None,
        };
        let first = brackets.promoted(place, |n| {
            assert_eq!(n, 3);
            vec![promoted(0.1), promoted(0.2)]
        });
        assert_eq!(first, Some(promoted(0.1)));
        let never = |_| panic!("it has been chosen");
        assert_eq!(brackets.promoted(place, never), Some(promoted(0.2)));
        assert_eq!(brackets.promoted(place, never), None);
    }

    #[test]
    fn a_rung_that_is_closed_lacks_nothing_but_what_still_runs() {
        let mut brackets = Brackets::new(Some(9.0), 1.0, 3.0);
        let first = brackets.next();
        let second = brackets.next();
        brackets.close(second);
        assert_eq!(brackets.next().bracket, 1, "the first trial still runs");
        brackets.complete(first);
        let next = brackets.next();
        assert_eq!((next.bracket, next.rung), (0, 1));
    }
}
