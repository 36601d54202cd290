//! Which algorithm searches when, and why: a pure function of the space and of the setup, so that a
//! choice can be read, tested and repeated.

use std::fmt;

use tune_plugin::{Domain, Setup, Space};

/// Results before a model is asked: as many as Optuna's samplers wait for.
pub(super) const STARTUP: usize = 10;
/// A space of no more configurations is tried whole: after the start a model would have next to
/// nothing left to choose from.
const MAX_SMALL: u64 = 2 * STARTUP as u64;
/// From so many results on a third one joins `gp` and `cmaes` in a long run.
const LATE: usize = 250;
/// A run of so many trials is not a long one: who came later had too little time.
const MAX_SHORT: u32 = 500;
/// With so many results a suggestion of `gp` costs as much as it ever may here.
const MAX_GP_RESULTS: usize = 1_000;
/// Parameters up to which `gp` finds its way.
const MAX_GP_PARAMETERS: usize = 50;

/// One of the algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Grid,
    Sobol,
    Gp,
    /// `gp` and `cmaes`.
    Pair,
    Tpe,
    Cmaes,
}

impl Algorithm {
    /// By which users know it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Sobol => "sobol",
            Self::Gp => "gp",
            Self::Pair => "gp and cmaes in turns",
            Self::Tpe => "tpe",
            Self::Cmaes => "cmaes",
        }
    }
}

/// Who searches from a number of results on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) algorithm: Algorithm,
    /// Results that must be known.
    pub(super) from: usize,
}

impl Stage {
    /// In turns with who searched before, not in place of it.
    pub(super) fn joins(self) -> bool {
        self.from == LATE
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.joins() { "in turns with " } else { "" };
        write!(f, "{with}{}", self.algorithm.name())
    }
}

/// Stages in their order, the first from the beginning on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    stages: Vec<Stage>,
    why: String,
}

/// What a space is made of. Parameters of a single value do not count.
struct Makeup {
    /// Real ones.
    reals: usize,
    /// Whole numbers, multiples of a step, ordered alternatives.
    steps: usize,
    choices: usize,
    is_conditional: bool,
    /// All are ordered alternatives: the user thinks of a grid.
    is_grid: bool,
}

impl Makeup {
    fn of(space: &Space) -> Self {
        let varies = |p: &&tune_plugin::Parameter| p.domain.cardinality() != Some(1);
        let varying: Vec<_> = space.parameters().iter().filter(varies).collect();
        let choice = |domain: &Domain| matches!(domain, Domain::Choice(_));
        let count = |of: &dyn Fn(&Domain) -> bool| varying.iter().filter(|p| of(&p.domain)).count();
        Self {
            reals: count(&|domain| domain.cardinality().is_none()),
            steps: count(&|domain| domain.cardinality().is_some() && !choice(domain)),
            choices: count(&choice),
            is_conditional: varying.iter().any(|p| !p.conditions.is_empty()),
            is_grid: varying
                .iter()
                .all(|p| matches!(p.domain, Domain::Ordered(_))),
        }
    }

    fn parameters(&self) -> usize {
        self.reals + self.steps + self.choices
    }
}

