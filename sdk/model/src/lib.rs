//! Surrogate models for the authors of searchers and schedulers: Gaussian processes and what they
//! stand on. Pure functions of their arguments, native and in the sandbox: `libm` alone for
//! transcendental functions, sums in fixed order, no threads, and no randomness but the numbers of a
//! [`tune_space::Stream`] that are handed in. Equal inputs give equal results in the last bit
//! everywhere.
//!
//! | Module | What it is |
//! |---|---|
//! | [`Cholesky`] | factor of a covariance, with a jitter policy, one more row in `n^2 / 2`, rank-one update |
//! | [`Kernel`], [`Matern`], [`Axis`] | covariance functions with derivatives by parameters and points; numbers, categories and inactive parameters |
//! | [`Known`], [`Pairs`] | the points that a process knows, in blocks that are compared at once, and what a kernel says of all pairs of them |
//! | [`Gp`], [`Fit`] | regression, fitted to the marginal likelihood or with priors; predictions, of many points at once or with derivatives |
//! | [`Joint`] | the values at several points together, drawn as often as wanted |
//! | [`Lbfgsb`] | minimisation within bounds |
//! | [`Quadratic`] | polynomials of degree two by weighted least squares |
//! | [`log_expected_improvement`] | acquisition, exact in the far tail, with derivatives |
//! | [`Standard`], [`Points`] | standardised values, rows of coordinates |
//!
//! # A searcher on it
//!
//! The usual loop, whose parts are all here:
//!
//! 1. *Inputs.* [`tune_space::Space::encode`] puts a configuration into the unit cube; an inactive
//!    parameter (none) becomes NaN. For a `Choice` the coordinate is the position of the value
//!    ([`tune_space::Domain::position`]) and the axis a [`Axis::Category`]; everything else is a
//!    [`Axis::Number`].
//! 2. *Values.* Always maximised; what is not finite is replaced by the worst finite one, then
//!    [`Standard`].
//! 3. *Model.* [`Gp::fit`] with a [`Matern`] from the parameters of the last fit, and priors as a
//!    function of the logarithms: for a weight `w = exp(x)` Optuna's `-(0.1 / w + 0.1 w)` has the
//!    derivative `0.1 / w - 0.1 w` by `x`; a Gamma prior with shape `a` and rate `b` is
//!    `(a - 1) x - b exp(x)`, with derivative `(a - 1) - b exp(x)`.
//! 4. *Pending trials.* [`Gp::push`] their predicted mean (or draws, [`Gp::joint`]) into a copy.
//! 5. *Acquisition.* [`log_expected_improvement`] of [`Gp::predict_with_slopes`]; with `v` the
//!    variance its deviation is `sqrt(v)`, whose derivative is that of `v` by `2 sqrt(v)`.
//! 6. *Optimiser.* [`Lbfgsb`] on the negative acquisition over the numbers from several starts,
//!    categories exchanged one at a time; [`tune_space::Space::decode`] brings the point back.
//!
//! ```
//! use tune_model::{Axis, Fit, Gp, Lbfgsb, Matern, Points, Standard, log_expected_improvement};
//!
//! // Maximise -(x - 0.3)^2, known at four points.
//! let points: Points = [&[0.0][..], &[0.4], &[0.7], &[1.0]].into_iter().collect();
//! let values: Vec<f64> = points.iter().map(|p| -(p[0] - 0.3) * (p[0] - 0.3)).collect();
//! let standard = Standard::of(&values);
//! let values: Vec<f64> = values.iter().map(|v| standard.scaled(*v)).collect();
//! let fit = Fit {
//!     // Scale, weight, noise.
//!     bounds: &[(-7.0, 5.0), (-3.0, 5.0), (-14.0, 0.0)],
//!     prior: None,
//!     minimizer: Lbfgsb::default(),
//! };
//! let gp = Gp::fit(&Matern::new(vec![Axis::Number]), 1e-3, &points, &values, &fit).unwrap();
//!
//! let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
//! let next = Lbfgsb::default().minimize(&[0.2], &[(0.0, 1.0)], |x, slopes| {
//!     let (at, by_mean, by_variance) = gp.predict_with_slopes(x);
//!     let deviation = at.variance.sqrt();
//!     let (value, mean, spread) = log_expected_improvement(at.mean, deviation, best);
//!     slopes[0] = -(mean * by_mean[0] + spread * by_variance[0] / (2.0 * deviation));
//!     -value
//! });
//! assert!((next.x[0] - 0.3).abs() < 0.1, "{next:?}");
//! ```

mod acquisition;
mod axes;
mod cholesky;
mod decay;
mod gp;
mod joint;
mod kernel;
mod known;
mod lbfgsb;
mod packed;
mod points;
mod quadratic;
mod solution;

pub use acquisition::log_expected_improvement;
pub use axes::Axis;
pub use cholesky::Cholesky;
pub use decay::{decay, rough_decay};
pub use gp::{Fit, Gp, Prediction, Prior};
pub use joint::Joint;
pub use kernel::{Kernel, Matern, Pairs};
pub use known::Known;
pub use lbfgsb::{Lbfgsb, Minimum};
pub use packed::{Packed, add_scaled, dot};
pub use points::{Points, Standard};
pub use quadratic::{Quadratic, Terms};
