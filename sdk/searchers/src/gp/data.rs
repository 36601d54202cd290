//! What is known of the trials, and the values that the model is fitted to.

use std::collections::BTreeMap;

use tune_model::{Points, Standard};
use tune_plugin::{Config, TrialId, normal};
use tune_search::Rank;

use super::apart::Apart;
use super::frame::Frame;
use super::turns::Model;
use crate::shares::Best;

/// Observations that the model is made of at most: its cost grows with their cube.
const MAX_POINTS: usize = 600;
/// With fewer values their ranks say too little.
const MIN_WARPED: usize = 6;

/// One trial.
#[derive(Clone, Debug)]
struct Known {
    config: Config,
    rank: Option<Rank>,
    running: bool,
    /// Which model has suggested it.
    model: Option<Model>,
}

/// All trials, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    trials: Vec<Known>,
    places: BTreeMap<TrialId, usize>,
    best: Best,
}

/// What the model is fitted to: larger is better, mean 0 and deviation 1.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) points: Points,
    pub(crate) values: Vec<f64>,
    /// The best value of a trial that ran to its end; of any, if none did.
    pub(crate) best: f64,
    /// Whose that is.
    pub(crate) leader: Config,
    /// Which of the points.
    pub(crate) place: usize,
    /// Values as they were told, larger is better; failures have the worst.
    pub(crate) scores: Vec<f64>,
    /// What 1 is in units of the objective, down to the median.
    pub(crate) unit: f64,
}

impl Data {
    pub(crate) fn ask(&mut self, trial: TrialId, config: Config, model: Option<Model>) {
        let known = Known {
            config,
            rank: None,
            running: true,
            model,
        };
        match self
            .places
            .get(&trial)
            .and_then(|place| self.trials.get_mut(*place))
        {
            Some(old) => *old = known,
            None => {
                self.places.insert(trial, self.trials.len());
                self.trials.push(known);
            }
        }
    }

    /// A result from elsewhere.
    pub(crate) fn add(&mut self, config: Config, rank: Rank) {
        self.trials.push(Known {
            config,
            rank: Some(rank),
            running: false,
            model: None,
        });
        self.best.improves(Some(rank));
    }

    /// Which model has suggested the trial, if one has, and whether it is the best so far.
    pub(crate) fn tell(&mut self, trial: TrialId, rank: Option<Rank>) -> Option<(Model, bool)> {
        let place = self.places.get(&trial);
        let known = place.and_then(|place| self.trials.get_mut(*place))?;
        known.rank = rank;
        known.running = false;
        let model = known.model;
        let is_best = self.best.improves(rank);
        Some((model?, is_best))
    }

    /// Results with a value.
    pub(crate) fn informative(&self) -> usize {
        let ranks = self.trials.iter().filter_map(|known| known.rank);
        ranks.filter(|rank| rank.reached().is_some()).count()
    }

    /// Configurations of the trials that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Config> {
        let running = self.trials.iter().filter(|known| known.running);
        running.map(|known| &known.config)
    }

    /// All results. None without a single value.
    pub(crate) fn observed(&self, frame: &Frame, max_t: Option<f64>) -> Option<Observed> {
        let told = self.trials.iter();
        let told = told.filter_map(|known| Some((&known.config, known.rank?)));
        prepare(told.collect(), frame, max_t)
    }

    /// Results for the model of the whole space: its own, and of those of the other model the best and what lies
    /// apart. None without a single value.
    pub(crate) fn whole(&self, frame: &Frame, max_t: Option<f64>) -> Option<Observed> {
        let told = self.trials.iter().enumerate();
        let told = told.filter_map(|(i, known)| Some((i, known, known.rank?)));
        let (mut near, own): (Vec<_>, Vec<_>) =
            told.partition(|(_, known, _)| known.model.is_some_and(|model| model != Model::Whole));
        near.sort_by_key(|(i, _, rank)| (*rank, *i));
        near.truncate(MAX_POINTS);
        // The newest ones, as far as distances are concerned: that bounds how many are taken.
        let newest = own.iter().rev().take(MAX_POINTS);
        let point = |known: &Known| frame.point(&known.config, 1.0);
        let mut apart = Apart::new(frame.axes(), newest.map(|(_, known, _)| point(known)));
        let is_best = |rank: &Rank| own.iter().all(|(_, _, other)| rank < other);
        let mut kept: Vec<_> = near
            .into_iter()
            .enumerate()
            .filter(|(k, (_, known, rank))| apart.takes(point(known)) || *k == 0 && is_best(rank))
            .map(|(_, known)| known)
            .collect();
        kept.extend(own.iter().copied());
        kept.sort_by_key(|(i, _, _)| *i);
        let told = kept
            .into_iter()
            .map(|(_, known, rank)| (&known.config, rank));
        prepare(told.collect(), frame, max_t)
    }
}

