//! The searcher `evolution`: regularised evolution (E. Real, A. Aggarwal, Y. Huang, Q. Le, 2019,
//! *Regularized Evolution for Image Classifier Architecture Search*, arXiv:1802.01548). The best of a
//! few members of the population is changed in one parameter; the oldest member leaves, however good.
//!
//! Beside the paper: parameters that are no choices change by a normal step; a parameter that becomes
//! active has the value that its ancestors last had; failures count as the worst.

use std::collections::{BTreeMap, VecDeque};

use tune_plugin::{
    Config, Domain, Failure, Observation, OptionError, Outcome, Proposal, Report, Searcher, Setup,
    Space, Stream, Suggestion, TrialId, TrialState, Used,
};
use tune_search::{Judge, Rank};

/// Mutations before the next unused configuration is taken in order.
const REDRAWS: u32 = 50;

/// Options of `evolution`.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Members of the population; as many trials are random before the first mutation.
    #[option(default = 100, minimum = 2, maximum = 100000)]
    pub population_size: u32,
    /// Members of which the best is changed.
    #[option(default = 10, minimum = 1, maximum = 100000)]
    pub sample_size: u32,
    /// Standard deviation of the change of a number, its range being 1.
    #[option(default = 0.1, exclusive_minimum = 0.0, maximum = 1.0)]
    pub mutation_width: f64,
    /// Failed trials count as the worst, or not at all.
    #[option(default = "worst", one_of = ["worst", "ignore"])]
    pub on_error: String,
    /// Suggest no configuration of a discrete space twice, and end when all were suggested.
    #[option(default = true)]
    pub unique: bool,
}

/// A point of the unit cube, with a coordinate for inactive parameters too.
type Genes = Vec<f64>;

/// The searcher.
#[derive(Debug)]
pub struct Evolution {
    space: Space,
    options: Options,
    judge: Judge,
    stream: Stream,
    /// The oldest first.
    population: VecDeque<(Option<TrialId>, Rank, Genes)>,
    awaited: BTreeMap<TrialId, Genes>,
    used: Option<Used>,
}

impl Searcher for Evolution {
    const NAME: &'static str = "evolution";
    const SUMMARY: &'static str =
        "Regularised evolution: the best of a few is changed, the oldest leaves";
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let [objective] = setup.objectives.as_slice() else {
            return Err(vec![OptionError {
                key: "objectives".to_owned(),
                message: format!(
                    "evolution needs one objective, not {}",
                    setup.objectives.len()
                ),
                hint: "name it by `metric` and `mode`, or use `random`".to_owned(),
            }]);
        };
        Ok(Self {
            judge: Judge {
                objective: objective.clone(),
                constraints: setup.constraints.clone(),
                time_attr: setup.time_attr.clone(),
                failures_count: options.on_error == "worst",
            },
            stream: Stream::new(setup.seed),
            population: VecDeque::new(),
            awaited: BTreeMap::new(),
            used: options.unique.then(|| Used::new(&space, 0)),
            space,
            options,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.space.pin(pinned)?;
        let (mut genes, mut config) = self.child(&part);
        if let Some(used) = self.used.take() {
            for _ in 1..REDRAWS {
                if used.is_new(&config) {
                    break;
                }
                (genes, config) = self.child(&part);
            }
            let unused = used.unused_from(&part, &config);
            self.used = Some(used);
            match unused {
                Some(unused) => config = unused,
                None if pinned.is_empty() => return Ok(Suggestion::Exhausted),
                // Whoever pins keys wants the trial, repeated or not.
                None => {}
            }
        }
        if let Some(used) = &mut self.used {
            used.record(&config);
        }
        self.awaited.insert(trial, self.genes_of(&config, genes));
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn observe(&mut self, trial: TrialId, report: &Report, state: TrialState) {
        // An ended trial is told of by `complete`, with how it ended.
        if state == TrialState::Paused {
            self.join(trial, Some(self.judge.paused(report)));
        }
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        self.join(trial, rank);
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            if let Some(used) = &mut self.used {
                used.record(&observation.config);
            }
            let last = observation.last.as_ref();
            if let Some(rank) = self.judge.ended(observation.ending, last)
                && self.space.check(&observation.config).is_ok()
            {
                let middle = vec![0.5; self.space.parameters().len()];
                self.add(None, rank, self.genes_of(&observation.config, middle));
            }
        }
    }
}

impl Evolution {
    /// A random configuration, or a changed one once the population is full.
    fn child(&mut self, part: &Space) -> (Genes, Config) {
        let parent = (self.population.len() >= self.options.population_size as usize)
            .then(|| self.parent())
            .flatten();
        let Some(mut genes) = parent else {
            let stream = &mut self.stream;
            let config = part.resolve(|p, _| p.domain.sample(stream));
            let genes = part
                .parameters()
                .iter()
                .map(|_| self.stream.unit())
                .collect();
            return (genes, config);
        };
        let before = part.decode(&genes);
        let active: Vec<usize> = (part.parameters().iter().enumerate())
            .filter(|(_, p)| p.is_active(&before) && p.domain.cardinality() != Some(1))
            .map(|(place, _)| place)
            .collect();
        let chosen = self.stream.below(active.len() as u64) as usize;
        if let Some(place) = active.get(chosen)
            && let (Some(parameter), Some(gene)) =
                (part.parameters().get(*place), genes.get_mut(*place))
        {
            *gene = mutated(
                &parameter.domain,
                *gene,
                self.options.mutation_width,
                &mut self.stream,
            );
        }
        let config = part.decode(&genes);
        (genes, config)
    }

