//! A mixture of product kernels over the parameters of a block, one kernel an observation and a
//! wide one as the prior, all on the unit cube.
//!
//! Cells: a whole number or a multiple of a step weighs as much as the normal distribution puts on
//! its part of [0, 1]; a real number by its density. Costs: fitting O(n log n), a density O(n), each
//! times the number of parameters.

use tune_model::decay;
use tune_plugin::{Stream, normal};

use super::kernel;

/// ln sqrt(2 pi).
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;
/// Weight of the prior beside 1 for an observation.
const PRIOR_WEIGHT: f64 = 1.0;
/// A narrower cell weighs its width times the density in its middle: with bandwidths from 0.01 the
/// relative error stays below 1e-3 even 100 standard deviations out.
const NARROW: f64 = 1e-5;
/// Kernels that weigh less than e^-40 of the heaviest are below the precision of the sum: their cells are not computed.
const NEGLIGIBLE: f64 = 40.0;

/// sqrt(2 pi).
const SQRT_2_PI: f64 = 2.506_628_274_631_000_5;
/// Far above the smallest number, so that one more factor of a cell cannot underflow.
const UNDERFLOW: f64 = 1e-150;

/// What a parameter is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// A number on [0, 1].
    Number,
    /// One of so many alternatives without order.
    Category(u32),
}

/// A coordinate of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Coordinate {
    /// A cell of [0, 1], empty for a real number.
    Cell(f64, f64),
    /// An alternative.
    Category(u32),
}

/// What the kernels say of one parameter.
#[derive(Clone, Debug)]
enum Column {
    Number {
        centres: Vec<f64>,
        sigmas: Vec<f64>,
        inverses: Vec<f64>,
    },
    Category {
        /// One fewer than kernels: the prior knows none.
        observed: Vec<u32>,
        classes: u32,
        /// What every alternative weighs in a kernel beside its own.
        spread: f64,
    },
}

/// The mixture. The last kernel is the prior.
#[derive(Clone, Debug)]
pub(crate) struct Mixture {
    columns: Vec<Column>,
    weights: Vec<f64>,
    /// By kernel: logarithm of weight and of the constant parts of the densities.
    base: Vec<f64>,
}

impl Mixture {
    /// Fits one kernel to each row, which has a weight. `axes`: where in a row the coordinate of each
    /// axis stands; categories are their index. `narrowest`: the least standard deviation of numbers.
    pub(crate) fn fit(
        axes: &[(usize, Axis)],
        rows: &[&[f64]],
        mut weights: Vec<f64>,
        narrowest: f64,
        stream: &mut Stream,
    ) -> Self {
        weights.push(PRIOR_WEIGHT);
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        let mut base: Vec<f64> = weights.iter().map(|w| libm::log(*w)).collect();
        let columns = axes
            .iter()
            .map(|(place, axis)| {
                let values = rows
                    .iter()
                    .map(|row| row.get(*place).copied().unwrap_or(0.5));
                match axis {
                    Axis::Number => {
                        // And one for the prior.
                        let mut centres = Vec::with_capacity(rows.len() + 1);
                        centres.extend(values);
                        Column::number(centres, narrowest, stream.u64(), &mut base)
                    }
                    Axis::Category(classes) => Column::Category {
                        observed: values.map(|x| x as u32).collect(),
                        classes: *classes,
                        spread: PRIOR_WEIGHT / weights.len() as f64,
                    },
                }
            })
            .collect();
        Self {
            columns,
            weights,
            base,
        }
    }

    /// Draws a point into the memory of another: a kernel by weight, then each coordinate from it.
    pub(crate) fn sample(&self, stream: &mut Stream, point: &mut Vec<f64>) {
        let kernel = stream.weighted(&self.weights).unwrap_or_default();
        point.clear();
        let columns = self.columns.iter();
        point.extend(columns.map(|column| column.sample(kernel, stream)));
    }

