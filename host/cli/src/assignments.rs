//! `--set name=value`: a configuration with some of its values replaced, checked against the space
//! of the plan.

use tune_core::EnginePlan;
use tune_core::records::{Config, Domain, Space, Value};

use crate::failure::Failure;
use crate::runs_dir::near;

/// A configuration to begin with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assigned {
    /// Values of the space.
    pub(crate) suggested: Config,
    /// The plan's constants.
    pub(crate) constants: Config,
    /// Names of the values that are other ones than before, those that a condition brought or took
    /// away included.
    pub(crate) changed: Vec<String>,
}

/// The whole configuration `base` with the assignments carried out in order. Parameters that a new
/// value makes inactive are left out.
///
/// # Errors
/// An unknown or computed name, a value that the space does not have, a parameter that has become
/// active and needs a value.
pub(crate) fn assign(
    plan: &EnginePlan,
    base: &Config,
    assignments: &[(String, String)],
) -> Result<Assigned, Failure> {
    let space = Space::new(plan.space.clone()).map_err(|e| Failure::usage(e.to_string()))?;
    let mut config = Config::new();
    for (name, value) in base.iter().filter(|(name, _)| space.get(name).is_some()) {
        config.insert(name, value.clone());
    }
    let mut constants = plan.constants.clone();
    for (name, text) in assignments {
        if let Some(parameter) = space.get(name) {
            config.insert(name.as_str(), value_of(text, &parameter.domain));
        } else if let Some(before) = constants.get(name) {
            let value = like(before, text).ok_or_else(|| {
                Failure::usage(format!(
                    "`{name}` is the constant {before}; {text} is a value of another kind\n  hint: \
                     write --set {name}=.. with a value like {before}"
                ))
            })?;
            constants.insert(name.as_str(), value);
        } else {
            return Err(unknown(plan, name));
        }
    }
    let set = |name: &str| assignments.iter().any(|(given, _)| given == name);
    for parameter in space.parameters() {
        if !set(&parameter.name) && !parameter.is_active(&config) {
            config.remove(&parameter.name);
        }
    }
    space.check(&config).map_err(|error| {
        Failure::usage(format!(
            "{error}\n  hint: --set changes one value of the configuration; it must stay within the \
             run's space, in which every active parameter has a value"
        ))
    })?;
    let suggested_before = |name: &str| base.get(name).filter(|_| space.get(name).is_some());
    let mut changed: Vec<String> = space
        .parameters()
        .iter()
        .map(|parameter| parameter.name.as_str())
        .filter(|name| config.get(name) != suggested_before(name))
        .chain(
            constants
                .iter()
                .filter(|(name, value)| plan.constants.get(name) != Some(value))
                .map(|(name, _)| name),
        )
        .map(str::to_owned)
        .collect();
    changed.sort_unstable();
    Ok(Assigned {
        suggested: config,
        constants,
        changed,
    })
}

