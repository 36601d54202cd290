//! CMA-ES: a normal distribution that moves towards good points and takes the shape of the space
//! around them. N. Hansen (2016), *The CMA Evolution Strategy: A Tutorial*, arXiv:1604.00772.
//!
//! Knows nothing of bounds, grids and trials: [`Cma::draw`] gives points, [`Cma::update`] takes a
//! generation of them from the best to the worst.

mod categories;
mod eigen;
mod margin;
mod rates;
mod settings;
mod square;
mod whitening;

pub use categories::Categories;
pub use settings::default_population;
pub use whitening::Whitening;

use std::sync::Arc;

use eigen::eigen;
use rates::LearningRates;
use settings::Settings;
use square::Square;
use tune_space::Stream;
use whitening::Spread;

/// The step size is kept below: farther than this everything is out of bounds.
const MAX_SIGMA: f64 = 1e32;
/// A distribution with axes of such different length has lost its shape.
const MAX_CONDITION: f64 = 1e14;
/// It has converged when it is so narrow in all directions, relative to its first width.
const NARROW: f64 = 1e-12;
/// It diverges when it is so wide, relative to its first width.
const WIDE: f64 = 1e4;

/// The shape of the distribution.
#[derive(Clone, Debug)]
enum Shape {
    Full {
        covariance: Square,
        axes: Axes,
    },
    /// Only variances: linear in the number of dimensions.
    Separable(Vec<f64>),
}

/// The axes of a covariance.
#[derive(Clone, Debug)]
struct Axes {
    lengths: Vec<f64>,
    /// As rows.
    vectors: Square,
    /// C^(-1/2). Shared with whoever keeps coordinates of it.
    inverse_root: Arc<Square>,
}

impl Axes {
    fn round(n: usize) -> Self {
        Self {
            lengths: vec![1.0; n],
            vectors: Square::unit(n),
            inverse_root: Arc::new(Square::unit(n)),
        }
    }

    fn of(covariance: &Square) -> Self {
        let n = covariance.size();
        let (values, vectors) = eigen(covariance);
        // Rounding can make a tiny variance negative.
        let lengths: Vec<f64> = values.iter().map(|v| v.max(1e-20).sqrt()).collect();
        let mut inverse_root = Square::new(n, |_, _| 0.0);
        let axes = lengths.iter().enumerate();
        inverse_root.add_squares(axes.map(|(k, length)| (1.0 / length, vectors.row(k))));
        Self {
            lengths,
            vectors,
            inverse_root: Arc::new(inverse_root),
        }
    }
}

/// A point of a generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// As it was drawn.
    pub x: Vec<f64>,
    /// It was drawn from an earlier distribution: its length is bounded, so that one far-away point
    /// cannot upset the step size (N. Hansen, 2011, *Injecting External Solutions Into CMA-ES*).
    pub is_late: bool,
}

/// The distribution and what it has learned.
#[derive(Clone, Debug)]
pub struct Cma {
    settings: Settings,
    mean: Vec<f64>,
    sigma: f64,
    first_sigma: f64,
    shape: Shape,
    path_sigma: Vec<f64>,
    path_c: Vec<f64>,
    generation: u32,
    rates: Option<LearningRates>,
    /// Widens grid parameters so that the distribution always reaches their neighbours.
    widths: Vec<f64>,
}

/// How a [`Cma`] is made.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Points of a generation, at least 2.
    pub population: usize,
    /// Learn variances only.
    pub separable: bool,
    /// Learn from bad points too.
    pub active: bool,
    /// Adapt the learning rates to the noise (M. Nomura, Y. Akimoto, I. Ono, 2023, *CMA-ES with
    /// Learning Rate Adaptation*).
    pub adapts_rates: bool,
}

impl Cma {
    /// A round distribution.
    #[must_use]
    pub fn new(mean: Vec<f64>, sigma: f64, form: Form) -> Self {
        let n = mean.len();
        let shape = if form.separable {
            Shape::Separable(vec![1.0; n])
        } else {
            Shape::Full {
                covariance: Square::unit(n),
                axes: Axes::round(n),
            }
        };
        Self {
            settings: Settings::new(n, form.population.max(2), form.separable, form.active),
            path_sigma: vec![0.0; n],
            path_c: vec![0.0; n],
            widths: vec![1.0; n],
            mean,
            sigma,
            first_sigma: sigma,
            shape,
            generation: 0,
            rates: (form.adapts_rates && !form.separable).then(|| LearningRates::new(n)),
        }
    }