    /// Logarithm of the density (mass, where cells have a width) of a point. What `logs` holds does not count: its
    /// memory is taken for what every kernel says.
    pub(crate) fn log_density(&self, point: &[Coordinate], logs: &mut Vec<f64>) -> f64 {
        // First everything that is cheap, with an upper bound for wide cells.
        self.base.clone_into(logs);
        let mut constant = 0.0;
        let mut wide = Vec::new();
        for (column, coordinate) in self.columns.iter().zip(point) {
            match (column, *coordinate) {
                (
                    Column::Number {
                        centres, inverses, ..
                    },
                    Coordinate::Cell(low, high),
                ) => {
                    let width = high - low;
                    if width > 0.0 {
                        constant += libm::log(width);
                    }
                    if width > NARROW {
                        wide.push(Wide {
                            centres,
                            inverses,
                            low,
                            high,
                        });
                    }
                    let reach = if width > NARROW { width / 2.0 } else { 0.0 };
                    add_squares(logs, centres, inverses, low + width / 2.0, reach);
                }
                (Column::Category { .. }, Coordinate::Category(class)) => {
                    column.add_category(logs, class);
                }
                _ => {}
            }
        }
        if !wide.is_empty() {
            refine(logs, &wide);
        }
        constant + log_sum_exp(logs)
    }
}

impl Column {
    /// The prior of width 1 in the middle comes last. Adds the constant parts to `base`.
    fn number(mut centres: Vec<f64>, narrowest: f64, salt: u64, base: &mut [f64]) -> Self {
        let mut sigmas = kernel::bandwidths(&centres, narrowest, salt);
        centres.push(0.5);
        sigmas.push(1.0);
        // Most bandwidths are the smallest that is allowed, and most of these kernels are on [0, 1] as a whole: what is
        // the same for all of them first, in a loop without calls.
        let is_usual =
            |centre: f64, sigma: f64| sigma == narrowest && kernel::is_inside(centre, sigma);
        let usual = libm::log(narrowest) + LN_SQRT_2_PI;
        for ((base, centre), sigma) in base.iter_mut().zip(&centres).zip(&sigmas) {
            *base -= if is_usual(*centre, *sigma) {
                usual
            } else {
                0.0
            };
        }
        for ((base, centre), sigma) in base.iter_mut().zip(&centres).zip(&sigmas) {
            if !is_usual(*centre, *sigma) {
                *base -= libm::log(*sigma) + LN_SQRT_2_PI + kernel::log_inside(*centre, *sigma);
            }
        }
        Self::Number {
            inverses: sigmas.iter().map(|sigma| 1.0 / sigma).collect(),
            centres,
            sigmas,
        }
    }

    fn sample(&self, kernel: usize, stream: &mut Stream) -> f64 {
        match self {
            Self::Number {
                centres, sigmas, ..
            } => {
                let centre = centres.get(kernel).copied().unwrap_or(0.5);
                let sigma = sigmas.get(kernel).copied().unwrap_or(1.0);
                kernel::truncated_quantile(centre, sigma, stream.unit())
            }
            Self::Category {
                observed,
                classes,
                spread,
            } => {
                // One draw decides between the observation and any alternative, one which.
                let own = 1.0 / (1.0 + f64::from(*classes) * spread);
                let is_own = stream.unit() < own;
                let any = stream.below(u64::from(*classes)) as u32;
                match observed.get(kernel) {
                    Some(class) if is_own => f64::from(*class),
                    _ => f64::from(any),
                }
            }
        }
    }

    fn add_category(&self, logs: &mut [f64], class: u32) {
        let Self::Category {
            observed,
            classes,
            spread,
        } = self
        else {
            return;
        };
        let all = 1.0 + f64::from(*classes) * spread;
        let hit = libm::log((1.0 + spread) / all);
        let miss = libm::log(spread / all);
        for (log, own) in logs.iter_mut().zip(observed) {
            *log += if *own == class { hit } else { miss };
        }
        if let Some(prior) = logs.last_mut() {
            *prior -= libm::log(f64::from(*classes));
        }
    }
}

/// Subtracts half the squared distance in standard deviations from `x`, made shorter by `reach`.
fn add_squares(logs: &mut [f64], centres: &[f64], inverses: &[f64], x: f64, reach: f64) {
    if reach > 0.0 {
        subtract(logs, centres, inverses, |c, i| half_square(x, reach, c, i));
    } else {
        // The same without questions: most parameters are real numbers.
        subtract(logs, centres, inverses, |centre, inverse| {
            let z = (x - centre) * inverse;
            0.5 * z * z
        });
    }
}

