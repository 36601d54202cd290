//! Eight functions of the noiseless BBOB suite by formula (N. Hansen, S. Finck, R. Ros, A. Auger,
//! "Real-Parameter Black-Box Optimization Benchmarking 2009: Noiseless Functions Definitions", INRIA
//! RR-6829): of each of its five groups at least one. Shifts, rotations and peaks come from a stream of
//! our own, so an instance has no number there. The penalty outside of \[-5, 5\] is left out: nobody
//! suggests anything there.

use std::f64::consts::PI;

use tune_space::Stream;

use crate::rotation::{Rotation, dot};

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// f1, separable.
    Sphere,
    /// f7, moderate conditioning, plateaus.
    StepEllipsoid,
    /// f8, moderate conditioning, a bent valley.
    Rosenbrock,
    /// f10, conditioning 10^6, rotated.
    Ellipsoid,
    /// f13, conditioning as high, not smooth along the ridge.
    SharpRidge,
    /// f15, many optima with a structure above them, rotated.
    Rastrigin,
    /// f17, many optima whose size and distance vary.
    Schaffers,
    /// f21, 101 peaks without a structure above them.
    Gallagher,
}

/// Peaks of [`Function::Gallagher`].
const PEAKS: usize = 101;

impl Function {
    /// All, in the order of the suite.
    pub const ALL: [Self; 8] = [
        Self::Sphere,
        Self::StepEllipsoid,
        Self::Rosenbrock,
        Self::Ellipsoid,
        Self::SharpRidge,
        Self::Rastrigin,
        Self::Schaffers,
        Self::Gallagher,
    ];

    /// Its name in problems.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sphere => "sphere",
            Self::StepEllipsoid => "step-ellipsoid",
            Self::Rosenbrock => "rosenbrock",
            Self::Ellipsoid => "ellipsoid",
            Self::SharpRidge => "sharp-ridge",
            Self::Rastrigin => "rastrigin",
            Self::Schaffers => "schaffers",
            Self::Gallagher => "gallagher",
        }
    }
}

/// A function with its optimum somewhere.
#[derive(Clone, Debug)]
pub struct Instance {
    function: Function,
    best_at: Vec<f64>,
    optimum: f64,
    r: Rotation,
    q: Rotation,
    peaks: Vec<Peak>,
}

/// A peak of [`Function::Gallagher`].
#[derive(Clone, Debug)]
struct Peak {
    height: f64,
    /// Where it is, turned.
    at: Vec<f64>,
    /// The curvature along each turned axis.
    curvature: Vec<f64>,
}

impl Instance {
    /// Draws an instance of at least two dimensions.
    #[must_use]
    pub fn draw(function: Function, dims: usize, stream: &mut Stream) -> Self {
        let dims = dims.max(2);
        // Rosenbrock's valley must stay inside.
        let half = if function == Function::Rosenbrock {
            3.0
        } else {
            4.0
        };
        let best_at: Vec<f64> = (0..dims).map(|_| even(stream, half)).collect();
        // As there: a Cauchy number in hundredths, at most 1,000.
        let ratio = stream.normal() / stream.normal();
        let optimum = ((100.0 * 100.0 * ratio).round() / 100.0).clamp(-1000.0, 1000.0);
        let (r, q) = (Rotation::draw(dims, stream), Rotation::draw(dims, stream));
        let peaks = if function == Function::Gallagher {
            peaks(&best_at, &r, stream)
        } else {
            Vec::new()
        };
        Self {
            function,
            best_at,
            optimum,
            r,
            q,
            peaks,
        }
    }

    /// The least value.
    #[must_use]
    pub fn optimum(&self) -> f64 {
        self.optimum
    }

    /// Where the least value is.
    #[must_use]
    pub fn best_at(&self) -> &[f64] {
        &self.best_at
    }

    /// The value at a point.
    #[must_use]
    pub fn value(&self, x: &[f64]) -> f64 {
        self.above(x) + self.optimum
    }

