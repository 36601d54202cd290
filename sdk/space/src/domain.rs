//! What a domain means: which values it holds, how they are drawn, and its transform onto [0, 1]
//! under which it is uniform. Everything here is total: a domain that [`Domain::validate`] refuses
//! gives useless values, never a panic.

use crate::{
    Domain, RealRange, Stream, Value, WholeRange,
    lattice::{Lattice, Step},
    normal,
};

/// Next to 0 and 1, where the quantile function is infinite.
const OPEN_END: f64 = f64::EPSILON / 2.0;

impl Domain {
    /// Whether the domain holds the value. Types must match: `1` is not in a real range and `1.0`
    /// in no whole one. A real multiple of a step may be off by rounding errors.
    #[must_use]
    pub fn contains(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Real(r), Value::Number(x)) if r.step.is_none() => (r.low..=r.high).contains(x),
            (Self::Gaussian(g), Value::Number(x)) => {
                x.is_finite()
                    && g.step
                        .is_none_or(|step| Step::new(step).index(*x).is_some())
            }
            _ => self.index(value).is_some(),
        }
    }

    /// How many values; none if that is infinite or more than `u64` holds.
    #[must_use]
    pub fn cardinality(&self) -> Option<u64> {
        match self {
            Self::Real(r) if r.step.is_none() && r.low == r.high => Some(1),
            _ => self.lattice()?.count(),
        }
    }

    /// The value at a position from 0, of a domain with a [`Self::cardinality`].
    #[must_use]
    pub fn nth(&self, position: u64) -> Option<Value> {
        match self {
            Self::Real(r) if r.step.is_none() => {
                (r.low == r.high && position == 0).then_some(Value::Number(r.low))
            }
            _ => self.value(self.lattice()?.nth(position)?),
        }
    }

    /// The position of a value, so that `nth(position(v)) == v`.
    #[must_use]
    pub fn position(&self, value: &Value) -> Option<u64> {
        match self {
            Self::Real(r) if r.step.is_none() => {
                (r.low == r.high && *value == Value::Number(r.low)).then_some(0)
            }
            _ => Some(self.lattice()?.position(self.index(value)?)),
        }
    }

    /// The value at `u` in [0, 1], where equal parts of [0, 1] are equally likely. `u` outside is
    /// moved to the nearer end.
    #[must_use]
    pub fn from_unit(&self, u: f64) -> Value {
        let u = u.clamp(0.0, 1.0);
        match self {
            Self::Real(r) if r.step.is_none() => Value::Number(real_from_unit(r, u)),
            Self::Gaussian(g) => {
                let z = normal::quantile(u.clamp(OPEN_END, 1.0 - OPEN_END));
                let x = g.mean + g.sd * z;
                Value::Number(g.step.map_or(x, |step| Step::new(step).round(x)))
            }
            _ => {
                let value = self.lattice().and_then(|lattice| self.value(lattice.at(u)));
                value.unwrap_or(Value::Boolean(false))
            }
        }
    }

    /// Where a value lies in [0, 1]: the middle of [`Self::cell`]. None if the domain does not
    /// hold it. `from_unit` undoes it up to rounding, exactly where a cell is wider than 1e-12.
    #[must_use]
    pub fn to_unit(&self, value: &Value) -> Option<f64> {
        let (low, high) = self.cell(value)?;
        Some(low + 0.5 * (high - low))
    }

    /// The part of [0, 1] that `from_unit` turns into the value: a single point for real numbers
    /// without a step, an interval for everything else. None if the domain does not hold it.
    #[must_use]
    pub fn cell(&self, value: &Value) -> Option<(f64, f64)> {
        if !self.contains(value) {
            return None;
        }
        match (self, value) {
            (Self::Real(r), Value::Number(x)) if r.step.is_none() => {
                let u = real_to_unit(r, *x);
                Some((u, u))
            }
            (Self::Gaussian(g), Value::Number(x)) => {
                let half = g.step.unwrap_or(0.0) / 2.0;
                let at = |x: f64| normal::cdf((x - g.mean) / g.sd);
                Some((at(x - half), at(x + half)))
            }
            _ => Some(self.lattice()?.cell(self.index(value)?)),
        }
    }

    /// Draws a value: uniform (in the logarithm if `log`), every multiple of a step equally likely
    /// (with mass ln((k + 1) / k) for the k-th if `log`), normal, or any alternative.
    #[must_use]
    pub fn sample(&self, stream: &mut Stream) -> Value {
        match (self, self.lattice()) {
            (_, Some(lattice)) => self
                .value(lattice.sample(stream))
                .unwrap_or(Value::Boolean(false)),
            (Self::Gaussian(g), None) => {
                let x = g.mean + g.sd * stream.normal();
                Value::Number(g.step.map_or(x, |step| Step::new(step).round(x)))
            }
            _ => self.from_unit(stream.unit()),
        }
    }

    /// The value nearest to a number: inside the range and on the grid of a step. None for
    /// alternatives, for NaN, and for a number without a value near it where there is no range.
    #[must_use]
    pub fn nearest(&self, x: f64) -> Option<Value> {
        if x.is_nan() {
            return None;
        }
        let within = |step: f64| {
            let Lattice { first, last, .. } = self.lattice()?;
            // Saturates at the ends of i64.
            self.value(((x / step).round() as i64).min(last).max(first))
        };
        match self {
            Self::Real(RealRange {
                step: Some(step), ..
            }) => within(*step),
            Self::Real(r) => Some(Value::Number(x.min(r.high).max(r.low))),
            Self::Whole(r) => within(r.step.unwrap_or(1) as f64),
            Self::Gaussian(g) => {
                let x = g.step.map_or(x, |step| Step::new(step).round(x));
                // Far out the multiples of a step are no longer distinct numbers.
                Some(Value::Number(x)).filter(|value| self.contains(value))
            }
            Self::Choice(_) | Self::Ordered(_) => None,
        }
    }

    /// The whole numbers that stand for the values of a countable bounded domain.
    fn lattice(&self) -> Option<Lattice> {
        let (first, last, log) = match self {
            Self::Real(r) => {
                let (first, last) = Step::new(r.step?).inside(r.low, r.high)?;
                (first, last, r.log)
            }
            Self::Whole(r) => {
                let (first, last) = multiples(r);
                (first, last, r.log)
            }
            Self::Gaussian(_) => return None,
            Self::Choice(values) | Self::Ordered(values) => (0, values.len() as i64 - 1, false),
        };
        Some(Lattice { first, last, log })
    }

    /// The value that a number of the lattice stands for.
    fn value(&self, k: i64) -> Option<Value> {
        Some(match self {
            Self::Real(r) => Value::Number(Step::new(r.step?).times(k).min(r.high).max(r.low)),
            Self::Whole(r) => Value::Integer(k.saturating_mul(r.step.unwrap_or(1))),
            Self::Gaussian(_) => return None,
            Self::Choice(values) | Self::Ordered(values) => {
                values.get(usize::try_from(k).ok()?)?.clone()
            }
        })
    }

    /// The number of the lattice that stands for a value.
    fn index(&self, value: &Value) -> Option<i64> {
        let k = match (self, value) {
            (Self::Real(r), Value::Number(x)) => Step::new(r.step?).index(*x)?,
            (Self::Whole(r), Value::Integer(i)) => {
                let step = r.step.unwrap_or(1);
                if i.checked_rem(step)? != 0 {
                    return None;
                }
                i.checked_div(step)?
            }
            (Self::Choice(values) | Self::Ordered(values), _) => {
                values.iter().position(|v| v == value)? as i64
            }
            _ => return None,
        };
        self.lattice()?.contains(k).then_some(k)
    }
}

