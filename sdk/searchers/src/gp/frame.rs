//! Between configurations, points of the model and genes: what a parameter is to each of them.
//!
//! Genes are coordinates of the unit cube for all parameters, inactive ones too, so that a
//! coordinate can be changed without asking what that makes active. The model sees the point of the
//! configuration that genes stand for: NaN for inactive parameters, positions of choices, the middle
//! of the cell of everything on a grid.

use tune_model::Axis;
use tune_plugin::{Config, Domain, Space};

/// What a gene is to the search for the best configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gene {
    /// Any number: slopes say where to go.
    Real,
    /// One of so many values in an order.
    Grid(u64),
    /// One of so many values without an order.
    Choice(u64),
    /// The only value.
    Fixed,
}

/// A space, seen by the model.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) space: Space,
    pub(crate) genes: Vec<Gene>,
    /// Where genes may be: from 0 to 1.
    pub(crate) cube: Vec<(f64, f64)>,
}

impl Frame {
    pub(crate) fn new(space: Space) -> Self {
        let gene = |domain: &Domain| match (domain.cardinality(), domain) {
            (Some(1), _) => Gene::Fixed,
            (Some(n), Domain::Choice(_)) => Gene::Choice(n),
            (Some(n), _) => Gene::Grid(n),
            (None, _) => Gene::Real,
        };
        Self {
            genes: space.parameters().iter().map(|p| gene(&p.domain)).collect(),
            cube: vec![(0.0, 1.0); space.parameters().len()],
            space,
        }
    }

    /// Axes of the model: one a parameter, and one for how far a trial came.
    pub(crate) fn axes(&self) -> Vec<Axis> {
        let axis = |gene: &Gene| match gene {
            Gene::Choice(_) => Axis::Category,
            Gene::Real | Gene::Grid(_) | Gene::Fixed => Axis::Number,
        };
        let parameters = self.genes.iter().map(axis);
        parameters.chain(std::iter::once(Axis::Number)).collect()
    }

    /// Parameters that vary.
    pub(crate) fn dimensions(&self) -> usize {
        self.genes
            .iter()
            .filter(|gene| **gene != Gene::Fixed)
            .count()
    }

    /// The point of a configuration at a share of the way in (0, 1].
    pub(crate) fn point(&self, config: &Config, way: f64) -> Vec<f64> {
        let parameters = self.space.parameters().iter().zip(&self.genes);
        let values = self.space.values(config);
        let at = parameters.zip(values).map(|((p, gene), value)| {
            let place = value.and_then(|value| match gene {
                Gene::Choice(_) => p.domain.position(value).map(|k| k as f64),
                _ => p.domain.to_unit(value),
            });
            place.unwrap_or(f64::NAN)
        });
        at.chain(std::iter::once(way)).collect()
    }

    /// Genes of a configuration; those of inactive parameters are in the middle.
    pub(crate) fn genes_of(&self, config: &Config) -> Vec<f64> {
        let coordinates = self.space.encode(config);
        coordinates.into_iter().map(|u| u.unwrap_or(0.5)).collect()
    }

    /// The configuration of a point.
    pub(crate) fn config(&self, point: &[f64]) -> Config {
        let gene = |(gene, u): (&Gene, &f64)| match gene {
            _ if u.is_nan() => 0.5,
            Gene::Choice(count) => middle(*u as u64, *count),
            _ => *u,
        };
        let genes: Vec<f64> = self.genes.iter().zip(point).map(gene).collect();
        self.space.decode(&genes)
    }
}

/// The gene in the middle of the `k`-th of `n` values.
pub(crate) fn middle(k: u64, n: u64) -> f64 {
    (k as f64 + 0.5) / n as f64
}
