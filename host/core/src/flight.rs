//! Steps in flight and the order in which their results count: a conservative discrete-event queue.
//!
//! A result (t, i) counts when no other step in flight can end before it: for every other trial j,
//! (bound_j, j) > (t, i), where the bound is what the step has certainly reached.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tune_space::TrialId;

use crate::{Order, StepEnd};

/// Ticks that a step takes without metering: a round number, the same for all.
pub(crate) const UNMETERED_TICKS: u64 = 1_000_000;

/// How virtual time passes in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// One tick a unit of fuel.
    Fuel,
    /// The trial says.
    Reported,
    /// [`UNMETERED_TICKS`] a step.
    Fixed,
}

impl Cost {
    /// What an ended step took, at least 1.
    pub(crate) fn of(self, end: &StepEnd) -> u64 {
        let ticks = match self {
            Self::Fuel => end.fuel,
            Self::Reported => end.result.as_ref().ok().and_then(|r| r.cost).unwrap_or(1),
            Self::Fixed => UNMETERED_TICKS,
        };
        ticks.max(1)
    }

    /// What a step takes at least that has burned this much so far.
    fn at_least(self, burned: u64) -> u64 {
        match self {
            Self::Fuel => burned.max(1),
            Self::Reported => 1,
            Self::Fixed => UNMETERED_TICKS,
        }
    }
}

#[derive(Debug)]
struct Step {
    start: u64,
    bound: u64,
    end: Option<StepEnd>,
}

/// The steps in flight.
#[derive(Debug)]
pub(crate) struct Flight {
    order: Order,
    cost: Cost,
    steps: BTreeMap<TrialId, Step>,
    /// (bound, trial) of every step: the first is the next to count, once it has ended.
    queue: BTreeSet<(u64, TrialId)>,
    /// Ended steps as they came, for [`Order::Arrival`].
    arrived: VecDeque<TrialId>,
}