    /// How far the value at a point is above the optimum, without the rounding of its sum.
    #[must_use]
    pub fn above(&self, x: &[f64]) -> f64 {
        let x: Vec<f64> = x
            .iter()
            .zip(&self.best_at)
            .map(|(x, best)| x - best)
            .collect();
        let dims = x.len() as f64;
        match self.function {
            Function::Sphere => dot(&x, &x),
            Function::StepEllipsoid => {
                let hat = scaled(&self.r.turn(&x), 10.0);
                let flat: Vec<f64> = hat.iter().map(|z| plateau(*z)).collect();
                let first = hat.first().copied().unwrap_or(0.0).abs() / 1e4;
                0.1 * weighted_squares(&self.q.turn(&flat), 2.0).max(first)
            }
            Function::Rosenbrock => {
                let scale = (dims.sqrt() / 8.0).max(1.0);
                let z: Vec<f64> = x.iter().map(|x| scale * x + 1.0).collect();
                let next = z.iter().skip(1);
                z.iter()
                    .zip(next)
                    .map(|(a, b)| 100.0 * (a * a - b).powi(2) + (a - 1.0).powi(2))
                    .sum()
            }
            Function::Ellipsoid => weighted_squares(&oscillated(&self.r.turn(&x)), 6.0),
            Function::SharpRidge => {
                let z = self.q.turn(&scaled(&self.r.turn(&x), 10.0));
                let squares = z.iter().map(|z| z * z);
                let across: f64 = squares.clone().skip(1).sum();
                squares.take(1).sum::<f64>() + 100.0 * across.sqrt()
            }
            Function::Rastrigin => {
                let bent = skewed(&oscillated(&self.r.turn(&x)), 0.2);
                let z = self.r.turn(&scaled(&self.q.turn(&bent), 10.0));
                let waves: f64 = z.iter().map(|z| libm::cos(2.0 * PI * z)).sum();
                10.0 * (dims - waves) + dot(&z, &z)
            }
            Function::Schaffers => {
                let z = scaled(&self.q.turn(&skewed(&self.r.turn(&x), 0.5)), 10.0);
                let terms = z.iter().zip(z.iter().skip(1)).map(|(a, b)| {
                    let s = (a * a + b * b).sqrt();
                    let wave = libm::sin(50.0 * libm::pow(s, 0.2));
                    s.sqrt() * (1.0 + wave * wave)
                });
                (terms.sum::<f64>() / (dims - 1.0)).powi(2)
            }
            Function::Gallagher => {
                let place: Vec<f64> = x.iter().zip(&self.best_at).map(|(x, b)| x + b).collect();
                let turned = self.r.turn(&place);
                let height = |peak: &Peak| {
                    let apart = turned.iter().zip(&peak.at).zip(&peak.curvature);
                    let far: f64 = apart.map(|((a, b), c)| c * (a - b) * (a - b)).sum();
                    peak.height * libm::exp(-far / (2.0 * dims))
                };
                let highest = self.peaks.iter().map(height).fold(0.0, f64::max);
                oscillate(10.0 - highest).powi(2)
            }
        }
    }
}

/// The peaks: the highest at the optimum, with a conditioning of 1,000, the others anywhere, each
/// with a conditioning of its own.
fn peaks(best_at: &[f64], r: &Rotation, stream: &mut Stream) -> Vec<Peak> {
    let others = PEAKS - 1;
    // Conditioning 1000^(2 j / 99), each j once.
    let mut exponents: Vec<usize> = (0..others).collect();
    stream.shuffle(&mut exponents);
    let mut peaks = Vec::with_capacity(PEAKS);
    for i in 0..PEAKS {
        let last = (others - 1) as f64;
        let (height, alpha) = match i.checked_sub(1) {
            None => (10.0, 1000.0),
            Some(j) => {
                let exponent = exponents.get(j).map_or(0.0, |e| *e as f64);
                let alpha = libm::pow(1000.0, 2.0 * exponent / last);
                (1.1 + 8.0 * j as f64 / last, alpha)
            }
        };
        let mut curvature: Vec<f64> = exponents_of(best_at.len())
            .map(|e| libm::pow(alpha, e / 2.0) / libm::pow(alpha, 0.25))
            .collect();
        stream.shuffle(&mut curvature);
        let at: Vec<f64> = match i {
            0 => best_at.to_vec(),
            _ => best_at.iter().map(|_| even(stream, 5.0)).collect(),
        };
        peaks.push(Peak {
            height,
            at: r.turn(&at),
            curvature,
        });
    }
    peaks
}

/// A number between -half and half, each equally likely.
fn even(stream: &mut Stream, half: f64) -> f64 {
    half * (2.0 * stream.unit() - 1.0)
}

/// i / (d - 1) for every dimension i from 0: how large an exponent it has.
fn exponents_of(dims: usize) -> impl Iterator<Item = f64> {
    (0..dims).map(move |i| i as f64 / (dims.max(2) - 1) as f64)
}

