//! How densely the values of a parameter lie: a Parzen estimate on a grid of few places, as PED-ANOVA
//! compares them (S. Watanabe, A. Bansal, F. Hutter, 2023, *PED-ANOVA: Efficiently Quantifying
//! Hyperparameter Importance in Arbitrary Subspaces*, arXiv:2304.10255). Grid and bandwidth are those
//! of Optuna 5.0.0, with which a test compares the result.

use tune_core::records::{Domain, Value, normal};

/// Places on the line of a parameter at most, as in Optuna.
const MAX_PLACES: usize = 50;
/// Scott's rule for a normal kernel, with a deviation estimated from the data.
const SCOTT: f64 = 1.059;
/// Quartiles of the standard normal distribution lie so far apart.
const NORMAL_QUARTILES: f64 = 1.34;
/// A kernel has at least 90 % of its mass (1.64 deviations) within its own place.
const LEAST_DEVIATION: f64 = 0.5 / 1.64;

/// Places that the values of a parameter fall on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Grid {
    /// Alternatives without an order.
    Alternatives(usize),
    /// Evenly spaced places from `low` on.
    Line { low: f64, step: f64, places: usize },
}

impl Grid {
    /// None for a domain of one value.
    pub(super) fn of(domain: &Domain) -> Option<Self> {
        if domain.cardinality() == Some(1) {
            return None;
        }
        if let Domain::Choice(values) = domain {
            return Some(Self::Alternatives(values.len()));
        }
        let ends = match domain {
            Domain::Gaussian(_) => (0.0, 1.0),
            Domain::Ordered(values) => (0.0, values.len().saturating_sub(1) as f64),
            _ => (
                coordinate(domain, &domain.nearest(f64::NEG_INFINITY)?)?,
                coordinate(domain, &domain.nearest(f64::INFINITY)?)?,
            ),
        };
        let places = places(domain);
        let step = (ends.1 - ends.0) / (places.checked_sub(1)?) as f64;
        (step > 0.0).then_some(Self::Line {
            low: ends.0,
            step,
            places,
        })
    }

    /// How many places there are.
    pub(super) fn places(self) -> usize {
        match self {
            Self::Alternatives(places) | Self::Line { places, .. } => places,
        }
    }

    /// Where a value falls; beyond the ends of a line, on its end. None for an alternative that the
    /// domain does not have.
    pub(super) fn place(self, domain: &Domain, value: &Value) -> Option<usize> {
        match self {
            Self::Alternatives(_) => usize::try_from(domain.position(value)?).ok(),
            Self::Line { low, step, places } => {
                // In the middle between two places the lower one, as Optuna does.
                let place = ((coordinate(domain, value)? - low) / step - 0.5).ceil();
                // A cast saturates: what is below 0 is 0.
                Some((place as usize).min(places.saturating_sub(1)))
            }
        }
    }

    /// The estimated probability of each place, from how many values fell on it.
    pub(super) fn density(self, counts: &[usize]) -> Vec<f64> {
        match self {
            Self::Alternatives(_) => alternatives(counts),
            Self::Line { .. } => line(counts),
        }
    }
}

/// How many places a line has.
fn places(domain: &Domain) -> usize {
    let Some(values) = domain.cardinality() else {
        return MAX_PLACES;
    };
    let is_log = match domain {
        Domain::Real(r) => r.log,
        Domain::Whole(r) => r.log,
        _ => false,
    };
    // In the logarithm most whole numbers crowd at one end: places for their binary digits.
    let wanted = if is_log {
        u64::from(
            values
                .saturating_sub(1)
                .checked_ilog2()
                .map_or(0, |n| n + 1),
        ) + 1
    } else {
        values
    };
    usize::try_from(wanted).map_or(MAX_PLACES, |n| n.min(MAX_PLACES))
}

/// The number by which a value lies on its line.
fn coordinate(domain: &Domain, value: &Value) -> Option<f64> {
    let number = || match value {
        Value::Number(x) => Some(*x),
        Value::Integer(i) => Some(*i as f64),
        _ => None,
    };
    let (low, high, log) = match domain {
        Domain::Choice(_) | Domain::Ordered(_) => {
            return domain.position(value).map(|position| position as f64);
        }
        Domain::Gaussian(g) => return Some(normal::cdf((number()? - g.mean) / g.sd)),
        Domain::Real(r) => (r.low, r.high, r.log),
        Domain::Whole(r) => (r.low as f64, r.high as f64, r.log),
    };
    let x = number()?.max(low).min(high);
    Some(match log {
        true => libm::log(x),
        false if (high - low).is_finite() => x,
        // The width itself would overflow.
        false => x / 2.0,
    })
}

/// Each value counts for its alternative, and a little for all others; one more for all alike.
fn alternatives(counts: &[usize]) -> Vec<f64> {
    let n: usize = counts.iter().sum();
    let kernels = counts.iter().filter(|count| **count > 0).count() + 1;
    let (n, kernels, places) = (n as f64, kernels as f64, counts.len() as f64);
    let of = |count: &usize| {
        let values = (n / kernels + *count as f64) / (1.0 + places / kernels);
        (values + 1.0 / places) / (n + 1.0)
    };
    counts.iter().map(of).collect()
}

/// A normal kernel around each value, cut off at the ends of the line, and a wide one around its
/// middle.
fn line(counts: &[usize]) -> Vec<f64> {
    let n: usize = counts.iter().sum();
    let end = counts.len().saturating_sub(1) as f64;
    let values = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let deviation = deviation(counts);
    let mut kernels: Vec<(f64, f64, f64)> = values
        .map(|(place, count)| (place as f64, deviation, *count as f64))
        .collect();
    kernels.push((end / 2.0, end + 1.0, 1.0));
    let mut density = vec![0.0; counts.len()];
    for (mean, deviation, weight) in kernels {
        let mass = |from: f64, to: f64| {
            normal::log_mass((from - mean) / deviation, (to - mean) / deviation)
        };
        let whole = mass(-0.5, end + 0.5);
        for (place, density) in density.iter_mut().enumerate() {
            let x = place as f64;
            let share = libm::exp(mass(x - 0.5, x + 0.5) - whole);
            *density += weight / (n as f64 + 1.0) * share;
        }
    }
    density
}

/// Scott's rule, robust against values far off.
fn deviation(counts: &[usize]) -> f64 {
    let total: usize = counts.iter().sum();
    let n = total as f64;
    let terms = || {
        counts
            .iter()
            .enumerate()
            .map(|(i, c)| (i as f64, *c as f64))
    };
    let mean = terms().map(|(x, c)| x * c).sum::<f64>() / n;
    let squares: f64 = terms().map(|(x, c)| (x - mean) * (x - mean) * c).sum();
    let spread = (squares / (n - 1.0).max(1.0)).sqrt();
    // Places with values, and how many values there are up to each.
    let mut sum = 0;
    let mut up_to: Vec<(usize, usize)> = Vec::new();
    for (place, count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
        sum += count;
        up_to.push((place, sum));
    }
    let at = |i: usize| {
        up_to
            .get(i.min(up_to.len().saturating_sub(1)))
            .map_or(0, |p| p.0)
    };
    let lower = at(up_to.partition_point(|(_, sum)| *sum < total / 4));
    let upper = at(up_to.partition_point(|(_, sum)| *sum <= total * 3 / 4));
    let quartiles = upper.saturating_sub(lower) as f64 / NORMAL_QUARTILES;
    (SCOTT * quartiles.min(spread) * libm::pow(n, -0.2)).max(LEAST_DEVIATION)
}
