//! Values that the host computes from a configuration: `batch * 2`, `lr / sqrt(workers)`.
//!
//! A small evaluator of our own over `f64`, because a computed value reaches the training and so the
//! decision digest: transcendental functions come from `libm`, precedence is that of school books
//! and Python (`-2 ^ 2` is -4, `2 ^ 3 ^ 2` is 512), and length and nesting are bounded. The
//! expression crates that were tried gave other answers to those two, could not nest functions of
//! two arguments, or called the platform's mathematics. It must never read anything but the
//! configuration.
//!
//! Grammar, loosest first: `+ -`, then `* / %`, then a sign, then `^` (or `**`), which groups to the
//! right; then numbers, names, calls and parentheses. A name is letters, digits, `_` and dots and
//! does not begin with a digit; any other name stands in braces: `{weight-decay}`.

use tune_space::{Config, Value};

use crate::Derived;

/// Longest expression in bytes: a formula, not a program.
const MAX_LENGTH: usize = 1024;
/// Deepest nesting of parentheses, calls, signs and powers: some 5 stack frames each.
const MAX_DEPTH: u32 = 32;
/// Most arguments of `min` and `max`.
const MAX_ARGUMENTS: usize = 16;

/// The functions, in the order in which a message lists them.
const FUNCTIONS: &str = "abs, ceil, floor, round, sqrt, exp, ln, log2, log10, sin, cos, tan, tanh, \
                         min, max, pow";

/// Why a derived value cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// The text is not an expression.
    #[error("`{name}`: {problem}")]
    Syntax {
        /// The derived value.
        name: String,
        /// Byte of the expression at which it goes wrong.
        at: usize,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// It reads a name that is none.
    #[error("`{name}` reads `{reads}`, which is no parameter, constant or derived value")]
    Unknown {
        /// The derived value.
        name: String,
        /// Byte of the expression at which the name begins.
        at: usize,
        /// The unknown name.
        reads: String,
    },
    /// It reads a value that is no number.
    #[error("`{name}` reads `{reads}`, which is {value}: only numbers can be computed with")]
    NotNumeric {
        /// The derived value.
        name: String,
        /// What it reads.
        reads: String,
        /// The value.
        value: String,
    },
    /// The result is infinite or not a number.
    #[error("`{name} = {expression}` is {result}: it must be finite")]
    NotFinite {
        /// The derived value.
        name: String,
        /// Its expression.
        expression: String,
        /// What came out.
        result: String,
    },
}

/// Checks an expression without a configuration and returns the names that it reads, in the order
/// of their first use.
///
/// # Errors
/// [`DeriveError::Syntax`], or [`DeriveError::Unknown`] for the first name that `is_known` denies.
pub fn validate(
    derived: &Derived,
    is_known: impl Fn(&str) -> bool,
) -> Result<Vec<String>, DeriveError> {
    let mut reads: Vec<String> = Vec::new();
    compute(derived, &mut |reading| {
        if !is_known(reading) {
            return Err(Miss::Unknown);
        }
        if !reads.iter().any(|name| name == reading) {
            reads.push(reading.to_owned());
        }
        Ok(1.0)
    })?;
    Ok(reads)
}