/// In blocks of a length that the compiler knows, which become vector instructions.
#[inline]
fn subtract(logs: &mut [f64], a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64) {
    let (blocks, rest) = logs.as_chunks_mut::<8>();
    let ((blocks_a, rest_a), (blocks_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for ((logs, a), b) in blocks.iter_mut().zip(blocks_a).zip(blocks_b) {
        for ((log, a), b) in logs.iter_mut().zip(a).zip(b) {
            *log -= of(*a, *b);
        }
    }
    for ((log, a), b) in rest.iter_mut().zip(rest_a).zip(rest_b) {
        *log -= of(*a, *b);
    }
}

fn half_square(x: f64, reach: f64, centre: f64, inverse: f64) -> f64 {
    let distance = (x - centre).abs() - reach;
    let z = if distance > 0.0 { distance } else { 0.0 } * inverse;
    0.5 * z * z
}

/// Replaces the bounds of wide cells by their masses, where that can matter.
fn refine(logs: &mut [f64], wide: &[Wide]) {
    let Some(likely) = (0..logs.len()).max_by(|a, b| {
        let at = |i: &usize| logs.get(*i).copied().unwrap_or(f64::NEG_INFINITY);
        at(a).total_cmp(&at(b))
    }) else {
        return;
    };
    let exact = |kernel: usize, bound: f64| {
        let mut log = bound;
        let mut ratio = 1.0;
        for cell in wide {
            let (height, mass) = cell.bound_and_mass(kernel);
            log += height;
            ratio *= mass;
            // One logarithm a kernel, not one a cell, unless the product becomes too small.
            if ratio < UNDERFLOW {
                log += libm::log(ratio);
                ratio = 1.0;
            }
        }
        log + libm::log(ratio)
    };
    let mut most = logs.get(likely).map_or(0.0, |bound| exact(likely, *bound));
    for (kernel, log) in logs.iter_mut().enumerate() {
        *log = if *log < most - NEGLIGIBLE {
            f64::NEG_INFINITY
        } else {
            exact(kernel, *log)
        };
        most = most.max(*log);
    }
}

/// A cell of a number whose mass has to be computed.
struct Wide<'a> {
    centres: &'a [f64],
    inverses: &'a [f64],
    low: f64,
    high: f64,
}

impl Wide<'_> {
    /// What the bound took off a kernel's logarithm, and the mass that takes its place in units of
    /// width times the height that the base holds.
    fn bound_and_mass(&self, kernel: usize) -> (f64, f64) {
        let (Some(centre), Some(inverse)) = (self.centres.get(kernel), self.inverses.get(kernel))
        else {
            return (0.0, 1.0);
        };
        let width = self.high - self.low;
        let bound = half_square(self.low + width / 2.0, width / 2.0, *centre, *inverse);
        let (a, b) = (
            (self.low - centre) * inverse,
            (self.high - centre) * inverse,
        );
        // On the left side, where differences keep their digits.
        let (a, b) = if a > 0.0 { (-b, -a) } else { (a, b) };
        let mass = normal::cdf(b) - normal::cdf(a);
        (bound, mass * SQRT_2_PI / (width * inverse))
    }
}

