//! The searcher `dehb`: N. Awad, N. Mallik, F. Hutter (2021), *DEHB: Evolutionary Hyberband for
//! Scalable, Robust and Efficient Hyperparameter Optimization*, IJCAI, arXiv:2105.09821, with the
//! numbers of the package DEHB 0.1.2, asynchronous as there. It chooses budgets itself, so it wants the
//! scheduler `fifo`.
//!
//! 1. [`brackets`] say which budget the next trial has.
//! 2. In the first round of brackets a rung that is not the first of its bracket takes the best
//!    configurations of the budget below.
//! 3. Everywhere else the next member of the budget's sub-population is the target, and [`evolve`]
//!    makes its child, out of the best of the budget below. An empty slot has a random point.
//! 4. The child replaces its target unless it is worse ([`population`]).
//!
//! Beside the paper: without `max_t` there is one budget, which is plain differential evolution; a
//! configuration of a discrete space is not tried twice with one budget; nothing that failed is
//! promoted; results from elsewhere join the sub-population of the budget that they reached; with
//! `continue` a promoted configuration goes on from its state.

mod brackets;
mod evolve;
mod population;

use std::collections::{BTreeMap, BTreeSet};

use tune_plugin::{
    Config, Failure, Observation, OptionError, Outcome, Proposal, Report, Searcher, Setup, Space,
    Stream, Suggestion, TrialId, Used,
};
use tune_search::Judge;

use self::brackets::{Brackets, Place, Promoted};
use self::population::{Member, Population};

/// Children of one target before the next unused configuration is taken in order.
const REDRAWS: u32 = 50;
/// A mutant is made of so many others.
const PARENTS: usize = 3;

/// Options of `dehb`.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Budgets are `max_t` divided by powers of this.
    #[option(default = 3.0, exclusive_minimum = 1.0, maximum = 1000.0)]
    pub reduction_factor: f64,
    /// No budget is smaller, in units of `time_attr`.
    #[option(default = 1.0, exclusive_minimum = 0.0)]
    pub grace_period: f64,
    /// How much of a difference a mutant takes over.
    #[option(default = 0.5, exclusive_minimum = 0.0, maximum = 2.0)]
    pub mutation_factor: f64,
    /// Probability by which a child has a value of the mutant instead of its target's.
    #[option(default = 0.5, minimum = 0.0, maximum = 1.0)]
    pub crossover_prob: f64,
    /// A promoted configuration goes on from its state with the smaller budget, instead of from the
    /// beginning.
    #[option(default = false)]
    pub r#continue: bool,
    /// Failed trials count as the worst, or not at all.
    #[option(default = "worst", one_of = ["worst", "ignore"])]
    pub on_error: String,
    /// Suggest no configuration of a discrete space twice with one budget, and end when all were
    /// suggested with the largest.
    #[option(default = true)]
    pub unique: bool,
}

/// What is known of the trials with one budget.
#[derive(Debug)]
struct Fidelity {
    population: Population,
    used: Option<Used>,
    /// Every configuration was suggested.
    is_full: bool,
}

/// A trial that was suggested and has not ended.
#[derive(Debug)]
struct Job {
    place: Place,
    target: Option<usize>,
    genes: Vec<f64>,
    config: Config,
}

/// The searcher.
#[derive(Debug)]
pub struct Dehb {
    space: Space,
    options: Options,
    judge: Judge,
    stream: Stream,
    brackets: Brackets,
    /// The smallest budget first.
    fidelities: Vec<Fidelity>,
    running: BTreeMap<TrialId, Job>,
}

