//! Spaces narrowed by pinned keys: a point to evaluate fixes some parameters, and the free ones
//! that those depend on may only take values under which they are active.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Config, Domain, Space, SpaceError, Value};

impl Space {
    /// Checks that some configuration of the space holds these values.
    ///
    /// # Errors
    /// The first key that does not fit and why.
    pub fn check_partial(&self, pinned: &Config) -> Result<(), SpaceError> {
        self.pin(pinned).map(drop)
    }

    /// The part of the space in which the pinned parameters are active and have their values: their
    /// domains shrink to one choice, those of parents that they need to the values that they need.
    ///
    /// # Errors
    /// A key that is no parameter, a value outside its domain, a parameter that cannot be active.
    pub fn pin(&self, pinned: &Config) -> Result<Self, SpaceError> {
        let mut narrowed = self.clone();
        if pinned.is_empty() {
            return Ok(narrowed);
        }
        self.check_names(pinned)?;
        let narrow = Arc::make_mut(&mut narrowed.parameters);
        // By parent: what its children need, and the first child that does.
        let mut needs: BTreeMap<&str, (Vec<Value>, &str)> = BTreeMap::new();
        // Children first, so that all needs of a parent are known when it is reached.
        for (parameter, narrow) in self.parameters.iter().zip(narrow).rev() {
            let given = pinned.get(&parameter.name);
            let need = needs.get(parameter.name.as_str());
            if let Some(value) = given {
                parameter.check(value)?;
                if let Some((values, child)) = need
                    && !values.contains(value)
                {
                    return Err(SpaceError::Inactive {
                        name: (*child).to_owned(),
                        because: format!("`{}` is {value}", parameter.name),
                    });
                }
                narrow.domain = Domain::Choice(vec![value.clone()]);
            } else if let Some((values, child)) = need {
                if values.is_empty() {
                    return Err(SpaceError::Contradiction {
                        name: parameter.name.clone(),
                        child: (*child).to_owned(),
                    });
                }
                narrow.domain = Domain::Choice(values.clone());
            } else {
                continue;
            }
            for condition in &parameter.conditions {
                let mut among: Vec<Value> = Vec::new();
                for value in &condition.among {
                    if !among.contains(value) {
                        among.push(value.clone());
                    }
                }
                needs
                    .entry(&condition.parent)
                    .and_modify(|(values, _)| values.retain(|v| among.contains(v)))
                    .or_insert((among, &parameter.name));
            }
        }
        Ok(narrowed)
    }
}
