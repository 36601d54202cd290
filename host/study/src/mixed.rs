//! Problems of numbers, whole numbers and choices: what tuning is about, with an optimum that is known.

use tune_space::{Config, Failure, Parameter, Stream};

use crate::bbob::{Function, Instance};
use crate::parameters::{choice, log, real, whole};

/// The problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Four numbers beside two choices, of which one matters more the worse the other is.
    Choices,
    /// A bent valley of two numbers beside whole numbers of three sizes.
    Whole,
    /// As of a training: rates on a logarithmic scale that depend on each other, sizes, a choice.
    Logs,
}

/// The choices, the best neither first nor last, and what each costs.
const KINDS: [(&str, f64); 4] = [("a", 3.0), ("b", 6.0), ("c", 0.0), ("d", 1.0)];

/// A problem with its optimum somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Mixed {
    kind: Kind,
    numbers: Instance,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Choices, Self::Whole, Self::Logs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Choices => "mixed-choices",
            Self::Whole => "mixed-whole",
            Self::Logs => "mixed-logs",
        }
    }

    pub(crate) fn space(self) -> Vec<Parameter> {
        let names = KINDS.map(|(name, _)| name);
        match self {
            Self::Choices => (0..4)
                .map(|i| real(&format!("x{i}"), -5.0, 5.0))
                .chain([choice("k", &names), choice("l", &names)])
                .collect(),
            Self::Whole => vec![
                real("x0", -5.0, 5.0),
                real("x1", -5.0, 5.0),
                whole("a", 0, 50, false),
                whole("b", 1, 7, false),
                whole("c", 0, 1, false),
            ],
            Self::Logs => vec![
                log("u", 1e-5, 1e1),
                log("v", 1e-5, 1e1),
                real("w", -5.0, 5.0),
                whole("n", 1, 200, true),
                choice("k", &names),
            ],
        }
    }
}

impl Mixed {
    pub(crate) fn draw(kind: Kind, stream: &mut Stream) -> Self {
        let (function, dims) = match kind {
            Kind::Choices => (Function::Sphere, 4),
            Kind::Whole => (Function::Rosenbrock, 2),
            Kind::Logs => (Function::Sphere, 2),
        };
        Self {
            kind,
            numbers: Instance::draw(function, dims, stream),
        }
    }

    /// The value; the least is 0.
    pub(crate) fn value(&self, config: &Config) -> Result<f64, Failure> {
        let number = |name: &str| config.f64(name);
        match self.kind {
            Kind::Choices => {
                let names = ["x0", "x1", "x2", "x3"];
                let x = names
                    .into_iter()
                    .map(number)
                    .collect::<Result<Vec<_>, _>>()?;
                let (k, l) = (cost(config, "k")?, cost(config, "l")?);
                Ok(self.numbers.above(&x) + k + l * (1.0 + k))
            }
            Kind::Whole => {
                let x = [number("x0")?, number("x1")?];
                let (a, b, c) = (number("a")?, number("b")?, number("c")?);
                let whole = 0.05 * (a - 37.0).powi(2) + (b - 2.0).powi(2) + 5.0 * (1.0 - c);
                Ok(self.numbers.above(&x) + whole)
            }
            Kind::Logs => {
                let (u, v) = (libm::log10(number("u")?), libm::log10(number("v")?));
                let w = number("w")? - self.numbers.best_at().first().copied().unwrap_or(0.0);
                let n = libm::log2(number("n")? / 24.0);
                let rates = (u + 3.0).powi(2) + (u + v + 4.0).powi(2);
                Ok(rates + w * w / 4.0 + n * n + cost(config, "k")? / 3.0)
            }
        }
    }

    /// A configuration of the least value.
    #[cfg(test)]
    pub(crate) fn best(&self) -> Config {
        let mut config = Config::new();
        for (i, x) in self.numbers.best_at().iter().enumerate() {
            config.insert(format!("x{i}"), *x);
        }
        let own: &[(&str, tune_space::Value)] = match self.kind {
            Kind::Choices => &[("k", "c".into()), ("l", "c".into())],
            Kind::Whole => &[("a", 37.into()), ("b", 2.into()), ("c", 1.into())],
            Kind::Logs => {
                config = Config::new();
                config.insert("w", self.numbers.best_at()[0]);
                &[
                    ("u", 1e-3.into()),
                    ("v", 0.1.into()),
                    ("n", 24.into()),
                    ("k", "c".into()),
                ]
            }
        };
        for (name, value) in own {
            config.insert(*name, value.clone());
        }
        config
    }
}

fn cost(config: &Config, name: &str) -> Result<f64, Failure> {
    let chosen = config.text(name)?;
    let found = KINDS.iter().find(|(name, _)| *name == chosen);
    found.map(|(_, cost)| *cost).ok_or_else(|| {
        Failure::BadConfig(format!(
            "parameter `{name}` is {chosen}, which is no choice"
        ))
    })
}
