//! A model of the neighbourhood of the best result alone.
//!
//! In the model of the whole space, whose values span what is far away and bad, differences close to the best
//! result are smaller than its least noise. Here only the nearest results count, in units of their own spread,
//! and the box that is searched is as large as they lie apart: it shrinks while the best one stays and moves
//! with it. A trust region as of D. Eriksson et al. (2019), *Scalable Global Optimization via Local Bayesian
//! Optimization*, but without counters, so that results that come late or from elsewhere fit in.
//!
//! A branch, a set of parameters that are active together, has a neighbourhood of its own around its best result.
//! Which of them is searched is said by what each promises beyond the best result of all, as in that paper: one
//! whose best result is far behind is worth it while its values fall, and one that has come to its end is not.

use tune_model::{Gp, Matern, Points};
use tune_plugin::{Config, Space};

use super::data::{Observed, prepared};
use super::frame::{Frame, Gene};
use super::surrogate;

/// Results that are modelled: so many for each parameter that moves, and some more, but no more than a fit can bear. A
/// bowl in five dimensions has 21 coefficients.
const POINTS: (usize, usize) = (4, 8);
/// The box reaches so many median distances to both sides.
const REACH: f64 = 1.5;
/// And at least so far, in units of the range.
const LEAST: f64 = 1e-8;
/// With this share of the squared spread left unexplained, a model knows too little to search with.
const UNKNOWN: f64 = 0.8;
/// Branches that have a neighbourhood at most, those with the best results: each costs a fit.
const BRANCHES: usize = 4;
/// Results with which another branch than that of the best result has a model. Where a few bad ones would do
/// for none, nobody would ever go there again.
const FEWEST: usize = 2;

/// The neighbourhood and its model.
pub(crate) struct Near {
    pub(crate) gp: Gp<Matern>,
    /// The best value of all in units of the model.
    pub(crate) best: f64,
    /// Choices are those of the centre.
    pub(crate) part: Space,
    /// The centre.
    pub(crate) centre: Config,
    /// What 1 is in units of the objective.
    pub(crate) unit: f64,
    /// Where genes may be.
    pub(crate) bounds: Vec<(f64, f64)>,
}

/// Around one of the results, the best one or the best one of its branch. None while there are too few results
/// around it, all of them are equal (as where all trials fail), or nothing in it moves.
pub(crate) fn around(
    frame: &Frame,
    observed: &Observed,
    place: usize,
    is_exact: bool,
) -> Option<Near> {
    let centre = observed.points.get(place);
    let moves = |axis: &usize| {
        let is_number = matches!(frame.genes.get(*axis), Some(Gene::Real | Gene::Grid(_)));
        is_number && centre.get(*axis).is_some_and(|u| !u.is_nan())
    };
    let axes: Vec<usize> = (0..frame.genes.len()).filter(moves).collect();
    let places = nearest(observed, centre, &axes);
    let leads = place == observed.place;
    let fewest = if leads { axes.len() + 3 } else { FEWEST };
    if axes.is_empty() || places.len() < fewest {
        return None;
    }
    let points: Points = places.iter().map(|i| observed.points.get(*i)).collect();
    let mut bounds = frame.cube.clone();
    let mut sides = vec![1.0; centre.len()];
    for axis in &axes {
        let u = centre.get(*axis).copied()?;
        let half = (REACH * median(&points, *axis, u)).max(match frame.genes.get(*axis) {
            // To the next value.
            Some(Gene::Grid(count)) => 1.01 / *count as f64,
            _ => LEAST,
        });
        *bounds.get_mut(*axis)? = ((u - half).max(0.0), (u + half).min(1.0));
        *sides.get_mut(*axis)? = (2.0 * half).min(1.0);
    }
    let scores = places.iter().filter_map(|i| observed.scores.get(*i));
    let (values, standard) = prepared(scores.copied().collect());
    if values.iter().all(|value| values.first() == Some(value)) {
        return None;
    }
    let gp = surrogate::fit_near(frame, &points, &values, &sides, axes.len(), is_exact)?;
    if leads && !knows(&gp) {
        return None;
    }
    let best = *observed.scores.get(observed.place)?;
    let centre = frame.config(centre);
    Some(Near {
        best: standard.scaled(best),
        unit: standard.deviation,
        gp,
        part: frame.space.pin(&choices(frame, &centre)).ok()?,
        centre,
        bounds,
    })
}

