//! Configurations along a sequence of points.

use tune_space::{Config, Failure, Observation, Proposal, Space, Suggestion, Used};

/// Points that are tried before the next unused configuration is looked up in order.
const ATTEMPTS: u32 = 100;

/// A sequence of points of the unit cube.
pub trait Points {
    /// The next point, each coordinate in [0, 1).
    fn next_point(&mut self) -> Vec<f64>;
}

/// Suggests the configurations at the points of a sequence: what `sobol` and `halton` are, and what
/// other searchers begin with. A point has a coordinate for every parameter; those of inactive ones
/// are not used.
#[derive(Clone, Debug)]
pub struct Filler<P> {
    space: Space,
    points: P,
    used: Option<Used>,
}

impl<P: Points> Filler<P> {
    /// Along `points`, which have as many coordinates as the space has parameters. If `unique`, no
    /// configuration of a discrete space is suggested twice.
    #[must_use]
    pub fn new(space: Space, points: P, unique: bool) -> Self {
        Self {
            used: unique.then(|| Used::new(&space, 0)),
            space,
            points,
        }
    }

    /// The space.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The configuration at the next point, with the pinned values as they are.
    ///
    /// # Errors
    /// Pinned values that do not belong to the space.
    pub fn suggest(&mut self, pinned: &Config) -> Result<Suggestion, Failure> {
        let part = self.space.pin(pinned)?;
        let mut config = part.decode(&self.points.next_point());
        if let Some(used) = &mut self.used {
            for _ in 1..ATTEMPTS {
                if used.is_new(&config) {
                    break;
                }
                config = part.decode(&self.points.next_point());
            }
            match used.unused_from(&part, &config) {
                Some(unused) => config = unused,
                None if pinned.is_empty() => return Ok(Suggestion::Exhausted),
                // Whoever pins keys wants the trial, repeated or not.
                None => {}
            }
            used.record(&config);
        }
        Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        }))
    }

    /// Configurations of earlier results are not suggested again.
    pub fn seed_with(&mut self, known: &[Observation]) {
        for observation in known {
            self.record(&observation.config);
        }
    }

    /// This configuration is not suggested again.
    pub fn record(&mut self, config: &Config) {
        if let Some(used) = &mut self.used {
            used.record(config);
        }
    }
}

#[cfg(test)]
mod tests {
    use tune_space::{Condition, Domain, Parameter, RealRange, Value, WholeRange};

    use super::*;
    use crate::{Halton, Scramble, Sobol};

    fn parameter(name: &str, domain: Domain) -> Parameter {
        Parameter {
            name: name.to_owned(),
            domain,
            conditions: Vec::new(),
        }
    }

    fn whole(name: &str, high: i64) -> Parameter {
        let (low, log, step) = (1, false, None);
        parameter(
            name,
            Domain::Whole(WholeRange {
                low,
                high,
                log,
                step,
            }),
        )
    }

    fn real(name: &str) -> Parameter {
        let (low, high, log, step) = (1e-4, 1.0, true, None);
        parameter(
            name,
            Domain::Real(RealRange {
                low,
                high,
                log,
                step,
            }),
        )
    }

    /// `n` in 1..=6, `kind` of two, and `rate` only for the first.
    fn conditional() -> Space {
        let kinds = ["a", "b"].map(|kind| Value::Text(kind.to_owned())).to_vec();
        let rate = Parameter {
            conditions: vec![Condition {
                parent: "kind".to_owned(),
                among: kinds[..1].to_vec(),
            }],
            ..real("rate")
        };
        Space::new(vec![
            whole("n", 6),
            parameter("kind", Domain::Choice(kinds)),
            rate,
        ])
        .unwrap()
    }

    fn filler(space: Space, unique: bool) -> Filler<Sobol> {
        let points = Sobol::new(space.parameters().len(), Scramble::Owen(4));
        Filler::new(space, points, unique)
    }

    fn ask(filler: &mut Filler<impl Points>, pinned: &Config) -> Option<Config> {
        match filler.suggest(pinned).unwrap() {
            Suggestion::Configure(proposal) => Some(proposal.config),
            Suggestion::Exhausted => None,
            Suggestion::Wait => panic!("a sequence never waits"),
        }
    }

    #[test]
    fn configurations_belong_to_the_space_and_are_spread_evenly_over_it() {
        let space = conditional();
        let mut sequence = filler(space.clone(), true);
        let mut counts = [0; 6];
        for _ in 0..96 {
            let config = ask(&mut sequence, &Config::new()).unwrap();
            space.check(&config).unwrap();
            let Some(Value::Integer(n)) = config.get("n") else {
                panic!("{config:?}")
            };
            counts[*n as usize - 1] += 1;
        }
        // 16 each, give or take one; random draws differ by about 4.
        assert!(counts.iter().all(|n| (15..=17).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_discrete_space_is_suggested_whole_and_then_exhausted() {
        let space = Space::new(vec![whole("a", 7), whole("b", 3)]).unwrap();
        let mut sequence = filler(space.clone(), true);
        let mut seen: Vec<_> = (0..21)
            .map(|_| space.fingerprint(&ask(&mut sequence, &Config::new()).unwrap()))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 21);
        assert_eq!(ask(&mut sequence, &Config::new()), None);
        // Whoever fixes a key wants the trial.
        let pinned: Config = [("a".to_owned(), Value::Integer(2))].into_iter().collect();
        let again = ask(&mut sequence, &pinned).unwrap();
        assert_eq!(again.get("a"), Some(&Value::Integer(2)));
        // And without the option it goes on for ever.
        let mut repeats = filler(space, false);
        assert!((0..100).all(|_| ask(&mut repeats, &Config::new()).is_some()));
    }

    #[test]
    fn earlier_results_are_not_suggested_again() {
        let space = Space::new(vec![whole("a", 3)]).unwrap();
        let points = Halton::new(1, Scramble::Owen(1));
        let mut sequence = Filler::new(space, points, true);
        let config: Config = [("a".to_owned(), Value::Integer(2))].into_iter().collect();
        sequence.seed_with(&[Observation {
            config: config.clone(),
            last: None,
            ending: tune_space::Ending::Finished,
        }]);
        for _ in 0..2 {
            assert_ne!(ask(&mut sequence, &Config::new()).unwrap(), config);
        }
        assert_eq!(ask(&mut sequence, &Config::new()), None);
    }

    #[test]
    fn a_fixed_value_outside_the_space_is_refused() {
        let mut sequence = filler(conditional(), true);
        let pinned: Config = [("n".to_owned(), Value::Integer(9))].into_iter().collect();
        assert!(matches!(
            sequence.suggest(&pinned),
            Err(Failure::BadConfig(_))
        ));
    }
}