impl Plan {
    /// For a run.
    pub(super) fn of(space: &Space, setup: &Setup) -> Self {
        use Algorithm::{Cmaes, Gp, Grid, Pair, Sobol, Tpe};
        let makeup = Makeup::of(space);
        let trials = setup.trials.unwrap_or(u32::MAX);
        if setup.objectives.len() != 1 {
            let why = match setup.objectives.len() {
                0 => "no metric to improve is named".to_owned(),
                n => format!("a model has one metric to improve, and {n} are named"),
            };
            return Self::new(&[(Sobol, 0)], why);
        }
        if let Some(count) = space.cardinality() {
            if makeup.is_grid && count <= u64::from(trials) {
                let why = format!("a grid of {count} configurations, and a trial for each");
                return Self::new(&[(Grid, 0)], why);
            }
            if count <= MAX_SMALL {
                let why = format!("{count} configurations, and none is tried twice");
                return Self::new(&[(Sobol, 0)], why);
            }
        }
        let start = (Sobol, 0);
        let parameters = makeup.parameters();
        if parameters > MAX_GP_PARAMETERS {
            let why =
                format!("{parameters} parameters, and gp finds its way among {MAX_GP_PARAMETERS}");
            return Self::new(&[start, (Tpe, STARTUP)], why);
        }
        // A distribution of numbers has nothing to say of choices alone.
        let model = if makeup.choices < parameters {
            Pair
        } else {
            Gp
        };
        let model = (model, STARTUP);
        if trials <= MAX_SHORT {
            let why = format!("{trials} trials, few enough to model them all");
            return Self::new(&[start, model], why);
        }
        let many = match setup.trials {
            Some(trials) => format!("{trials} trials"),
            None => "any number of trials".to_owned(),
        };
        let (later, kind) = if makeup.is_conditional {
            (Tpe, "of parameters that are not always active")
        } else if makeup.choices > 0 {
            (Tpe, "of choices too")
        } else if makeup.reals < makeup.steps {
            (Tpe, "mostly of whole numbers and steps")
        } else {
            (Cmaes, "mostly of real numbers")
        };
        let why = format!("{many} in a space {kind}");
        Self::new(&[start, model, (later, LATE), (later, MAX_GP_RESULTS)], why)
    }

    fn new(stages: &[(Algorithm, usize)], why: String) -> Self {
        let stage = |(algorithm, from): &(Algorithm, usize)| Stage {
            algorithm: *algorithm,
            from: *from,
        };
        Self {
            stages: stages.iter().map(stage).collect(),
            why,
        }
    }

    /// The first one.
    pub(super) fn first(&self) -> Algorithm {
        let first = self.stages.first();
        first.map_or(Algorithm::Sobol, |stage| stage.algorithm)
    }

    /// The stages that begin when so many results are known and `begun` have begun; those that would be replaced at
    /// once are left out. And how many have begun then.
    pub(super) fn next(&self, begun: usize, results: usize) -> (&[Stage], usize) {
        let due = self.stages.iter().take_while(|stage| stage.from <= results);
        let due = due.count().max(begun);
        let new = self.stages.get(begun..due).unwrap_or_default();
        let skipped = new.iter().rposition(|stage| !stage.joins()).unwrap_or(0);
        (new.get(skipped..).unwrap_or_default(), due)
    }

    /// One line for the log.
    pub(super) fn describe(&self) -> String {
        let mut line = String::new();
        for stage in &self.stages {
            if stage.from > 0 {
                line.push_str(&format!(", from {} results on ", stage.from));
            }
            line.push_str(&stage.to_string());
        }
        format!("{line}: {}", self.why)
    }
}

#[cfg(test)]
mod tests {
    use tune_plugin::{Condition, Objective, Parameter, RealRange, Value, WholeRange};

    use super::*;

    fn real() -> Domain {
        let (low, high, log, step) = (0.0, 1.0, false, None);
        Domain::Real(RealRange {
            low,
            high,
            log,
            step,
        })
    }

    fn whole(high: i64) -> Domain {
        let (low, log, step) = (1, false, None);
        Domain::Whole(WholeRange {
            low,
            high,
            log,
            step,
        })
    }

    fn alternatives(count: i64) -> Vec<Value> {
        (0..count).map(Value::Integer).collect()
    }

    fn parameters(domains: Vec<Domain>) -> Vec<Parameter> {
        let named = |(i, domain): (usize, Domain)| Parameter {
            name: format!("p{i}"),
            domain,
            conditions: Vec::new(),
        };
        domains.into_iter().enumerate().map(named).collect()
    }

    fn plan_of(space: Vec<Parameter>, metrics: usize, trials: Option<u32>) -> String {
        plan(space, metrics, trials).describe()
    }

    fn plan(space: Vec<Parameter>, metrics: usize, trials: Option<u32>) -> Plan {
        let objective = |i: usize| Objective {
            metric: format!("m{i}"),
            maximize: true,
        };
        let setup = Setup {
            space: space.clone(),
            objectives: (0..metrics).map(objective).collect(),
            constraints: Vec::new(),
            time_attr: "t".to_owned(),
            max_t: None,
            trials,
            slots: 1,
            seed: 0,
            options: String::new(),
        };
        Plan::of(&Space::new(space).unwrap(), &setup)
    }

