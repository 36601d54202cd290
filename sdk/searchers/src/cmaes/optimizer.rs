//! Generations out of results that come in any order: a distribution learns as soon as there are as
//! many results as its population, whichever distribution their points were drawn from, or as soon as
//! a model that is believed says what the lacking ones would be.

use std::collections::BTreeMap;

use tune_plugin::{Stream, TrialId};
use tune_search::{Categories, Cma, Form, Point, Rank};

use super::axes::{Axes, Place};
use super::restarts::{Restarts, Start, Strategy};
use super::surrogate::{Archive, Model};

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
    /// Ask a model of the results too.
    pub(crate) assisted: bool,
}

/// A point whose result is awaited.
#[derive(Clone, Debug)]
struct Awaited {
    place: Place,
    /// Which distribution it is of; none if it was not drawn.
    generation: Option<u64>,
}

/// The distribution and the results that it has not learned from; those of other runs have no trial.
#[derive(Clone, Debug)]
pub(crate) struct Optimizer {
    axes: Axes,
    method: Method,
    cma: Cma,
    categories: Categories,
    restarts: Restarts,
    awaited: BTreeMap<TrialId, Awaited>,
    results: Vec<(Rank, Option<TrialId>, Awaited)>,
    generations: u64,
    /// Best and worst value of the last generations, the newest last.
    values: Vec<(f64, f64)>,
    archive: Archive,
    /// Of the archive as it is.
    model: Option<Model>,
    /// Points of this generation that have not been asked for, the next one last. None before they are drawn.
    plan: Option<Vec<Place>>,
}

/// A member of a generation.
struct Member {
    point: Point,
    chosen: Vec<usize>,
}

