//! The functions, after the usual collections of test problems (Branin 1972, Hartmann 1973,
//! Rosenbrock 1960, Rastrigin 1974). Transcendental functions come from `libm`, so that native and
//! sandboxed values are equal bit for bit.

use core::f64::consts::PI;

use tune_plugin::Failure;

/// A test function, to be minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Two coordinates, x0 in [-5, 10], x1 in [0, 15]; three global optima of 0.397887, at
    /// (-pi, 12.275), (pi, 2.275) and (3 pi, 2.475).
    Branin,
    /// Six coordinates in [0, 1]; optimum -3.32237 at
    /// (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573).
    Hartmann6,
    /// Two or more coordinates, usually in [-5, 10]; optimum 0 at (1, .., 1), in a curved valley.
    Rosenbrock,
    /// One or more coordinates, usually in [-5.12, 5.12]; optimum 0 at the origin, amid about ten
    /// local ones a coordinate.
    Rastrigin,
}

impl Function {
    /// The function for a configuration that names none: 2 branin, 6 hartmann6.
    ///
    /// # Errors
    /// For every other number, as several functions take it.
    pub fn for_dimensions(dimensions: usize) -> Result<Self, Failure> {
        match dimensions {
            2 => Ok(Self::Branin),
            6 => Ok(Self::Hartmann6),
            n => Err(Failure::BadConfig(format!(
                "which function of {n} coordinates? set `function` to \"rosenbrock\" or \"rastrigin\""
            ))),
        }
    }

    /// The smallest value.
    #[must_use]
    pub fn optimum(self) -> f64 {
        match self {
            Self::Branin => 0.397_887_357_729_738_1,
            Self::Hartmann6 => -3.322_368_011_415_515,
            Self::Rosenbrock | Self::Rastrigin => 0.0,
        }
    }

    /// The value at a point.
    ///
    /// # Errors
    /// If the function does not take that number of coordinates.
    pub fn value(self, point: &[f64]) -> Result<f64, Failure> {
        let takes = match (self, point) {
            (Self::Branin, &[x, y]) => return Ok(branin(x, y)),
            (Self::Branin, _) => "2 coordinates: x0 in [-5, 10] and x1 in [0, 15]",
            (Self::Hartmann6, point) => match <&[f64; 6]>::try_from(point) {
                Ok(point) => return Ok(hartmann6(point)),
                Err(_) => "6 coordinates in [0, 1]: x0 to x5",
            },
            (Self::Rosenbrock, [_, _, ..]) => return Ok(rosenbrock(point)),
            (Self::Rosenbrock, _) => "at least 2 coordinates: x0, x1, ..",
            (Self::Rastrigin, [_, ..]) => return Ok(rastrigin(point)),
            (Self::Rastrigin, _) => "at least 1 coordinate: x0, ..",
        };
        Err(Failure::BadConfig(format!(
            "{self:?} takes {takes}; the configuration has {}",
            point.len()
        )))
    }
}

impl std::str::FromStr for Function {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        match name {
            "branin" => Ok(Self::Branin),
            "hartmann6" => Ok(Self::Hartmann6),
            "rosenbrock" => Ok(Self::Rosenbrock),
            "rastrigin" => Ok(Self::Rastrigin),
            other => Err(Failure::BadConfig(format!(
                "no function `{other}`: there are branin, hartmann6, rosenbrock, rastrigin"
            ))),
        }
    }
}

fn branin(x: f64, y: f64) -> f64 {
    let valley = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    valley * valley + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * libm::cos(x) + 10.0
}

/// Weight, sharpness and centre of each of the four wells of Hartmann's function.
const WELLS: [(f64, [f64; 6], [f64; 6]); 4] = [
    (
        1.0,
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    ),
    (
        1.2,
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    ),
    (
        3.0,
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    ),
    (
        3.2,
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ),
];

fn hartmann6(point: &[f64; 6]) -> f64 {
    let mut sum = 0.0;
    for (weight, sharpness, centre) in &WELLS {
        let mut distance = 0.0;
        for ((x, a), p) in point.iter().zip(sharpness).zip(centre) {
            distance += a * (x - p) * (x - p);
        }
        sum -= weight * libm::exp(-distance);
    }
    sum
}

fn rosenbrock(point: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (x, next) in point.iter().zip(point.iter().skip(1)) {
        let valley = next - x * x;
        sum += 100.0 * valley * valley + (1.0 - x) * (1.0 - x);
    }
    sum
}

fn rastrigin(point: &[f64]) -> f64 {
    let mut sum = 10.0 * point.len() as f64;
    for x in point {
        sum += x * x - 10.0 * libm::cos(2.0 * PI * x);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_its_known_optimum_where_it_is_known_to_be() {
        let cases: [(Function, &[f64]); 7] = [
            (Function::Branin, &[-PI, 12.275]),
            (Function::Branin, &[PI, 2.275]),
            (Function::Branin, &[3.0 * PI, 2.475]),
            (
                Function::Hartmann6,
                &[
                    0.201_690, 0.150_011, 0.476_874, 0.275_332, 0.311_652, 0.657_300,
                ],
            ),
            (Function::Rosenbrock, &[1.0; 2]),
            (Function::Rosenbrock, &[1.0; 7]),
            (Function::Rastrigin, &[0.0; 4]),
        ];
        for (function, point) in cases {
            let value = function.value(point).unwrap();
            let regret = value - function.optimum();
            assert!(
                (-1e-9..1e-6).contains(&regret),
                "{function:?} {point:?}: {regret}"
            );
        }
    }

    #[test]
    fn known_values_away_from_the_optimum() {
        assert!(
            (Function::Branin.value(&[0.0, 0.0]).unwrap() - 55.602_112_642_270_26).abs() < 1e-9
        );
        assert_eq!(Function::Rosenbrock.value(&[0.0, 0.0]).unwrap(), 1.0);
        assert_eq!(
            Function::Rosenbrock.value(&[-1.0, 1.0, 2.0]).unwrap(),
            104.0
        );
        assert!((Function::Rastrigin.value(&[1.0, 1.0]).unwrap() - 2.0).abs() < 1e-12);
        assert!((Function::Hartmann6.value(&[0.5; 6]).unwrap() + 0.505_315).abs() < 1e-5);
    }

    #[test]
    fn nothing_nearby_is_below_the_optimum() {
        // Steps of a tenth around each optimum must not beat it.
        let h = [
            0.201_690, 0.150_011, 0.476_874, 0.275_332, 0.311_652, 0.657_300,
        ];
        for i in 0..6 {
            for d in [-0.1, 0.1] {
                let mut p = h;
                p[i] += d;
                assert!(Function::Hartmann6.value(&p).unwrap() > Function::Hartmann6.optimum());
            }
        }
    }
}
