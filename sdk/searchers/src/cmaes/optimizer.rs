//! Generations out of results that come in any order: a distribution learns as soon as there are as
//! many results as its population, whichever distribution their points were drawn from.

use std::collections::BTreeMap;

use tune_plugin::{Stream, TrialId};
use tune_search::{Categories, Cma, Form, Point, Rank};

use super::axes::{Axes, Place};
use super::restarts::{Restarts, Start, Strategy};

/// Draws before a point is clipped to the cube.
const ATTEMPTS: u32 = 100;
/// A distribution whose best and worst values are no farther apart than this has nothing to choose.
const FLAT: f64 = 1e-12;

/// What does not change.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) first: Start,
    pub(crate) strategy: Strategy,
    pub(crate) separable: bool,
    pub(crate) margin: bool,
    pub(crate) adapts_rates: bool,
}

/// A point whose result is awaited.
#[derive(Clone, Debug)]
struct Awaited {
    place: Place,
    /// Which distribution it is of; none if it was not drawn.
    generation: Option<u64>,
}

/// The distribution and the results that it has not learned from.
#[derive(Clone, Debug)]
pub(crate) struct Optimizer {
    axes: Axes,
    method: Method,
    cma: Cma,
    categories: Categories,
    restarts: Restarts,
    awaited: BTreeMap<TrialId, Awaited>,
    results: Vec<(Rank, TrialId, Awaited)>,
    generations: u64,
    /// Best and worst value of the last generations, the newest last.
    values: Vec<(f64, f64)>,
}

impl Optimizer {
    /// `good` are points of earlier results to begin with.
    pub(crate) fn new(axes: Axes, method: Method, good: &[Place]) -> Self {
        let categories = Categories::new(&axes.categories());
        let form = form(&axes, &method, method.first.population);
        let points: Vec<Vec<f64>> = good.iter().map(|place| place.x.clone()).collect();
        let warm = if axes.dimensions() > 0 {
            Cma::warm(&points, WARM_ALPHA, form)
        } else {
            None
        };
        let middle = vec![0.5; axes.dimensions()];
        Self {
            cma: warm.unwrap_or_else(|| Cma::new(middle, method.first.sigma, form)),
            categories,
            restarts: Restarts::new(method.strategy, method.first),
            axes,
            method,
            awaited: BTreeMap::new(),
            results: Vec::new(),
            generations: 0,
            values: Vec::new(),
        }
    }

    /// Draws a point in the cube.
    pub(crate) fn draw(&self, stream: &mut Stream) -> Place {
        let mut x = self.cma.draw(stream);
        for _ in 1..ATTEMPTS {
            if x.iter().all(|u| (0.0..=1.0).contains(u)) {
                break;
            }
            x = self.cma.draw(stream);
        }
        x.iter_mut().for_each(|u| *u = u.clamp(0.0, 1.0));
        Place {
            x,
            chosen: self.categories.draw(stream),
        }
    }

    /// A trial runs at this point, which was `drawn` as it is or came from elsewhere.
    pub(crate) fn ask(&mut self, trial: TrialId, place: Place, drawn: bool) {
        let generation = drawn.then_some(self.generations);
        self.awaited.insert(trial, Awaited { place, generation });
    }

    /// The result of a trial; none if it says nothing. Of several of one trial the first counts, the
    /// newest as long as nothing was learned from it.
    pub(crate) fn tell(&mut self, trial: TrialId, rank: Option<Rank>, stream: &mut Stream) {
        let waiting = self.results.iter_mut().find(|(_, told, _)| *told == trial);
        match (waiting, rank) {
            (Some((old, ..)), Some(rank)) => *old = rank,
            (Some(_), None) => self.results.retain(|(_, told, _)| *told != trial),
            (None, rank) => {
                if let (Some(awaited), Some(rank)) = (self.awaited.remove(&trial), rank) {
                    self.results.push((rank, trial, awaited));
                }
            }
        }
        if self.results.len() >= self.cma.population() {
            self.learn(stream);
        }
    }

    fn learn(&mut self, stream: &mut Stream) {
        let mut results = std::mem::take(&mut self.results);
        // Among equals the earlier trial is the better one.
        results.sort_by_key(|(rank, trial, _)| (*rank, *trial));
        let population = self.cma.population();
        let chosen: Vec<&[usize]> = results
            .iter()
            .map(|(_, _, awaited)| awaited.place.chosen.as_slice())
            .collect();
        self.categories.update(&chosen, population);
        let points: Vec<Point> = results
            .iter()
            .map(|(_, _, awaited)| Point {
                x: awaited.place.x.clone(),
                is_late: awaited.generation != Some(self.generations),
            })
            .collect();
        self.cma.update(&points);
        self.generations += 1;
        if self.method.margin {
            let dimensions = (self.axes.dimensions() + self.axes.categories().len()) as f64;
            let share = 1.0 / (dimensions * population as f64);
            for axis in 0..self.axes.dimensions() {
                let mean = self.cma.mean().get(axis).copied().unwrap_or(0.5);
                if let Some(cell) = self.axes.cell(axis, mean) {
                    self.cma.keep_margin(axis, cell, share);
                }
            }
        }
        let losses: Vec<f64> = results
            .iter()
            .filter_map(|(rank, ..)| rank.loss())
            .collect();
        let is_flat = self.is_flat(&losses);
        let is_spent = self.axes.dimensions() > 0 && (is_flat || self.cma.is_spent());
        let random = [stream.unit(), stream.unit()];
        if let Some(start) = self.restarts.next(results.len(), is_spent, random) {
            let mean = (0..self.axes.dimensions()).map(|_| stream.unit()).collect();
            let form = form(&self.axes, &self.method, start.population);
            self.cma = Cma::new(mean, start.sigma, form);
            self.categories = Categories::new(&self.axes.categories());
            self.values.clear();
        }
    }

    /// The values of the last generations are all the same.
    fn is_flat(&mut self, losses: &[f64]) -> bool {
        let term = 10 + (30 * self.axes.dimensions()).div_ceil(self.cma.population());
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let worst = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.values.push((best, worst));
        if self.values.len() <= term {
            return false;
        }
        self.values.remove(0);
        let best = self
            .values
            .iter()
            .map(|v| v.0)
            .fold(f64::INFINITY, f64::min);
        let worst = self
            .values
            .iter()
            .map(|v| v.1)
            .fold(f64::NEG_INFINITY, f64::max);
        worst - best < FLAT
    }
}

/// Around each good point of an earlier run, in the unit cube.
const WARM_ALPHA: f64 = 0.1;

fn form(axes: &Axes, method: &Method, population: usize) -> Form {
    Form {
        population,
        separable: method.separable,
        // CatCMA is made for good points alone.
        active: axes.categories().is_empty(),
        adapts_rates: method.adapts_rates,
    }
}
