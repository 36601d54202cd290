//! The space of a table in the form of an experiment file's `[space]`, read and written.

use serde_json::{Map, Value as Json, json};
use tune_space::{
    Condition, Config, Domain, GaussianSpread, Parameter, RealRange, Space, Value, WholeRange,
};

use crate::{ABOUT_FILE, TableError, about::Entries, about::place_of, error::shown};

/// Every sampler, and how it is written.
const SAMPLERS: [(&str, &str); 12] = [
    ("uniform", "[low, high]"),
    ("quniform", "[low, high, q]"),
    ("loguniform", "[low, high]"),
    ("qloguniform", "[low, high, q]"),
    ("randn", "[mean, sd]"),
    ("qrandn", "[mean, sd, q]"),
    ("randint", "[low, high], high itself left out"),
    ("qrandint", "[low, high, q]"),
    ("lograndint", "[low, high], high itself left out"),
    ("qlograndint", "[low, high, q]"),
    ("choice", "[a, b, ..]"),
    ("grid", "[a, b, ..]"),
];

/// The space and the constants that these entries say. `bytes` is the file, for places.
pub(crate) fn read(bytes: &[u8], entries: &Entries) -> Result<(Space, Config), TableError> {
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut constants = Config::new();
    for (name, entry) in &entries.0 {
        let wrong = |(what, hint): (String, String)| {
            TableError::new(ABOUT_FILE, place_of(bytes, &["space", name]), what, hint)
        };
        match entry_of(name, entry, &parameters).map_err(wrong)? {
            Entry::Parameter(parameter) => parameters.push(parameter),
            Entry::Constant(value) => {
                constants.insert(name.as_str(), value);
            }
        }
    }
    let space = Space::new(parameters).map_err(|error| {
        let place = place_of(bytes, &["space"]);
        TableError::new(ABOUT_FILE, place, error.to_string(), "correct the space")
    })?;
    Ok((space, constants))
}

enum Entry {
    Parameter(Parameter),
    Constant(Value),
}

/// What is wrong, and what to do.
type Wrong = (String, String);

fn entry_of(name: &str, entry: &Json, before: &[Parameter]) -> Result<Entry, Wrong> {
    let Json::Object(object) = entry else {
        return constant(name, entry);
    };
    if let Some(value) = object.get("constant")
        && object.len() == 1
    {
        return constant(name, value);
    }
    let mut samplers = object.iter().filter(|(key, _)| *key != "when");
    let (Some((sampler, arguments)), None) = (samplers.next(), samplers.next()) else {
        return Err((
            format!("`{}` has not exactly one sampler", shown(name)),
            "write one, such as { \"uniform\": [0, 1] }; groups of parameters are written with \
             dotted names"
                .to_owned(),
        ));
    };
    let domain = domain(sampler, arguments).map_err(|what| {
        let form = SAMPLERS.iter().find(|(known, _)| known == sampler);
        let hint = match form {
            Some((_, form)) => format!("write {{ \"{sampler}\": {form} }}"),
            None => {
                let names: Vec<_> = SAMPLERS.iter().map(|(name, _)| *name).collect();
                format!("there are {}", names.join(", "))
            }
        };
        (format!("`{}`: {what}", shown(name)), hint)
    })?;
    let conditions = match object.get("when") {
        Some(when) => conditions(name, when, before)?,
        None => Vec::new(),
    };
    let parameter = Parameter {
        name: name.to_owned(),
        domain,
        conditions,
    };
    // With the parents before it, so that the place is this entry's.
    let mut so_far = before.to_vec();
    so_far.push(parameter.clone());
    match Space::new(so_far) {
        Ok(_) => Ok(Entry::Parameter(parameter)),
        Err(error) => Err((error.to_string(), "correct this entry".to_owned())),
    }
}

fn constant(name: &str, value: &Json) -> Result<Entry, Wrong> {
    Value::from_json(value).map(Entry::Constant).ok_or_else(|| {
        (
            format!("`{}` is null", shown(name)),
            "give it a sampler or a constant value, or leave it out".to_owned(),
        )
    })
}

fn domain(sampler: &str, arguments: &Json) -> Result<Domain, String> {
    let list = arguments.as_array().ok_or("a list is expected")?;
    let (kind, log) = match sampler {
        "choice" | "grid" => {
            let values: Option<Vec<Value>> = list.iter().map(Value::from_json).collect();
            let values = values.ok_or("null is no value")?;
            return Ok(match sampler {
                "choice" => Domain::Choice(values),
                _ => Domain::Ordered(values),
            });
        }
        "uniform" | "quniform" => ("real", false),
        "loguniform" | "qloguniform" => ("real", true),
        "randint" | "qrandint" => ("whole", false),
        "lograndint" | "qlograndint" => ("whole", true),
        "randn" | "qrandn" => ("normal", false),
        _ => return Err(format!("`{}` is no sampler", shown(sampler))),
    };
    let steps = sampler.starts_with('q');
    if list.len() != 2 + usize::from(steps) {
        return Err(format!("{} numbers", list.len()));
    }
    if kind == "whole" {
        let numbers: Option<Vec<i64>> = list.iter().map(Json::as_i64).collect();
        let numbers = numbers.ok_or("whole numbers are expected")?;
        let (low, high) = pair(&numbers)?;
        let step = numbers.get(2).copied();
        let high = if step.unwrap_or(1) == 1 {
            high.saturating_sub(1)
        } else {
            high
        };
        let step = step.filter(|q| *q != 1);
        return Ok(Domain::Whole(WholeRange {
            low,
            high,
            log,
            step,
        }));
    }
    let numbers: Option<Vec<f64>> = list.iter().map(Json::as_f64).collect();
    let numbers = numbers.ok_or("numbers are expected")?;
    let (low, high) = pair(&numbers)?;
    let step = numbers.get(2).copied();
    Ok(if kind == "real" {
        Domain::Real(RealRange {
            low,
            high,
            log,
            step,
        })
    } else {
        Domain::Gaussian(GaussianSpread {
            mean: low,
            sd: high,
            step,
        })
    })
}

