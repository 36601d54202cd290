//! Plans of simulated runs, with everything that does not matter left at its default.

use tune_core::{EnginePlan, Limits, Metering, Order, OwnLimits, Plateaus, RetrySeed};
use tune_space::{Config, Domain, Objective, Parameter, RealRange};

/// A plan in the making: virtual cost, deterministic order, one slot, `training_iteration` as the
/// resource, and a space of one real number `x` in \[0, 1\].
#[derive(Clone, Debug)]
pub struct PlanBuilder(EnginePlan);

impl PlanBuilder {
    /// Less of the metric is better.
    #[must_use]
    pub fn minimize(metric: &str) -> Self {
        Self::new(metric, false)
    }

    /// More of the metric is better.
    #[must_use]
    pub fn maximize(metric: &str) -> Self {
        Self::new(metric, true)
    }

    fn new(metric: &str, maximize: bool) -> Self {
        let x = Parameter {
            name: "x".to_owned(),
            domain: Domain::Real(RealRange {
                low: 0.0,
                high: 1.0,
                log: false,
                step: None,
            }),
            conditions: Vec::new(),
        };
        Self(EnginePlan {
            seed: 0,
            slots: 1,
            trials: None,
            objectives: vec![Objective {
                metric: metric.to_owned(),
                maximize,
            }],
            constraints: Vec::new(),
            time_attr: "training_iteration".to_owned(),
            max_t: None,
            space: vec![x],
            constants: Config::new(),
            derived: Vec::new(),
            points_to_evaluate: Vec::new(),
            stop: Vec::new(),
            order: Order::Deterministic,
            metering: Metering::None,
            virtual_cost: true,
            gpu: None,
            max_failures: 2,
            retry_seed: RetrySeed::Same,
            limits: Limits::default(),
            own_limits: OwnLimits::default(),
            trainable: "curves".to_owned(),
            searcher: ("draws".to_owned(), "{}".to_owned()),
            scheduler: ("fifo".to_owned(), "{}".to_owned()),
            strict: false,
            clones: false,
            imported: None,
            lineage: None,
            known: Vec::new(),
            plateaus: Plateaus::default(),
        })
    }

    /// Trials that are created at most. By default until the searcher is exhausted.
    #[must_use]
    pub fn trials(mut self, trials: u32) -> Self {
        self.0.trials = Some(trials);
        self
    }

    /// Trials that run at once in virtual time. By default 1.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.0.slots = slots;
        self
    }

    /// A trial ends when its resource reaches this. By default never.
    #[must_use]
    pub fn max_t(mut self, max_t: f64) -> Self {
        self.0.max_t = Some(max_t);
        self
    }

    /// The metric that measures the resource. By default `training_iteration`.
    #[must_use]
    pub fn time_attr(mut self, metric: &str) -> Self {
        metric.clone_into(&mut self.0.time_attr);
        self
    }

    /// Seed of the run. By default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// What the searcher suggests. By default one real number `x` in \[0, 1\].
    #[must_use]
    pub fn space(mut self, space: Vec<Parameter>) -> Self {
        self.0.space = space;
        self
    }

    /// Configurations of the first trials. By default none.
    #[must_use]
    pub fn points(mut self, points: Vec<Config>) -> Self {
        self.0.points_to_evaluate = points;
        self
    }

    /// States are kept and copied: for schedulers that clone. By default not.
    #[must_use]
    pub fn clones(mut self, clones: bool) -> Self {
        self.0.clones = clones;
        self
    }

    /// Name of the searcher and its options, a JSON object: for messages and the digest.
    #[must_use]
    pub fn searcher(mut self, name: &str, options: &str) -> Self {
        self.0.searcher = (name.to_owned(), options.to_owned());
        self
    }

    /// Name of the scheduler and its options, a JSON object: for messages and the digest.
    #[must_use]
    pub fn scheduler(mut self, name: &str, options: &str) -> Self {
        self.0.scheduler = (name.to_owned(), options.to_owned());
        self
    }

    /// The plan. Its other fields can be changed as they are.
    #[must_use]
    pub fn build(self) -> EnginePlan {
        self.0
    }
}
