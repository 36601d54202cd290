//! The configuration with the largest expected improvement, or whatever else is wanted of it: points spread over the space and around
//! the best one, the most promising of them improved along slopes and one gene at a time.

use tune_model::{Gp, Lbfgsb, Matern, Points, Prediction, log_expected_improvement};
use tune_plugin::{Config, Space, Stream};
use tune_search::{Points as _, Scramble, Sobol};

use super::frame::{Frame, Gene, middle};

/// Points spread over the space. Each costs a prediction.
const SPREAD: usize = 1_024;
/// The same once the model is large.
const SPREAD_LARGE: usize = 256;
/// A model of so many points is large.
const LARGE: usize = 250;
/// Points around the best observed one.
const AROUND: usize = 64;
/// How far around it.
const WIDTHS: [f64; 3] = [0.2, 0.05, 0.01];
/// Points that are improved: the best of all, the best observed one, and others drawn by promise.
const STARTS: usize = 5;
/// Rounds of slopes and genes in turn.
const ROUNDS: usize = 4;
/// A grid or choice of so many values is searched whole.
const WHOLE: u64 = 16;
/// An improvement below this is none.
const GAIN: f64 = 1e-6;

/// A point and its promise.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) config: Config,
    genes: Vec<f64>,
    pub(crate) score: f64,
}

/// What makes a point promising.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Promise {
    /// The logarithm of the expected improvement on this value.
    Improvement(f64),
    /// The mean and so many deviations.
    Upper(f64),
}

impl Promise {
    /// The promise and its slopes by mean and deviation.
    fn of(self, mean: f64, deviation: f64) -> (f64, f64, f64) {
        match self {
            Self::Improvement(best) => log_expected_improvement(mean, deviation, best),
            Self::Upper(width) => (mean + width * deviation, 1.0, width),
        }
    }
}

/// What is searched.
pub(crate) struct Search<'a> {
    pub(crate) frame: &'a Frame,
    /// Where: the whole space, or what pinned values leave of it.
    pub(crate) part: &'a Space,
    pub(crate) gp: &'a Gp<Matern>,
    pub(crate) promise: Promise,
    pub(crate) leader: &'a Config,
    /// Where genes may be.
    pub(crate) bounds: &'a [(f64, f64)],
}

