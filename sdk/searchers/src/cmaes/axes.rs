//! Between configurations and points: numbers are coordinates of the unit cube, choices are
//! categories. Nothing here draws or learns.

use tune_plugin::{Config, Domain, Space, Value};

/// Up to so many values a number counts as a grid, whose neighbours are kept within reach. Beyond,
/// the distribution reaches them by itself at any width that matters.
const MAX_GRID: u64 = 10_000;

/// Which parameters are what. Those of a single value are neither.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    space: Space,
    /// Places of numbers, ordered alternatives included.
    numbers: Vec<usize>,
    /// Places of choices.
    choices: Vec<usize>,
}

/// A point: coordinates of the numbers, and positions of the choices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: Vec<f64>,
    pub(crate) chosen: Vec<usize>,
}

impl Axes {
    pub(crate) fn new(space: &Space) -> Self {
        let places = |wanted: bool| {
            let parameters = space.parameters().iter().enumerate();
            let more = parameters.filter(|(_, p)| p.domain.cardinality() != Some(1));
            let kind = more.filter(|(_, p)| matches!(p.domain, Domain::Choice(_)) == wanted);
            kind.map(|(place, _)| place).collect()
        };
        Self {
            numbers: places(false),
            choices: places(true),
            space: space.clone(),
        }
    }

    /// How many coordinates.
    pub(crate) fn dimensions(&self) -> usize {
        self.numbers.len()
    }

    /// How many alternatives each choice has.
    pub(crate) fn categories(&self) -> Vec<usize> {
        let counts = self.choices.iter().map(|place| match self.domain(*place) {
            Some(Domain::Choice(values)) => values.len(),
            _ => 1,
        });
        counts.collect()
    }

    fn domain(&self, place: usize) -> Option<&Domain> {
        self.space.parameters().get(place).map(|p| &p.domain)
    }

    /// The configuration at a point of a part of the space. Values that the part does not have are
    /// given by `other`.
    pub(crate) fn config(
        &self,
        part: &Space,
        place: &Place,
        mut other: impl FnMut(&Domain) -> Value,
    ) -> Config {
        // A part has the parameters of the whole, in their order.
        part.build(|at, parameter| {
            let among = |places: &[usize]| places.binary_search(&at).ok();
            let whole = self.domain(at).unwrap_or(&parameter.domain);
            let value = match (among(&self.numbers), among(&self.choices)) {
                (Some(i), _) => place.x.get(i).map(|u| whole.from_unit(*u)),
                (_, Some(i)) => place.chosen.get(i).and_then(|k| whole.nth(*k as u64)),
                (None, None) => None,
            };
            match value {
                Some(value) if parameter.domain.contains(&value) => value,
                _ => other(&parameter.domain),
            }
        })
    }

    /// The point of a configuration; what it does not say is as in `like`.
    pub(crate) fn place(&self, config: &Config, like: &Place) -> Place {
        let value = |place: &usize| {
            let parameter = self.space.parameters().get(*place)?;
            Some((&parameter.domain, config.get(&parameter.name)?))
        };
        let number = |(place, old): (&usize, &f64)| {
            value(place)
                .and_then(|(domain, value)| domain.to_unit(value))
                .unwrap_or(*old)
        };
        let choice = |(place, old): (&usize, &usize)| {
            let position = value(place).and_then(|(domain, value)| domain.position(value));
            position.map_or(*old, |k| k as usize)
        };
        Place {
            x: self.numbers.iter().zip(&like.x).map(number).collect(),
            chosen: self.choices.iter().zip(&like.chosen).map(choice).collect(),
        }
    }

    /// The ends of the cell of a coordinate of a grid, none at the ends of the range; none at all of
    /// a parameter that is not on a grid.
    pub(crate) fn cell(&self, axis: usize, u: f64) -> Option<(Option<f64>, Option<f64>)> {
        let domain = self.domain(*self.numbers.get(axis)?)?;
        domain.cardinality().filter(|count| *count <= MAX_GRID)?;
        let (low, high) = domain.cell(&domain.from_unit(u))?;
        let inner = |end: f64| (end > 1e-12 && end < 1.0 - 1e-12).then_some(end);
        Some((inner(low), inner(high)))
    }
}