fn pair<T: Copy>(numbers: &[T]) -> Result<(T, T), String> {
    match numbers {
        [low, high, ..] => Ok((*low, *high)),
        _ => Err("two numbers are expected".to_owned()),
    }
}

fn conditions(name: &str, when: &Json, before: &[Parameter]) -> Result<Vec<Condition>, Wrong> {
    let hint = "write \"when\": { \"optimizer\": [\"sgd\"] } with parameters that stand before";
    let wrong = |what: String| (format!("`{}`: {what}", shown(name)), hint.to_owned());
    let object = when
        .as_object()
        .filter(|object| !object.is_empty())
        .ok_or_else(|| wrong("`when` names no condition".to_owned()))?;
    let mut conditions = Vec::with_capacity(object.len());
    for (parent, values) in object {
        let Some(parameter) = before.iter().find(|p| p.name == *parent) else {
            let what = format!("`{}` is no parameter before it", shown(parent));
            return Err(wrong(what));
        };
        let single = std::slice::from_ref(values);
        let values = values.as_array().map_or(single, Vec::as_slice);
        let among: Option<Vec<Value>> = values
            .iter()
            .map(|value| fit(&parameter.domain, Value::from_json(value)?))
            .collect();
        let among =
            among.ok_or_else(|| wrong(format!("`{}` never has such a value", shown(parent))))?;
        conditions.push(Condition {
            parent: parent.clone(),
            among,
        });
    }
    Ok(conditions)
}

/// A value as the domain writes it: `1` in a real range is 1.0.
fn fit(domain: &Domain, value: Value) -> Option<Value> {
    if domain.contains(&value) {
        return Some(value);
    }
    let number = value.as_f64()?;
    match domain {
        Domain::Choice(values) | Domain::Ordered(values) => {
            values.iter().find(|v| v.as_f64() == Some(number)).cloned()
        }
        _ => Some(Value::Number(number)).filter(|value| domain.contains(value)),
    }
}

/// The entries that [`read`] reads as this space and these constants.
pub(crate) fn write(space: &Space, constants: &Config) -> Entries {
    let mut entries: Vec<(String, Json)> = space
        .parameters()
        .iter()
        .map(|p| (p.name.clone(), written(p)))
        .collect();
    for (name, value) in constants.iter() {
        let json = match value.to_json() {
            object @ Json::Object(_) => json!({ "constant": object }),
            other => other,
        };
        entries.push((name.to_owned(), json));
    }
    Entries(entries)
}

fn written(parameter: &Parameter) -> Json {
    let (sampler, arguments) = match &parameter.domain {
        Domain::Real(r) => {
            let name = match (r.log, r.step) {
                (false, None) => "uniform",
                (false, Some(_)) => "quniform",
                (true, None) => "loguniform",
                (true, Some(_)) => "qloguniform",
            };
            (name, with_step(json!(r.low), json!(r.high), r.step))
        }
        Domain::Whole(r) => match (r.log, r.step) {
            (log, None) => (
                if log { "lograndint" } else { "randint" },
                with_step::<i64>(json!(r.low), json!(r.high.saturating_add(1)), None),
            ),
            (log, step) => (
                if log { "qlograndint" } else { "qrandint" },
                with_step(json!(r.low), json!(r.high), step),
            ),
        },
        Domain::Gaussian(g) => (
            if g.step.is_some() { "qrandn" } else { "randn" },
            with_step(json!(g.mean), json!(g.sd), g.step),
        ),
        Domain::Choice(values) => ("choice", list(values)),
        Domain::Ordered(values) => ("grid", list(values)),
    };
    let mut object = Map::new();
    object.insert(sampler.to_owned(), arguments);
    if !parameter.conditions.is_empty() {
        let when: Map<String, Json> = parameter
            .conditions
            .iter()
            .map(|c| (c.parent.clone(), list(&c.among)))
            .collect();
        object.insert("when".to_owned(), when.into());
    }
    object.into()
}

fn with_step<T: Into<Json>>(low: Json, high: Json, step: Option<T>) -> Json {
    let mut numbers = vec![low, high];
    numbers.extend(step.map(Into::into));
    Json::Array(numbers)
}

fn list(values: &[Value]) -> Json {
    values.iter().map(Value::to_json).collect()
}
