//! Walking through every configuration of a space, one after the other: a mixed-radix counter that
//! holds one position and never the list. Inactive parameters have no digit, so that no
//! configuration comes twice.

use std::collections::BTreeMap;

use crate::{Config, Domain, Space, Value};

/// The values of one parameter that a walk visits.
#[derive(Clone, Debug)]
enum Levels {
    /// Every value of a countable domain, and how many they are.
    All(u64),
    /// A few of the others.
    Some(Vec<Value>),
}

impl Levels {
    /// All values if they can be counted, else `points` of them: the middles of equal parts of
    /// [0, 1], without repetitions that rounding to a step makes.
    fn new(domain: &Domain, points: u32) -> Self {
        if let Some(count) = domain.cardinality() {
            return Self::All(count);
        }
        let middle = |i: u32| (f64::from(i) + 0.5) / f64::from(points);
        let mut values: Vec<Value> = (0..points).map(|i| domain.from_unit(middle(i))).collect();
        values.dedup();
        Self::Some(values)
    }

    fn count(&self) -> u64 {
        match self {
            Self::All(count) => *count,
            Self::Some(values) => values.len() as u64,
        }
    }

    fn nth(&self, domain: &Domain, digit: u64) -> Option<Value> {
        match self {
            Self::All(_) => domain.nth(digit),
            Self::Some(values) => values.get(usize::try_from(digit).ok()?).cloned(),
        }
    }

    fn digit(&self, domain: &Domain, value: &Value) -> Option<u64> {
        match self {
            Self::All(_) => domain.position(value),
            Self::Some(values) => values.iter().position(|v| v == value).map(|i| i as u64),
        }
    }
}

/// A position in a space. The parameter that is first by name turns fastest, as in Ray Tune, but a
/// parent always turns slower than its children.
#[derive(Clone, Debug)]
pub struct Walk {
    space: Space,
    levels: Vec<Levels>,
    /// Places of the parameters, the fastest first.
    order: Vec<usize>,
    digits: Vec<u64>,
}

impl Walk {
    /// A walk from the first configuration. `points`: how many values of a parameter with
    /// uncountably many are visited, by equal parts of its distribution; with 0 such a parameter
    /// has none.
    ///
    /// None if there is nothing to walk through.
    #[must_use]
    pub fn new(space: Space, points: u32) -> Option<Self> {
        let levels: Vec<Levels> = space
            .parameters
            .iter()
            .map(|p| Levels::new(&p.domain, points))
            .collect();
        if levels.iter().any(|l| l.count() == 0) {
            return None;
        }
        Some(Self {
            order: fastest_first(&space),
            digits: vec![0; levels.len()],
            levels,
            space,
        })
    }

    /// The configuration at the present position.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        let digits = self.levels.iter().zip(&self.digits);
        for (parameter, (levels, digit)) in self.space.parameters.iter().zip(digits) {
            if parameter.is_active(&config)
                && let Some(value) = levels.nth(&parameter.domain, *digit)
            {
                config.insert(parameter.name.as_str(), value);
            }
        }
        config
    }

    /// Moves on. False if that was the last configuration: the walk is at the first one again.
    pub fn advance(&mut self) -> bool {
        let config = self.config();
        for place in &self.order {
            let (Some(parameter), Some(levels), Some(digit)) = (
                self.space.parameters.get(*place),
                self.levels.get(*place),
                self.digits.get_mut(*place),
            ) else {
                continue;
            };
            // Whether it is active is told by slower parameters, which have not moved.
            if parameter.is_active(&config) && *digit + 1 < levels.count() {
                *digit += 1;
                return true;
            }
            *digit = 0;
        }
        false
    }

    /// Goes to a configuration. False, and nothing moves, if the walk does not visit it.
    pub fn seek(&mut self, config: &Config) -> bool {
        if self.space.check(config).is_err() {
            return false;
        }
        let digits: Option<Vec<u64>> = self
            .space
            .parameters
            .iter()
            .zip(&self.levels)
            .map(|(p, levels)| match config.get(&p.name) {
                Some(value) => levels.digit(&p.domain, value),
                None => Some(0),
            })
            .collect();
        let Some(digits) = digits else {
            return false;
        };
        self.digits = digits;
        true
    }
}

/// Children before parents, otherwise by name.
fn fastest_first(space: &Space) -> Vec<usize> {
    // How many conditions on each parameter are not placed yet.
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    for condition in space.parameters.iter().flat_map(|p| &p.conditions) {
        *waiting.entry(&condition.parent).or_default() += 1;
    }
    let mut by_name: Vec<(&String, &usize)> = space.places.iter().collect();
    let mut order = Vec::with_capacity(by_name.len());
    while let Some(next) = by_name
        .iter()
        .position(|(name, _)| waiting.get(name.as_str()).is_none_or(|left| *left == 0))
    {
        let (_, place) = by_name.remove(next);
        order.push(*place);
        let conditions = space
            .parameters
            .get(*place)
            .map(|p| p.conditions.as_slice());
        for condition in conditions.unwrap_or_default() {
            if let Some(left) = waiting.get_mut(condition.parent.as_str()) {
                *left -= 1;
            }
        }
    }
    order
}