impl Member {
    fn new(place: &Place, is_late: bool) -> Self {
        let x = place.x.clone();
        Self {
            point: Point { x, is_late },
            chosen: place.chosen.clone(),
        }
    }
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
            archive: Archive::default(),
            model: None,
            plan: None,
        }
    }

    /// A result of another run, for the model alone.
    pub(crate) fn know(&mut self, place: Place, rank: Rank) {
        if self.method.assisted {
            self.archive.push(None, place, rank);
        }
    }

    /// A result of another run, to learn from as from one that comes late.
    pub(crate) fn inject(&mut self, place: Place, rank: Rank, stream: &mut Stream) {
        self.know(place.clone(), rank);
        let generation = None;
        let awaited = Awaited { place, generation };
        self.results.push((rank, None, awaited));
        if self.results.len() >= self.cma.population() {
            let members = self.by_results();
            self.learn(members, stream);
        }
    }

    /// The next point of the generation, the one of which most is expected first, or one more of its distribution.
    pub(crate) fn draw(&mut self, stream: &mut Stream) -> Place {
        if self.method.assisted {
            let mut plan = self.planned(stream);
            let next = plan.pop();
            self.plan = Some(plan);
            if let Some(place) = next {
                return place;
            }
        }
        self.draw_one(stream)
    }

    /// Takes what is planned of the generation, which is drawn if it was not.
    fn planned(&mut self, stream: &mut Stream) -> Vec<Place> {
        if let Some(plan) = self.plan.take() {
            return plan;
        }
        let draws = 0..self.cma.population();
        let drawn: Vec<Place> = draws.map(|_| self.draw_one(stream)).collect();
        let expected = self.expected(&drawn.iter().collect::<Vec<_>>());
        let mut drawn: Vec<(f64, Place)> = expected.into_iter().zip(drawn).collect();
        drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
        drawn.into_iter().map(|(_, place)| place).collect()
    }

    /// The losses that the model expects; 0 without one.
    fn expected(&self, places: &[&Place]) -> Vec<f64> {
        match &self.model {
            Some(model) => model.losses(places),
            None => vec![0.0; places.len()],
        }
    }

    /// Draws a point in the cube.
    fn draw_one(&self, stream: &mut Stream) -> Place {
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
        let waiting = self
            .results
            .iter_mut()
            .find(|(_, told, _)| *told == Some(trial));
        match (waiting, rank) {
            (Some((old, ..)), Some(rank)) => *old = rank,
            (Some(_), None) => self.results.retain(|(_, told, _)| *told != Some(trial)),
            (None, rank) => {
                if let (Some(awaited), Some(rank)) = (self.awaited.remove(&trial), rank) {
                    if self.method.assisted {
                        self.archive.push(Some(trial), awaited.place.clone(), rank);
                    }
                    self.results.push((rank, Some(trial), awaited));
                }
            }
        }
        if self.method.assisted {
            self.archive.correct(trial, rank);
            let categories = self.axes.categories();
            self.model = self
                .archive
                .model(&self.cma, &categories, self.results.len());
        }
        if self.results.len() >= self.cma.population() {
            let members = self.by_results();
            self.learn(members, stream);
        } else if !self.results.is_empty()
            && let Some(members) = self.by_model(stream)
        {
            self.learn(members, stream);
        }
    }

    /// The results, the best first; among equals the earlier trial.
    fn by_results(&mut self) -> Vec<Member> {
        self.results.sort_by_key(|(rank, trial, _)| (*rank, *trial));
        let results = self.results.iter();
        results.map(|(.., awaited)| self.member(awaited)).collect()
    }

    /// The results and as many other points of the generation as they lack to one, in the order of what the model
    /// expects, trials without a value last. None if it is not believed.
    fn by_model(&mut self, stream: &mut Stream) -> Option<Vec<Member>> {
        self.model.as_ref().filter(|model| model.is_believed)?;
        let plan = self.planned(stream);
        let told = self.results.iter().map(|(rank, _, awaited)| {
            let is_known = rank.loss().is_some();
            (is_known, &awaited.place, self.is_late(awaited))
        });
        let awaited = self.awaited.values();
        let running = awaited.filter(|awaited| !self.is_late(awaited));
        let others = running.map(|awaited| &awaited.place).chain(&plan);
        let others = others.map(|place| (true, place, false));
        let all: Vec<_> = told.chain(others).take(self.cma.population()).collect();
        let places: Vec<&Place> = all.iter().map(|(_, place, _)| *place).collect();
        let mut all: Vec<_> = all.iter().zip(self.expected(&places)).collect();
        all.sort_by(|((known, ..), loss), ((other_known, ..), other)| {
            other_known.cmp(known).then(loss.total_cmp(other))
        });
        let members = all
            .into_iter()
            .map(|((_, place, late), _)| Member::new(place, *late));
        Some(members.collect())
    }

    fn member(&self, awaited: &Awaited) -> Member {
        Member::new(&awaited.place, self.is_late(awaited))
    }

    /// It was not drawn from the distribution as it is.
    fn is_late(&self, awaited: &Awaited) -> bool {
        awaited.generation != Some(self.generations)
    }

    /// Learns from a generation, the best first.
    fn learn(&mut self, members: Vec<Member>, stream: &mut Stream) {
        let results = std::mem::take(&mut self.results);
        let population = self.cma.population();
        let chosen: Vec<&[usize]> = members.iter().map(|m| m.chosen.as_slice()).collect();
        self.categories.update(&chosen, population);
        let points: Vec<Point> = members.into_iter().map(|m| m.point).collect();
        self.cma.update(&points);
        self.plan = None;
        self.generations += 1;
        if self.method.margin {
            self.keep_margins(population);
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

    /// Keeps the neighbours of a grid within reach.
    fn keep_margins(&mut self, population: usize) {
        let dimensions = (self.axes.dimensions() + self.axes.categories().len()) as f64;
        let share = 1.0 / (dimensions * population as f64);
        for axis in 0..self.axes.dimensions() {
            let mean = self.cma.mean().get(axis).copied().unwrap_or(0.5);
            if let Some(cell) = self.axes.cell(axis, mean) {
                self.cma.keep_margin(axis, cell, share);
            }
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