/// The best result of each set of active parameters, the best of all first: at most [`BRANCHES`].
pub(crate) fn centres(observed: &Observed) -> Vec<usize> {
    let score = |i: &usize| {
        observed
            .scores
            .get(*i)
            .copied()
            .unwrap_or(f64::NEG_INFINITY)
    };
    let at_end = |i: &usize| observed.points.get(*i).last() == Some(&1.0);
    let mut order: Vec<usize> = (0..observed.points.len()).filter(at_end).collect();
    order.sort_by(|a, b| score(b).total_cmp(&score(a)));
    order.insert(0, observed.place);
    let is_active = |i: usize| observed.points.get(i).iter().map(|u| !u.is_nan());
    let mut centres: Vec<usize> = Vec::new();
    for place in order {
        let is_known = |other: &usize| is_active(*other).eq(is_active(place));
        if centres.len() < BRANCHES && !centres.iter().any(is_known) {
            centres.push(place);
        }
    }
    centres
}

/// Whether the model tells the results above the median from each other: each from the others (C. E. Rasmussen,
/// C. Williams, 2006, *Gaussian Processes for Machine Learning*, section 5.4.2). Where all of them differ by noise it
/// does not, and a search among them would find nothing.
fn knows(gp: &Gp<Matern>) -> bool {
    let mut sorted = gp.values().to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2).copied() else {
        return false;
    };
    let upper = |v: &f64| *v >= median;
    let values: Vec<f64> = gp.values().iter().copied().filter(upper).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let errors = gp.leave_one_out().into_iter().zip(gp.values());
    let errors: f64 = errors.filter(|(_, v)| upper(v)).map(|(e, _)| e * e).sum();
    errors < UNKNOWN * spread
}

/// The nearest results to the best one, in their order, that differ from it in nothing but these axes: with the
/// same choices, the same active parameters, and as far on their way.
fn nearest(observed: &Observed, centre: &[f64], axes: &[usize]) -> Vec<usize> {
    let is_alike = |point: &[f64]| {
        let mut pairs = point.iter().zip(centre).enumerate();
        pairs.all(|(i, (a, b))| axes.contains(&i) || a == b || a.is_nan() && b.is_nan())
    };
    let off = |point: &[f64]| {
        let offs = axes
            .iter()
            .filter_map(|i| Some(point.get(*i)? - centre.get(*i)?));
        offs.map(|off| off * off).sum::<f64>()
    };
    let points = observed.points.iter().enumerate();
    let alike = points.filter(|(_, point)| is_alike(point));
    let mut near: Vec<(f64, usize)> = alike.map(|(i, point)| (off(point), i)).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let most = POINTS.0 * axes.len() + POINTS.1;
    near.truncate(most.min(surrogate::MAX_FITTED));
    let mut places: Vec<usize> = near.into_iter().map(|(_, i)| i).collect();
    places.sort_unstable();
    places
}

/// The median distance from `u` along an axis.
fn median(points: &Points, axis: usize, u: f64) -> f64 {
    let offs = points.iter().filter_map(|point| point.get(axis));
    let mut offs: Vec<f64> = offs.map(|at| (at - u).abs()).collect();
    offs.sort_by(f64::total_cmp);
    let middle = offs.len().saturating_sub(1) / 2;
    offs.get(middle).copied().unwrap_or(1.0)
}

/// The choices of a configuration.
fn choices(frame: &Frame, config: &Config) -> Config {
    let parameters = frame.space.parameters().iter().zip(&frame.genes);
    let chosen = parameters.filter(|(_, gene)| matches!(gene, Gene::Choice(_)));
    let values = chosen.filter_map(|(p, _)| Some((p.name.clone(), config.get(&p.name)?.clone())));
    values.collect()
}

#[cfg(test)]
mod tests {
    use tune_plugin::{Domain, Parameter, RealRange, Stream, Value};

    use super::*;

    fn frame() -> Frame {
        let (low, high, log, step) = (0.0, 1.0, false, None);
        let real = Domain::Real(RealRange {
            low,
            high,
            log,
            step,
        });
        let choice = Domain::Choice(vec![Value::Integer(0), Value::Integer(1)]);
        let parameter = |(name, domain): (&str, Domain)| Parameter {
            name: name.to_owned(),
            domain,
            conditions: Vec::new(),
        };
        let parameters = [("x", real.clone()), ("y", real), ("k", choice)];
        Frame::new(Space::new(parameters.into_iter().map(parameter).collect()).unwrap())
    }