impl Search<'_> {
    /// Candidates, the most promising first.
    pub(crate) fn run(&self, stream: &mut Stream) -> Vec<Candidate> {
        let mut candidates = self.screen(stream);
        sort(&mut candidates);
        let mut starts: Vec<Candidate> = candidates.first().cloned().into_iter().collect();
        starts.push(self.candidate(self.frame.genes_of(self.leader)));
        let top = starts.first().map_or(0.0, |c| c.score);
        let mut weights: Vec<f64> = candidates
            .iter()
            .map(|c| libm::exp(c.score - top))
            .collect();
        while starts.len() < STARTS {
            let Some(drawn) = stream.weighted(&weights) else {
                break;
            };
            starts.extend(candidates.get(drawn).cloned());
            if let Some(weight) = weights.get_mut(drawn) {
                *weight = 0.0;
            }
        }
        candidates.extend(starts.into_iter().map(|start| self.improve(start)));
        sort(&mut candidates);
        candidates
    }

    fn screen(&self, stream: &mut Stream) -> Vec<Candidate> {
        let d = self.frame.genes.len();
        let spread = if self.gp.points().len() > LARGE {
            SPREAD_LARGE
        } else {
            SPREAD
        };
        let mut sobol = Sobol::new(d, Scramble::Owen(stream.u64()));
        let mut genes: Vec<Vec<f64>> = (0..spread)
            .map(|_| {
                let point = sobol.next_point();
                let within = point.iter().zip(self.bounds);
                within
                    .map(|(u, (low, high))| low + u * (high - low))
                    .collect()
            })
            .collect();
        let centre = self.frame.genes_of(self.leader);
        for i in 0..AROUND {
            let width = WIDTHS.get(i % WIDTHS.len()).copied().unwrap_or(0.1);
            // In many dimensions a few genes at a time.
            let share = (8.0 / d.max(1) as f64).min(1.0);
            let moved = centre.iter().zip(&self.frame.genes).zip(self.bounds).map(
                |((u, gene), (low, high))| {
                    let moves = stream.unit() < share;
                    let (step, anywhere) = (stream.normal(), stream.unit());
                    match gene {
                        _ if !moves => *u,
                        Gene::Choice(_) if anywhere < 0.5 => *u,
                        Gene::Choice(_) => 2.0 * anywhere - 1.0,
                        _ => (u + (high - low) * width * step).max(*low).min(*high),
                    }
                },
            );
            genes.push(moved.collect());
        }
        let configs: Vec<Config> = genes.iter().map(|genes| self.part.decode(genes)).collect();
        let mut points = Points::new(d + 1);
        for config in &configs {
            points.push(&self.frame.point(config, 1.0));
        }
        let all = genes.into_iter().zip(configs);
        let all = all.zip(self.gp.predict_all(&points));
        all.map(|((genes, config), at)| Candidate {
            config,
            genes,
            score: self.score(at),
        })
        .collect()
    }

    fn candidate(&self, genes: Vec<f64>) -> Candidate {
        let config = self.part.decode(&genes);
        let point = self.frame.point(&config, 1.0);
        Candidate {
            score: self.score(self.gp.predict(&point)),
            config,
            genes,
        }
    }

    fn score(&self, at: Prediction) -> f64 {
        self.promise.of(at.mean, at.variance.sqrt()).0
    }

    /// Slopes and genes in turn until neither gains.
    fn improve(&self, mut here: Candidate) -> Candidate {
        for _ in 0..ROUNDS {
            let before = here.score;
            here = self.along_slopes(here);
            here = self.by_genes(here);
            if here.score <= before + GAIN {
                break;
            }
        }
        here
    }

    /// Moves the real numbers that are active.
    fn along_slopes(&self, here: Candidate) -> Candidate {
        let point = self.frame.point(&here.config, 1.0);
        let places: Vec<usize> = (0..self.frame.genes.len())
            .filter(|i| self.frame.genes.get(*i) == Some(&Gene::Real))
            .filter(|i| point.get(*i).is_some_and(|u| !u.is_nan()))
            .collect();
        if places.is_empty() {
            return here;
        }
        let start: Vec<f64> = places
            .iter()
            .filter_map(|i| here.genes.get(*i))
            .copied()
            .collect();
        let moved = |x: &[f64], to: &[f64]| {
            let mut moved = to.to_vec();
            for (place, u) in places.iter().zip(x) {
                if let Some(coordinate) = moved.get_mut(*place) {
                    *coordinate = *u;
                }
            }
            moved
        };
        let minimizer = Lbfgsb {
            iterations: 30,
            evaluations: 50,
            tolerance: 1e-3,
            flat: 1e-6,
            ..Lbfgsb::default()
        };
        let bounds: Vec<(f64, f64)> = places
            .iter()
            .filter_map(|i| self.bounds.get(*i))
            .copied()
            .collect();
        let end = minimizer.minimize(&start, &bounds, |x, slopes| {
            let (at, by_mean, by_variance) = self.gp.predict_with_slopes(&moved(x, &point));
            let deviation = at.variance.sqrt();
            let (value, mean, spread) = self.promise.of(at.mean, deviation);
            for (slope, place) in slopes.iter_mut().zip(&places) {
                let of = |v: &[f64]| v.get(*place).copied().unwrap_or(0.0);
                *slope = -(mean * of(&by_mean) + spread * of(&by_variance) / (2.0 * deviation));
            }
            -value
        });
        let there = self.candidate(moved(&end.x, &here.genes));
        if there.score > here.score {
            there
        } else {
            here
        }
    }

    /// Tries other values of one gene on a grid after the other.
    fn by_genes(&self, mut here: Candidate) -> Candidate {
        for (place, gene) in self.frame.genes.iter().enumerate() {
            let count = match gene {
                Gene::Grid(count) | Gene::Choice(count) => *count,
                Gene::Real | Gene::Fixed => continue,
            };
            let Some(u) = here.genes.get(place).copied() else {
                continue;
            };
            if count <= WHOLE || matches!(gene, Gene::Choice(_)) {
                for k in 0..count.min(4 * WHOLE) {
                    here = self.try_gene(here, place, middle(k, count));
                }
                continue;
            }
            // Ever shorter steps to both sides.
            let mut step = 0.25;
            let mut at = u;
            while step * count as f64 >= 0.5 {
                for to in [at - step, at + step] {
                    if (0.0..=1.0).contains(&to) {
                        here = self.try_gene(here, place, to);
                    }
                }
                at = here.genes.get(place).copied().unwrap_or(at);
                step *= 0.5;
            }
        }
        here
    }

    fn try_gene(&self, here: Candidate, place: usize, u: f64) -> Candidate {
        let bound = self.bounds.get(place).copied().unwrap_or((0.0, 1.0));
        if !(bound.0..=bound.1).contains(&u) {
            return here;
        }
        let mut genes = here.genes.clone();
        if let Some(gene) = genes.get_mut(place) {
            *gene = u;
        }
        if self.part.decode(&genes) == here.config {
            return here;
        }
        let there = self.candidate(genes);
        if there.score > here.score + GAIN {
            there
        } else {
            here
        }
    }
}

/// The most promising first; among equals the earlier one.
fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
}
