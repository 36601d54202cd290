//! A mixture of product kernels over the parameters of a block, one kernel an observation and a
//! wide one as the prior, all on the unit cube.
//!
//! Cells: a whole number or a multiple of a step weighs as much as the normal distribution puts on
//! its part of [0, 1]; a real number by its density. A density is exact to 1e-8. Costs: fitting and a density O(n), each
//! times the number of parameters.
//!
//! Loops are written for the sandbox too. At the beginning of each round it looks at the fuel, for which everything in
//! vector registers goes to memory: rounds are long and hand as little as possible to the next.

use tune_model::rough_decay;
use tune_plugin::Stream;

use super::column::{Axis, Bells, Column, Number};
use super::kernel::{self, BLOCK};

/// ln sqrt(2 pi).
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;
/// Weight of the prior beside 1 for an observation.
const PRIOR_WEIGHT: f64 = 1.0;
/// A narrower cell weighs its width times the density in its middle: with bandwidths from 0.01 the
/// relative error stays below 1e-3 even 100 standard deviations out.
const NARROW: f64 = 1e-5;
/// Kernels that weigh less than e^-25 of the heaviest do not count: a thousand of them are 1e-8 of the sum, and its
/// exponentials are not more exact.
const NEGLIGIBLE: f64 = 25.0;

/// sqrt(pi) / 2.
const HALF_SQRT_PI: f64 = 0.886_226_925_452_758;
/// Columns whose heights are multiplied before a logarithm is taken: one raises a kernel at most 300 times (a bandwidth of
/// 1/100, two thirds outside) and never lowers it.
const FACTORS: usize = 100;
/// Far above the smallest number, so that one more factor of a cell cannot underflow.
const UNDERFLOW: f64 = 1e-150;

/// A coordinate of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Coordinate {
    /// A cell of [0, 1], empty for a real number.
    Cell(f64, f64),
    /// An alternative.
    Category(u32),
}

/// Memory that is used again from one density to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// By kernel: what it says of the point.
    logs: Vec<f64>,
    /// By number: the middle of the cell and how far it reaches to both sides.
    cells: Vec<(f64, f64)>,
}

