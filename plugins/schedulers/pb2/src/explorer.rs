//! What a member goes on with: categories by bandits, numbers by the model, and, until there is one,
//! the rules of `pbt`.

use std::collections::BTreeMap;

use tune_model::Axis;
use tune_plugin::{
    Config, Domain, OptionError, Parameter, Setup, Stream, TrialId, Value,
    schedule::{Changeable, Explore, Member, Perturb, Score, Stretch},
};

use crate::{
    bandit::Bandit,
    bounds,
    surrogate::{Row, Surrogate},
};

/// Alternatives that were drawn for a trial, by the place of the parameter, each with its chance.
type Drawn = BTreeMap<usize, (usize, f64)>;

/// The parameters that change, and what is known of them.
#[derive(Clone, Debug)]
pub(crate) struct Explorer {
    changeable: Changeable,
    parameters: Vec<Parameter>,
    /// One a categorical parameter, by its place.
    bandits: BTreeMap<usize, Bandit>,
    drawn: BTreeMap<TrialId, Drawn>,
    surrogate: Surrogate,
    perturb: Perturb,
    /// Weight of the standard deviation; by default it grows with the data.
    pub(crate) kappa: Option<f64>,
}

impl Explorer {
    /// Of the parameters that `hyperparam_bounds` names, all if it is empty.
    ///
    /// # Errors
    /// Every entry that is wrong.
    pub(crate) fn new(
        setup: &Setup,
        bounds: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, Vec<OptionError>> {
        let mut setup = setup.clone();
        let named = bounds::narrow(&mut setup.space, bounds)?;
        let changeable = Changeable::new(&setup, bounds::OPTION, &named)?;
        let parameters: Vec<Parameter> = changeable.parameters().cloned().collect();
        let alternatives = |p: &Parameter| match &p.domain {
            Domain::Choice(values) => Some(values.len()),
            _ => None,
        };
        let bandits = parameters.iter().enumerate();
        let bandits = bandits.filter_map(|(i, p)| Some((i, Bandit::new(alternatives(p)?))));
        let axis = |p: &Parameter| alternatives(p).map_or(Axis::Number, |_| Axis::Category);
        Ok(Self {
            bandits: bandits.collect(),
            surrogate: Surrogate::new(parameters.iter().map(axis).collect()),
            parameters,
            drawn: BTreeMap::new(),
            perturb: Perturb::new(Ok(changeable.clone()), 0.25, &[1.2, 0.8])?,
            changeable,
            kappa: None,
        })
    }

    /// Where a configuration lies: numbers in [0, 1], categories by position, NaN if inactive.
    fn encode(&self, config: &Config) -> Vec<f64> {
        let place = |p: &Parameter| {
            let value = config.get(&p.name)?;
            coordinate(&p.domain, value)
        };
        let all = self.parameters.iter();
        all.map(|p| place(p).unwrap_or(f64::NAN)).collect()
    }

    /// A configuration with these coordinates; those that become active without having one keep the
    /// value that they have, or are drawn.
    fn decode(&self, base: &Config, at: &[f64], stream: &mut Stream) -> Config {
        let mut places = BTreeMap::new();
        for (parameter, at) in self.parameters.iter().zip(at) {
            places.insert(parameter.name.as_str(), *at);
        }
        self.changeable.changed(base, |parameter, value| {
            let domain = &parameter.domain;
            let at = places.get(parameter.name.as_str()).copied();
            let placed = at.filter(|at| !at.is_nan()).and_then(|at| match domain {
                Domain::Choice(_) => domain.nth(at as u64),
                _ => Some(domain.from_unit(at)),
            });
            let kept = || value.filter(|value| domain.contains(value)).cloned();
            placed
                .or_else(kept)
                .unwrap_or_else(|| domain.sample(stream))
        })
    }

    /// The donor's configuration with newly drawn categories.
    fn draw(&self, base: &Config, stream: &mut Stream) -> (Config, Drawn) {
        let mut at = vec![f64::NAN; self.parameters.len()];
        let mut drawn = Drawn::new();
        for (place, bandit) in &self.bandits {
            let (alternative, chance) = bandit.draw(stream);
            if let Some(at) = at.get_mut(*place) {
                *at = alternative as f64;
            }
            drawn.insert(*place, (alternative, chance));
        }
        (self.decode(base, &at, stream), drawn)
    }

    /// Alternatives of a configuration that nobody drew: the searcher's, each as likely.
    fn first_draw(&self, config: &Config) -> Drawn {
        let each = self.bandits.keys().filter_map(|place| {
            let parameter = self.parameters.get(*place)?;
            let domain = &parameter.domain;
            let position = domain.position(config.get(&parameter.name)?)?;
            let count = domain.cardinality()?.max(1);
            Some((*place, (position as usize, 1.0 / count as f64)))
        });
        each.collect()
    }
    /// What `target` goes on with from a state with this configuration, time and score.
    pub(crate) fn chosen(
        &mut self,
        target: TrialId,
        donor: &Config,
        from: (f64, f64),
        stream: &mut Stream,
    ) -> Config {
        let (base, drawn) = self.draw(donor, stream);
        let start = self.encode(&base);
        let free: Vec<bool> = start
            .iter()
            .enumerate()
            .map(|(place, at)| !at.is_nan() && !self.bandits.contains_key(&place))
            .collect();
        let kappa = self.kappa;
        let surrogate = &mut self.surrogate;
        let Some(best) = surrogate.best(target, from, &start, &free, kappa, stream) else {
            self.drawn.remove(&target);
            return self.perturb.perturbed(donor, stream);
        };
        let config = self.decode(&base, &best, stream);
        // Only what is active is trained, so only that is learnt of.
        let active = |(place, _): &(usize, (usize, f64))| {
            let parameter = self.parameters.get(*place);
            parameter.is_some_and(|p| config.get(&p.name).is_some())
        };
        let drawn = drawn.into_iter().filter(active).collect();
        self.drawn.insert(target, drawn);
        config
    }
}

fn coordinate(domain: &Domain, value: &Value) -> Option<f64> {
    if let Domain::Choice(_) = domain {
        return domain.position(value).map(|position| position as f64);
    }
    // A value outside the bounds, of the searcher, counts as the nearest inside.
    let nearest = || domain.to_unit(&domain.nearest(value.as_f64()?)?);
    domain.to_unit(value).or_else(nearest)
}

impl Explore for Explorer {
    fn observe(&mut self, stretch: &Stretch<'_>) {
        let Stretch {
            trial, from, to, ..
        } = *stretch;
        if from.1 == Score::WORST {
            // How much better something is than no number cannot be told.
            self.surrogate.forget(trial);
            self.drawn.insert(trial, Drawn::new());
            return;
        }
        let rate = (to.1.value() - from.1.value()) / (to.0 - from.0);
        let rate = Some(rate).filter(|rate| rate.is_finite());
        let row = Row {
            from: (from.0, from.1.value()),
            at: self.encode(stretch.config),
            rate,
        };
        self.surrogate.learn(trial, row);
        let drawn = self.drawn.insert(trial, Drawn::new());
        let drawn = drawn.unwrap_or_else(|| self.first_draw(stretch.config));
        let reward = self.surrogate.share(rate);
        for (place, (alternative, chance)) in drawn {
            if let Some(bandit) = self.bandits.get_mut(&place) {
                bandit.learn(alternative, chance, reward);
            }
        }
    }

    fn explore(&mut self, target: TrialId, donor: &Member, stream: &mut Stream) -> Config {
        let from = donor.base.map_or((0.0, 0.0), |(t, s)| (t, s.value()));
        self.chosen(target, &donor.config, from, stream)
    }

    fn forget(&mut self, trial: TrialId) {
        self.surrogate.forget(trial);
        self.drawn.remove(&trial);
    }
}
