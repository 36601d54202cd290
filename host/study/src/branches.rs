//! Problems with conditional parameters: which exist depends on a choice.

use tune_space::{Config, Failure, Parameter, Stream};

use crate::bbob::{Function, Instance};
use crate::parameters::{choice, real, when};

/// The problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Three branches of one to three numbers of their own: the easy ones end above the hard one.
    Three,
    /// Two numbers of all, and one of each branch, as of two optimisers.
    Shared,
}

/// A problem with its optimum somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Branches {
    kind: Kind,
    numbers: Instance,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Three, Self::Shared];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Three => "conditional-three",
            Self::Shared => "conditional-shared",
        }
    }

    pub(crate) fn space(self) -> Vec<Parameter> {
        let number = |name: &str| real(name, -5.0, 5.0);
        match self {
            Self::Three => vec![
                choice("k", &["a", "b", "c"]),
                when(number("xa"), "k", &["a"]),
                when(number("ya"), "k", &["a"]),
                when(number("xb"), "k", &["b"]),
                when(number("yb"), "k", &["b"]),
                when(number("zb"), "k", &["b"]),
                when(number("xc"), "k", &["c"]),
            ],
            Self::Shared => vec![
                choice("k", &["a", "b"]),
                number("x0"),
                number("x1"),
                when(number("momentum"), "k", &["a"]),
                when(number("beta"), "k", &["b"]),
            ],
        }
    }
}

impl Branches {
    pub(crate) fn draw(kind: Kind, stream: &mut Stream) -> Self {
        let function = match kind {
            Kind::Three => Function::Ellipsoid,
            Kind::Shared => Function::Rosenbrock,
        };
        Self {
            kind,
            numbers: Instance::draw(function, 2, stream),
        }
    }

    /// The value; the least is 0.
    pub(crate) fn value(&self, config: &Config) -> Result<f64, Failure> {
        let number = |name: &str| config.f64(name);
        let branch = config.text("k")?;
        Ok(match (self.kind, branch.as_str()) {
            (Kind::Three, "a") => {
                0.5 + (number("xa")? - 2.0).powi(2) + (number("ya")? + 1.0).powi(2)
            }
            (Kind::Three, "b") => {
                // A thousandth: as steep along its long axis as the other branches.
                let steep = self.numbers.above(&[number("yb")?, number("zb")?]) / 1e3;
                5.0 * (number("xb")? - 1.0).powi(2) + steep
            }
            (Kind::Three, _) => 2.0 + number("xc")?.abs(),
            (Kind::Shared, branch) => {
                let own = match branch {
                    "a" => (number("momentum")? - 3.0).powi(2),
                    _ => 1.0 + (number("beta")? + 2.0).powi(2),
                };
                own + self.numbers.above(&[number("x0")?, number("x1")?]) / 10.0
            }
        })
    }

    /// A configuration of the least value.
    #[cfg(test)]
    pub(crate) fn best(&self) -> Config {
        let mut config = Config::new();
        let [first, second] = [0, 1].map(|i| self.numbers.best_at()[i]);
        let (branch, names, own) = match self.kind {
            Kind::Three => ("b", ["yb", "zb"], ("xb", 1.0)),
            Kind::Shared => ("a", ["x0", "x1"], ("momentum", 3.0)),
        };
        config.insert("k", branch);
        config.insert(names[0], first);
        config.insert(names[1], second);
        config.insert(own.0, own.1);
        config
    }
}
