//! What training with a configuration brings, learnt from what it has brought: a Gaussian process
//! over time, score and parameters, and the point that it promises most of.

use std::collections::{BTreeMap, VecDeque};

use tune_model::{Axis, Fit, Gp, Lbfgsb, Points, Standard};
use tune_plugin::{Stream, TrialId};

use crate::kernel::{FIXED, Varying};

/// Rows that are kept, the newest. With 200 bad parts of a space are forgotten and tried again: the
/// study of docs/schedulers.md ends with a worse mean of the population.
const MOST_ROWS: usize = 400;
/// Rows that a fit is made to, spread evenly over all: with twice as many it costs six times as much.
const FITTED_ROWS: usize = 200;
/// Fewer rows say nothing.
const FEWEST_ROWS: usize = 2;
/// Parameters count for fresh until so large a share of the rows has come after them.
const FRESH: f64 = 0.2;
/// Rates are cut off this many standard deviations from their mean, as in Ray Tune: one collapse
/// would flatten all else.
const CLIP: f64 = 2.0;
/// Random points that are looked at; a look costs a fortieth of a climb.
const LOOKS: usize = 40;
/// Climbs from the best of them, beside the one from the donor's values. Ray Tune climbs from ten
/// that it does not look at first.
const CLIMBS: usize = 1;
/// After so many configurations of one moment (a large synchronous population) the others are
/// climbed for from the donor's values alone, so that a call stays bounded.
const MANY: usize = 16;

/// Training from one perturbation point to the next.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Time and score at its start.
    pub(crate) from: (f64, f64),
    /// Coordinates of its parameters.
    pub(crate) at: Vec<f64>,
    /// Change of the score by time; none for what is no number, which is the worst.
    pub(crate) rate: Option<f64>,
}

/// Where values lie between the smallest and the largest.
#[derive(Clone, Copy, Debug)]
struct Scale {
    low: f64,
    width: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = values.fold(ends, |(low, high), x| (low.min(x), high.max(x)));
        let width = high - low;
        Self {
            low: if low.is_finite() { low } else { 0.0 },
            width: if width > 0.0 && width.is_finite() {
                width
            } else {
                1.0
            },
        }
    }

    /// 0 to 1 inside; what comes after is outside, but never so far that nothing is known there.
    fn scaled(self, x: f64) -> f64 {
        let scaled = (x - self.low) / self.width;
        if scaled.is_finite() {
            scaled.clamp(-1.0, 2.0)
        } else {
            0.0
        }
    }
}

/// The last fit, from which the next one starts.
#[derive(Clone, Debug)]
struct Fitted {
    kernel: Varying,
    noise: f64,
    /// Rows that had come by then.
    learnt: u64,
}

/// The process for the rows that are there, and how it scales time and score.
#[derive(Clone, Debug)]
struct Current {
    gp: Gp<Varying>,
    time: Scale,
    score: Scale,
    /// Points that it has given since it was made.
    given: usize,
}

impl Current {
    fn point(&self, from: (f64, f64), at: &[f64]) -> Vec<f64> {
        let fixed = [self.time.scaled(from.0), self.score.scaled(from.1)];
        fixed.into_iter().chain(at.iter().copied()).collect()
    }

    /// Takes a point for trained: less is to be learnt there. Its expected value changes nothing.
    fn expect(&mut self, from: (f64, f64), at: &[f64]) {
        let point = self.point(from, at);
        let expected = self.gp.predict(&point).mean;
        // Refused if it is known exactly: then nothing is to be learnt there anyway.
        self.gp.push(&point, expected);
    }
}

/// Rows, points that are being trained, and the model of them.
#[derive(Clone, Debug)]
pub(crate) struct Surrogate {
    axes: Vec<Axis>,
    rows: VecDeque<Row>,
    learnt: u64,
    /// What was given to a trial and has not come back.
    pending: BTreeMap<TrialId, ((f64, f64), Vec<f64>)>,
    fitted: Option<Fitted>,
    current: Option<Current>,
}