/// Lambda^alpha: every dimension stretched by alpha^(i / 2 (d - 1)).
fn scaled(z: &[f64], alpha: f64) -> Vec<f64> {
    z.iter()
        .zip(exponents_of(z.len()))
        .map(|(z, e)| z * libm::pow(alpha, e / 2.0))
        .collect()
}

/// The sum of 10^(decades i / (d - 1)) z^2.
fn weighted_squares(z: &[f64], decades: f64) -> f64 {
    z.iter()
        .zip(exponents_of(z.len()))
        .map(|(z, e)| libm::pow(10.0, decades * e) * z * z)
        .sum()
}

/// T_osz: smooth local irregularities.
fn oscillate(x: f64) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    let log = libm::log(x.abs());
    let (c1, c2) = if x > 0.0 { (10.0, 7.9) } else { (5.5, 3.1) };
    x.signum() * libm::exp(log + 0.049 * (libm::sin(c1 * log) + libm::sin(c2 * log)))
}

fn oscillated(z: &[f64]) -> Vec<f64> {
    z.iter().map(|z| oscillate(*z)).collect()
}

/// T_asy: what is above 0 grows faster, the more so the higher the dimension.
fn skewed(z: &[f64], beta: f64) -> Vec<f64> {
    let one = |(z, e): (&f64, f64)| {
        if *z > 0.0 {
            libm::pow(*z, 1.0 + beta * e * z.sqrt())
        } else {
            *z
        }
    };
    z.iter().zip(exponents_of(z.len())).map(one).collect()
}

