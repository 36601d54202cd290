//! Minimising a smooth function within bounds, by limited-memory quasi-Newton steps.
//!
//! Own code, since no crate fits (looked at in November 2026): `lbfgsb-rs-pure` 0.1 prints, allocates
//! and doubles its driver; `rcompat-lbfgsb` 0.3 chooses its arithmetic by processor, so that results
//! differ between machines; `lbfgsb` and `lbfgsb-sys` wrap C and Fortran; `argmin` 0.11 has no bounds.
//!
//! Not the algorithm of Byrd, Lu, Nocedal and Zhu (1995) in its letter, but its simpler relative for
//! the dozens of variables that a model has: Bertsekas' two-metric projection (*Projected Newton
//! Methods*, 1982). Variables that a step would press against their bound are held; the others move
//! along the L-BFGS direction of their own subspace, and the path is bent at the bounds.

use crate::packed::{add_scaled, dot};

/// Share of the decrease that the slope promises which a step must bring (Nocedal and Wright).
const SUFFICIENT: f64 = 1e-4;
/// A step is stretched while the slope along it is still above this share of what it was.
const FLAT: f64 = 0.9;
/// Halvings, or stretchings, of one step.
const TRIALS: usize = 20;
/// A pair whose curvature is smaller than this share of the squared change of the gradient is
/// useless: what is left of it is rounding errors.
const CURVATURE: f64 = 1e-10;

/// When to stop, and how much to remember.
#[derive(Clone, Copy, Debug)]
pub struct Lbfgsb {
    /// Steps at most. By default 100.
    pub iterations: usize,
    /// Evaluations at most, but for the last step's. By default 200.
    pub evaluations: usize,
    /// It has converged when no variable could move further than this along its own negative
    /// gradient within its bounds. By default 1e-5.
    pub tolerance: f64,
    /// It has converged when a step decreases the value by no more than this share of its
    /// magnitude (of 1 if that is smaller). By default 2e-9, as in SciPy.
    pub flat: f64,
    /// Steps that are remembered. By default 10.
    pub memory: usize,
}

impl Default for Lbfgsb {
    fn default() -> Self {
        Self {
            iterations: 100,
            evaluations: 200,
            tolerance: 1e-5,
            flat: 2e-9,
            memory: 10,
        }
    }
}

/// Where a minimisation ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// Within the bounds.
    pub x: Vec<f64>,
    /// The function there; not finite only if it is not at the start.
    pub value: f64,
    /// How often the function was called.
    pub evaluations: usize,
    /// By one of the two tolerances, not by a limit.
    pub converged: bool,
}

/// A place, what the function is there, and its gradient.
#[derive(Clone)]
struct Point {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// A remembered step and the change of the gradient over it.
type Pair = (Vec<f64>, Vec<f64>);

/// The function within its bounds.
struct Problem<'a, F> {
    function: F,
    bounds: &'a [(f64, f64)],
    evaluations: usize,
}

impl<F: FnMut(&[f64], &mut [f64]) -> f64> Problem<'_, F> {
    fn at(&mut self, x: Vec<f64>) -> Point {
        self.evaluations += 1;
        let mut gradient = vec![0.0; x.len()];
        let value = (self.function)(&x, &mut gradient);
        let finite = value.is_finite() && gradient.iter().all(|g| g.is_finite());
        Point {
            x,
            // Infinite, so that every step away from it is shorter the next time.
            value: if finite { value } else { f64::INFINITY },
            gradient,
        }
    }

    /// The place at the end of a step, bent at the bounds.
    fn along(&self, x: &[f64], direction: &[f64], step: f64) -> Vec<f64> {
        let moved = x.iter().zip(direction).zip(self.bounds);
        moved
            .map(|((x, d), (low, high))| (x + step * d).max(*low).min(*high))
            .collect()
    }

    /// How far each variable could go along its own negative gradient.
    fn room(&self, point: &Point) -> f64 {
        let down: Vec<f64> = point.gradient.iter().map(|g| -g).collect();
        let ahead = self.along(&point.x, &down, 1.0);
        let moves = ahead.iter().zip(&point.x).map(|(a, x)| (a - x).abs());
        moves.fold(0.0, f64::max)
    }

    /// True for the variables that are not held at a bound by their gradient.
    fn free(&self, point: &Point) -> Vec<bool> {
        let places = point.x.iter().zip(&point.gradient).zip(self.bounds);
        places
            .map(|((x, g), (low, high))| !(x <= low && *g > 0.0 || x >= high && *g < 0.0))
            .collect()
    }

    /// The first place along a direction that is low enough, or stretched as long as that pays.
    fn search(&mut self, from: &Point, direction: &[f64], first: f64) -> Option<Point> {
        let enough = |point: &Point| {
            let promised: f64 = from
                .gradient
                .iter()
                .zip(point.x.iter().zip(&from.x))
                .map(|(g, (a, b))| g * (a - b))
                .sum();
            promised < 0.0 && point.value <= from.value + SUFFICIENT * promised
        };
        let slope = dot(&from.gradient, direction);
        let mut step = first;
        for halving in 0..TRIALS {
            let mut best = self.at(self.along(&from.x, direction, step));
            if enough(&best) {
                while halving == 0
                    && step < first * 1e3
                    && dot(&best.gradient, direction) < FLAT * slope
                {
                    step *= 2.0;
                    let further = self.at(self.along(&from.x, direction, step));
                    if further.x == best.x || !(enough(&further) && further.value < best.value) {
                        break;
                    }
                    best = further;
                }
                return Some(best);
            }
            // The minimum of the parabola through value and slope at the start and the value here.
            let curvature = best.value - from.value - step * slope;
            let parabola = -slope * step * step / (2.0 * curvature);
            step = if parabola.is_finite() {
                parabola.clamp(0.1 * step, 0.5 * step)
            } else {
                0.1 * step
            };
        }
        None
    }
}