fn unknown(plan: &EnginePlan, name: &str) -> Failure {
    if let Some(derived) = plan.derived.iter().find(|d| d.name == name) {
        return Failure::usage(format!(
            "`{name}` is computed from others: {}\n  hint: set what it is computed from",
            derived.expression
        ));
    }
    let names = || {
        let parameters = plan.space.iter().map(|p| p.name.as_str());
        parameters.chain(plan.constants.iter().map(|(name, _)| name))
    };
    let near = near(name, names());
    let hint = if near.is_empty() {
        format!("it has {}", names().collect::<Vec<_>>().join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Failure::usage(format!("the space has no `{name}`\n  hint: {hint}"))
}

/// What was typed as a value of a domain: the reading that the domain has, or else the plain one,
/// for the message of the check.
fn value_of(text: &str, domain: &Domain) -> Value {
    let readings = readings(text);
    let fits = readings.iter().find(|value| domain.contains(value));
    let plain = || Value::Text(text.to_owned());
    fits.or(readings.first()).cloned().unwrap_or_else(plain)
}

/// What was typed as a value of the same kind as another one.
fn like(before: &Value, text: &str) -> Option<Value> {
    let kind = std::mem::discriminant(before);
    readings(text)
        .into_iter()
        .find(|value| std::mem::discriminant(value) == kind)
}

/// What was typed may mean, the likeliest first: JSON, a real number instead of a whole one, or the
/// text itself, which needs no quotes.
fn readings(text: &str) -> Vec<Value> {
    let json = serde_json::from_str(text).ok();
    let parsed = json.as_ref().and_then(Value::from_json);
    let real = match parsed {
        Some(Value::Integer(whole)) => Some(Value::Number(whole as f64)),
        _ => None,
    };
    let number = text.parse().ok().filter(|x: &f64| x.is_finite());
    let mut all: Vec<Value> = parsed.into_iter().chain(real).collect();
    all.extend(number.map(Value::Number));
    all.push(Value::Text(text.to_owned()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> EnginePlan {
        let text = r#"version = 1
trainable = "t"
metric = "m"
mode = "max"
trials = 4
[space]
lr = { uniform = [0, 1] }
layers = { randint = [1, 5] }
optimizer = { choice = ["sgd", "adam", "1"] }
momentum = { uniform = [0.0, 0.99], when = { optimizer = ["sgd"] } }
beta = { uniform = [0.0, 1.0], when = { optimizer = ["adam"] } }
batch = 32
name = "x"
twice = { derived = "lr * 2" }
"#;
        tune_experiment::parse(text, "x.toml", 0).unwrap().engine
    }

    fn base() -> Config {
        let mut config = Config::new();
        for (name, value) in [("lr", 0.5), ("momentum", 0.9), ("twice", 1.0)] {
            config.insert(name, value);
        }
        config.insert("layers", 2_i64);
        config.insert("optimizer", "sgd");
        config.insert("batch", 32_i64);
        config.insert("name", "x");
        config
    }

    fn set(words: &[&str]) -> Result<Assigned, String> {
        let pairs = words.iter().map(|word| word.split_once('=').unwrap());
        let pairs: Vec<_> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assign(&plan(), &base(), &pairs).map_err(|failure| failure.message())
    }

    #[test]
    fn values_are_read_as_the_space_has_them() {
        let assigned = set(&["lr=1", "layers=3", "optimizer=1", "batch=64", "name=7"]).unwrap();
        let get = |name: &str| assigned.suggested.get(name).cloned();
        assert_eq!(get("lr"), Some(Value::Number(1.0)));
        assert_eq!(get("layers"), Some(Value::Integer(3)));
        assert_eq!(get("optimizer"), Some(Value::Text("1".to_owned())));
        let constant = |name: &str| assigned.constants.get(name).cloned();
        assert_eq!(constant("batch"), Some(Value::Integer(64)));
        assert_eq!(constant("name"), Some(Value::Text("7".to_owned())));
        let changed = ["batch", "layers", "lr", "momentum", "name", "optimizer"];
        assert_eq!(assigned.changed, changed);
    }

    #[test]
    fn nothing_set_is_nothing_changed_and_computed_values_are_left_to_the_host() {
        let assigned = set(&[]).unwrap();
        assert!(assigned.changed.is_empty());
        assert_eq!(assigned.suggested.get("twice"), None);
        assert!(set(&["lr=0.5"]).unwrap().changed.is_empty());
    }

    #[test]
    fn a_parameter_that_becomes_active_needs_a_value_and_one_that_ends_goes() {
        let message = set(&["optimizer=adam"]).unwrap_err();
        assert!(message.contains("`beta` is missing"), "{message}");
        let assigned = set(&["optimizer=adam", "beta=0.1"]).unwrap();
        assert_eq!(assigned.suggested.get("momentum"), None);
        assert_eq!(assigned.changed, ["beta", "momentum", "optimizer"]);
    }

    #[test]
    fn what_the_space_does_not_have_is_refused_with_what_it_has() {
        for (words, part) in [
            (vec!["lr=2"], "parameter `lr` is 2"),
            (vec!["lr=fast"], "parameter `lr` is"),
            (vec!["layers=2.5"], "parameter `layers` is 2.5"),
            (vec!["optimzer=sgd"], "did you mean optimizer?"),
            (vec!["zzz=1"], "it has lr, layers"),
            (vec!["twice=3"], "computed from others: lr * 2"),
            (vec!["batch=many"], "is the constant 32"),
            (vec!["beta=0.5"], "`beta` is given but not active"),
        ] {
            let message = set(&words).unwrap_err();
            assert!(message.contains(part), "{words:?}: {message}");
        }
    }
}
