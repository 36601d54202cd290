//! A model of the neighbourhood of the best result alone.
//!
//! In the model of the whole space, whose values span what is far away and bad, differences close to the best
//! result are smaller than its least noise. Here only the nearest results count, in units of their own spread,
//! and the box that is searched is as large as they lie apart: it shrinks while the best one stays and moves
//! with it. A trust region as of D. Eriksson et al. (2019), *Scalable Global Optimization via Local Bayesian
//! Optimization*, but without counters, so that results that come late or from elsewhere fit in.

use tune_model::{Gp, Matern, Points};
use tune_plugin::{Config, Space};

use super::data::{Observed, prepared};
use super::frame::{Frame, Gene};
use super::surrogate;

/// Results that are modelled: so many for each parameter that moves, and some more. A bowl in five dimensions
/// has 21 coefficients.
const POINTS: (usize, usize) = (4, 8);
/// The box reaches so many median distances to both sides.
const REACH: f64 = 1.5;
/// With this share of the squared spread left unexplained, a model knows too little to search with.
const UNKNOWN: f64 = 0.8;
/// And at least so far, in units of the range.
const LEAST: f64 = 1e-8;

/// The neighbourhood and its model.
pub(crate) struct Near {
    pub(crate) gp: Gp<Matern>,
    /// The best value in units of the model.
    pub(crate) best: f64,
    /// Choices are those of the best result.
    pub(crate) part: Space,
    /// Where genes may be.
    pub(crate) bounds: Vec<(f64, f64)>,
}

/// None while there are too few results around the best one, or nothing in it moves.
pub(crate) fn around(frame: &Frame, observed: &Observed, is_exact: bool) -> Option<Near> {
    let centre = observed.points.get(observed.place);
    let moves = |axis: &usize| {
        let is_number = matches!(frame.genes.get(*axis), Some(Gene::Real | Gene::Grid(_)));
        is_number && centre.get(*axis).is_some_and(|u| !u.is_nan())
    };
    let axes: Vec<usize> = (0..frame.genes.len()).filter(moves).collect();
    let places = nearest(observed, centre, &axes);
    if axes.is_empty() || places.len() < axes.len() + 3 {
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
    let (values, _) = prepared(scores.copied().collect());
    let at = places.iter().position(|i| *i == observed.place)?;
    let gp = surrogate::fit_near(frame, &points, &values, &sides, axes.len(), is_exact)?;
    if !knows(&gp) {
        return None;
    }
    Some(Near {
        best: values.get(at).copied()?,
        gp,
        part: frame.space.pin(&choices(frame, &observed.leader)).ok()?,
        bounds,
    })
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
    near.truncate(POINTS.0 * axes.len() + POINTS.1);
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
            let near = around(&frame(), &observed(width), false).unwrap();
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
        let near = around(&frame(), &observed(0.5), false).unwrap();
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
            held += usize::from(around(&frame(), &noisy, false).is_none());
        }
        assert!(held >= 18, "{held} of 20");
    }

    #[test]
    fn too_few_results_make_no_neighbourhood() {
        let mut few = observed(0.5);
        few.points = few.points.iter().take(8).collect();
        assert!(around(&frame(), &few, false).is_none());
    }
}