    /// A distribution that begins with what good points of another run tell: their mean and
    /// covariance, and `alpha` around each (M. Nomura et al., 2021, *Warm Starting CMA-ES for
    /// Hyperparameter Optimization*).
    #[must_use]
    pub fn warm(good: &[Vec<f64>], alpha: f64, form: Form) -> Option<Self> {
        let n = good.first()?.len();
        let count = good.len() as f64;
        let mut mean = vec![0.0; n];
        for x in good {
            mean.iter_mut().zip(x).for_each(|(m, x)| *m += x / count);
        }
        let away: Vec<Vec<f64>> = good.iter().map(|x| differences(x, &mean)).collect();
        let covariance = Square::new(n, |i, j| {
            let of = |d: &Vec<f64>| d.get(i).zip(d.get(j)).map_or(0.0, |(a, b)| a * b);
            let around = if i == j { alpha * alpha } else { 0.0 };
            away.iter().map(of).sum::<f64>() / count + around
        });
        let (values, _) = eigen(&covariance);
        let log: f64 = values.iter().map(|v| libm::log(v.max(1e-300))).sum();
        let sigma = libm::exp(log / (2.0 * n.max(1) as f64));
        let mut cma = Self::new(mean, sigma, form);
        let scaled = Square::new(n, |i, j| covariance.at(i, j) / (sigma * sigma));
        match &mut cma.shape {
            Shape::Separable(variances) => *variances = scaled.diagonal(),
            Shape::Full { covariance, axes } => {
                *axes = Axes::of(&scaled);
                *covariance = scaled;
            }
        }
        Some(cma)
    }

    /// How many generations it has seen.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Points of a generation.
    #[must_use]
    pub fn population(&self) -> usize {
        self.settings.weights.len()
    }

    /// Where the distribution is.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// How wide it is.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Coordinates in units of the distribution.
    #[must_use]
    pub fn whitening(&self) -> Whitening {
        let spread = match &self.shape {
            Shape::Separable(variances) => {
                Spread::Lengths(variances.iter().map(|v| v.sqrt()).collect())
            }
            Shape::Full { axes, .. } => Spread::InverseRoot(Arc::clone(&axes.inverse_root)),
        };
        let widths = self.widths.iter().map(|w| self.sigma * w);
        Whitening::new(self.mean.clone(), widths.collect(), spread)
    }

    /// Draws a point.
    pub fn draw(&self, stream: &mut Stream) -> Vec<f64> {
        let mut y: Vec<f64> = self.mean.iter().map(|_| stream.normal()).collect();
        match &self.shape {
            Shape::Separable(variances) => {
                y.iter_mut()
                    .zip(variances)
                    .for_each(|(y, v)| *y *= v.sqrt());
            }
            Shape::Full { axes, .. } => {
                y.iter_mut().zip(&axes.lengths).for_each(|(y, l)| *y *= l);
                y = axes.vectors.sum_of_rows(&y);
            }
        }
        for ((y, m), w) in y.iter_mut().zip(&self.mean).zip(&self.widths) {
            *y = m + self.sigma * w * *y;
        }
        y
    }

