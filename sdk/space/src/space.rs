//! A validated search space: which parameters are active in a configuration, whether a
//! configuration belongs to it, drawing one, and its unit cube. Knows nothing of constants and
//! derived values, which the host adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Config, DomainError, Failure, OptionError, Parameter, Stream, Value};

/// Parameters of a space at most, as in the contract.
const MAX_PARAMETERS: usize = 1_024;
/// Bytes of a name at most.
const MAX_NAME_BYTES: usize = 128;
/// Conditions of a parameter at most.
const MAX_CONDITIONS: usize = 64;

/// Why a space makes no sense, or a configuration does not belong to it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message says what each is; fields are names and values"
)]
pub enum SpaceError {
    #[error("{0} parameters: at most 1024 are allowed")]
    TooMany(usize),
    #[error("parameter name `{0}`: expected 1 to 128 bytes")]
    BadName(String),
    #[error("parameter `{0}` stands in the space twice")]
    Twice(String),
    #[error("parameter `{name}`: {error}")]
    Domain { name: String, error: DomainError },
    #[error("parameter `{name}` has {count} conditions: at most 64 are allowed")]
    TooManyConditions { name: String, count: usize },
    #[error(
        "parameter `{name}` depends on `{parent}`, which is no earlier parameter of the space: \
         parents come first and cannot depend on their children"
    )]
    Parent { name: String, parent: String },
    #[error("parameter `{name}` depends on `{parent}` having one of no values: name at least one")]
    NoAlternative { name: String, parent: String },
    #[error(
        "parameter `{name}` depends on `{parent}` being {value}, which is no value of `{parent}`"
    )]
    Alternative {
        name: String,
        parent: String,
        value: Value,
    },
    #[error("parameter `{0}` is missing from the configuration: it is active")]
    Missing(String),
    #[error("parameter `{name}` is {value}: {expected}")]
    Outside {
        name: String,
        value: Value,
        expected: String,
    },
    #[error("`{0}` is no parameter of the space")]
    Unknown(String),
    #[error("parameter `{name}` is given but not active: {because}")]
    Inactive { name: String, because: String },
    #[error("`{name}` must be active for `{child}`, but no value of `{name}` makes it so")]
    Contradiction { name: String, child: String },
}

/// A validated space, parents before children. A clone costs next to nothing: what it holds is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    pub(crate) parameters: Arc<Vec<Parameter>>,
    pub(crate) places: Arc<BTreeMap<String, usize>>,
}

impl Space {
    /// Checks names, domains and conditions.
    ///
    /// # Errors
    /// The first parameter that is wrong and why.
    pub fn new(parameters: Vec<Parameter>) -> Result<Self, SpaceError> {
        if parameters.len() > MAX_PARAMETERS {
            return Err(SpaceError::TooMany(parameters.len()));
        }
        let mut space = Self {
            parameters: Arc::new(Vec::with_capacity(parameters.len())),
            places: Arc::default(),
        };
        for parameter in parameters {
            space.add(parameter)?;
        }
        Ok(space)
    }

