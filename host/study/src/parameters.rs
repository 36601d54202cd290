//! Parameters in one line each.

use tune_space::{Condition, Domain, Parameter, RealRange, Value, WholeRange};

pub(crate) fn real(name: &str, low: f64, high: f64) -> Parameter {
    of(name, range(low, high, false))
}

pub(crate) fn log(name: &str, low: f64, high: f64) -> Parameter {
    of(name, range(low, high, true))
}

pub(crate) fn whole(name: &str, low: i64, high: i64, log: bool) -> Parameter {
    let range = WholeRange {
        low,
        high,
        log,
        step: None,
    };
    of(name, Domain::Whole(range))
}

pub(crate) fn choice(name: &str, choices: &[&str]) -> Parameter {
    of(name, Domain::Choice(texts(choices)))
}

/// The parameter, active while its parent is one of these.
pub(crate) fn when(mut parameter: Parameter, parent: &str, among: &[&str]) -> Parameter {
    parameter.conditions.push(Condition {
        parent: parent.to_owned(),
        among: texts(among),
    });
    parameter
}

fn of(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

fn range(low: f64, high: f64, log: bool) -> Domain {
    Domain::Real(RealRange {
        low,
        high,
        log,
        step: None,
    })
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::from(*text)).collect()
}