/// Adds the derived values to a configuration, in order; a later one may read an earlier one. One
/// that reads an inactive parameter is inactive too: it is removed if it was there.
///
/// # Errors
/// [`DeriveError::NotNumeric`], [`DeriveError::NotFinite`], and [`DeriveError::Syntax`] for an
/// expression that was never validated.
pub fn evaluate(derived: &[Derived], config: &mut Config) -> Result<(), DeriveError> {
    for one in derived {
        let result = compute(one, &mut |reading| match config.get(reading) {
            None => Err(Miss::Unknown),
            Some(value) => value
                .as_f64()
                .ok_or_else(|| Miss::NotNumeric(value.clone())),
        });
        match result {
            Ok(value) if value.is_finite() => {
                config.insert(one.name.as_str(), value);
            }
            Ok(value) => {
                return Err(DeriveError::NotFinite {
                    name: one.name.clone(),
                    expression: one.expression.clone(),
                    result: value.to_string(),
                });
            }
            Err(DeriveError::Unknown { .. }) => {
                config.remove(&one.name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Why a name has no number.
enum Miss {
    Unknown,
    NotNumeric(Value),
}

type Lookup<'a> = dyn FnMut(&str) -> Result<f64, Miss> + 'a;

fn compute(derived: &Derived, lookup: &mut Lookup<'_>) -> Result<f64, DeriveError> {
    let text = derived.expression.as_str();
    let mut reader = Reader {
        name: &derived.name,
        text,
        at: 0,
        depth: 0,
        lookup,
    };
    if text.len() > MAX_LENGTH {
        return Err(reader.syntax(format!("longer than {MAX_LENGTH} bytes")));
    }
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value),
        Some(other) => Err(reader.syntax(format!("unexpected `{other}`"))),
    }
}

/// Reads and computes in one pass.
struct Reader<'a, 'b> {
    name: &'a str,
    text: &'a str,
    at: usize,
    depth: u32,
    lookup: &'a mut Lookup<'b>,
}

impl<'a> Reader<'a, '_> {
    fn syntax(&self, problem: impl Into<String>) -> DeriveError {
        DeriveError::Syntax {
            name: self.name.to_owned(),
            at: self.at,
            problem: problem.into(),
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is not white space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        self.peek();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes the bytes as long as they are wanted.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn sum(&mut self) -> Result<f64, DeriveError> {
        let mut value = self.product()?;
        loop {
            if self.eat("+") {
                value += self.product()?;
            } else if self.eat("-") {
                value -= self.product()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<f64, DeriveError> {
        let mut value = self.signed()?;
        loop {
            if self.eat("*") {
                value *= self.signed()?;
            } else if self.eat("/") {
                value /= self.signed()?;
            } else if self.eat("%") {
                value %= self.signed()?;
            } else {
                return Ok(value);
            }
        }
    }

    /// Every nesting passes here, so here it is counted.
    fn signed(&mut self) -> Result<f64, DeriveError> {
        if self.depth == MAX_DEPTH {
            return Err(self.syntax(format!("nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        let value = if self.eat("-") {
            -self.signed()?
        } else if self.eat("+") {
            self.signed()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<f64, DeriveError> {
        let base = self.atom()?;
        if self.eat("^") || self.eat("**") {
            return Ok(libm::pow(base, self.signed()?));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<f64, DeriveError> {
        match self.peek() {
            None => Err(self.syntax("a number, a name or `(` is missing at the end")),
            Some('(') => {
                self.at += 1;
                let value = self.sum()?;
                self.close()?;
                Ok(value)
            }
            Some('{') => {
                self.at += 1;
                let start = self.at;
                let name = self.take(|c| c != '}');
                if !self.eat("}") {
                    return Err(self.syntax("`}` is missing"));
                }
                self.read(name, start)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => {
                let start = self.at;
                let name = self.take(|c| c.is_alphanumeric() || c == '_' || c == '.');
                if self.eat("(") {
                    self.call(name, start)
                } else {
                    self.read(name, start)
                }
            }
            Some(other) => Err(self.syntax(format!(
                "unexpected `{other}`; a number, a name or `(` should stand here"
            ))),
        }
    }

    fn close(&mut self) -> Result<(), DeriveError> {
        if self.eat(")") {
            return Ok(());
        }
        Err(self.syntax("`)` is missing"))
    }

    fn number(&mut self) -> Result<f64, DeriveError> {
        let start = self.at;
        self.take(|c| c.is_ascii_digit() || c == '.' || c == '_');
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            self.take(|c| c.is_ascii_digit());
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        text.replace('_', "").parse().map_err(|_| {
            self.at = start;
            self.syntax(format!("`{text}` is not a number"))
        })
    }

    fn read(&mut self, reading: &str, at: usize) -> Result<f64, DeriveError> {
        (self.lookup)(reading).map_err(|miss| match miss {
            Miss::Unknown => DeriveError::Unknown {
                name: self.name.to_owned(),
                at,
                reads: reading.to_owned(),
            },
            Miss::NotNumeric(value) => DeriveError::NotNumeric {
                name: self.name.to_owned(),
                reads: reading.to_owned(),
                value: value.to_string(),
            },
        })
    }

    /// The arguments of a function, after its opening parenthesis, and its value.
    fn call(&mut self, function: &str, start: usize) -> Result<f64, DeriveError> {
        let mut arguments = vec![self.sum()?];
        while self.eat(",") {
            if arguments.len() == MAX_ARGUMENTS {
                return Err(self.syntax(format!("more than {MAX_ARGUMENTS} arguments")));
            }
            arguments.push(self.sum()?);
        }
        self.close()?;
        if let Some(value) = apply(function, &arguments) {
            return Ok(value);
        }
        self.at = start;
        let problem = if FUNCTIONS.split(", ").any(|known| known == function) {
            format!("`{function}` does not take {} arguments", arguments.len())
        } else {
            format!("there is no function `{function}`; there are {FUNCTIONS}")
        };
        Err(self.syntax(problem))
    }
}

/// None: no such function of so many arguments. Rounding and roots are exact on every platform, the
/// others come from `libm`.
fn apply(function: &str, arguments: &[f64]) -> Option<f64> {
    Some(match (function, arguments) {
        ("abs", [x]) => x.abs(),
        ("ceil", [x]) => x.ceil(),
        ("floor", [x]) => x.floor(),
        ("round", [x]) => x.round(),
        ("sqrt", [x]) => x.sqrt(),
        ("exp", [x]) => libm::exp(*x),
        ("ln", [x]) => libm::log(*x),
        ("log2", [x]) => libm::log2(*x),
        ("log10", [x]) => libm::log10(*x),
        ("sin", [x]) => libm::sin(*x),
        ("cos", [x]) => libm::cos(*x),
        ("tan", [x]) => libm::tan(*x),
        ("tanh", [x]) => libm::tanh(*x),
        ("pow", [x, y]) => libm::pow(*x, *y),
        ("min", [first, others @ ..]) => others.iter().fold(*first, |a, b| a.min(*b)),
        ("max", [first, others @ ..]) => others.iter().fold(*first, |a, b| a.max(*b)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(expression: &str) -> Derived {
        Derived {
            name: "d".to_owned(),
            expression: expression.to_owned(),
        }
    }

    fn value(expression: &str) -> Result<f64, DeriveError> {
        let mut config = Config::new();
        config.insert("batch", 32_i64);
        config.insert("model.lr", 0.25);
        config.insert("weight-decay", 0.5);
        config.insert("max_depth", 3_i64);
        config.insert("optimizer", "sgd");
        evaluate(&[derived(expression)], &mut config)?;
        Ok(config.get("d").and_then(Value::as_f64).unwrap_or(f64::NAN))
    }

    #[test]
    fn precedence_and_grouping_are_those_of_school_books() {
        for (expression, expected) in [
            ("batch * 2 + model.lr", 64.25),
            ("2 + 3 * 4", 14.0),
            ("(2 + 3) * 4", 20.0),
            ("10 - 3 - 2", 5.0),
            ("64 / 4 / 2", 8.0),
            ("-2 ^ 2", -4.0),
            ("2 ^ 3 ^ 2", 512.0),
            ("2 ** -1", 0.5),
            ("2 * -3", -6.0),
            ("7 % 4", 3.0),
            ("1e-4 * 2", 2e-4),
            ("1_000", 1000.0),
            (".5", 0.5),
            ("{weight-decay} * 2", 1.0),
            ("max_depth + 1", 4.0),
        ] {
            assert_eq!(value(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn functions_nest() {
        for (expression, expected) in [
            ("min(max(1, 5), max(2, 3))", 3.0),
            ("max(1, 2, min(9, 8, 7)) * 2", 14.0),
            (
                "sqrt(16) + abs(-1) + floor(1.9) + ceil(1.1) + round(2.5)",
                11.0,
            ),
            ("ln(exp(1)) + log2(8) + log10(1000) + pow(2, 3)", 15.0),
            ("sin(0) + cos(0) + tan(0) + tanh(0)", 1.0),
        ] {
            assert_eq!(value(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn transcendental_functions_are_those_of_libm() {
        assert_eq!(value("exp(model.lr)"), Ok(libm::exp(0.25)));
        assert_eq!(value("batch ^ 0.3"), Ok(libm::pow(32.0, 0.3)));
    }

    #[test]
    fn what_is_no_expression_says_where_and_why() {
        for (expression, at, part) in [
            ("", 0, "missing at the end"),
            ("1 +", 3, "missing at the end"),
            ("(1", 2, "`)` is missing"),
            ("1 2", 2, "unexpected `2`"),
            ("1 + * 2", 4, "unexpected `*`"),
            ("1.2.3", 0, "not a number"),
            ("1e", 0, "not a number"),
            ("2 + sine(1)", 4, "no function `sine`"),
            ("pow(1)", 0, "does not take 1 arguments"),
            ("{a", 2, "`}` is missing"),
            ("a; b", 1, "unexpected `;`"),
            ("é + ü(1)", 5, "no function `ü`"),
        ] {
            let error = validate(&derived(expression), |_| true).unwrap_err();
            let DeriveError::Syntax {
                at: found, problem, ..
            } = &error
            else {
                panic!("{expression}: {error:?}")
            };
            assert_eq!(*found, at, "{expression}: {problem}");
            assert!(problem.contains(part), "{expression}: {problem}");
        }
    }

    #[test]
    fn length_and_nesting_are_bounded() {
        for expression in [
            "(".repeat(100_000),
            format!("{}1{}", "(".repeat(40), ")".repeat(40)),
            "-".repeat(500),
            "2^".repeat(300) + "1",
            "abs(".repeat(100),
            format!("max({})", vec!["1"; 40].join(",")),
        ] {
            assert!(validate(&derived(&expression), |_| true).is_err());
        }
        let flat = vec!["1"; 250].join("+");
        assert_eq!(value(&flat), Ok(250.0));
    }

    #[test]
    fn validation_lists_what_is_read_and_names_the_unknown() {
        assert_eq!(
            validate(&derived("b + a * b"), |_| true),
            Ok(vec!["b".to_owned(), "a".to_owned()])
        );
        let error = validate(&derived("1 + learning_rat"), |name| name == "learning_rate");
        assert_eq!(
            error,
            Err(DeriveError::Unknown {
                name: "d".to_owned(),
                at: 4,
                reads: "learning_rat".to_owned(),
            })
        );
    }

    #[test]
    fn a_result_that_is_not_finite_is_an_error() {
        for expression in ["1 / 0", "ln(-1)", "10 ^ 400", "0 % 0"] {
            assert!(
                matches!(value(expression), Err(DeriveError::NotFinite { .. })),
                "{expression}"
            );
        }
    }

    #[test]
    fn text_cannot_be_computed_with() {
        assert!(matches!(
            value("optimizer + 1"),
            Err(DeriveError::NotNumeric { .. })
        ));
    }

    #[test]
    fn a_value_that_reads_an_inactive_parameter_is_inactive_too() {
        let chain = [
            Derived {
                name: "twice".to_owned(),
                expression: "momentum * 2".to_owned(),
            },
            Derived {
                name: "four_times".to_owned(),
                expression: "twice * 2".to_owned(),
            },
        ];
        let mut config = Config::new();
        config.insert("momentum", 0.25);
        evaluate(&chain, &mut config).unwrap();
        assert_eq!(config.get("four_times"), Some(&Value::Number(1.0)));
        config.remove("momentum");
        evaluate(&chain, &mut config).unwrap();
        assert!(config.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(expression in "[-+*/%^(){}., a-z0-9._éß]{0,80}") {
            let _ = validate(&derived(&expression), |_| true);
        }
    }
}