/// The mixture. The last kernel is the prior.
#[derive(Clone, Debug)]
pub(crate) struct Mixture {
    columns: Vec<Column>,
    /// By number and, within it, by block of kernels.
    bells: Vec<Bells>,
    /// By kernel: weights up to it, itself included.
    reached: Vec<f64>,
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
        let kernels = weights.len();
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        // More priors, which weigh nothing.
        weights.resize(kernel::padded(rows.len()), 0.0);
        let mut heights = weights.clone();
        let mut base = vec![0.0; weights.len()];
        let is_number = |(_, axis): &&(usize, Axis)| *axis == Axis::Number;
        let numbers = axes.iter().filter(is_number).count();
        let mut bells = vec![[[0.0; BLOCK]; 2]; numbers * weights.len() / BLOCK];
        let mut columns = Vec::with_capacity(axes.len());
        let (mut number, mut factors) = (0, 0);
        for (place, axis) in axes {
            let values = rows
                .iter()
                .map(|row| row.get(*place).copied().unwrap_or(0.5));
            columns.push(match axis {
                Axis::Number => {
                    let fitted = Number::fit(values, narrowest, stream.u64(), &mut heights, number);
                    fitted.write(bells.iter_mut().skip(number * heights.len() / BLOCK));
                    number += 1;
                    factors += 1;
                    Column::Number(fitted)
                }
                Axis::Category(classes) => Column::Category {
                    observed: values.map(|x| x as u32).collect(),
                    classes: *classes,
                    spread: PRIOR_WEIGHT / kernels as f64,
                },
            });
            if factors == FACTORS {
                add_logs(&mut base, &heights, factors);
                heights.fill(1.0);
                factors = 0;
            }
        }
        add_logs(&mut base, &heights, factors);
        let mut reached = weights;
        let mut sum = 0.0;
        for weight in &mut reached {
            sum += *weight;
            *weight = sum;
        }
        Self {
            columns,
            bells,
            reached,
            base,
        }
    }

    /// Draws a point into the memory of another: a kernel by weight, then each coordinate from it.
    pub(crate) fn sample(&self, stream: &mut Stream, point: &mut Vec<f64>) {
        let share = stream.unit() * self.reached.last().copied().unwrap_or_default();
        // Without a question at each one, which is answered by chance.
        let kernel = self
            .reached
            .iter()
            .filter(|reached| **reached <= share)
            .count();
        point.clear();
        let columns = self.columns.iter();
        point.extend(columns.map(|column| column.sample(kernel, stream)));
    }

    /// Logarithm of the density (mass, where cells have a width) of a point. What the scratch holds does not count.
    pub(crate) fn log_density(&self, point: &[Coordinate], scratch: &mut Scratch) -> f64 {
        let Scratch { logs, cells } = scratch;
        // First everything that is cheap, with an upper bound for wide cells.
        cells.clear();
        let mut constant = 0.0;
        let mut wide = Vec::new();
        for (column, coordinate) in self.columns.iter().zip(point) {
            let (Column::Number(number), Coordinate::Cell(low, high)) = (column, *coordinate)
            else {
                continue;
            };
            let width = high - low;
            if width > 0.0 {
                constant += libm::log(width);
            }
            if width > NARROW {
                wide.push(Wide {
                    place: number.place,
                    low,
                    high,
                });
            }
            let reach = if width > NARROW { width / 2.0 } else { 0.0 };
            cells.push((low + width / 2.0, reach));
        }
        self.base.clone_into(logs);
        if wide.is_empty() {
            // The same without questions: most parameters are real numbers.
            self.subtract(logs, cells, |x, _, centre, slope| {
                let z = (x - centre) * slope;
                z * z
            });
        } else {
            self.subtract(logs, cells, bound);
        }
        for (column, coordinate) in self.columns.iter().zip(point) {
            if let Coordinate::Category(class) = coordinate {
                column.add_category(logs, *class);
            }
        }
        if !wide.is_empty() {
            self.refine(logs, &wide);
        }
        constant + log_sum_exp(logs)
    }

    /// Subtracts what every kernel says of every number, two numbers in one loop over the kernels.
    #[inline]
    fn subtract(
        &self,
        logs: &mut [f64],
        cells: &[(f64, f64)],
        of: impl Fn(f64, f64, f64, f64) -> f64,
    ) {
        let logs = logs.as_chunks_mut::<BLOCK>().0;
        let take = |sums: &mut [f64; BLOCK], bells: &Bells, (x, reach): (f64, f64)| {
            let [centres, slopes] = bells;
            for ((sum, centre), slope) in sums.iter_mut().zip(centres).zip(slopes) {
                *sum -= of(x, reach, *centre, *slope);
            }
        };
        let (pairs, lone) = cells.as_chunks::<2>();
        let mut bells = self.bells.as_slice();
        for [x, y] in pairs {
            let (first, others) = bells.split_at(logs.len().min(bells.len()));
            let (second, others) = others.split_at(logs.len().min(others.len()));
            bells = others;
            for ((sums, first), second) in logs.iter_mut().zip(first).zip(second) {
                take(sums, first, *x);
                take(sums, second, *y);
            }
        }
        for x in lone {
            for (sums, bells) in logs.iter_mut().zip(bells) {
                take(sums, bells, *x);
            }
        }
    }

    /// Replaces the bounds of wide cells by their masses, where that can matter.
    fn refine(&self, logs: &mut [f64], wide: &[Wide]) {
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
                let (height, mass) = self.bound_and_mass(cell, kernel);
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

    /// What the bound took off a kernel's logarithm, and the mass that takes its place in units of
    /// width times the height that the base holds.
    fn bound_and_mass(&self, cell: &Wide, kernel: usize) -> (f64, f64) {
        let bells = self
            .bells
            .get(cell.place * (self.base.len() / BLOCK) + kernel / BLOCK);
        let Some([centres, slopes]) = bells else {
            return (0.0, 1.0);
        };
        let (Some(centre), Some(slope)) = (centres.get(kernel % BLOCK), slopes.get(kernel % BLOCK))
        else {
            return (0.0, 1.0);
        };
        let width = cell.high - cell.low;
        let bound = bound(cell.low + width / 2.0, width / 2.0, *centre, *slope);
        let (a, b) = ((cell.low - centre) * slope, (cell.high - centre) * slope);
        // On the left side, where differences keep their digits.
        let (a, b) = if a > 0.0 { (-b, -a) } else { (a, b) };
        let mass = libm::erfc(-b) - libm::erfc(-a);
        (bound, mass * HALF_SQRT_PI / (width * slope))
    }
}

/// Adds the logarithms of heights, which lack so many factors of 1 / sqrt(2 pi).
fn add_logs(base: &mut [f64], heights: &[f64], factors: usize) {
    let constant = factors as f64 * LN_SQRT_2_PI;
    for (base, height) in base.iter_mut().zip(heights) {
        *base += libm::log(*height) - constant;
    }
}

fn blocks(numbers: &[f64]) -> &[[f64; BLOCK]] {
    numbers.as_chunks().0
}

/// Half the squared distance in standard deviations between a kernel and the nearest point of a cell.
fn bound(x: f64, reach: f64, centre: f64, slope: f64) -> f64 {
    let distance = (x - centre).abs() - reach;
    let z = if distance > 0.0 { distance } else { 0.0 } * slope;
    z * z
}

/// A cell of a number whose mass has to be computed.
struct Wide {
    /// Which number it is of.
    place: usize,
    low: f64,
    high: f64,
}