impl Searcher for Dehb {
    const NAME: &'static str = "dehb";
    const SUMMARY: &'static str =
        "Differential evolution with budgets as in Hyperband, for the scheduler fifo";
    const BUDGETS: bool = true;
    const CLONES: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let [objective] = setup.objectives.as_slice() else {
            return Err(vec![OptionError {
                key: "objectives".to_owned(),
                message: format!("dehb needs one objective, not {}", setup.objectives.len()),
                hint: "name it by `metric` and `mode`, or use `random`".to_owned(),
            }]);
        };
        let max_t = setup.max_t.filter(|t| *t > 0.0 && t.is_finite());
        // With one configuration there is nothing to choose by a small budget.
        let least = match space.cardinality() {
            Some(1) => f64::INFINITY,
            _ => options.grace_period,
        };
        let brackets = Brackets::new(max_t, least, options.reduction_factor);
        let fidelity = |size| Fidelity {
            population: Population::new(size),
            used: options.unique.then(|| Used::new(&space, 0)),
            is_full: false,
        };
        Ok(Self {
            judge: Judge {
                objective: objective.clone(),
                constraints: setup.constraints.clone(),
                time_attr: setup.time_attr.clone(),
                failures_count: options.on_error == "worst",
            },
            stream: Stream::new(setup.seed),
            fidelities: brackets.sizes().into_iter().map(fidelity).collect(),
            brackets,
            running: BTreeMap::new(),
            space,
            options,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.space.pin(pinned)?;
        // The answer was refused: the state to start from is gone. From the beginning, then.
        if let Some(job) = self.running.get(&trial) {
            return Ok(self.proposal(job.place, job.config.clone(), None));
        }
        loop {
            let is_over = self.fidelities.last().is_some_and(|last| last.is_full);
            if is_over && pinned.is_empty() {
                return Ok(Suggestion::Exhausted);
            }
            let place = self.brackets.next();
            if let Some((job, source)) = self.fill(place, &part, pinned.is_empty()) {
                let suggestion = self.proposal(place, job.config.clone(), source);
                self.running.insert(trial, job);
                return Ok(suggestion);
            }
            self.brackets.close(place);
        }
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let Some(job) = self.running.remove(&trial) else {
            return;
        };
        self.brackets.complete(job.place);
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        if let (Some(rank), Some(fidelity)) = (rank, self.fidelities.get_mut(job.place.fidelity)) {
            let (genes, trial) = (job.genes, Some(trial));
            fidelity
                .population
                .select(job.target, Member { genes, rank, trial });
        }
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            let (config, last) = (&observation.config, observation.last.as_ref());
            if self.space.check(config).is_err() {
                continue;
            }
            let place = self.reached(last);
            let genes = self.genes_of(config, vec![0.5; self.space.parameters().len()]);
            let rank = self.judge.ended(observation.ending, last);
            if let Some(fidelity) = self.fidelities.get_mut(place) {
                if let Some(used) = &mut fidelity.used {
                    used.record(config);
                }
                if let Some(rank) = rank {
                    let trial = None;
                    fidelity
                        .population
                        .select(None, Member { genes, rank, trial });
                }
            }
        }
    }
}