    /// Results around (0.5, 0.5) with choice 1, the best one there, and as many with choice 0.
    fn observed(width: f64) -> Observed {
        let mut stream = Stream::new(3);
        let mut rows = vec![vec![0.5, 0.5, 1.0, 1.0]];
        for i in 0..60 {
            let mut at = || 0.5 + width * (stream.unit() - 0.5);
            rows.push(vec![at(), at(), f64::from(i % 2), 1.0]);
        }
        let bowl = |p: &Vec<f64>| (p[0] - 0.5) * (p[0] - 0.5) + (p[1] - 0.5) * (p[1] - 0.5);
        let scores: Vec<f64> = rows.iter().map(|p| -bowl(p) - (1.0 - p[2])).collect();
        Observed {
            points: rows.iter().map(Vec::as_slice).collect(),
            values: prepared(scores.clone()).0,
            best: 1.0,
            leader: frame().space.decode(&[0.5, 0.5, 0.75]),
            place: 0,
            unit: 1.0,
            scores,
        }
    }

    #[test]
    fn the_box_is_as_wide_as_the_nearest_results_lie_apart() {
        for width in [1.0, 1e-3, 1e-6] {
            let near = around(&frame(), &observed(width), 0, false).unwrap();
            for (low, high) in &near.bounds[..2] {
                let share = (high - low) / width;
                assert!(
                    *low < 0.5 && *high > 0.5 && share > 0.3 && share < 1.0,
                    "{share}"
                );
            }
            // Equal shapes are equally well known at every size.
            let at = |x: f64| near.gp.predict(&[0.5 + x * width, 0.5, 1.0, 1.0]).mean;
            assert!(at(0.0) > at(0.2) && at(0.0) > at(-0.2));
        }
    }

    #[test]
    fn other_choices_do_not_count_and_are_not_suggested() {
        let near = around(&frame(), &observed(0.5), 0, false).unwrap();
        assert_eq!(near.gp.points().len(), 4 * 2 + 8);
        assert!(near.gp.points().iter().all(|point| point[2] == 1.0));
        let other = near.part.decode(&[0.1, 0.1, 0.25]);
        assert_eq!(other.get("k"), Some(&Value::Integer(1)));
    }

    #[test]
    fn results_that_differ_by_noise_alone_make_no_neighbourhood() {
        let mut noise = Stream::new(5);
        let mut held = 0;
        for _ in 0..20 {
            let mut noisy = observed(0.1);
            for score in noisy.scores.iter_mut().skip(1) {
                *score = -noise.normal().abs();
            }
            noisy.scores[0] = 0.0;
            held += usize::from(around(&frame(), &noisy, 0, false).is_none());
        }
        assert!(held >= 18, "{held} of 20");
    }

    #[test]
    fn every_branch_has_a_centre_the_best_of_all_first() {
        let nan = f64::NAN;
        let mut branches = observed(0.5);
        let rows = [
            vec![0.1, nan, 0.0, 1.0],
            vec![nan, 0.2, 1.0, 1.0],
            vec![0.3, nan, 0.0, 1.0],
            vec![nan, 0.4, 1.0, 1.0],
            // It did not come to its end.
            vec![0.5, 0.5, 0.0, 0.5],
            vec![nan, nan, 1.0, 1.0],
        ];
        branches.points = rows.iter().map(Vec::as_slice).collect();
        branches.scores = vec![1.0, 5.0, 3.0, 4.0, 9.0, 2.0];
        branches.place = 1;
        assert_eq!(centres(&branches), [1, 2, 5]);
    }

    #[test]
    fn another_branch_needs_two_results_and_differences_between_them() {
        // Every second one of the results has the other choice, and all of them are worse.
        let mut other = observed(0.5);
        other.points = other.points.iter().take(6).collect();
        let place = (1..6).find(|i| other.points.get(*i)[2] == 0.0).unwrap();
        let near = around(&frame(), &other, place, false).unwrap();
        assert_eq!(near.centre.get("k"), Some(&Value::Integer(0)));
        assert!(near.gp.values().iter().all(|value| *value < near.best));
        for score in &mut other.scores {
            *score = -1.0;
        }
        assert!(around(&frame(), &other, place, false).is_none());
        other.points = other.points.iter().take(place + 1).collect();
        assert!(around(&frame(), &observed(0.5), 1, false).is_some());
        assert!(around(&frame(), &other, place, false).is_none());
    }

    #[test]
    fn too_few_results_make_no_neighbourhood() {
        let mut few = observed(0.5);
        few.points = few.points.iter().take(8).collect();
        assert!(around(&frame(), &few, 0, false).is_none());
    }
}
