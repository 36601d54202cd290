//! Whether a result from elsewhere, of another run or of a file, belongs to the space and the
//! objectives of a plan: what a searcher is told of it, or which part of it does not fit and why.
//!
//! Pure: who reads runs and files hands over what they say. A result that contradicts the plan (a
//! parameter out of range, another constant) is never bent to fit.

use tune_core::EnginePlan;
use tune_space::{Config, Domain, Ending, Observation, Report, Space, SpaceError, Value};

use crate::space::{describe, fit};

/// Characters of a value that a message repeats.
const SHOWN: usize = 60;
/// Computed values that were written as decimal text may differ in their last digits.
const NEARLY: f64 = 1e-9;

/// Fits results to one plan.
#[derive(Debug)]
pub struct Fitting<'p> {
    plan: &'p EnginePlan,
    space: Space,
}

/// Why a result cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The parameter or metric, as a dotted name.
    pub name: String,
    /// What is wrong with it, naming it and its value.
    pub why: String,
}

impl Misfit {
    fn new(name: &str, why: String) -> Self {
        Self {
            name: name.to_owned(),
            why,
        }
    }
}

impl<'p> Fitting<'p> {
    /// For the space, constants, derived values and objectives of a plan.
    ///
    /// # Errors
    /// The space of the plan makes no sense, which that of an experiment file never does.
    pub fn new(plan: &'p EnginePlan) -> Result<Self, SpaceError> {
        Ok(Self {
            space: Space::new(plan.space.clone())?,
            plan,
        })
    }

    /// A parameter, constant or derived value of the plan has this name.
    #[must_use]
    pub fn is_value(&self, name: &str) -> bool {
        self.space.get(name).is_some()
            || self.plan.constants.get(name).is_some()
            || self.plan.derived.iter().any(|d| d.name == name)
    }

    /// A metric of this name is told to the searcher: an objective, a constraint, or the resource.
    #[must_use]
    pub fn is_metric(&self, name: &str) -> bool {
        self.plan.time_attr == name
            || self.plan.objectives.iter().any(|o| o.metric == name)
            || self.plan.constraints.iter().any(|c| c.metric == name)
    }

    /// Names of the metrics that no result may lack unless it failed.
    pub fn objectives(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        self.plan.objectives.iter().map(|o| o.metric.as_str())
    }

    /// What the searcher is told. `recorded` holds parameters and, if it has them, constants and
    /// derived values; metrics that the plan does not look at are left out.
    ///
    /// # Errors
    /// The first part that does not fit.
    pub fn observation(
        &self,
        recorded: &Config,
        last: Option<&Report>,
        ending: Ending,
    ) -> Result<Observation, Misfit> {
        let config = self.config(recorded)?;
        if !matches!(ending, Ending::Failed(_)) {
            let lacks = |metric: &&str| last.and_then(|report| report.get(metric)).is_none();
            if let Some(metric) = self.objectives().find(lacks) {
                return Err(Misfit::new(metric, format!("it has no metric `{metric}`")));
            }
        }
        let last = last.map(|report| Report {
            metrics: (report.metrics.iter())
                .filter(|metric| self.is_metric(&metric.name))
                .cloned()
                .collect(),
            finished: report.finished,
            cost: None,
        });
        Ok(Observation {
            config,
            last,
            ending,
        })
    }

    /// The part that a searcher suggests, if the rest is as the plan would make it.
    fn config(&self, recorded: &Config) -> Result<Config, Misfit> {
        let mut suggested = Config::new();
        let mut computed = Vec::new();
        for (name, value) in recorded.iter() {
            if let Some(parameter) = self.space.get(name) {
                let domain = &parameter.domain;
                let fitting = fitting(domain, value).ok_or_else(|| outside(name, value, domain))?;
                suggested.insert(name, fitting);
            } else if let Some(constant) = self.plan.constants.get(name) {
                if !same(constant, value, 0.0) {
                    let (was, is) = (shown(value), shown(constant));
                    let why = format!("`{name}` was {was}, here it is the constant {is}");
                    return Err(Misfit::new(name, why));
                }
            } else if self.plan.derived.iter().any(|d| d.name == name) {
                computed.push((name, value));
            } else {
                let why = format!("`{name}` is not in [space], there it was {}", shown(value));
                return Err(Misfit::new(name, why));
            }
        }
        self.space.check(&suggested).map_err(|error| {
            let name = match &error {
                SpaceError::Missing(name)
                | SpaceError::Inactive { name, .. }
                | SpaceError::Outside { name, .. } => name.clone(),
                _ => String::new(),
            };
            let why = match &error {
                SpaceError::Missing(name) => format!("`{name}` is missing, and active here"),
                other => other.to_string(),
            };
            Misfit { name, why }
        })?;
        if !computed.is_empty() {
            let mut whole = suggested.clone();
            for (name, value) in self.plan.constants.iter() {
                whole.insert(name, value.clone());
            }
            tune_core::evaluate(&self.plan.derived, &mut whole)
                .map_err(|error| Misfit::new("", error.to_string()))?;
            for (name, value) in computed {
                if !whole.get(name).is_some_and(|own| same(own, value, NEARLY)) {
                    let own = whole.get(name).map_or_else(|| "absent".to_owned(), shown);
                    let why = format!("`{name}` was {}, here it would be {own}", shown(value));
                    return Err(Misfit::new(name, why));
                }
            }
        }
        Ok(suggested)
    }

    /// A value that stands as text in a file, as the plan would write it.
    ///
    /// # Errors
    /// The text is no value that the parameter may have.
    pub fn value(&self, name: &str, text: &str) -> Result<Value, Misfit> {
        let text = text.trim();
        let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
        let plain = || {
            let whole = text.parse::<i64>().ok().map(Value::Integer);
            whole
                .or(number.map(Value::Number))
                .unwrap_or_else(|| match text {
                    "true" | "True" => Value::Boolean(true),
                    "false" | "False" => Value::Boolean(false),
                    _ => Value::Text(text.to_owned()),
                })
        };
        let Some(parameter) = self.space.get(name) else {
            let constant = self.plan.constants.get(name);
            let written = constant.filter(|value| value.to_string() == text);
            return Ok(written.cloned().unwrap_or_else(plain));
        };
        let domain = &parameter.domain;
        let found = match domain {
            Domain::Choice(values) | Domain::Ordered(values) => {
                let written = values.iter().find(|value| value.to_string() == text);
                written.cloned().or_else(|| fitting(domain, &plain()))
            }
            _ => fitting(domain, &plain()),
        };
        found.ok_or_else(|| outside(name, &plain(), domain))
    }
}

fn outside(name: &str, value: &Value, domain: &Domain) -> Misfit {
    let value = shown(value);
    let why = format!(
        "`{name}` = {value} is outside the space: it is {}",
        describe(domain)
    );
    Misfit::new(name, why)
}

/// The value as the domain writes it, 3.0 as a whole number too.
fn fitting(domain: &Domain, value: &Value) -> Option<Value> {
    /// Up to here every whole number is exact as a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    fit(domain, value).or_else(|| {
        let number = value.as_f64()?;
        let is_whole = number.fract() == 0.0 && number.abs() <= EXACT;
        let whole = Value::Integer(number as i64);
        (is_whole && domain.contains(&whole)).then_some(whole)
    })
}

/// Equal, or numbers that differ by less than a part of the larger one.
fn same(a: &Value, b: &Value, nearly: f64) -> bool {
    a == b
        || match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= nearly * a.abs().max(b.abs()),
            _ => false,
        }
}

/// A value as a message may repeat it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(SHOWN).map(clean).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push_str("..");
    }
    short
}