/// What a model is fitted to.
fn prepare(mut told: Vec<(&Config, Rank)>, frame: &Frame, max_t: Option<f64>) -> Option<Observed> {
    if told.len() > MAX_POINTS {
        told = selected(&told);
    }
    let reached: Vec<_> = told.iter().map(|(_, rank)| rank.reached()).collect();
    let scores: Vec<f64> = reached.iter().flatten().map(|(_, loss)| -loss).collect();
    let worst = scores.iter().copied().reduce(f64::min)?;
    // What failed or breaks a constraint counts as the worst that was seen.
    let scores: Vec<f64> = reached
        .iter()
        .map(|reached| reached.map_or(worst, |(_, loss)| -loss))
        .collect();
    let (values, standard) = prepared(scores.clone());
    let way = |reached: &Option<(Option<f64>, f64)>| match (reached, max_t) {
        (Some((Some(t), _)), Some(max)) if *t < max => libm::log1p(t.max(0.0)) / libm::log1p(max),
        _ => 1.0,
    };
    let ways: Vec<f64> = reached.iter().map(way).collect();
    let points = told
        .iter()
        .zip(&ways)
        .map(|((config, _), way)| frame.point(config, *way));
    let points: Vec<Vec<f64>> = points.collect();
    let at_end = |i: &usize| ways.get(*i) == Some(&1.0);
    let value = |i: &usize| values.get(*i).copied().unwrap_or(f64::NEG_INFINITY);
    let better = |a: &usize, b: &usize| value(a).total_cmp(&value(b)).then(b.cmp(a));
    let all = 0..told.len();
    let leader = all
        .clone()
        .filter(at_end)
        .max_by(better)
        .or_else(|| all.max_by(better))?;
    Some(Observed {
        points: points.iter().map(Vec::as_slice).collect(),
        best: value(&leader),
        leader: told.get(leader)?.0.clone(),
        place: leader,
        scores,
        unit: standard.deviation,
        values,
    })
}

/// Warped, with mean 0 and deviation 1; and what they were divided by.
pub(crate) fn prepared(mut values: Vec<f64>) -> (Vec<f64>, Standard) {
    warp(&mut values);
    let standard = Standard::of(&values);
    values.iter_mut().for_each(|v| *v = standard.scaled(*v));
    (values, standard)
}

/// Half of the best and half of the newest ones, in their order.
fn selected<'a>(told: &[(&'a Config, Rank)]) -> Vec<(&'a Config, Rank)> {
    let mut by_rank: Vec<usize> = (0..told.len()).collect();
    by_rank.sort_by_key(|i| told.get(*i).map(|(_, rank)| *rank));
    let mut chosen: Vec<bool> = vec![false; told.len()];
    let newest = (0..told.len()).rev();
    let turns = by_rank.into_iter().take(MAX_POINTS / 2).chain(newest);
    let mut count = 0;
    for place in turns {
        if let Some(is_chosen) = chosen.get_mut(place)
            && !*is_chosen
            && count < MAX_POINTS
        {
            *is_chosen = true;
            count += 1;
        }
    }
    let kept = told.iter().zip(chosen).filter(|(_, is_chosen)| *is_chosen);
    kept.map(|(known, _)| *known).collect()
}

