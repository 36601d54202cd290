//! When a distribution is spent, which one comes next: A. Auger and N. Hansen (2005), *A Restart CMA
//! Evolution Strategy With Increasing Population Size*; N. Hansen (2009), *Benchmarking a
//! BI-Population CMA-ES on the BBOB-2009 Function Testbed*.

/// By which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Never.
    None,
    /// Twice the population each time.
    Ipop,
    /// That, and small narrow ones in turn, so that both get as many trials.
    Bipop,
}

/// Populations above this teach nothing within the trials of a run.
const MAX_POPULATION: usize = 1_000;

/// A beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Start {
    pub(crate) population: usize,
    pub(crate) sigma: f64,
}

/// What came before.
#[derive(Clone, Debug)]
pub(crate) struct Restarts {
    strategy: Strategy,
    first: Start,
    large: usize,
    is_small: bool,
    /// Trials so far of large and small ones.
    spent: [u64; 2],
    /// Of the present one, and how many it may take.
    used: u64,
    budget: Option<u64>,
}

impl Restarts {
    pub(crate) fn new(strategy: Strategy, first: Start) -> Self {
        Self {
            strategy,
            first,
            large: first.population,
            is_small: false,
            spent: [0; 2],
            used: 0,
            budget: None,
        }
    }

    /// A generation of so many trials was learned from. `u` are two random numbers in [0, 1), and
    /// the answer is the next beginning if this one is over.
    pub(crate) fn next(&mut self, trials: usize, is_spent: bool, u: [f64; 2]) -> Option<Start> {
        self.used += trials as u64;
        let over = is_spent || self.budget.is_some_and(|budget| self.used >= budget);
        if self.strategy == Strategy::None || !over {
            return None;
        }
        let [large, small] = &mut self.spent;
        let (spent, last_large) = match self.is_small {
            true => (small, None),
            false => (large, Some(self.used)),
        };
        *spent += self.used;
        self.is_small = self.strategy == Strategy::Bipop && self.spent[1] < self.spent[0];
        self.used = 0;
        if self.is_small {
            let ratio = self.large as f64 / (2.0 * self.first.population as f64);
            let population = self.first.population as f64 * libm::pow(ratio.max(1.0), u[0] * u[0]);
            self.budget = last_large.map(|used| used / 2).or(self.budget);
            return Some(Start {
                population: population as usize,
                sigma: self.first.sigma * libm::pow(10.0, -2.0 * u[1]),
            });
        }
        self.budget = None;
        self.large = (2 * self.large).min(MAX_POPULATION);
        Some(Start {
            population: self.large,
            sigma: self.first.sigma,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Start = Start {
        population: 8,
        sigma: 0.2,
    };

    #[test]
    fn ipop_doubles_the_population_when_a_distribution_is_spent() {
        let mut restarts = Restarts::new(Strategy::Ipop, FIRST);
        assert_eq!(restarts.next(8, false, [0.5; 2]), None);
        let next = |r: &mut Restarts| r.next(8, true, [0.5; 2]).map(|s| s.population);
        assert_eq!(next(&mut restarts), Some(16));
        assert_eq!(next(&mut restarts), Some(32));
        for _ in 0..20 {
            next(&mut restarts);
        }
        assert_eq!(next(&mut restarts), Some(MAX_POPULATION));
    }

    #[test]
    fn bipop_gives_small_ones_as_many_trials_as_large_ones() {
        let mut restarts = Restarts::new(Strategy::Bipop, FIRST);
        let mut trials = [0_u64; 2];
        let mut start = FIRST;
        for _ in 0..400 {
            trials[usize::from(restarts.is_small)] += start.population as u64;
            // A large one is spent after 20 generations.
            let is_spent = !restarts.is_small && restarts.used > 20 * start.population as u64;
            if let Some(next) = restarts.next(start.population, is_spent, [0.3, 0.9]) {
                assert!(next.population >= 8 && next.sigma <= 0.2);
                start = next;
            }
        }
        let share = trials[1] as f64 / (trials[0] + trials[1]) as f64;
        assert!((0.2..0.6).contains(&share), "{trials:?}");
    }

    #[test]
    fn none_never_begins_anew() {
        let mut restarts = Restarts::new(Strategy::None, FIRST);
        assert_eq!(restarts.next(8, true, [0.5; 2]), None);
    }
}