    /// Learns from a generation, the best first. Points beyond the population are not looked at;
    /// fewer than that leave the worst ranks empty.
    pub fn update(&mut self, ranked: &[Point]) {
        let old = self.rates.is_some().then(|| self.clone());
        self.generation = self.generation.saturating_add(1);
        let n = self.mean.len() as f64;
        let longest = n.sqrt() + 2.0 * n / (n + 2.0);
        let whitening = self.whitening();
        let steps: Vec<Vec<f64>> = ranked
            .iter()
            .map(|point| {
                let mut y = whitening.way_to(&point.x);
                if point.is_late {
                    let length = norm(&whitening.whitened(&y));
                    let shorter = if length > longest {
                        longest / length
                    } else {
                        1.0
                    };
                    y.iter_mut().for_each(|y| *y *= shorter);
                }
                y
            })
            .collect();
        let mut step = vec![0.0; self.mean.len()];
        for (y, weight) in steps.iter().zip(self.settings.recombination()) {
            step.iter_mut()
                .zip(y)
                .for_each(|(sum, y)| *sum += weight * y);
        }
        let s = &self.settings;
        let white = whitening.whitened(&step);
        let lengths: Vec<f64> = steps.iter().map(|y| norm(&whitening.whitened(y))).collect();
        for ((m, y), w) in self.mean.iter_mut().zip(&step).zip(&self.widths) {
            *m += self.sigma * w * y;
        }

        let pull = (s.c_sigma * (2.0 - s.c_sigma) * s.mu_eff).sqrt();
        blend(&mut self.path_sigma, 1.0 - s.c_sigma, pull, &white);
        let length = norm(&self.path_sigma);
        let grown = libm::exp(s.c_sigma / s.d_sigma * (length / s.chi - 1.0));
        self.sigma = (self.sigma * grown).min(MAX_SIGMA);

        // While the step size must grow fast the path says nothing of the shape.
        let settled = 1.0 - libm::pow(1.0 - s.c_sigma, 2.0 * f64::from(self.generation + 1));
        let holds = length / settled.sqrt() < (1.4 + 2.0 / (n + 1.0)) * s.chi;
        let pull = if holds {
            (s.c_c * (2.0 - s.c_c) * s.mu_eff).sqrt()
        } else {
            0.0
        };
        blend(&mut self.path_c, 1.0 - s.c_c, pull, &step);
        let lost = if holds { 0.0 } else { s.c_c * (2.0 - s.c_c) };

        let weights: Vec<f64> = s
            .weights
            .iter()
            .zip(&lengths)
            // Long bad steps must not make the covariance negative.
            .map(|(w, l)| if *w < 0.0 { w * n / (l * l + 1e-8) } else { *w })
            .collect();
        let keep =
            1.0 + s.c1 * lost - s.c1 - s.c_mu * s.weights.iter().take(steps.len()).sum::<f64>();
        let (c1, c_mu) = (s.c1, s.c_mu);
        let path = &self.path_c;
        match &mut self.shape {
            Shape::Separable(variances) => {
                for (i, v) in variances.iter_mut().enumerate() {
                    let square = |y: &[f64]| y.get(i).map_or(0.0, |y| y * y);
                    let ranks = weights.iter().zip(&steps);
                    let ranks: f64 = ranks.map(|(w, y)| w * square(y)).sum();
                    let next = keep * *v + c1 * square(path) + c_mu * ranks;
                    *v = next.max(f64::MIN_POSITIVE);
                }
            }
            Shape::Full { covariance, axes } => {
                covariance.multiply(keep);
                let ranks = weights.iter().zip(&steps);
                let ranks = ranks.map(|(w, y)| (c_mu * w, y.as_slice()));
                covariance.add_squares(std::iter::once((c1, path.as_slice())).chain(ranks));
                *axes = Axes::of(covariance);
            }
        }
        if let Some(old) = old {
            self.adapt_rates(&old);
        }
    }

    /// It cannot get any better from here.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        let (variances, longest, shortest) = match &self.shape {
            Shape::Separable(variances) => {
                let lengths = variances.iter().map(|v| v.sqrt());
                let (long, short) = range(lengths);
                (variances.clone(), long, short)
            }
            Shape::Full { covariance, axes } => {
                let (long, short) = range(axes.lengths.iter().copied());
                (covariance.diagonal(), long, short)
            }
        };
        let narrow = NARROW * self.first_sigma;
        let converged = variances
            .iter()
            .zip(&self.path_c)
            .all(|(v, path)| self.sigma * v.sqrt() < narrow && self.sigma * path.abs() < narrow);
        let no_effect = self
            .mean
            .iter()
            .zip(&variances)
            .any(|(m, v)| *m == m + 0.2 * self.sigma * v.sqrt());
        converged
            || no_effect
            || self.sigma * longest > WIDE * self.first_sigma
            || longest.is_nan()
            || longest > shortest * MAX_CONDITION
    }

    /// Keeps every neighbour on the grid of a parameter within reach: see [`margin`]. `cells` are
    /// the lower and upper end of the cell of the mean, by parameter that is on a grid; an end of
    /// the range is none.
    pub fn keep_margin(&mut self, parameter: usize, cell: (Option<f64>, Option<f64>), share: f64) {
        let variance = match &self.shape {
            Shape::Separable(variances) => variances.get(parameter).copied(),
            Shape::Full { covariance, .. } if parameter < covariance.size() => {
                Some(covariance.at(parameter, parameter))
            }
            Shape::Full { .. } => None,
        };
        if let (Some(variance), Some(mean), Some(width)) = (
            variance,
            self.mean.get_mut(parameter),
            self.widths.get_mut(parameter),
        ) {
            let spread = self.sigma * variance.sqrt();
            margin::keep(mean, width, spread, cell, share);
        }
    }
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn blend(path: &mut [f64], keep: f64, pull: f64, step: &[f64]) {
    path.iter_mut()
        .zip(step)
        .for_each(|(p, y)| *p = keep * *p + pull * y);
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((0.0, f64::INFINITY), |(long, short): (f64, f64), v| {
        (long.max(v), short.min(v))
    })
}

#[cfg(test)]
mod tests;