    fn add(&mut self, parameter: Parameter) -> Result<(), SpaceError> {
        let name = &parameter.name;
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            let shown = name.chars().take(MAX_NAME_BYTES).collect();
            return Err(SpaceError::BadName(shown));
        }
        if self.places.contains_key(name) {
            return Err(SpaceError::Twice(name.clone()));
        }
        if let Err(error) = parameter.domain.validate() {
            let name = name.clone();
            return Err(SpaceError::Domain { name, error });
        }
        let count = parameter.conditions.len();
        if count > MAX_CONDITIONS {
            let name = name.clone();
            return Err(SpaceError::TooManyConditions { name, count });
        }
        for condition in &parameter.conditions {
            let (name, parent) = (name.clone(), condition.parent.clone());
            let Some(domain) = self.get(&parent).map(|p| &p.domain) else {
                return Err(SpaceError::Parent { name, parent });
            };
            if condition.among.is_empty() {
                return Err(SpaceError::NoAlternative { name, parent });
            }
            if let Some(value) = condition.among.iter().find(|v| !domain.contains(v)) {
                let value = value.clone();
                return Err(SpaceError::Alternative {
                    name,
                    parent,
                    value,
                });
            }
        }
        Arc::make_mut(&mut self.places).insert(name.clone(), self.parameters.len());
        Arc::make_mut(&mut self.parameters).push(parameter);
        Ok(())
    }

    /// All parameters, parents before children.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// A parameter by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.parameters.get(*self.places.get(name)?)
    }

    /// The place of a parameter in [`Self::parameters`].
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The parameters that are active in a configuration whose earlier parameters are resolved.
    pub fn active<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'a Parameter> {
        self.parameters.iter().filter(|p| p.is_active(config))
    }

    /// Builds a configuration: asks for the value of one active parameter after the other, parents
    /// first; the configuration so far is handed in.
    pub fn resolve(&self, mut value: impl FnMut(&Parameter, &Config) -> Value) -> Config {
        let mut config = Config::new();
        for parameter in self.parameters.iter() {
            if parameter.is_active(&config) {
                let value = value(parameter, &config);
                config.insert(parameter.name.as_str(), value);
            }
        }
        config
    }

    /// [`Self::resolve`] with values for which the place of a parameter and the parameter are enough. Faster
    /// where no parameter has conditions: the order of the names is known, and none is looked for.
    pub fn build(&self, mut value: impl FnMut(usize, &Parameter) -> Value) -> Config {
        let parameters = self.parameters.iter().enumerate();
        if self.parameters.iter().any(|p| !p.conditions.is_empty()) {
            let mut config = Config::new();
            for (place, parameter) in parameters {
                if parameter.is_active(&config) {
                    config.insert(parameter.name.as_str(), value(place, parameter));
                }
            }
            return config;
        }
        let mut values: Vec<Option<Value>> = parameters.map(|(i, p)| Some(value(i, p))).collect();
        let entries = self.places.iter().filter_map(|(name, place)| {
            let value = values.get_mut(*place)?.take()?;
            Some((name.clone(), value))
        });
        Config::sorted(entries.collect())
    }

    /// Checks that a configuration holds every active parameter with a value of its domain, and
    /// nothing else.
    ///
    /// # Errors
    /// The first parameter that is wrong and what would be right.
    pub fn check(&self, config: &Config) -> Result<(), SpaceError> {
        if self.holds(config) {
            return Ok(());
        }
        for parameter in self.parameters.iter() {
            let given = config.get(&parameter.name);
            match (given, parameter.is_active(config)) {
                (None, true) => return Err(SpaceError::Missing(parameter.name.clone())),
                (Some(_), false) => {
                    let name = parameter.name.clone();
                    let because = parameter.inactive_because(config).unwrap_or_default();
                    return Err(SpaceError::Inactive { name, because });
                }
                (Some(value), true) => parameter.check(value)?,
                (None, false) => {}
            }
        }
        self.check_names(config)
    }

    /// The same as a question. Both are sorted by name, so that no name is looked for.
    fn holds(&self, config: &Config) -> bool {
        let mut given = config.iter().peekable();
        let all_fit = self.places.iter().all(|(name, place)| {
            let Some(parameter) = self.parameters.get(*place) else {
                return false;
            };
            let active = parameter.is_active(config);
            match given.next_if(|(known, _)| known == name) {
                Some((_, value)) => active && parameter.check(value).is_ok(),
                None => !active,
            }
        });
        all_fit && given.next().is_none()
    }

    pub(crate) fn check_names(&self, config: &Config) -> Result<(), SpaceError> {
        match config
            .iter()
            .find(|(name, _)| !self.places.contains_key(*name))
        {
            Some((name, _)) => Err(SpaceError::Unknown(name.to_owned())),
            None => Ok(()),
        }
    }

    /// Draws a configuration in which the pinned parameters have their values.
    ///
    /// # Errors
    /// As [`Self::pin`].
    pub fn sample(&self, stream: &mut Stream, pinned: &Config) -> Result<Config, SpaceError> {
        if pinned.is_empty() {
            return Ok(self.build(|_, p| p.domain.sample(stream)));
        }
        Ok(self.pin(pinned)?.build(|_, p| p.domain.sample(stream)))
    }

    /// How many configurations there are; none if infinite, more than `u64` holds, or too tangled
    /// to count.
    #[must_use]
    pub fn cardinality(&self) -> Option<u64> {
        // Values that conditions ask for; all others of a parent are alike.
        let mut asked: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for condition in self.parameters.iter().flat_map(|p| &p.conditions) {
            let values = asked.entry(&condition.parent).or_default();
            for value in &condition.among {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        // Bounds the work in spaces with many parents: 2^20 branches are a second.
        let mut visits = 1 << 16;
        count(&self.parameters, &asked, &mut Config::new(), &mut visits)
    }

    /// The values of a configuration in the order of [`Self::parameters`]; none for inactive ones. Both are
    /// sorted by name, so that no name is looked for.
    #[must_use]
    pub fn values<'a>(&self, config: &'a Config) -> Vec<Option<&'a Value>> {
        let mut values = vec![None; self.parameters.len()];
        let mut given = config.iter().peekable();
        for (name, place) in self.places.iter() {
            let mut next = given.next_if(|(known, _)| known == name);
            if next.is_none() {
                while given.next_if(|(known, _)| *known < name.as_str()).is_some() {}
                next = given.next_if(|(known, _)| known == name);
            }
            if let (Some((_, value)), Some(slot)) = (next, values.get_mut(*place)) {
                *slot = Some(value);
            }
        }
        values
    }

    /// Where the values of a configuration lie in the unit cube, in the order of
    /// [`Self::parameters`]; none for inactive ones and values outside their domain.
    #[must_use]
    pub fn encode(&self, config: &Config) -> Vec<Option<f64>> {
        let values = self.values(config).into_iter();
        let at = |(p, value): (&Parameter, Option<&Value>)| p.domain.to_unit(value?);
        self.parameters.iter().zip(values).map(at).collect()
    }

    /// The configuration at a point of the unit cube. Coordinates of inactive parameters are
    /// ignored, missing ones count as 0.5.
    #[must_use]
    pub fn decode(&self, point: &[f64]) -> Config {
        self.build(|place, p| {
            let u = point.get(place).copied();
            p.domain.from_unit(u.unwrap_or(0.5))
        })
    }

    /// What tells two configurations of a discrete space apart: for each parameter the position of
    /// its value plus 1, or 0 if inactive; for real numbers their bits.
    #[must_use]
    pub fn fingerprint(&self, config: &Config) -> Vec<u64> {
        let mark = |(p, value): (&Parameter, Option<&Value>)| match value {
            None => 0,
            Some(value) => match (p.domain.position(value), value) {
                (Some(position), _) => position.saturating_add(1),
                (None, Value::Number(x)) => x.to_bits().saturating_add(1),
                (None, _) => 0,
            },
        };
        let values = self.values(config).into_iter();
        self.parameters.iter().zip(values).map(mark).collect()
    }
}