/// Values below the median are replaced by what a normal distribution with the spread of the upper
/// half would have at their ranks, so that a few very bad ones do not flatten the rest (X. Song et
/// al., 2024, *The Vizier Gaussian Process Bandit Algorithm*, arXiv:2408.11527).
fn warp(values: &mut [f64]) {
    if values.len() < MIN_WARPED {
        return;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2).copied() else {
        return;
    };
    let upper = sorted.iter().filter(|v| **v >= median);
    let count = upper.clone().count() as f64;
    let spread = (upper.map(|v| (v - median) * (v - median)).sum::<f64>() / count).sqrt();
    let below = sorted.partition_point(|v| *v < median) as f64;
    if !(spread > 0.0 && spread.is_finite()) {
        return;
    }
    for value in values.iter_mut().filter(|v| **v < median) {
        // Equal values have equal ranks: the middle of theirs.
        let (low, high) = (
            sorted.partition_point(|v| v < value) as f64,
            sorted.partition_point(|v| v <= value) as f64,
        );
        let rank = 0.5 * (low + high);
        *value = median + spread * normal::quantile(0.5 * rank.max(0.5) / (below + 0.5));
    }
}

#[cfg(test)]
mod tests {
    use tune_plugin::{Domain, Parameter, RealRange, Space, Value};

    use super::*;
    use crate::told::rank;

    #[test]
    fn only_values_below_the_median_change_and_the_order_stays() {
        let mut values = vec![-1e9, 3.0, -5.0, 4.0, 2.0, 1.0, -1e4, 2.5, -5.0];
        let before = values.clone();
        warp(&mut values);
        for (a, b) in before.iter().zip(&values) {
            if *a >= 2.0 {
                assert_eq!(a, b);
            }
        }
        for (i, a) in before.iter().enumerate() {
            for (j, b) in before.iter().enumerate() {
                assert_eq!(a.total_cmp(b), values[i].total_cmp(&values[j]), "{a} {b}");
            }
        }
        assert!(values.iter().all(|v| *v > -5.0), "{values:?}");
    }

    #[test]
    fn the_whole_space_learns_of_its_neighbourhood_the_best_and_what_lies_apart() {
        let real = Domain::Real(RealRange {
            low: 0.0,
            high: 1.0,
            log: false,
            step: None,
        });
        let space = Space::new(vec![Parameter {
            name: "x".to_owned(),
            domain: real,
            conditions: Vec::new(),
        }]);
        let frame = Frame::new(space.unwrap());
        let mut data = Data::default();
        let (whole, near) = (Some(Model::Whole), Some(Model::Near));
        let told = [
            (0.2, 3.0, whole),
            (0.21, 2.0, whole),
            (0.201, 1.0, near),
            (0.202, 0.5, near),
            (0.4, 4.0, near),
            (0.401, 5.0, near),
        ];
        for (trial, (x, loss, model)) in (0..).zip(told) {
            let config = [("x".to_owned(), Value::Number(x))];
            data.ask(trial, config.into_iter().collect(), model);
            let is_best = data
                .tell(trial, Some(rank(Some(loss))))
                .map(|(_, is_best)| is_best);
            assert_eq!(is_best, Some(trial < 4));
        }
        let x = |of: Observed| of.points.iter().map(|point| point[0]).collect::<Vec<_>>();
        let all = data.observed(&frame, None).unwrap();
        assert_eq!((all.place, all.points.len()), (3, 6));
        assert_eq!(
            x(data.whole(&frame, None).unwrap()),
            [0.2, 0.21, 0.202, 0.4]
        );
    }

    #[test]
    fn equal_values_stay_equal_and_finite() {
        let mut values = vec![7.0; 20];
        warp(&mut values);
        assert_eq!(values, [7.0; 20]);
        let mut values = [vec![1.0; 3], vec![7.0; 20]].concat();
        warp(&mut values);
        assert!(values.iter().all(|v| v.is_finite()));
    }
}