impl Surrogate {
    /// That knows nothing yet.
    pub(crate) fn new(axes: Vec<Axis>) -> Self {
        Self {
            axes,
            rows: VecDeque::new(),
            learnt: 0,
            pending: BTreeMap::new(),
            fitted: None,
            current: None,
        }
    }

    /// What a trial's training has brought.
    pub(crate) fn learn(&mut self, trial: TrialId, row: Row) {
        if self.rows.len() == MOST_ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
        self.learnt += 1;
        self.forget(trial);
    }

    /// Whatever was given to the trial is not being trained any more.
    pub(crate) fn forget(&mut self, trial: TrialId) {
        self.pending.remove(&trial);
        self.current = None;
    }

    /// How good a rate is among those that are known: 0 to 1, 0.5 for the mean.
    pub(crate) fn share(&self, rate: Option<f64>) -> f64 {
        let (standard, _) = self.standard();
        let clipped = clipped(standard, rate);
        (clipped + CLIP) / (2.0 * CLIP)
    }

    /// The point with the largest upper confidence bound for a training that starts at `from` and is
    /// given to `trial`. The coordinates that `free` marks are searched; the others stay as in
    /// `start`, the first try. `kappa`: weight of the standard deviation, by default
    /// `sqrt(0.2 + ln(0.4 n))`. None if there are too few rows for a model.
    pub(crate) fn best(
        &mut self,
        trial: TrialId,
        from: (f64, f64),
        start: &[f64],
        free: &[bool],
        kappa: Option<f64>,
        stream: &mut Stream,
    ) -> Option<Vec<f64>> {
        if self.current.is_none() {
            self.current = self.model();
        }
        let known = self.current.as_ref()?.gp.points().len() as f64;
        let kappa = kappa.unwrap_or_else(|| (0.2 + libm::log(0.4 * known).max(0.0)).sqrt());
        let current = self.current.as_mut()?;
        let climbs = if current.given < MANY { CLIMBS } else { 0 };
        let best = search(current, from, start, free, kappa, climbs, stream);
        current.given += 1;
        current.expect(from, &best);
        self.pending.insert(trial, (from, best.clone()));
        Some(best)
    }

    /// Mean and deviation of the rates, and how many are numbers.
    fn standard(&self) -> (Standard, usize) {
        let rates: Vec<f64> = self.rows.iter().filter_map(|row| row.rate).collect();
        (Standard::of(&rates), rates.len())
    }

    fn model(&mut self) -> Option<Current> {
        let (standard, numbers) = self.standard();
        if numbers < FEWEST_ROWS {
            return None;
        }
        let mut current = self.fit(standard)?;
        for (from, at) in self.pending.values() {
            current.expect(*from, at);
        }
        Some(current)
    }

    /// The process of all rows, with the parameters of the last fit or, when they are not fresh any
    /// more, newly fitted ones.
    fn fit(&mut self, standard: Standard) -> Option<Current> {
        let (points, values, time, score) = self.data(standard);
        let fresh = |fitted: &Fitted| {
            let new = self.learnt - fitted.learnt;
            (new as f64) < FRESH * self.rows.len() as f64
        };
        if !self.fitted.as_ref().is_some_and(fresh) {
            self.fitted = Some(self.fitted_anew(&points, &values)?);
        }
        let fitted = self.fitted.as_ref()?;
        Some(Current {
            gp: Gp::new(fitted.kernel.clone(), fitted.noise, points, values)?,
            time,
            score,
            given: 0,
        })
    }