impl Dehb {
    fn proposal(&self, place: Place, config: Config, start_from: Option<TrialId>) -> Suggestion {
        let budgets = self.brackets.fidelities();
        let budget = budgets.get(place.fidelity).copied();
        Suggestion::Configure(Proposal {
            config,
            budget: budget.filter(|budget| budget.is_finite()),
            start_from: start_from.filter(|_| self.options.r#continue),
            seed: None,
        })
    }

    /// A configuration for a place, and the trial that had it with a smaller budget; none if all were
    /// used with this budget. Whoever pins keys wants the trial, repeated or not.
    fn fill(
        &mut self,
        place: Place,
        part: &Space,
        is_free: bool,
    ) -> Option<(Job, Option<TrialId>)> {
        if is_free && self.fidelities.get(place.fidelity)?.is_full {
            return None;
        }
        let target = self
            .fidelities
            .get_mut(place.fidelity)?
            .population
            .next_target();
        if let Some(promoted) = self.promoted(place) {
            let config = part.decode(&promoted.genes);
            // With pinned keys it may be another one.
            let is_same = config == self.space.decode(&promoted.genes);
            let source = promoted.trial.filter(|_| is_same);
            return Some((self.job(place, target, promoted.genes, config), source));
        }
        let (mut genes, mut config) = self.drawn(place, target, part);
        let used = self.fidelities.get_mut(place.fidelity)?.used.take();
        if let Some(used) = &used {
            for _ in 1..REDRAWS {
                if used.is_new(&config) {
                    break;
                }
                (genes, config) = self.drawn(place, target, part);
            }
        }
        let unused = used.as_ref().map(|used| used.unused_from(part, &config));
        let fidelity = self.fidelities.get_mut(place.fidelity)?;
        fidelity.used = used;
        match unused {
            Some(Some(unused)) => config = unused,
            Some(None) if is_free => {
                fidelity.is_full = true;
                return None;
            }
            Some(None) | None => {}
        }
        Some((self.job(place, target, genes, config), None))
    }

    fn job(&mut self, place: Place, target: Option<usize>, genes: Vec<f64>, config: Config) -> Job {
        if let Some(fidelity) = self.fidelities.get_mut(place.fidelity)
            && let Some(used) = &mut fidelity.used
        {
            used.record(&config);
        }
        Job {
            place,
            target,
            genes: self.genes_of(&config, genes),
            config,
        }
    }

    /// The next configuration that is promoted to a rung: of the first round, and not used with this
    /// budget.
    fn promoted(&mut self, place: Place) -> Option<Promoted> {
        if place.rung == 0 || !self.brackets.is_first_round(place) {
            return None;
        }
        let (space, fidelities) = (&self.space, &self.fidelities);
        let above = fidelities.get(place.fidelity)?;
        let below = &fidelities.get(place.fidelity.checked_sub(1)?)?.population;
        let is_new = |config: &Config| above.used.as_ref().is_none_or(|used| used.is_new(config));
        loop {
            let promoted = self.brackets.promoted(place, |count| {
                let present: BTreeSet<Vec<u64>> = (above.population.members().iter())
                    .map(|member| space.fingerprint(&space.decode(&member.genes)))
                    .collect();
                (below.best(u64::MAX).into_iter())
                    .filter_map(|place| below.members().get(place))
                    .filter(|member| !member.rank.is_worst())
                    .filter(|m| !present.contains(&space.fingerprint(&space.decode(&m.genes))))
                    .take(usize::try_from(count).unwrap_or(usize::MAX))
                    .map(|member| Promoted {
                        genes: member.genes.clone(),
                        trial: member.trial,
                    })
                    .collect()
            })?;
            if is_new(&space.decode(&promoted.genes)) {
                return Some(promoted);
            }
        }
    }

    /// A child of the target, or a random point for an empty slot.
    fn drawn(&mut self, place: Place, target: Option<usize>, part: &Space) -> (Vec<f64>, Config) {
        let target = target.and_then(|target| {
            let members = self.fidelities.get(place.fidelity)?.population.members();
            Some(members.get(target)?.genes.clone())
        });
        let genes = match target {
            None => self.anywhere(),
            Some(target) => {
                let parents = self.parents(place);
                let [a, b, c] = evolve::three_of(parents.len(), &mut self.stream)
                    .map(|i| parents.get(i).map(Vec::as_slice).unwrap_or_default());
                let mutant = evolve::mutant([a, b, c], self.options.mutation_factor);
                let probability = self.options.crossover_prob;
                let mut child = evolve::crossed(&target, &mutant, probability, &mut self.stream);
                evolve::repair(&mut child, &mut self.stream);
                child
            }
        };
        let config = part.decode(&genes);
        (genes, config)
    }

    /// Of whom mutants are made: the best of the budget below, as many as the rung has trials. Where
    /// those are fewer than three, members of all sub-populations fill them up, and then random points.
    fn parents(&mut self, place: Place) -> Vec<Vec<f64>> {
        let count = self.brackets.rung_size(place);
        let below = if place.rung == 0 {
            place.fidelity
        } else {
            place.fidelity.saturating_sub(1)
        };
        let pool = self.fidelities.get(below);
        let best = pool.map_or_else(Vec::new, |pool| pool.population.best(count));
        let point = |(fidelity, place): (usize, usize)| {
            let members = self.fidelities.get(fidelity)?.population.members();
            Some(members.get(place)?.genes.clone())
        };
        let mut parents: Vec<Vec<f64>> = best.iter().filter_map(|i| point((below, *i))).collect();
        if parents.len() < PARENTS {
            let everybody = self.fidelities.iter().enumerate();
            let mut others: Vec<(usize, usize)> = everybody
                .flat_map(|(f, one)| (0..one.population.members().len()).map(move |i| (f, i)))
                .filter(|(f, i)| *f != below || !best.contains(i))
                .collect();
            while parents.len() < PARENTS && !others.is_empty() {
                let drawn = self.stream.below(others.len() as u64) as usize;
                parents.extend(point(others.swap_remove(drawn)));
            }
        }
        while parents.len() < PARENTS {
            parents.push(self.anywhere());
        }
        parents
    }

    fn anywhere(&mut self) -> Vec<f64> {
        let parameters = self.space.parameters().iter();
        parameters.map(|_| self.stream.unit()).collect()
    }

    /// The largest budget that a result reached; the smallest if none, the largest if it does not say.
    fn reached(&self, last: Option<&Report>) -> usize {
        let Some(report) = last else {
            return 0;
        };
        let time = report.get(&self.judge.time_attr).unwrap_or(f64::INFINITY);
        let budgets = self.brackets.fidelities();
        budgets.iter().rposition(|b| *b <= time).unwrap_or(0)
    }

    /// Genes of a configuration: the given ones where they mean the same, or where it says nothing.
    fn genes_of(&self, config: &Config, given: Vec<f64>) -> Vec<f64> {
        let parameters = self.space.parameters().iter().zip(given);
        parameters
            .map(|(p, given)| match config.get(&p.name) {
                Some(value) if p.domain.from_unit(given) != *value => {
                    p.domain.to_unit(value).unwrap_or(given)
                }
                _ => given,
            })
            .collect()
    }
}
