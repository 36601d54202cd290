//! How a copied configuration is changed: which parameters, and the rules of population based
//! training for their values. The result is always a configuration of the space: values stay in
//! their range and on their grid, and exactly the active parameters have one.

use std::collections::BTreeSet;

use tune_space::{Config, Domain, OptionError, Parameter, Setup, Space, Stream, TrialId, Value};

use super::{Explore, Member, refused};

/// The parameters of a space that a scheduler changes.
#[derive(Clone, Debug)]
pub struct Changeable {
    space: Space,
    names: BTreeSet<String>,
}

impl Changeable {
    /// Those named in `option`; all if none is.
    ///
    /// # Errors
    /// Every reason why they cannot be changed: no such parameter, or one that depends on it is not
    /// among them.
    pub fn new(setup: &Setup, option: &str, named: &[String]) -> Result<Self, Vec<OptionError>> {
        let space = Space::new(setup.space.clone()).map_err(|error| vec![error.into()])?;
        let all: Vec<&str> = space.parameters().iter().map(|p| p.name.as_str()).collect();
        let mut errors = Vec::new();
        if all.is_empty() {
            errors.push(refused(
                option,
                "the space has no parameters, so there is nothing to change",
                "add one to `[space]`, such as lr = { loguniform = [1e-4, 1.0] }",
            ));
        }
        for unknown in named.iter().filter(|name| !all.contains(&name.as_str())) {
            errors.push(refused(
                option,
                format!("`{unknown}` is no parameter of the space"),
                format!("parameters of the space: {}", all.join(", ")),
            ));
        }
        let names: BTreeSet<String> = if named.is_empty() {
            all.iter().map(|name| (*name).to_owned()).collect()
        } else {
            named.iter().cloned().collect()
        };
        for fixed in space
            .parameters()
            .iter()
            .filter(|p| !names.contains(&p.name))
        {
            let parents = fixed.conditions.iter().map(|c| &c.parent);
            if let Some(parent) = parents.filter(|parent| names.contains(*parent)).min() {
                errors.push(refused(
                    option,
                    format!(
                        "`{parent}` changes, and `{}` depends on it but does not",
                        fixed.name
                    ),
                    format!("add `{}`, or leave `{parent}` out", fixed.name),
                ));
            }
        }
        if errors.is_empty() {
            Ok(Self { space, names })
        } else {
            Err(errors)
        }
    }

    /// They, parents before children.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let all = self.space.parameters().iter();
        all.filter(|p| self.names.contains(&p.name))
    }

    /// A copy in which every active one of them has the value that `change` gives it, parents first;
    /// `change` gets the value before, none where the parameter becomes active by the change of
    /// another one.
    pub fn changed(
        &self,
        base: &Config,
        mut change: impl FnMut(&Parameter, Option<&Value>) -> Value,
    ) -> Config {
        self.space
            .resolve(|parameter, _| match base.get(&parameter.name) {
                Some(value) if !self.names.contains(&parameter.name) => value.clone(),
                value => change(parameter, value),
            })
    }
}

/// The rules of population based training (Jaderberg et al. 2017, as Ray Tune has them): a value is
/// drawn anew, or a number is multiplied by a factor and a value of a list steps to its neighbour.
#[derive(Clone, Debug)]
pub struct Perturb {
    changeable: Changeable,
    resample_probability: f64,
    factors: Vec<f64>,
}

impl Perturb {
    /// By default values are drawn anew with probability 0.25, and the factors are 1.2 and 0.8.
    ///
    /// # Errors
    /// If there are no factors; beside them those of `changeable`.
    pub fn new(
        changeable: Result<Changeable, Vec<OptionError>>,
        resample_probability: f64,
        factors: &[f64],
    ) -> Result<Self, Vec<OptionError>> {
        let none = factors.is_empty().then(|| {
            let hint = "the default is [1.2, 0.8]";
            refused("perturbation_factors", "the list is empty", hint)
        });
        match changeable {
            Ok(changeable) if none.is_none() => Ok(Self {
                changeable,
                resample_probability,
                factors: factors.to_vec(),
            }),
            other => {
                let errors = other.err().unwrap_or_default().into_iter();
                Err(errors.chain(none).collect())
            }
        }
    }

    /// A changed copy. A parameter that becomes active by the change of another one is drawn from
    /// its domain.
    pub fn perturbed(&self, base: &Config, stream: &mut Stream) -> Config {
        self.changeable
            .changed(base, |parameter, value| match value {
                Some(value) => self.change(parameter, value, stream),
                None => parameter.domain.sample(stream),
            })
    }

