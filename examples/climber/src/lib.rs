//! A searcher: after some random configurations, small steps from the best one so far.

use std::collections::BTreeMap;

use tune_plugin::{
    Config, Domain, Failure, Observation, OptionError, Outcome, Proposal, Searcher, Setup, Space,
    Stream, Suggestion, TrialId, Used,
};
use tune_search::{Judge, Rank};

/// How often a configuration that was used already is drawn again.
const REDRAWS: u32 = 20;
/// A step leaves an alternative as it is, but for one time in so many.
const SWITCHES: f64 = 5.0;

/// What a `[searcher]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// Random configurations to begin with.
    #[option(default = 10, minimum = 1, maximum = 100000)]
    n_startup_trials: u32,
    /// Width of a step, the range of every parameter being 1.
    #[option(default = 0.1, exclusive_minimum = 0.0, maximum = 1.0)]
    step: f64,
}

/// What it has seen.
#[derive(Debug)]
pub struct Climber {
    space: Space,
    options: Options,
    stream: Stream,
    judge: Judge,
    used: Used,
    suggested: u32,
    running: BTreeMap<TrialId, Config>,
    best: Option<(Rank, Config)>,
}

impl Searcher for Climber {
    const NAME: &'static str = "climber";
    const SUMMARY: &'static str = "Small steps from the best configuration so far";
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let [objective] = setup.objectives.as_slice() else {
            return Err(vec![OptionError {
                key: "objectives".to_owned(),
                message: format!(
                    "climber needs one objective, not {}",
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
                failures_count: true,
            },
            stream: Stream::new(setup.seed),
            used: Used::new(&space, 0),
            suggested: 0,
            running: BTreeMap::new(),
            best: None,
            space,
            options,
        })
    }

    fn suggest(&mut self, trial: TrialId, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.space.pin(pinned)?;
        let mut config = self.draw(&part);
        for _ in 0..REDRAWS {
            if self.used.is_new(&config) {
                break;
            }
            config = self.draw(&part);
        }
        match self.used.unused_from(&part, &config) {
            Some(unused) => config = unused,
            None if pinned.is_empty() => return Ok(Suggestion::Exhausted),
            // Whoever pins keys wants the trial, repeated or not.
            None => {}
        }
        self.used.record(&config);
        self.suggested += 1;
        self.running.insert(trial, config.clone());
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    fn complete(&mut self, trial: TrialId, outcome: &Outcome) {
        let rank = self.judge.ended(outcome.ending, outcome.last.as_ref());
        if let (Some(config), Some(rank)) = (self.running.remove(&trial), rank) {
            self.learn(rank, config);
        }
    }

    fn seed_with(&mut self, known: &[Observation]) {
        for one in known {
            self.used.record(&one.config);
            let rank = self.judge.ended(one.ending, one.last.as_ref());
            if let (Some(rank), Ok(())) = (rank, self.space.check(&one.config)) {
                self.learn(rank, one.config.clone());
            }
        }
    }
}

impl Climber {
    fn learn(&mut self, rank: Rank, config: Config) {
        let is_better = self.best.as_ref().is_none_or(|(best, _)| rank < *best);
        if is_better && !rank.is_worst() {
            self.best = Some((rank, config));
        }
    }

    /// A step from the best configuration; at the beginning, and where the best one has no such
    /// parameter, anything.
    fn draw(&mut self, part: &Space) -> Config {
        let climbs = self.suggested >= self.options.n_startup_trials;
        let best = self.best.as_ref().filter(|_| climbs);
        let (step, stream) = (self.options.step, &mut self.stream);
        part.resolve(|parameter, _| {
            let domain = &parameter.domain;
            let value = best.and_then(|(_, config)| config.get(&parameter.name));
            let Some(u) = value.and_then(|value| domain.to_unit(value)) else {
                return domain.sample(stream);
            };
            match domain {
                Domain::Choice(_) if stream.unit() * SWITCHES < 1.0 => domain.sample(stream),
                Domain::Choice(_) => domain.from_unit(u),
                _ => domain.from_unit((u + step * stream.normal()).clamp(0.0, 1.0)),
            }
        })
    }
}

tune_plugin::export_searcher!(Climber);

#[cfg(test)]
mod tests {
    use tune_plugin::{
        Ending, Objective, Parameter, RealRange, Report, Value, WholeRange, parse_options,
    };

    use super::*;

    fn space() -> Vec<Parameter> {
        let (low, high, log, step) = (0.0, 1.0, false, None);
        let rate = RealRange {
            low,
            high,
            log,
            step,
        };
        let (low, high, log, step) = (1, 100, false, None);
        let width = WholeRange {
            low,
            high,
            log,
            step,
        };
        let kinds = ["a", "b", "c"].map(Value::from).to_vec();
        let domains = [
            ("rate", Domain::Real(rate)),
            ("width", Domain::Whole(width)),
            ("kind", Domain::Choice(kinds)),
        ];
        let parameter = |(name, domain): (&str, Domain)| Parameter {
            name: name.to_owned(),
            domain,
            conditions: Vec::new(),
        };
        domains.map(parameter).to_vec()
    }

    fn start(options: &str, seed: u64) -> Climber {
        let (metric, maximize) = ("loss".to_owned(), false);
        let setup = Setup {
            space: space(),
            objectives: vec![Objective { metric, maximize }],
            constraints: Vec::new(),
            time_attr: "training_iteration".to_owned(),
            max_t: None,
            trials: Some(100),
            slots: 4,
            seed,
            options: options.to_owned(),
        };
        Climber::init(&setup, parse_options(options).unwrap()).unwrap()
    }

    /// 0 at rate = 0.3, width = 40, kind = "b".
    fn loss(config: &Config) -> f64 {
        let rate = config.f64("rate").unwrap() - 0.3;
        let width = (config.f64("width").unwrap() - 40.0) / 50.0;
        let kind = f64::from(config.text("kind").unwrap() != "b");
        rate * rate + width * width + kind
    }

    /// The least loss of 100 trials, one after the other.
    fn best(options: &str, seed: u64) -> f64 {
        let mut climber = start(options, seed);
        let losses = (0..100).map(|trial| {
            let suggestion = climber.suggest(trial, &Config::new()).unwrap();
            let Suggestion::Configure(proposal) = suggestion else {
                panic!("{suggestion:?}");
            };
            let loss = loss(&proposal.config);
            let outcome = Outcome {
                ending: Ending::Finished,
                last: Some(Report::default().with("loss", loss)),
            };
            climber.complete(trial, &outcome);
            loss
        });
        losses.fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn steps_get_farther_than_random_draws_alone() {
        let mean = |options: &str| (0..10).map(|seed| best(options, seed)).sum::<f64>() / 10.0;
        let (climbs, draws) = (mean("{}"), mean(r#"{"n_startup_trials": 100}"#));
        assert!(climbs < 0.3 * draws, "{climbs} against {draws}");
    }

    #[test]
    fn a_failure_or_a_value_that_is_no_number_is_never_climbed() {
        let mut climber = start("{}", 1);
        climber.suggest(0, &Config::new()).unwrap();
        climber.suggest(1, &Config::new()).unwrap();
        let outcome = |loss: f64| Outcome {
            ending: Ending::Finished,
            last: Some(Report::default().with("loss", loss)),
        };
        climber.complete(0, &outcome(f64::NAN));
        assert!(climber.best.is_none());
        climber.complete(1, &outcome(7.0));
        let (rank, _) = climber.best.unwrap();
        assert_eq!(rank.loss(), Some(7.0));
    }
}