    /// The best of a few members; among equals the older one.
    fn parent(&mut self) -> Option<Genes> {
        let n = self.population.len() as u64;
        let drawn = (0..self.options.sample_size).map(|_| self.stream.below(n) as usize);
        let best = drawn.min_by_key(|i| (self.population.get(*i).map(|(_, rank, _)| *rank), *i))?;
        self.population.get(best).map(|(_, _, genes)| genes.clone())
    }

    /// Genes of a configuration; where it says nothing, the given ones.
    fn genes_of(&self, config: &Config, inactive: Genes) -> Genes {
        let coordinates = self.space.encode(config).into_iter().zip(inactive);
        coordinates.map(|(u, old)| u.unwrap_or(old)).collect()
    }

    /// A trial has a result: it joins the population, or its newest result counts.
    fn join(&mut self, trial: TrialId, rank: Option<Rank>) {
        let member = self
            .population
            .iter_mut()
            .find(|(id, ..)| *id == Some(trial));
        match (member, rank) {
            (Some((_, old, _)), Some(rank)) => *old = rank,
            (None, Some(rank)) => {
                if let Some(genes) = self.awaited.remove(&trial) {
                    self.add(Some(trial), rank, genes);
                }
            }
            (_, None) => {}
        }
    }

    fn add(&mut self, trial: Option<TrialId>, rank: Rank, genes: Genes) {
        self.population.push_back((trial, rank, genes));
        if self.population.len() > self.options.population_size as usize {
            self.population.pop_front();
        }
    }
}

/// Another value: any other alternative of a choice, a step to the side of everything else.
fn mutated(domain: &Domain, gene: f64, width: f64, stream: &mut Stream) -> f64 {
    if let Domain::Choice(values) = domain {
        let n = values.len() as u64;
        let old = domain.position(&domain.from_unit(gene)).unwrap_or(0);
        let other = (old + 1 + stream.below(n.saturating_sub(1))) % n.max(1);
        return (other as f64 + 0.5) / n as f64;
    }
    let old = domain.from_unit(gene);
    // Mirrored at the ends, and again until a value on a grid has changed.
    let mut moved = gene;
    for _ in 0..REDRAWS {
        moved = (gene + width * stream.normal()).abs();
        if moved > 1.0 {
            moved = (2.0 - moved).max(0.0);
        }
        if domain.from_unit(moved) != old {
            break;
        }
    }
    moved
}

tune_plugin::export_searcher!(Evolution);
