//! The space of a request, and the values of its parameters in JSON.

use serde_json::{Map, Value as Json, json};
use tune_space::{Condition, Config, Domain, Parameter, RealRange, Space, Value, WholeRange};

use crate::request::{cut, shown};
use crate::trouble::Trouble;

/// Alternatives of one parameter at most, as in the contract's answers.
const MAX_CHOICES: usize = 10_000;

/// The space of `start`: an ordered list, parents before children.
pub(crate) fn space(json: &Json) -> Result<Space, Trouble> {
    let Some(list) = json.as_array() else {
        return Err(Trouble::bad(format!(
            "`space` is {}\n  hint: it is a list: [{{\"name\":\"x\",\"kind\":\"float\",\"low\":0,\
             \"high\":1}}, ...]",
            shown(json)
        )));
    };
    let mut parameters: Vec<Parameter> = Vec::new();
    for (place, item) in list.iter().enumerate() {
        let parameter = parameter(item, &parameters).map_err(|what| {
            let name = item.get("name").and_then(Json::as_str).unwrap_or("?");
            Trouble::bad(format!("`space`[{place}] `{}`: {what}", cut(name)))
        })?;
        parameters.push(parameter);
    }
    Space::new(parameters).map_err(|error| {
        Trouble::bad(format!(
            "`space`: {error}\n  hint: parents come before children; both bounds belong to the range"
        ))
    })
}

fn parameter(item: &Json, before: &[Parameter]) -> Result<Parameter, String> {
    let Some(fields) = item.as_object() else {
        return Err("a parameter is an object with `name` and `kind`".to_owned());
    };
    let text = |key: &str| fields.get(key).and_then(Json::as_str);
    let Some(name) = text("name") else {
        return Err("`name` is missing, or no text".to_owned());
    };
    let allowed: &[&str] = match text("kind") {
        Some("cat") => &["choices", "ordered"],
        Some("float" | "int") => &["low", "high", "log", "step"],
        _ => return Err("`kind` must be \"cat\", \"float\" or \"int\"".to_owned()),
    };
    let known = |key: &str| ["name", "kind", "when"].contains(&key) || allowed.contains(&key);
    if let Some(key) = fields.keys().find(|key| !known(key)) {
        return Err(format!(
            "there is no `{}` here: it takes {} and when",
            cut(key),
            allowed.join(", ")
        ));
    }
    let domain = match text("kind") {
        Some("cat") => choices(fields)?,
        Some("float") => Domain::Real(RealRange {
            low: real(fields, "low")?.ok_or("`low` is missing")?,
            high: real(fields, "high")?.ok_or("`high` is missing")?,
            log: flag(fields, "log")?,
            step: real(fields, "step")?,
        }),
        _ => Domain::Whole(WholeRange {
            low: whole(fields, "low")?.ok_or("`low` is missing")?,
            high: whole(fields, "high")?.ok_or("`high` is missing")?,
            log: flag(fields, "log")?,
            step: whole(fields, "step")?,
        }),
    };
    Ok(Parameter {
        name: name.to_owned(),
        domain,
        conditions: conditions(fields.get("when"), before)?,
    })
}

fn choices(fields: &Map<String, Json>) -> Result<Domain, String> {
    let Some(list) = fields.get("choices").and_then(Json::as_array) else {
        return Err("`choices` must be a list".to_owned());
    };
    if list.len() > MAX_CHOICES {
        return Err(format!("more than {MAX_CHOICES} `choices`"));
    }
    let values = list
        .iter()
        .map(Value::from_json)
        .collect::<Option<Vec<_>>>();
    let values = values.ok_or("null is no choice: write a text such as \"none\"")?;
    Ok(if flag(fields, "ordered")? {
        Domain::Ordered(values)
    } else {
        Domain::Choice(values)
    })
}