    fn change(&self, parameter: &Parameter, value: &Value, stream: &mut Stream) -> Value {
        let domain = &parameter.domain;
        if stream.unit() < self.resample_probability || !domain.contains(value) {
            return domain.sample(stream);
        }
        let changed = match domain {
            Domain::Choice(_) | Domain::Ordered(_) => neighbour(domain, value, stream.below(2) > 0),
            Domain::Real(_) | Domain::Whole(_) | Domain::Gaussian(_) => {
                let factor = stream.below(self.factors.len() as u64) as usize;
                let factor = self.factors.get(factor).copied().unwrap_or(1.0);
                scaled(domain, value, factor)
            }
        };
        changed.unwrap_or_else(|| value.clone())
    }
}

impl Explore for Perturb {
    fn explore(&mut self, _: TrialId, donor: &Member, stream: &mut Stream) -> Config {
        self.perturbed(&donor.config, stream)
    }
}

/// The next value of a list or grid, or the one before; none at its end.
fn neighbour(domain: &Domain, value: &Value, up: bool) -> Option<Value> {
    let position = domain.position(value)?;
    domain.nth(if up {
        position.checked_add(1)?
    } else {
        position.checked_sub(1)?
    })
}

/// The value times the factor, in the range and on the grid. On a grid it moves by one step at
/// least: otherwise small whole numbers would be rounded back for ever.
fn scaled(domain: &Domain, value: &Value, factor: f64) -> Option<Value> {
    let x = value.as_f64()?;
    let scaled = x * factor;
    let near = domain.nearest(scaled)?;
    if near == *value && scaled != x {
        return neighbour(domain, value, scaled > x);
    }
    Some(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_space::{Condition, GaussianSpread, RealRange, WholeRange};

    fn real(low: f64, high: f64, step: Option<f64>) -> Domain {
        Domain::Real(RealRange {
            low,
            high,
            log: false,
            step,
        })
    }

    fn whole(low: i64, high: i64, step: Option<i64>) -> Domain {
        Domain::Whole(WholeRange {
            low,
            high,
            log: false,
            step,
        })
    }

    fn list(values: &[i64]) -> Domain {
        Domain::Choice(values.iter().copied().map(Value::Integer).collect())
    }

    fn parameter(name: &str, domain: Domain) -> Parameter {
        Parameter {
            name: name.to_owned(),
            domain,
            conditions: Vec::new(),
        }
    }

    fn try_new(
        space: Vec<Parameter>,
        mutations: &[&str],
        p: f64,
        factors: &[f64],
    ) -> Result<Perturb, Vec<OptionError>> {
        let setup = Setup {
            space,
            objectives: Vec::new(),
            constraints: Vec::new(),
            time_attr: "t".to_owned(),
            max_t: None,
            trials: None,
            slots: 1,
            seed: 0,
            options: String::new(),
        };
        let mutations: Vec<String> = mutations.iter().map(|m| (*m).to_owned()).collect();
        Perturb::new(
            Changeable::new(&setup, "hyperparam_mutations", &mutations),
            p,
            factors,
        )
    }

    /// All values that a change can lead to, sorted as text.
    fn reached(domain: Domain, value: impl Into<Value>, p: f64, factors: &[f64]) -> Vec<String> {
        let explorer = try_new(vec![parameter("x", domain.clone())], &[], p, factors).unwrap();
        let base: Config = [("x".to_owned(), value.into())].into_iter().collect();
        let mut stream = Stream::new(1);
        let mut found = BTreeSet::new();
        for _ in 0..200 {
            let config = explorer.perturbed(&base, &mut stream);
            let value = config.get("x").unwrap();
            assert!(domain.contains(value), "{value} is not in {domain}");
            found.insert(value.to_string());
        }
        found.into_iter().collect()
    }

    const USUAL: [f64; 2] = [1.2, 0.8];

    #[test]
    fn numbers_are_scaled_and_lists_step_to_a_neighbour() {
        assert_eq!(
            reached(real(0.0, 100.0, None), 2.0, 0.0, &USUAL),
            ["1.6", "2.4"]
        );
        assert_eq!(
            reached(whole(0, 100, None), 10_i64, 0.0, &USUAL),
            ["12", "8"]
        );
        assert_eq!(
            reached(whole(0, 500, None), 100_i64, 0.0, &USUAL),
            ["120", "80"]
        );
        let ray = || list(&[3, 4, 8, 10]);
        assert_eq!(reached(ray(), 4_i64, 0.0, &USUAL), ["3", "8"]);
        assert_eq!(reached(ray(), 3_i64, 0.0, &USUAL), ["3", "4"]);
        assert_eq!(reached(ray(), 10_i64, 0.0, &USUAL), ["10", "8"]);
        // A value that is not in the list, and resampling: any.
        assert_eq!(reached(ray(), 7_i64, 0.0, &USUAL), ["10", "3", "4", "8"]);
        assert_eq!(reached(ray(), 3_i64, 1.0, &USUAL), ["10", "3", "4", "8"]);
        let flags = || Domain::Choice(vec![false.into(), true.into()]);
        assert_eq!(reached(flags(), true, 0.0, &USUAL), ["false", "true"]);
    }

    #[test]
    fn values_stay_in_their_range_and_on_their_grid() {
        assert_eq!(
            reached(real(0.5, 1.0, None), 0.9, 0.0, &USUAL),
            ["0.7200000000000001", "1.0"]
        );
        assert_eq!(
            reached(real(0.85, 1.0, None), 0.9, 0.0, &USUAL),
            ["0.85", "1.0"]
        );
        assert_eq!(
            reached(real(0.0, 1.0, Some(0.25)), 0.5, 0.0, &USUAL),
            ["0.25", "0.75"]
        );
        assert_eq!(
            reached(whole(8, 64, Some(8)), 32_i64, 0.0, &USUAL),
            ["24", "40"]
        );
        assert_eq!(
            reached(whole(8, 64, Some(8)), 64_i64, 0.0, &USUAL),
            ["48", "64"]
        );
        let spread = Domain::Gaussian(GaussianSpread {
            mean: 0.0,
            sd: 1.0,
            step: None,
        });
        assert_eq!(
            reached(spread, f64::MAX, 0.0, &[2.0]),
            [format!("{:?}", f64::MAX)]
        );
    }

    #[test]
    fn small_whole_and_negative_numbers_move_by_a_step_at_least() {
        assert_eq!(reached(whole(1, 9, None), 2_i64, 0.0, &USUAL), ["1", "3"]);
        assert_eq!(reached(whole(1, 9, None), 1_i64, 0.0, &USUAL), ["1", "2"]);
        assert_eq!(
            reached(whole(-9, 9, None), -2_i64, 0.0, &USUAL),
            ["-1", "-3"]
        );
        assert_eq!(reached(whole(0, 9, None), 0_i64, 0.0, &USUAL), ["0"]);
        assert_eq!(
            reached(real(-4.0, 4.0, None), -2.0, 0.0, &USUAL),
            ["-1.6", "-2.4"]
        );
    }

    /// `optimizer` is sgd or adam, `momentum` belongs to sgd, `beta` to adam.
    fn branches() -> Vec<Parameter> {
        let child = |name: &str, of: &str| Parameter {
            conditions: vec![Condition {
                parent: "optimizer".to_owned(),
                among: vec![of.into()],
            }],
            ..parameter(name, real(0.1, 0.9, None))
        };
        vec![
            parameter("lr", real(0.0, 1.0, None)),
            parameter(
                "optimizer",
                Domain::Choice(vec!["sgd".into(), "adam".into()]),
            ),
            child("momentum", "sgd"),
            child("beta", "adam"),
        ]
    }

    fn sgd() -> Config {
        let mut config = Config::new();
        config.insert("lr", 0.5);
        config.insert("optimizer", "sgd");
        config.insert("momentum", 0.4);
        config
    }

    #[test]
    fn exactly_the_active_parameters_have_a_value_whatever_the_parent_became() {
        let explorer = try_new(branches(), &[], 0.25, &USUAL).unwrap();
        let space = Space::new(branches()).unwrap();
        let mut stream = Stream::new(2);
        let mut became = BTreeSet::new();
        for _ in 0..200 {
            let config = explorer.perturbed(&sgd(), &mut stream);
            assert_eq!(space.check(&config), Ok(()), "{config}");
            became.insert(config.text("optimizer").unwrap());
        }
        assert_eq!(became.len(), 2);
    }

    #[test]
    fn only_the_named_parameters_change_and_the_others_are_the_donors() {
        let explorer = try_new(branches(), &["lr"], 0.25, &USUAL).unwrap();
        let mut stream = Stream::new(3);
        for _ in 0..50 {
            let mut config = explorer.perturbed(&sgd(), &mut stream);
            assert!(config.f64("lr").unwrap() <= 1.0);
            config.insert("lr", 0.5);
            assert_eq!(config, sgd());
        }
    }

    #[test]
    fn wrong_options_are_all_named() {
        let errors = try_new(branches(), &["rate", "optimizer", "beta"], 0.25, &[]).unwrap_err();
        let messages: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "`rate` is no parameter of the space",
                "`optimizer` changes, and `momentum` depends on it but does not",
                "the list is empty",
            ]
        );
        let errors = try_new(Vec::new(), &[], 0.25, &USUAL).unwrap_err();
        assert!(errors.first().unwrap().message.contains("no parameters"));
    }
}