/// Logarithm of the sum of the exponentials of whole blocks.
fn log_sum_exp(logs: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; BLOCK];
    // Several blocks a round, so that the lanes are seldom handed on.
    let (rounds, others) = blocks(logs).as_chunks::<4>();
    for [a, b, c, d] in rounds {
        let best = larger_of_each(&larger_of_each(a, b), &larger_of_each(c, d));
        lanes = larger_of_each(&lanes, &best);
    }
    for block in others {
        lanes = larger_of_each(&lanes, block);
    }
    let most = largest(&lanes);
    if most == f64::NEG_INFINITY {
        return most;
    }
    // Counted, not looked for: a question at each one is answered by chance.
    let least = most - NEGLIGIBLE;
    let counts = |block: &&[f64; BLOCK]| {
        let near = block.iter().map(|log| u64::from(*log > least));
        near.sum::<u64>() > 0
    };
    let mut lanes = [0.0; BLOCK];
    for block in blocks(logs).iter().filter(counts) {
        for (lane, log) in lanes.iter_mut().zip(block) {
            *lane += rough_decay(most - *log);
        }
    }
    most + libm::log(lanes.iter().sum())
}

#[inline]
fn larger_of_each(a: &[f64; BLOCK], b: &[f64; BLOCK]) -> [f64; BLOCK] {
    let mut most = *a;
    for (a, b) in most.iter_mut().zip(b) {
        *a = larger(*a, *b);
    }
    most
}

/// Halves against each other, which are vector instructions.
fn largest(block: &[f64; BLOCK]) -> f64 {
    let [a, b, c, d, e, f, g, h] = *block;
    let [a, b, c, d] = [larger(a, e), larger(b, f), larger(c, g), larger(d, h)];
    larger(larger(a, c), larger(b, d))
}

/// Not `f64::max`, which is a call in the sandbox.
#[inline]
fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::normal;

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
                .map(|x| {
                    libm::exp(
                        mixture.log_density(&[Coordinate::Cell(x, x)], &mut Scratch::default()),
                    )
                })
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
                            &mut Scratch::default(),
                        ));
                    }
                }
            }
            assert!((sum - 1.0).abs() < 1e-8, "{n}: {sum}");
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
            let got =
                libm::exp(mixture.log_density(&[Coordinate::Cell(x, x)], &mut Scratch::default()));
            assert!((got / want - 1.0).abs() < 1e-8, "{x}: {got} {want}");
        }
        // Categories 2, 2, 0 of 3: K = 4, a kernel gives its own (1 + 1/4) / (1 + 3/4).
        let points = [vec![2.0], vec![2.0], vec![0.0]];
        let mixture = fit(&[Axis::Category(3)], &points);
        let want = (2.0 * (1.25 / 1.75) + 0.25 / 1.75 + 1.0 / 3.0) / 4.0;
        let got =
            libm::exp(mixture.log_density(&[Coordinate::Category(2)], &mut Scratch::default()));
        assert!((got / want - 1.0).abs() < 1e-8);
    }

    #[test]
    fn a_density_of_hundreds_of_parameters_is_the_sum_of_products_that_no_float_could_hold() {
        // One observation in the middle: its kernel is 1/2 wide, the prior 1, in each of 250 parameters.
        let axes = [Axis::Number; 250];
        let mixture = fit(&axes, &[vec![0.5; 250]]);
        for x in [0.5, 0.75, 0.0] {
            let each = |sd: f64| {
                let inside = normal::cdf(0.5 / sd) - normal::cdf(-0.5 / sd);
                -0.5 * ((x - 0.5) / sd).powi(2) - LN_SQRT_2_PI - libm::log(sd * inside)
            };
            let (own, prior) = (250.0 * each(0.5), 250.0 * each(1.0));
            let most = own.max(prior);
            let want = most + libm::log(0.5 * (libm::exp(own - most) + libm::exp(prior - most)));
            let got = mixture.log_density(&[Coordinate::Cell(x, x); 250], &mut Scratch::default());
            assert!((got - want).abs() < 1e-8, "{x}: {got} {want}");
        }
        // Kernels of 1/100 are 10^498 high in as many parameters.
        let narrow = fit(&axes, &vec![vec![0.5; 250]; 98]);
        let got = narrow.log_density(&[Coordinate::Cell(0.5, 0.5); 250], &mut Scratch::default());
        let want = 250.0 * (libm::log(100.0) - LN_SQRT_2_PI);
        assert!(got.is_finite() && (got - want).abs() < 2.0, "{got} {want}");
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
                let log = mixture.log_density(
                    &[cell, Coordinate::Category(class as u32)],
                    &mut Scratch::default(),
                );
                assert!((libm::exp(log) - share).abs() < 0.005, "{i} {class}");
            }
        }
    }

    #[test]
    fn narrow_cells_weigh_the_same_as_by_their_exact_masses() {
        let axes = [Axis::Number];
        let mixture = fit(&axes, &spread_out(150, &axes));
        let narrow = |x: f64, width: f64| {
            mixture.log_density(&[Coordinate::Cell(x, x + width)], &mut Scratch::default())
                - libm::log(width)
        };
        for x in [0.1, 0.5, 0.77] {
            let (a, b) = (narrow(x, NARROW * 0.99), narrow(x, NARROW * 1.01));
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