impl Parameter {
    /// All conditions hold in a configuration whose earlier parameters are resolved.
    #[must_use]
    pub fn is_active(&self, config: &Config) -> bool {
        self.conditions.iter().all(|c| {
            config
                .get(&c.parent)
                .is_some_and(|value| c.among.contains(value))
        })
    }

    fn inactive_because(&self, config: &Config) -> Option<String> {
        self.conditions.iter().find_map(|c| {
            let parent = &c.parent;
            match config.get(parent) {
                None => Some(format!("`{parent}` is not active or not given")),
                Some(value) if !c.among.contains(value) => Some(format!("`{parent}` is {value}")),
                Some(_) => None,
            }
        })
    }

    pub(crate) fn check(&self, value: &Value) -> Result<(), SpaceError> {
        if self.domain.contains(value) {
            return Ok(());
        }
        Err(SpaceError::Outside {
            name: self.name.clone(),
            value: value.clone(),
            expected: format!("expected {}", self.domain),
        })
    }
}

fn count<'a>(
    parameters: &'a [Parameter],
    asked: &BTreeMap<&str, Vec<&'a Value>>,
    config: &mut Config,
    visits: &mut u32,
) -> Option<u64> {
    *visits = visits.checked_sub(1)?;
    let Some((parameter, rest)) = parameters.split_first() else {
        return Some(1);
    };
    if !parameter.is_active(config) {
        return count(rest, asked, config, visits);
    }
    let total = parameter.domain.cardinality()?;
    let mut sum = 0_u64;
    let mut alike = total;
    for value in asked.get(parameter.name.as_str()).into_iter().flatten() {
        config.insert(parameter.name.as_str(), (*value).clone());
        sum = sum.checked_add(count(rest, asked, config, visits)?)?;
        alike = alike.checked_sub(1)?;
        config.remove(&parameter.name);
    }
    if alike == 0 {
        return Some(sum);
    }
    // Left out of the configuration it satisfies no condition, like every value not asked for.
    sum.checked_add(alike.checked_mul(count(rest, asked, config, visits)?)?)
}

impl From<SpaceError> for Failure {
    /// The configuration, pinned keys for instance, cannot be used.
    fn from(error: SpaceError) -> Self {
        Self::BadConfig(error.to_string())
    }
}

impl From<SpaceError> for OptionError {
    /// For searchers, whose host has checked the space already.
    fn from(error: SpaceError) -> Self {
        Self {
            key: "space".to_owned(),
            message: error.to_string(),
            hint: "correct the parameter in `[space]`".to_owned(),
        }
    }
}
