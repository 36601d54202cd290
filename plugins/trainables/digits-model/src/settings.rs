//! The configuration of a trial.

use tune_plugin::{Config, Failure, FromValue};

/// Most hidden units of a layer, and most images in a batch: what fits well into 64 MiB.
const MAX_SIZE: usize = 4096;
/// All parameters, for the message about an unknown one.
const NAMES: [&str; 8] = [
    "lr",
    "hidden",
    "layers",
    "activation",
    "optimizer",
    "momentum",
    "batch",
    "weight_decay",
];

/// What stands behind each hidden layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Negative numbers become 0.
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

/// How weights follow gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum OptimizerKind {
    /// Gradient descent with momentum.
    Sgd,
    /// Adam (Kingma and Ba 2015), with its usual constants.
    Adam,
}

/// A checked configuration; a parameter that is missing has its default.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `lr`: learning rate, 0 to 100. By default 0.003 for `adam` and 0.1 for `sgd`.
    pub lr: f32,
    /// `hidden`: units of each hidden layer, 1 to 4,096. By default 64.
    pub hidden: usize,
    /// `layers`: hidden layers, 1 or 2. By default 1.
    pub layers: usize,
    /// `activation`: `relu` or `tanh`. By default `relu`.
    pub activation: Activation,
    /// `optimizer`: `sgd` or `adam`. By default `adam`.
    pub optimizer: OptimizerKind,
    /// `momentum` of `sgd`, 0 to below 1. By default 0.9.
    pub momentum: f32,
    /// `batch`: images for one change of the weights, 1 to 4,096. By default 32.
    pub batch: usize,
    /// `weight_decay`: weight of the squared weights in the loss (halved), 0 to 1. By default 0.
    pub weight_decay: f32,
}

impl Settings {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Failure::BadConfig`] names the parameter, what it holds and what would be right.
    pub fn read(config: &Config) -> Result<Self, Failure> {
        if let Some((name, _)) = config.iter().find(|(name, _)| !NAMES.contains(name)) {
            return Err(Failure::BadConfig(format!(
                "unknown parameter `{name}`: this model has {}",
                NAMES.join(", ")
            )));
        }
        let optimizer = one_of(
            config,
            "optimizer",
            "adam",
            &[("adam", OptimizerKind::Adam), ("sgd", OptimizerKind::Sgd)],
        )?;
        let activations = [("relu", Activation::Relu), ("tanh", Activation::Tanh)];
        let lr = match optimizer {
            OptimizerKind::Adam => 0.003,
            OptimizerKind::Sgd => 0.1,
        };
        let size = |name, default, max| {
            ranged(
                config,
                name,
                default,
                |n| (1..=max).contains(n),
                || format!("a whole number from 1 to {max}"),
            )
        };
        let real = |name, default, valid: fn(&f64) -> bool, expected: &str| {
            ranged(config, name, default, valid, || expected.to_owned()).map(|x| x as f32)
        };
        Ok(Self {
            lr: real(
                "lr",
                lr,
                |x| (0.0..=100.0).contains(x),
                "a number from 0 to 100",
            )?,
            hidden: size("hidden", 64, MAX_SIZE)?,
            layers: size("layers", 1, 2)?,
            activation: one_of(config, "activation", "relu", &activations)?,
            optimizer,
            momentum: real(
                "momentum",
                0.9,
                |x| (0.0..1.0).contains(x),
                "a number from 0 to below 1",
            )?,
            batch: size("batch", 32, MAX_SIZE)?,
            weight_decay: real(
                "weight_decay",
                0.0,
                |x| (0.0..=1.0).contains(x),
                "a number from 0 to 1",
            )?,
        })
    }

    /// Whether a training with these settings can go on with others: only the mutable parameters
    /// may differ.
    #[must_use]
    pub fn can_become(&self, other: &Self) -> bool {
        let Self {
            lr,
            momentum,
            weight_decay,
            ..
        } = *other;
        Self {
            lr,
            momentum,
            weight_decay,
            ..self.clone()
        } == *other
    }
}

fn ranged<T: FromValue + std::fmt::Display>(
    config: &Config,
    name: &str,
    default: T,
    valid: impl Fn(&T) -> bool,
    expected: impl Fn() -> String,
) -> Result<T, Failure> {
    let value = config.read_or(name, default)?;
    if valid(&value) {
        return Ok(value);
    }
    Err(Failure::BadConfig(format!(
        "parameter `{name}` is {value}: expected {}",
        expected()
    )))
}

fn one_of<T: Copy>(
    config: &Config,
    name: &str,
    default: &str,
    known: &[(&str, T)],
) -> Result<T, Failure> {
    let text = config.read_or(name, default.to_owned())?;
    let found = known.iter().find(|(known, _)| *known == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        Failure::BadConfig(format!(
            "parameter `{name}` is \"{text}\": expected {}",
            names.join(" or ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::Value;

    fn read(pairs: &[(&str, Value)]) -> Result<Settings, String> {
        let config = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.clone()))
            .collect();
        Settings::read(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_configuration_has_sensible_defaults() {
        let settings = read(&[]).unwrap();
        assert_eq!(
            (settings.hidden, settings.layers, settings.batch),
            (64, 1, 32)
        );
        assert_eq!(settings.optimizer, OptimizerKind::Adam);
        let sgd = read(&[("optimizer", "sgd".into())]).unwrap();
        assert!(sgd.lr > settings.lr);
    }

    #[test]
    fn wrong_values_are_refused_with_what_would_be_right() {
        let cases: [(&str, Value, &str); 10] = [
            (
                "lr",
                Value::Number(-1.0),
                "`lr` is -1: expected a number from 0 to 100",
            ),
            ("lr", Value::Text("fast".to_owned()), "`lr` is"),
            (
                "hidden",
                Value::Integer(0),
                "`hidden` is 0: expected a whole number from 1 to 4096",
            ),
            ("hidden", Value::Integer(1 << 40), "from 1 to 4096"),
            ("layers", Value::Integer(3), "from 1 to 2"),
            ("batch", Value::Number(1.5), "parameter `batch`"),
            ("momentum", Value::Number(1.0), "from 0 to below 1"),
            ("weight_decay", Value::Number(2.0), "from 0 to 1"),
            (
                "optimizer",
                "adamw".into(),
                "`optimizer` is \"adamw\": expected adam or sgd",
            ),
            (
                "learning_rate",
                Value::Number(0.1),
                "unknown parameter `learning_rate`: this model has lr,",
            ),
        ];
        for (name, value, message) in cases {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn only_mutable_parameters_may_change() {
        let before = read(&[]).unwrap();
        let faster = read(&[("lr", Value::Number(0.5)), ("momentum", Value::Number(0.5))]).unwrap();
        assert!(before.can_become(&faster));
        assert!(!before.can_become(&read(&[("hidden", Value::Integer(8))]).unwrap()));
        assert!(!before.can_become(&read(&[("optimizer", "sgd".into())]).unwrap()));
    }
}