    fn fitted_anew(&self, points: &Points, values: &[f64]) -> Option<Fitted> {
        let every = points.len().div_ceil(FITTED_ROWS).max(1);
        let some: Points = points.iter().step_by(every).collect();
        let values: Vec<f64> = values.iter().step_by(every).copied().collect();
        let last = self.fitted.as_ref().map(|f| (f.kernel.clone(), f.noise));
        let first = || (Varying::new(self.axes.clone()), 0.01);
        let (kernel, noise) = last.unwrap_or_else(first);
        let mut bounds = kernel.bounds();
        // Of standardised rates: from hardly any to nothing but noise.
        bounds.push((libm::log(1e-4), 0.0));
        let fit = Fit {
            bounds: &bounds,
            prior: None,
            // Coarse: what is modelled has changed before it would be exact, and the next fit goes on
            // from here.
            minimizer: Lbfgsb {
                iterations: 10,
                evaluations: 12,
                tolerance: 1e-2,
                flat: 1e-5,
                ..Lbfgsb::default()
            },
        };
        let gp = Gp::fit(&kernel, noise, &some, &values, &fit)?;
        Some(Fitted {
            kernel: gp.kernel().clone(),
            noise: gp.noise(),
            learnt: self.learnt,
        })
    }

    /// All rows, scaled.
    fn data(&self, standard: Standard) -> (Points, Vec<f64>, Scale, Scale) {
        let time = Scale::of(self.rows.iter().map(|row| row.from.0));
        let score = Scale::of(self.rows.iter().map(|row| row.from.1));
        let mut points = Points::new(FIXED + self.axes.len());
        for row in &self.rows {
            let fixed = [time.scaled(row.from.0), score.scaled(row.from.1)];
            let point: Vec<f64> = fixed.into_iter().chain(row.at.iter().copied()).collect();
            points.push(&point);
        }
        let values = self.rows.iter().map(|row| clipped(standard, row.rate));
        (points, values.collect(), time, score)
    }
}

fn clipped(standard: Standard, rate: Option<f64>) -> f64 {
    let scaled = rate.map_or(-CLIP, |rate| standard.scaled(rate));
    scaled.clamp(-CLIP, CLIP)
}

/// Climbs the upper confidence bound from `start` and from the best of some random points.
fn search(
    current: &Current,
    from: (f64, f64),
    start: &[f64],
    free: &[bool],
    kappa: f64,
    climbs: usize,
    stream: &mut Stream,
) -> Vec<f64> {
    let put = |x: &[f64]| -> Vec<f64> {
        let mut x = x.iter();
        let each = start.iter().zip(free);
        each.map(|(fixed, free)| {
            let moved = if *free { x.next() } else { None };
            moved.copied().unwrap_or(*fixed)
        })
        .collect()
    };
    let first: Vec<f64> = start
        .iter()
        .zip(free)
        .filter(|(_, f)| **f)
        .map(|(x, _)| *x)
        .collect();
    if first.is_empty() {
        return start.to_vec();
    }
    let mut looks: Vec<(f64, Vec<f64>)> = (0..if climbs > 0 { LOOKS } else { 0 })
        .map(|_| {
            let x: Vec<f64> = first.iter().map(|_| stream.unit()).collect();
            let at = current.gp.predict(&current.point(from, &put(&x)));
            (-(at.mean + kappa * at.variance.sqrt()), x)
        })
        .collect();
    looks.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let bounds = vec![(0.0, 1.0); first.len()];
    let minimizer = Lbfgsb {
        iterations: 30,
        evaluations: 40,
        tolerance: 1e-3,
        flat: 1e-6,
        ..Lbfgsb::default()
    };
    let climb = |x: &[f64]| {
        minimizer.minimize(x, &bounds, |x, slopes| {
            let point = current.point(from, &put(x));
            let (at, by_mean, by_variance) = current.gp.predict_with_slopes(&point);
            let deviation = at.variance.sqrt();
            let all = by_mean.iter().zip(&by_variance).skip(FIXED).zip(free);
            let moving = all.filter(|(_, free)| **free).map(|(slope, _)| slope);
            for (slope, (mean, variance)) in slopes.iter_mut().zip(moving) {
                *slope = -(mean + kappa * variance / (2.0 * deviation));
            }
            -(at.mean + kappa * deviation)
        })
    };
    let best = looks.iter().take(climbs).map(|(_, x)| climb(x));
    let ends = std::iter::once(climb(&first)).chain(best);
    // The first among equals.
    let least = ends.reduce(|least, end| if end.value < least.value { end } else { least });
    least.map_or_else(|| start.to_vec(), |end| put(&end.x))
}