/// One condition `{"param": .., "in": [..]}`, or a list of them that must all hold.
fn conditions(when: Option<&Json>, before: &[Parameter]) -> Result<Vec<Condition>, String> {
    const SHAPE: &str = "`when` must be {\"param\": NAME, \"in\": [VALUES]}, or a list of these";
    let all: Vec<&Json> = match when {
        None => Vec::new(),
        Some(Json::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    let mut conditions = Vec::with_capacity(all.len());
    for one in all {
        let parent = one.get("param").and_then(Json::as_str).ok_or(SHAPE)?;
        let among = one.get("in").and_then(Json::as_array).ok_or(SHAPE)?;
        let domain = before
            .iter()
            .find(|parameter| parameter.name == parent)
            .map(|parameter| &parameter.domain)
            .ok_or_else(|| {
                format!(
                    "`when` names `{}`, which is no earlier parameter",
                    cut(parent)
                )
            })?;
        let among = among.iter().map(|json| {
            value(domain, json)
                .ok_or_else(|| format!("`when`: {} is no value of `{parent}`", shown(json)))
        });
        conditions.push(Condition {
            parent: parent.to_owned(),
            among: among.collect::<Result<_, _>>()?,
        });
    }
    Ok(conditions)
}

fn real(fields: &Map<String, Json>, key: &str) -> Result<Option<f64>, String> {
    match fields.get(key) {
        None => Ok(None),
        Some(json) => (json.as_f64().filter(|x| x.is_finite()).map(Some))
            .ok_or_else(|| format!("`{key}` is {}: it must be a number", shown(json))),
    }
}

fn whole(fields: &Map<String, Json>, key: &str) -> Result<Option<i64>, String> {
    match fields.get(key) {
        None => Ok(None),
        Some(json) => (integer(json).map(Some))
            .ok_or_else(|| format!("`{key}` is {}: it must be a whole number", shown(json))),
    }
}

fn flag(fields: &Map<String, Json>, key: &str) -> Result<bool, String> {
    match fields.get(key) {
        None => Ok(false),
        Some(json) => json
            .as_bool()
            .ok_or_else(|| format!("`{key}` is {}: it must be true or false", shown(json))),
    }
}

/// A whole number, also when a language wrote it as 3.0.
fn integer(json: &Json) -> Option<i64> {
    /// Up to here every whole number is exact as a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() <= EXACT).then_some(x as i64);
    json.as_i64().or_else(|| json.as_f64().and_then(whole))
}

/// A value of a domain as it came in JSON, where 1 and 1.0 are the same; none if it has no such one.
fn value(domain: &Domain, json: &Json) -> Option<Value> {
    let read = match domain {
        Domain::Real(_) | Domain::Gaussian(_) => json.as_f64().map(Value::Number),
        Domain::Whole(_) => integer(json).map(Value::Integer),
        Domain::Choice(values) | Domain::Ordered(values) => {
            let given = Value::from_json(json)?;
            let same = |value: &&Value| {
                **value == given || (given.as_f64().is_some() && value.as_f64() == given.as_f64())
            };
            values.iter().find(same).cloned()
        }
    };
    read.filter(|value| domain.contains(value))
}

/// A space as `start` takes it; none if it has a normal distribution, which has no bounds.
#[must_use]
pub fn space_to_json(space: &Space) -> Option<Json> {
    space.parameters().iter().map(written).collect()
}

fn written(parameter: &Parameter) -> Option<Json> {
    let listed = |values: &[Value]| values.iter().map(Value::to_json).collect::<Json>();
    let fields = match &parameter.domain {
        Domain::Real(r) => vec![
            ("kind", json!("float")),
            ("low", json!(r.low)),
            ("high", json!(r.high)),
            ("log", json!(r.log)),
            ("step", json!(r.step)),
        ],
        Domain::Whole(r) => vec![
            ("kind", json!("int")),
            ("low", json!(r.low)),
            ("high", json!(r.high)),
            ("log", json!(r.log)),
            ("step", json!(r.step)),
        ],
        Domain::Choice(values) => vec![("kind", json!("cat")), ("choices", listed(values))],
        Domain::Ordered(values) => vec![
            ("kind", json!("cat")),
            ("choices", listed(values)),
            ("ordered", json!(true)),
        ],
        Domain::Gaussian(_) => return None,
    };
    let conditions = parameter.conditions.iter();
    let conditions = conditions.map(|c| json!({"param": c.parent, "in": listed(&c.among)}));
    let when = match conditions.collect::<Vec<_>>() {
        none if none.is_empty() => Json::Null,
        all => json!(all),
    };
    let name = ("name", json!(parameter.name));
    // A step or condition that is not there is left out.
    let given = fields.into_iter().chain([name, ("when", when)]);
    let given = given.filter(|(_, value)| !value.is_null());
    Some(given.map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A configuration that came in JSON: every active parameter and no other.
///
/// # Errors
/// What is missing, too much, or outside.
pub fn config(space: &Space, json: &Json) -> Result<Config, Trouble> {
    let Some(fields) = json.as_object() else {
        return Err(Trouble::bad(format!(
            "`params` is {}\n  hint: an object of every active parameter",
            shown(json)
        )));
    };
    let mut config = Config::new();
    for (name, json) in fields {
        let Some(parameter) = space.get(name) else {
            return Err(Trouble::bad(format!(
                "`params`: `{}` is no parameter of the space",
                cut(name)
            )));
        };
        let value = value(&parameter.domain, json).ok_or_else(|| {
            Trouble::bad(format!(
                "`params`: `{name}` is {}, which its range or choices do not hold",
                shown(json)
            ))
        })?;
        config.insert(name.as_str(), value);
    }
    space
        .check(&config)
        .map_err(|error| Trouble::bad(format!("`params`: {error}")))?;
    Ok(config)
}