/// Logarithm of the sum of the exponentials.
fn log_sum_exp(logs: &[f64]) -> f64 {
    let (blocks, rest) = logs.as_chunks::<8>();
    // Not `f64::max`, which is a call in the sandbox.
    let larger = |most: f64, log: f64| if log > most { log } else { most };
    let mut lanes = [f64::NEG_INFINITY; 8];
    for block in blocks {
        for (lane, log) in lanes.iter_mut().zip(block) {
            *lane = larger(*lane, *log);
        }
    }
    let all = lanes.iter().chain(rest).copied();
    let most = all.fold(f64::NEG_INFINITY, larger);
    if most == f64::NEG_INFINITY {
        return most;
    }
    let counts = |log: &f64| *log > most - NEGLIGIBLE;
    let mut lanes = [0.0; 8];
    for block in blocks.iter().filter(|block| block.iter().any(counts)) {
        for (lane, log) in lanes.iter_mut().zip(block) {
            *lane += decay(most - *log);
        }
    }
    let rest = rest.iter().map(|log| decay(most - *log));
    most + libm::log(lanes.into_iter().chain(rest).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(axes: &[Axis], points: &[Vec<f64>]) -> Mixture {
        let axes: Vec<(usize, Axis)> = axes.iter().copied().enumerate().collect();
        let rows: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
        let weights = kernel::ramp(rows.len(), rows.len());
        let narrowest = kernel::narrowest(rows.len());
        Mixture::fit(&axes, &rows, weights, narrowest, &mut Stream::new(0))
    }

    fn spread_out(n: usize, axes: &[Axis]) -> Vec<Vec<f64>> {
        let mut stream = Stream::new(9);
        (0..n)
            .map(|_| {
                axes.iter()
                    .map(|axis| match axis {
                        Axis::Number => stream.unit(),
                        Axis::Category(c) => stream.below(u64::from(*c)) as f64,
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn the_density_of_real_numbers_integrates_to_1() {
        for n in [0, 1, 2, 7, 40] {
            let axes = [Axis::Number];
            let mixture = fit(&axes, &spread_out(n, &axes));
            let steps = 20_000;
            let sum: f64 = (0..steps)
                .map(|i| (f64::from(i) + 0.5) / f64::from(steps))
                .map(|x| libm::exp(mixture.log_density(&[Coordinate::Cell(x, x)], &mut Vec::new())))
                .sum();
            assert!((sum / f64::from(steps) - 1.0).abs() < 1e-5, "{n}: {sum}");
        }
    }

    #[test]
    fn the_masses_of_cells_and_categories_sum_to_1() {
        let axes = [Axis::Number, Axis::Category(3), Axis::Number];
        for n in [0, 1, 5, 200] {
            let mixture = fit(&axes, &spread_out(n, &axes));
            let mut sum = 0.0;
            for i in 0..7 {
                for class in 0..3 {
                    for j in 0..40 {
                        let cell = |i: i32, n: f64| {
                            Coordinate::Cell(f64::from(i) / n, f64::from(i + 1) / n)
                        };
                        sum += libm::exp(mixture.log_density(
                            &[cell(i, 7.0), Coordinate::Category(class), cell(j, 40.0)],
                            &mut Vec::new(),
                        ));
                    }
                }
            }
            assert!((sum - 1.0).abs() < 1e-9, "{n}: {sum}");
        }
    }

    #[test]
    fn a_density_equals_the_formula_worked_out_by_hand() {
        // Two observations at 0.2 and 0.5 and the prior: weights 1/3, both bandwidths 0.3.
        let mixture = fit(&[Axis::Number], &[vec![0.2], vec![0.5]]);
        let truncated = |x: f64, mean: f64, sd: f64| {
            let inside = normal::cdf((1.0 - mean) / sd) - normal::cdf(-mean / sd);
            libm::exp(-0.5 * ((x - mean) / sd).powi(2)) / (sd * 2.506_628_274_631_000_5 * inside)
        };
        for x in [0.0, 0.3, 0.99] {
            let want =
                (truncated(x, 0.2, 0.3) + truncated(x, 0.5, 0.3) + truncated(x, 0.5, 1.0)) / 3.0;
            let got = libm::exp(mixture.log_density(&[Coordinate::Cell(x, x)], &mut Vec::new()));
            assert!((got / want - 1.0).abs() < 1e-12, "{x}: {got} {want}");
        }
        // Categories 2, 2, 0 of 3: K = 4, a kernel gives its own (1 + 1/4) / (1 + 3/4).
        let points = [vec![2.0], vec![2.0], vec![0.0]];
        let mixture = fit(&[Axis::Category(3)], &points);
        let want = (2.0 * (1.25 / 1.75) + 0.25 / 1.75 + 1.0 / 3.0) / 4.0;
        let got = libm::exp(mixture.log_density(&[Coordinate::Category(2)], &mut Vec::new()));
        assert!((got / want - 1.0).abs() < 1e-14);
    }

    #[test]
    fn draws_follow_the_density() {
        let axes = [Axis::Number, Axis::Category(3)];
        let mixture = fit(&axes, &spread_out(6, &axes));
        let mut stream = Stream::new(1);
        let mut counts = [[0.0; 3]; 10];
        let n = 100_000;
        for _ in 0..n {
            let mut p = Vec::new();
            mixture.sample(&mut stream, &mut p);
            let cell = ((p[0] * 10.0) as usize).min(9);
            counts[cell][p[1] as usize] += 1.0 / f64::from(n);
        }
        for (i, row) in counts.iter().enumerate() {
            for (class, share) in row.iter().enumerate() {
                let cell = Coordinate::Cell(i as f64 / 10.0, (i + 1) as f64 / 10.0);
                let log = mixture
                    .log_density(&[cell, Coordinate::Category(class as u32)], &mut Vec::new());
                assert!((libm::exp(log) - share).abs() < 0.005, "{i} {class}");
            }
        }
    }

    #[test]
    fn narrow_cells_weigh_the_same_as_by_their_exact_masses() {
        let axes = [Axis::Number];
        let mixture = fit(&axes, &spread_out(150, &axes));
        let narrow = |x: f64, width: f64| {
            mixture.log_density(&[Coordinate::Cell(x, x + width)], &mut Vec::new())
                - libm::log(width)
        };
        for x in [0.1, 0.5, 0.77] {
            let (a, b) = (narrow(x, NARROW * 0.99), narrow(x, NARROW * 1.01));
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