impl Lbfgsb {
    /// Minimises `function` within `bounds` (low, high), which may be infinite, from `start`, which
    /// is moved into them. The function writes its gradient into the second argument, and may be
    /// not finite anywhere but at the start.
    pub fn minimize(
        &self,
        start: &[f64],
        bounds: &[(f64, f64)],
        function: impl FnMut(&[f64], &mut [f64]) -> f64,
    ) -> Minimum {
        let mut problem = Problem {
            function,
            bounds,
            evaluations: 0,
        };
        let still = vec![0.0; start.len()];
        let mut here = problem.at(problem.along(start, &still, 0.0));
        let mut pairs: Vec<Pair> = Vec::new();
        let mut converged = false;
        for _ in 0..self.iterations {
            if !here.value.is_finite() || problem.evaluations >= self.evaluations {
                break;
            }
            converged = problem.room(&here) <= self.tolerance;
            if converged {
                break;
            }
            let Some(next) = self.step(&mut problem, &here, &mut pairs) else {
                break;
            };
            let decrease = here.value - next.value;
            let magnitude = here.value.abs().max(next.value.abs()).max(1.0);
            converged = decrease <= self.flat * magnitude;
            remember(&mut pairs, &here, &next, self.memory);
            here = next;
            if converged {
                break;
            }
        }
        Minimum {
            x: here.x,
            value: here.value,
            evaluations: problem.evaluations,
            converged,
        }
    }

    fn step<F: FnMut(&[f64], &mut [f64]) -> f64>(
        &self,
        problem: &mut Problem<'_, F>,
        here: &Point,
        pairs: &mut Vec<Pair>,
    ) -> Option<Point> {
        let free = problem.free(here);
        if !pairs.is_empty() {
            let direction = quasi_newton(&here.gradient, &free, pairs);
            if dot(&direction, &here.gradient) < 0.0
                && let Some(next) = problem.search(here, &direction, 1.0)
            {
                return Some(next);
            }
            // What is remembered misleads.
            pairs.clear();
        }
        let down = restricted(&here.gradient, &free, -1.0);
        let first = 1.0 / dot(&down, &down).sqrt().max(1.0);
        problem.search(here, &down, first)
    }
}

fn restricted(vector: &[f64], free: &[bool], factor: f64) -> Vec<f64> {
    let elements = vector.iter().zip(free);
    elements
        .map(|(x, free)| if *free { factor * x } else { 0.0 })
        .collect()
}