impl Flight {
    pub(crate) fn new(order: Order, cost: Cost) -> Self {
        Self {
            order,
            cost,
            steps: BTreeMap::new(),
            queue: BTreeSet::new(),
            arrived: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TrialId, u64)> {
        self.steps.iter().map(|(trial, step)| (*trial, step.start))
    }

    /// A step begins.
    pub(crate) fn start(&mut self, trial: TrialId, tick: u64) {
        let bound = tick.saturating_add(self.cost.at_least(0));
        self.queue.insert((bound, trial));
        self.steps.insert(
            trial,
            Step {
                start: tick,
                bound,
                end: None,
            },
        );
    }

    /// A step has burned this much so far. Never goes back.
    pub(crate) fn progress(&mut self, trial: TrialId, burned: u64) {
        let Some(step) = self.steps.get_mut(&trial) else {
            return;
        };
        let bound = step.start.saturating_add(self.cost.at_least(burned));
        if step.end.is_none() && bound > step.bound {
            self.queue.remove(&(step.bound, trial));
            self.queue.insert((bound, trial));
            step.bound = bound;
        }
    }

    /// A step ended; false if no such step is in flight or it ended before.
    pub(crate) fn arrive(&mut self, trial: TrialId, end: StepEnd) -> bool {
        let Some(step) = self.steps.get_mut(&trial) else {
            return false;
        };
        if step.end.is_some() {
            return false;
        }
        let exact = step.start.saturating_add(self.cost.of(&end));
        self.queue.remove(&(step.bound, trial));
        self.queue.insert((exact, trial));
        step.bound = exact;
        step.end = Some(end);
        if self.order == Order::Arrival {
            self.arrived.push_back(trial);
        }
        true
    }

    /// Takes the result that counts next, if it is certain.
    pub(crate) fn take_ready(&mut self) -> Option<(TrialId, StepEnd)> {
        let trial = match self.order {
            Order::Deterministic => self.queue.first()?.1,
            Order::Arrival => loop {
                // Discarded steps stay in the list of arrivals until their turn comes.
                let trial = *self.arrived.front()?;
                if self.steps.get(&trial).is_some_and(|s| s.end.is_some()) {
                    break trial;
                }
                self.arrived.pop_front();
            },
        };
        let end = self.steps.get_mut(&trial)?.end.take()?;
        if self.order == Order::Arrival {
            self.arrived.pop_front();
        }
        Some((trial, end))
    }

    /// The step that holds back the next result, with the fuel that it must have burned for the
    /// result to count. None where burning fuel moves no bound: there the step must end first.
    pub(crate) fn blocker(&self) -> Option<(TrialId, u64)> {
        if self.order == Order::Arrival || self.cost != Cost::Fuel {
            return None;
        }
        let (_, first) = *self.queue.first()?;
        let step = self.steps.get(&first)?;
        if step.end.is_some() {
            return None;
        }
        let (tick, trial) = self
            .queue
            .iter()
            .find(|(_, t)| self.steps.get(t).is_some_and(|s| s.end.is_some()))?;
        let beyond = if first > *trial {
            *tick
        } else {
            tick.saturating_add(1)
        };
        Some((first, beyond.saturating_sub(step.start)))
    }

    /// A step leaves; the tick at which it began.
    pub(crate) fn remove(&mut self, trial: TrialId) -> Option<u64> {
        let step = self.steps.remove(&trial)?;
        self.queue.remove(&(step.bound, trial));
        Some(step.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_space::Report;

    fn end(fuel: u64) -> StepEnd {
        StepEnd {
            result: Ok(Report::default()),
            fuel,
            memory_bytes: 0,
        }
    }

    #[test]
    fn a_result_waits_until_no_other_step_can_end_before_it() {
        let mut flight = Flight::new(Order::Deterministic, Cost::Fuel);
        flight.start(0, 0);
        flight.start(1, 0);
        assert!(flight.arrive(1, end(100)));
        assert_eq!(flight.take_ready(), None);
        // Trial 0 wins ties, so it must be past tick 100.
        assert_eq!(flight.blocker(), Some((0, 101)));
        flight.progress(0, 100);
        assert_eq!(flight.take_ready(), None);
        flight.progress(0, 101);
        assert_eq!(flight.take_ready().map(|(t, _)| t), Some(1));
    }

    #[test]
    fn the_later_trial_of_a_tie_need_only_reach_the_tick() {
        let mut flight = Flight::new(Order::Deterministic, Cost::Fuel);
        flight.start(0, 0);
        flight.start(1, 0);
        assert!(flight.arrive(0, end(100)));
        assert_eq!(flight.blocker(), Some((1, 100)));
        flight.progress(1, 100);
        assert_eq!(flight.take_ready().map(|(t, _)| t), Some(0));
    }

    #[test]
    fn a_step_that_arrives_twice_counts_once() {
        let mut flight = Flight::new(Order::Arrival, Cost::Fuel);
        flight.start(3, 0);
        assert!(flight.arrive(3, end(1)));
        assert!(!flight.arrive(3, end(2)));
        assert!(!flight.arrive(4, end(2)));
        assert_eq!(flight.take_ready(), Some((3, end(1))));
        assert_eq!(flight.take_ready(), None);
    }

    #[test]
    fn where_fuel_moves_no_bound_a_step_must_end_before_a_later_result_counts() {
        for cost in [Cost::Reported, Cost::Fixed] {
            let mut flight = Flight::new(Order::Deterministic, cost);
            flight.start(0, 0);
            flight.start(1, 0);
            let mut late = end(5);
            late.result = Ok(Report {
                cost: Some(900),
                ..Report::default()
            });
            assert!(flight.arrive(1, late));
            flight.progress(0, 1_000_000_000);
            assert_eq!(flight.take_ready(), None);
            assert_eq!(flight.blocker(), None, "nobody can wait for progress here");
            assert!(flight.arrive(0, end(1)));
            assert_eq!(flight.take_ready().map(|(t, _)| t), Some(0));
        }
    }

    #[test]
    fn progress_never_goes_back() {
        let mut flight = Flight::new(Order::Deterministic, Cost::Fuel);
        flight.start(0, 10);
        flight.progress(0, 50);
        flight.progress(0, 20);
        flight.start(1, 0);
        assert!(flight.arrive(1, end(55)));
        assert_eq!(flight.take_ready().map(|(t, _)| t), Some(1));
    }
}