    #[test]
    fn every_kind_of_space_has_its_algorithm_and_a_reason() {
        let ordered = |n| Domain::Ordered(alternatives(n));
        let choice = |n| Domain::Choice(alternatives(n));
        let said = |domains, trials| plan_of(parameters(domains), 1, Some(trials));
        let cases = [
            (
                said(vec![ordered(10), ordered(8), choice(1)], 80),
                "grid: a grid of 80 configurations, and a trial for each",
            ),
            (
                said(vec![ordered(10), ordered(8)], 79),
                "sobol, from 10 results on gp and cmaes in turns: 79 trials, few enough to model \
                 them all",
            ),
            (
                said(vec![whole(5), choice(4)], 100),
                "sobol: 20 configurations, and none is tried twice",
            ),
            (
                said(vec![real(), choice(2), choice(2)], 500),
                "sobol, from 10 results on gp and cmaes in turns: 500 trials, few enough to model \
                 them all",
            ),
            (
                said(vec![choice(5), choice(4), choice(3)], 50),
                "sobol, from 10 results on gp: 50 trials, few enough to model them all",
            ),
            (
                said(vec![real(), real(), whole(9), whole(9)], 2_000),
                "sobol, from 10 results on gp and cmaes in turns, from 250 results on in turns with cmaes, from 1000 \
                 results on cmaes: 2000 trials in a space mostly of real numbers",
            ),
            (
                said(vec![real(), whole(9), whole(9)], 2_000),
                "sobol, from 10 results on gp and cmaes in turns, from 250 results on in turns with tpe, from 1000 \
                 results on tpe: 2000 trials in a space mostly of whole numbers and steps",
            ),
            (
                said(vec![real(), real(), choice(3)], 2_000),
                "sobol, from 10 results on gp and cmaes in turns, from 250 results on in turns with tpe, from 1000 \
                 results on tpe: 2000 trials in a space of choices too",
            ),
            (
                said(vec![real(); 60], 100),
                "sobol, from 10 results on tpe: 60 parameters, and gp finds its way among 50",
            ),
        ];
        for (said, expected) in &cases {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn what_would_be_replaced_at_once_does_not_begin() {
        use Algorithm::{Cmaes, Pair, Sobol};
        let plan = plan(parameters(vec![real(); 3]), 1, None);
        let next = |begun, results| {
            let (stages, count) = plan.next(begun, results);
            let begin = stages.iter().map(|stage| (stage.algorithm, stage.joins()));
            (begin.collect::<Vec<_>>(), count)
        };
        assert_eq!((plan.first(), next(1, 9)), (Sobol, (vec![], 1)));
        assert_eq!(next(1, 10), (vec![(Pair, false)], 2));
        assert_eq!(next(1, 300), (vec![(Pair, false), (Cmaes, true)], 3));
        assert_eq!(next(2, 250), (vec![(Cmaes, true)], 3));
        assert_eq!(next(1, 4_000), (vec![(Cmaes, false)], 4));
        assert_eq!(next(3, 1_000), (vec![(Cmaes, false)], 4));
        // Results that count no more than before: a failed trial that was the newest of a rung.
        assert_eq!(next(3, 240), (vec![], 3));
    }

    #[test]
    fn conditions_metrics_and_open_ends_count() {
        let mut space = parameters(vec![
            Domain::Choice(alternatives(2)),
            real(),
            real(),
            real(),
        ]);
        assert!(plan_of(space.clone(), 1, Some(900)).ends_with("of choices too"));
        space[1].conditions.push(Condition {
            parent: "p0".to_owned(),
            among: alternatives(1),
        });
        let conditional = plan_of(space.clone(), 1, Some(900));
        assert!(
            conditional.ends_with("900 trials in a space of parameters that are not always active"),
            "{conditional}"
        );
        assert_eq!(
            plan_of(space.clone(), 0, Some(50)),
            "sobol: no metric to improve is named"
        );
        assert_eq!(
            plan_of(space, 2, Some(50)),
            "sobol: a model has one metric to improve, and 2 are named"
        );
        let open = plan_of(parameters(vec![real(); 3]), 1, None);
        assert!(
            open.ends_with("any number of trials in a space mostly of real numbers"),
            "{open}"
        );
    }
}