fn real_from_unit(r: &RealRange, u: f64) -> f64 {
    let x = if r.log {
        let low = libm::log(r.low);
        libm::exp(low + u * (libm::log(r.high) - low))
    } else if (r.high - r.low).is_finite() {
        r.low + u * (r.high - r.low)
    } else {
        r.low * (1.0 - u) + r.high * u
    };
    // Not `min` and `max`, which are calls in the sandbox.
    let x = if x < r.high { x } else { r.high };
    if x > r.low { x } else { r.low }
}

fn real_to_unit(r: &RealRange, x: f64) -> f64 {
    let (low, high, x) = if r.log {
        (libm::log(r.low), libm::log(r.high), libm::log(x))
    } else if (r.high - r.low).is_finite() {
        (r.low, r.high, x)
    } else {
        // Halves: the width itself would overflow.
        (r.low / 2.0, r.high / 2.0, x / 2.0)
    };
    if high > low {
        ((x - low) / (high - low)).clamp(0.0, 1.0)
    } else {
        0.5
    }
}

/// The multiples inside a whole range, as factors of the step. `first > last` if there is none.
pub(crate) fn multiples(r: &WholeRange) -> (i64, i64) {
    let step = i128::from(r.step.unwrap_or(1).max(1));
    let last = i128::from(r.high).div_euclid(step);
    let first = -(-i128::from(r.low)).div_euclid(step);
    // Both are no larger than the bounds that they come from.
    (first as i64, last as i64)
}