/// The L-BFGS direction (two loops, Nocedal 1980) in the subspace of the free variables.
fn quasi_newton(gradient: &[f64], free: &[bool], pairs: &[Pair]) -> Vec<f64> {
    let mut direction = restricted(gradient, free, -1.0);
    let usable: Vec<(Vec<f64>, Vec<f64>, f64)> = pairs
        .iter()
        .map(|(s, y)| (restricted(s, free, 1.0), restricted(y, free, 1.0)))
        .filter_map(|(s, y)| {
            let curvature = dot(&s, &y);
            (curvature > CURVATURE * dot(&y, &y)).then_some((s, y, curvature))
        })
        .collect();
    let mut shares = Vec::with_capacity(usable.len());
    for (s, y, curvature) in usable.iter().rev() {
        let share = dot(s, &direction) / curvature;
        add_scaled(&mut direction, -share, y);
        shares.push(share);
    }
    if let Some((_, y, curvature)) = usable.last() {
        let scale = curvature / dot(y, y);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((s, y, curvature), share) in usable.iter().zip(shares.iter().rev()) {
        let back = dot(y, &direction) / curvature;
        add_scaled(&mut direction, share - back, s);
    }
    direction
}

fn remember(pairs: &mut Vec<Pair>, from: &Point, to: &Point, memory: usize) {
    let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
    let (s, y) = (
        difference(&to.x, &from.x),
        difference(&to.gradient, &from.gradient),
    );
    if dot(&s, &y) > CURVATURE * dot(&y, &y) {
        if pairs.len() >= memory.max(1) {
            pairs.remove(0);
        }
        pairs.push((s, y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

    fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut sum = 0.0;
        for i in 0..x.len() - 1 {
            let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
            sum += a * a + 100.0 * b * b;
            gradient[i] += -2.0 * a - 400.0 * x[i] * b;
            gradient[i + 1] += 200.0 * b;
        }
        sum
    }

    fn tight() -> Lbfgsb {
        Lbfgsb {
            iterations: 1_000,
            evaluations: 2_000,
            tolerance: 1e-8,
            flat: 0.0,
            ..Lbfgsb::default()
        }
    }

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let end = tight().minimize(&[-1.2, 1.0], &[FREE; 2], rosenbrock);
        assert!(end.value < 1e-14 && end.evaluations < 80, "{end:?}");
        let end = tight().minimize(&[-1.0; 10], &[FREE; 10], rosenbrock);
        let at_a_minimum =
            end.converged && (end.value < 1e-12 || (end.value - 3.9866).abs() < 1e-3);
        assert!(at_a_minimum && end.evaluations < 300, "{end:?}");
        let end = tight().minimize(&[0.0; 25], &[(-2.0, 2.0); 25], rosenbrock);
        assert!(end.value < 1e-12 && end.evaluations < 400, "{end:?}");
    }

    #[test]
    fn a_minimum_at_the_bounds_is_found_there() {
        // With x0 at most 0.5 the best is (0.5, 0.25).
        let bounds = [(-2.0, 0.5), (-2.0, 2.0)];
        let end = tight().minimize(&[-1.2, 1.0], &bounds, rosenbrock);
        assert!(end.converged && (end.value - 0.25).abs() < 1e-10, "{end:?}");
        assert_eq!(end.x[0], 0.5);
        // Problem 25 of Hock and Schittkowski's kind: a sum that pulls to a corner.
        let corner = |x: &[f64], gradient: &mut [f64]| {
            gradient.copy_from_slice(&[1.0, -2.0, 3.0]);
            x[0] - 2.0 * x[1] + 3.0 * x[2]
        };
        let end = Lbfgsb::default().minimize(&[0.5; 3], &[(0.0, 1.0); 3], corner);
        assert_eq!((end.x, end.value), (vec![0.0, 1.0, 0.0], -2.0));
    }

    #[test]
    fn badly_scaled_and_indefinite_functions_are_minimised_too() {
        let scales = [1.0, 1e3, 1e-3, 1e5];
        let bowl = |x: &[f64], gradient: &mut [f64]| {
            let mut sum = 0.0;
            for i in 0..4 {
                gradient[i] = 2.0 * scales[i] * (x[i] - 1.0);
                sum += scales[i] * (x[i] - 1.0) * (x[i] - 1.0);
            }
            sum
        };
        let end = tight().minimize(&[-3.0; 4], &[(-10.0, 10.0); 4], bowl);
        assert!(end.value < 1e-9, "{end:?}");
        // A saddle at the start: both ends of the second axis are minima.
        let saddle = |x: &[f64], gradient: &mut [f64]| {
            gradient.copy_from_slice(&[2.0 * x[0], -2.0 * x[1]]);
            x[0] * x[0] - x[1] * x[1]
        };
        let end = tight().minimize(&[0.7, 1e-3], &[(-1.0, 2.0); 2], saddle);
        assert!((end.value + 4.0).abs() < 1e-9, "{end:?}");
    }

    #[test]
    fn what_is_not_finite_is_stepped_back_from_and_a_start_that_is_so_stays() {
        let log = |x: &[f64], gradient: &mut [f64]| {
            gradient[0] = 1.0 - 1.0 / x[0];
            x[0] - libm::log(x[0])
        };
        let end = tight().minimize(&[5.0], &[FREE], log);
        assert!((end.x[0] - 1.0).abs() < 1e-6, "{end:?}");
        let end = Lbfgsb::default().minimize(&[-1.0], &[FREE], log);
        assert_eq!(
            (end.x, end.evaluations, end.converged),
            (vec![-1.0], 1, false)
        );
    }

    #[test]
    fn limits_hold_and_no_variables_are_no_problem() {
        let few = Lbfgsb {
            evaluations: 5,
            ..Lbfgsb::default()
        };
        let end = few.minimize(&[-1.2, 1.0], &[FREE; 2], rosenbrock);
        assert!(!end.converged && end.evaluations <= 5 + TRIALS);
        let end = few.minimize(&[], &[], |_, _| 3.0);
        assert_eq!((end.value, end.converged), (3.0, true));
    }
}