/// The plateaus of [`Function::StepEllipsoid`].
fn plateau(z: f64) -> f64 {
    if z.abs() > 0.5 {
        (0.5 + z).floor()
    } else {
        (0.5 + 10.0 * z).floor() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(function: Function, dims: usize) -> Instance {
        Instance::draw(function, dims, &mut Stream::new(11))
    }

    /// The point whose distance to the optimum is this, turned back.
    fn from_best(instance: &Instance, offset: &[f64]) -> Vec<f64> {
        instance
            .best_at
            .iter()
            .zip(offset)
            .map(|(b, o)| b + o)
            .collect()
    }

    fn axis(dims: usize, i: usize, length: f64) -> Vec<f64> {
        let mut x = vec![0.0; dims];
        x[i] = length;
        x
    }

    #[test]
    fn every_function_is_least_at_its_optimum_and_above_it_elsewhere() {
        let mut stream = Stream::new(1);
        for function in Function::ALL {
            for dims in [2, 5, 10] {
                let instance = of(function, dims);
                let best = instance.best_at().to_vec();
                assert!(instance.above(&best).abs() < 1e-12, "{function:?}");
                assert!((instance.value(&best) - instance.optimum()).abs() < 1e-9);
                assert!(best.iter().all(|x| x.abs() < 4.0));
                for _ in 0..200 {
                    let x: Vec<f64> = (0..dims).map(|_| even(&mut stream, 5.0)).collect();
                    assert!(instance.above(&x) > 0.0, "{function:?} at {x:?}");
                }
            }
        }
    }

    #[test]
    fn irregularities_leave_0_and_1_where_they_are_and_keep_the_order() {
        assert_eq!([-1.0, 0.0, 1.0].map(oscillate), [-1.0, 0.0, 1.0]);
        let looks: Vec<f64> = (-400..400)
            .map(|i| oscillate(f64::from(i) / 100.0))
            .collect();
        assert!(looks.is_sorted());
        // exp(1 + 0.049 (sin 10 + sin 7.9)), by hand.
        assert!((oscillate(std::f64::consts::E) - 2.779_555_7).abs() < 1e-6);
    }

    #[test]
    fn skew_leaves_what_is_below_0_and_the_first_dimension() {
        assert_eq!(skewed(&[2.0, -3.0, 4.0], 0.5), [2.0, -3.0, 16.0]);
    }

    #[test]
    fn the_sphere_is_the_square_of_the_distance() {
        let sphere = of(Function::Sphere, 5);
        let x = from_best(&sphere, &[1.0, -2.0, 0.5, 0.0, 3.0]);
        assert!((sphere.above(&x) - 14.25).abs() < 1e-12);
    }

    #[test]
    fn the_ellipsoid_is_a_million_times_as_steep_along_its_last_axis() {
        let ellipsoid = of(Function::Ellipsoid, 5);
        for (i, steep) in [1.0, 31.622_776_6, 1e3, 31_622.776_6, 1e6]
            .into_iter()
            .enumerate()
        {
            let x = from_best(&ellipsoid, &ellipsoid.r.turn_back(&axis(5, i, 1.0)));
            assert!((ellipsoid.above(&x) / steep - 1.0).abs() < 1e-8, "{i}");
        }
    }

    #[test]
    fn rosenbrock_at_its_origin_is_one_less_than_its_dimensions() {
        let rosenbrock = of(Function::Rosenbrock, 10);
        // z = 0 is one unit before the optimum in every dimension.
        let x = from_best(&rosenbrock, &[-1.0; 10]);
        assert!((rosenbrock.above(&x) - 9.0).abs() < 1e-12);
    }

    #[test]
    fn the_ridge_is_square_along_and_a_hundred_times_the_distance_across() {
        let ridge = of(Function::SharpRidge, 5);
        let point = |z: &[f64]| {
            let unscaled = scaled(&ridge.q.turn_back(z), 0.1);
            from_best(&ridge, &ridge.r.turn_back(&unscaled))
        };
        assert!((ridge.above(&point(&axis(5, 0, 3.0))) - 9.0).abs() < 1e-9);
        let across = ridge.above(&point(&[2.0, 0.03, 0.0, 0.04, 0.0]));
        assert!((across - 9.0).abs() < 1e-9);
    }

    #[test]
    fn the_step_ellipsoid_is_flat_around_its_optimum_but_for_a_slope_along_one_axis() {
        let steps = of(Function::StepEllipsoid, 5);
        let near = |i: usize| from_best(&steps, &steps.r.turn_back(&axis(5, i, 0.01)));
        assert!((steps.above(&near(0)) - 0.1 * 0.01 / 1e4).abs() < 1e-12);
        assert!(steps.above(&near(1)) < 1e-12);
        assert_eq!(
            [0.04, -0.04, 0.31, 0.6, -0.6].map(plateau),
            [0.0, 0.0, 0.3, 1.0, -1.0]
        );
    }

    #[test]
    fn rastrigin_is_an_even_number_of_waves_high_where_all_are_whole() {
        let rastrigin = of(Function::Rastrigin, 2);
        // Undo the last turn and stretch; on the negative side the skew changes nothing, and -1
        // does not oscillate.
        let inner = rastrigin.q.turn(&[-1.0, -1.0]);
        let z = rastrigin.r.turn(&scaled(&inner, 10.0));
        let x = from_best(&rastrigin, &rastrigin.r.turn_back(&[-1.0, -1.0]));
        let by_hand: f64 = z
            .iter()
            .map(|z| 10.0 - 10.0 * libm::cos(2.0 * PI * z) + z * z)
            .sum();
        assert!((rastrigin.above(&x) - by_hand).abs() < 1e-9);
    }

    #[test]
    fn schaffers_has_the_value_of_its_formula_in_two_dimensions() {
        let schaffers = of(Function::Schaffers, 2);
        // The first dimension has no skew, and here no other is above 0.
        let x = from_best(&schaffers, &schaffers.r.turn_back(&[1.0, 0.0]));
        let z = scaled(&schaffers.q.turn(&[1.0, 0.0]), 10.0);
        let s = z[0].hypot(z[1]);
        let root = s.sqrt() + s.sqrt() * libm::sin(50.0 * libm::pow(s, 0.2)).powi(2);
        assert!((schaffers.above(&x) - root * root).abs() < 1e-9);
    }

    #[test]
    fn no_other_peak_is_as_high_as_the_optimum_and_all_can_be_seen() {
        let gallagher = of(Function::Gallagher, 5);
        assert_eq!(gallagher.peaks.len(), 101);
        for (i, peak) in gallagher.peaks.iter().enumerate().skip(1) {
            let value = gallagher.above(&gallagher.r.turn_back(&peak.at));
            let alone = oscillate(10.0 - peak.height).powi(2);
            assert!(value <= alone + 1e-9, "{i}");
            assert!(value > 0.1, "{i}");
            // The product of all curvatures is 1: they say shape, not size.
            let product: f64 = peak.curvature.iter().map(|c| libm::log(*c)).sum();
            assert!(product.abs() < 1e-9, "{i}");
        }
        let second = gallagher.peaks.last().map(|peak| peak.height);
        assert_eq!(second, Some(9.1));
    }

    #[test]
    fn an_instance_is_pinned() {
        let instance = of(Function::Rastrigin, 2);
        assert_eq!(
            instance.value(&[0.5, -0.25]),
            instance.above(&[0.5, -0.25]) + instance.optimum()
        );
        assert!(
            (instance.optimum().abs() * 100.0).fract() < 1e-6 || instance.optimum().abs() == 1000.0
        );
    }
}
